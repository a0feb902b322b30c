#include "daemon/teach/kept.h"

#include "base/fnv.h"
#include "daemon/clips/clip_file.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 4096 };
#define SUFFIX ".flac"

static void file_name(const char *label, const struct taught_example *e, char out[CLIP_SIZE])
{
    uint64_t h = fnv_add(FNV_START, e->source, strlen(e->source));
    unsigned char kind = (unsigned char)e->kind;

    h = fnv_add(h, &kind, 1);
    snprintf(out, CLIP_SIZE, "%.47s-%016" PRIx64 SUFFIX, label, h);
}

static int folder(const char *dir, char out[PATH_MAX], struct err *err)
{
    int n = snprintf(out, PATH_MAX, "%s/" KEPT_FOLDER, dir);
    return n < 0 || n >= PATH_MAX ? err_set(err, "%s: the path is too long", dir) : 0;
}

static int path_of(const char *dir, const char *label, const struct taught_example *e, char out[PATH_MAX],
                   struct err *err)
{
    char name[CLIP_SIZE];

    file_name(label, e, name);
    int n = snprintf(out, PATH_MAX, "%s/" KEPT_FOLDER "/%s", dir, name);
    return n < 0 || n >= PATH_MAX ? err_set(err, "%s: the path is too long", dir) : 0;
}

bool kept_has(const char *dir, const char *label, const struct taught_example *e)
{
    char path[PATH_MAX];
    return path_of(dir, label, e, path, NULL) == 0 && access(path, R_OK) == 0;
}

size_t kept_count(const char *dir, const struct taught_class *c)
{
    size_t n = 0;

    for (size_t i = 0; i < c->n_examples; i++)
        n += kept_has(dir, c->label, &c->examples[i]);
    return n;
}

/* For whom the state directory is for, whatever the umask: members of its group teach, and the daemon learns of it. */
static int make_folder(const char *dir, const char *path, struct err *err)
{
    struct stat parent;

    if (mkdir(path, 0770) == 0) {
        if (stat(dir, &parent) == 0)
            chmod(path, 0770 | (parent.st_mode & S_ISGID));
        return 0;
    }
    return errno == EEXIST ? 0 : err_set(err, "%s: %s", path, strerror(errno));
}

static double bytes_in(const char *path)
{
    DIR *d = opendir(path);
    double sum = 0;

    for (struct dirent *e; d && (e = readdir(d));) {
        struct stat st;
        if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
            sum += (double)st.st_size;
    }
    if (d)
        closedir(d);
    return sum;
}

/* first, n: which samples of it are kept. */
static void choose(const struct take *t, double from_s, double to_s, size_t *first, size_t *n)
{
    size_t most = (size_t)(KEPT_MOST * t->rate), loudest;
    double from = fmax(0, (from_s - KEPT_AROUND) * t->rate), to = fmax(from, (to_s + KEPT_AROUND) * t->rate);
    size_t end = to < (double)t->n ? (size_t)to : t->n;

    *first = from < (double)t->n ? (size_t)from : 0;
    *n = end - *first;
    if (*n <= most)
        return;
    loudest = *first;
    for (size_t i = *first; i < end; i++)
        loudest = fabsf(t->samples[i]) > fabsf(t->samples[loudest]) ? i : loudest;
    if (loudest > *first + most / 2)
        *first = loudest - most / 2 < end - most ? loudest - most / 2 : end - most;
    *n = most;
}

static int write_samples(struct clip_file *f, const float *x, size_t n, struct err *err)
{
    int16_t block[BLOCK];

    for (size_t at = 0; at < n;) {
        size_t k = n - at < BLOCK ? n - at : BLOCK;
        for (size_t i = 0; i < k; i++)
            block[i] = (int16_t)lrintf(32767 * fminf(fmaxf(x[at + i], -1), 1));
        if (clip_file_write(f, block, k, err) < 0)
            return -1;
        at += k;
    }
    return 0;
}

int kept_put(const char *dir, const char *label, const struct taught_example *e, const struct take *t, double from_s,
             double to_s, struct err *err)
{
    char name[CLIP_SIZE], path[PATH_MAX], old[PATH_MAX];
    size_t first, n;

    file_name(label, e, name);
    if (folder(dir, path, err) < 0 || path_of(dir, label, e, old, err) < 0 || make_folder(dir, path, err) < 0)
        return -1;
    unlink(old); /* of another sound by that name: better none than that one */
    choose(t, from_s, to_s, &first, &n);
    if (bytes_in(path) + 2.0 * (double)n > KEPT_BYTES)
        return err_set(err, "%s holds %.0f MB already", path, KEPT_BYTES / 1e6);
    struct clip_file *f = clip_file_create(path, name, CLIP_FLAC, t->rate, label, e->source, err);
    if (!f)
        return -1;
    if (write_samples(f, t->samples + first, n, err) < 0) {
        clip_file_abandon(f);
        return -1;
    }
    return clip_file_finish(f, name, err);
}

int kept_take(const char *dir, const char *label, const struct taught_example *e, struct take *t, struct err *err)
{
    char path[PATH_MAX];

    *t = (struct take){.samples = NULL};
    return path_of(dir, label, e, path, err) < 0 ? -1 : take_read(t, path, err);
}

/* Is it a file of that label's? */
static bool is_of(const char *file, const char *label)
{
    size_t n = strlen(label), hidden = *file == '.'; /* one that was begun and never finished */

    return strncmp(file + hidden, label, n) == 0 && file[hidden + n] == '-' &&
           strspn(file + hidden + n + 1, "0123456789abcdef") == 16 &&
           strncmp(file + hidden + n + 17, SUFFIX, sizeof SUFFIX - 1) == 0;
}

void kept_sweep(const char *dir, const char *label, const struct taughtfile *f)
{
    const struct taught_class *c = taughtfile_find(f, label);
    char path[PATH_MAX], name[CLIP_SIZE];
    DIR *d = folder(dir, path, NULL) == 0 ? opendir(path) : NULL;

    for (struct dirent *e; d && (e = readdir(d));) {
        bool wanted = !is_of(e->d_name, label);
        for (size_t i = 0; c && i < c->n_examples && !wanted; i++) {
            file_name(label, &c->examples[i], name);
            wanted = strcmp(name, e->d_name) == 0;
        }
        if (!wanted)
            unlinkat(dirfd(d), e->d_name, 0);
    }
    if (d)
        closedir(d);
}
