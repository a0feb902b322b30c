#include "daemon/statedir.h"
#include "base/text.h"
#include "daemon/instance.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYSTEM_DIR "/var/lib"
#define FLOOR_FILE "floor"
#define FLOOR_MIN  (-120.0)
#define FLOOR_MAX  0.0
#define PATH_SIZE  4096

struct state_lock {
    int fd;
};

static const char *home(void)
{
    const char *h = getenv("HOME");
    if (h && *h == '/')
        return h;
    const struct passwd *pw = getpwuid(getuid());
    return pw && pw->pw_dir && *pw->pw_dir == '/' ? pw->pw_dir : NULL;
}

static bool writable(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode) && access(path, W_OK | X_OK) == 0;
}

/* The path, and where it comes from for messages. */
static int choose(const struct cmd_context *cx, char *out, size_t size, const char **from, struct err *err)
{
    const char *env = getenv("STATE_DIRECTORY"), *xdg = getenv("XDG_STATE_HOME"), *h = home();
    char below[PATH_SIZE], system[64];
    int n;

    instance_path(system, sizeof system, SYSTEM_DIR);
    if (cx->state_dir) {
        *from = "--state-dir";
        n = snprintf(out, size, "%s", cx->state_dir);
    } else if (env && *env) {
        *from = "$STATE_DIRECTORY";
        n = snprintf(out, size, "%.*s", (int)strcspn(env, ":"), env);
    } else if (cx->config.state.dir[0]) {
        *from = "[state] dir";
        n = snprintf(out, size, "%s", cx->config.state.dir);
    } else if (writable(system)) {
        *from = "default";
        n = snprintf(out, size, "%s", system);
    } else if (xdg && *xdg == '/') { /* the XDG specification has relative ones ignored */
        *from = "$XDG_STATE_HOME";
        n = instance_path(out, size, xdg);
    } else if (h) {
        *from = "default";
        n = snprintf(below, sizeof below, "%s/.local/state", h);
        n = n > 0 && (size_t)n < sizeof below ? instance_path(out, size, below) : n;
    } else {
        return err_set(err, "no state directory: %s cannot be written and there is no home directory; give --state-dir",
                       system);
    }
    if (n <= 0 || (size_t)n >= size)
        return err_set(err, "state directory (%s): %s", *from, n <= 0 ? "empty" : "the path is too long");
    return 0;
}

/* mkdir -p. What is made is the owner's and his group's: others have no business with what was heard. */
static int make(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int rc = mkdir(path, 0770);
        *slash = '/';
        if (rc < 0 && errno != EEXIST && errno != EROFS && errno != EACCES) /* the last one decides */
            return -1;
    }
    return mkdir(path, 0770) < 0 && errno != EEXIST ? -1 : 0;
}

int state_dir_find(const struct cmd_context *cx, char *out, size_t size, struct err *err)
{
    char path[PATH_SIZE];
    const char *from = "";

    if (choose(cx, path, sizeof path < size ? sizeof path : size, &from, err) < 0)
        return -1;
    if (!writable(path) && make(path) < 0)
        return err_set(err, "state directory %s (%s) cannot be made: %s", path, from, strerror(errno));
    if (!writable(path)) {
        int why = access(path, W_OK | X_OK) < 0 ? errno : ENOTDIR;
        return err_set(err, "state directory %s (%s) cannot be written: %s", path, from, strerror(why));
    }
    snprintf(out, size, "%s", path);
    return 0;
}

int state_dir_look(const struct cmd_context *cx, char *out, size_t size, struct err *err)
{
    const char *env = getenv("STATE_DIRECTORY"), *from = "";
    bool said = cx->state_dir || (env && *env) || cx->config.state.dir[0];
    char system[64];

    if (choose(cx, out, size, &from, err) < 0)
        return -1;
    instance_path(system, sizeof system, SYSTEM_DIR);
    if (!said && access(out, F_OK) < 0 && access(system, F_OK) == 0)
        snprintf(out, size, "%s", system);
    return 0;
}

int state_dir_choose(const struct cmd_context *cx, char *out, size_t size, struct err *err)
{
    const char *from;

    return choose(cx, out, size, &from, err);
}

int state_dir_make(const char *dir, struct err *err)
{
    char path[PATH_SIZE];

    snprintf(path, sizeof path, "%s", dir);
    if (!writable(path) && make(path) < 0)
        return err_set(err, "state directory %s cannot be made: %s", dir, strerror(errno));
    if (!writable(path))
        return err_set(err, "state directory %s cannot be written: %s", dir,
                       strerror(access(path, W_OK | X_OK) < 0 ? errno : ENOTDIR));
    return 0;
}

static int in_dir(char out[PATH_SIZE], const char *dir, const char *name, struct err *err)
{
    int n = snprintf(out, PATH_SIZE, "%s/%s", dir, name);
    return n < 0 || n >= PATH_SIZE ? err_set(err, "%s: the path is too long", dir) : 0;
}

static int refuse_lock(int fd, const char *dir, int why, struct err *err)
{
    char pid[24] = "";
    ssize_t n = pread(fd, pid, sizeof pid - 1, 0);
    size_t digits = 0;

    while (n > 0 && digits < (size_t)n && isdigit((unsigned char)pid[digits]))
        digits++;
    pid[digits] = '\0';
    if (why != EWOULDBLOCK)
        return err_set(err, "state directory %s cannot be locked: %s", dir, strerror(why));
    return err_set(err,
                   "another earshot%s%s has the state directory %s; allowed: one daemon for each directory, so give "
                   "this one its own with --state-dir",
                   digits ? ", process " : "", pid, dir);
}

struct state_lock *state_lock(const char *dir, struct err *err)
{
    char path[PATH_SIZE];
    struct state_lock *lock = malloc(sizeof *lock);

    if (!lock) {
        err_set(err, "no memory");
        return NULL;
    }
    lock->fd = -1;
    if (in_dir(path, dir, "lock", err) < 0)
        goto fail;
    lock->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0660);
    if (lock->fd < 0) {
        err_set(err, "cannot open %s: %s", path, strerror(errno));
        goto fail;
    }
    if (flock(lock->fd, LOCK_EX | LOCK_NB) < 0) {
        refuse_lock(lock->fd, dir, errno, err);
        goto fail;
    }
    /* for the message above alone: the lock holds whether this can be written or not */
    if (ftruncate(lock->fd, 0) == 0)
        dprintf(lock->fd, "%ld\n", (long)getpid());
    return lock;
fail:
    state_unlock(lock);
    return NULL;
}

void state_unlock(struct state_lock *lock)
{
    if (!lock)
        return;
    if (lock->fd >= 0)
        close(lock->fd);
    free(lock);
}

int state_load_floor(const char *dir, double *floor_dbfs, struct err *err)
{
    char path[PATH_SIZE], text[64];
    const char *end;
    double value;

    if (in_dir(path, dir, FLOOR_FILE, err) < 0)
        return -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return err_set(err, "cannot open %s: %s", path, strerror(errno));
    ssize_t n = read(fd, text, sizeof text - 1);
    int why = errno;
    close(fd);
    if (n < 0)
        return err_set(err, "cannot read %s: %s", path, strerror(why));
    text[n] = '\0';
    if (strlen(text) != (size_t)n || !text_number(text, &value, &end) || strcmp(end, " dBFS\n") != 0 ||
        value < FLOOR_MIN || value > FLOOR_MAX)
        return err_set(err, "%s holds no noise floor; allowed: a line such as \"-57.25 dBFS\"", path);
    *floor_dbfs = value;
    return 0;
}

int state_save_floor(const char *dir, double floor_dbfs, struct err *err)
{
    char path[PATH_SIZE], fresh[PATH_SIZE];

    if (!(floor_dbfs >= FLOOR_MIN && floor_dbfs <= FLOOR_MAX))
        return err_set(err, "noise floor %g dBFS is not saved; allowed: %g to %g", floor_dbfs, FLOOR_MIN, FLOOR_MAX);
    if (in_dir(path, dir, FLOOR_FILE, err) < 0 || in_dir(fresh, dir, FLOOR_FILE ".new", err) < 0)
        return -1;
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0660);
    if (fd < 0)
        return err_set(err, "cannot open %s: %s", fresh, strerror(errno));
    /* on the disk before it takes the old one's place: a power cut leaves one of the two, never half */
    bool good = dprintf(fd, "%.2f dBFS\n", floor_dbfs) > 0 && fdatasync(fd) == 0;
    int why = errno;
    if (close(fd) < 0 && good) {
        good = false;
        why = errno;
    }
    if (good && rename(fresh, path) < 0) {
        good = false;
        why = errno;
    }
    if (good)
        return 0;
    unlink(fresh);
    return err_set(err, "cannot write %s: %s", path, strerror(why));
}
