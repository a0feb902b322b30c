#include "daemon/settings.h"

#include "base/log.h"
#include "base/options.h"
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* What commands set (commands.c). Nothing else counts in the file: whoever may write to the state directory has no say in what is
 * recorded, run or sent. */
static bool may_keep(const char *key)
{
    static const char *const keys[] = {"gate.threshold", "input.listening", "model.file", "decision.cooldown",
                                       "decision.threshold"};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(keys[i], key) == 0)
            return true;
    return false;
}

static int put(struct settings *s, const char *key, const char *value)
{
    size_t i = 0;

    while (i < s->n && strcmp(s->list[i].key, key) != 0)
        i++;
    if (!may_keep(key) || i == SETTINGS_MOST || strlen(key) >= SETTINGS_KEY || strlen(value) >= SETTINGS_VALUE)
        return -1;
    s->n += i == s->n;
    strcpy(s->list[i].key, key);
    strcpy(s->list[i].value, value);
    return 0;
}

static void take(struct settings *s, const char *key)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->list[i].key, key) == 0) {
            s->list[i] = s->list[--s->n];
            return;
        }
}

static int on_value(void *ctx, const char *section, const char *name, const char *value)
{
    struct settings *s = ctx;
    const struct option *o = option_find(section, name);
    char key[SETTINGS_KEY * 2], plain[SETTINGS_VALUE];
    size_t n = strlen(value);
    bool quoted = n >= 2 && value[0] == '"' && value[n - 1] == '"';

    if (!o || strcmp(section, "class") == 0 || o->type == OPTION_LABELS)
        return 0;
    snprintf(key, sizeof key, "%s.%s", section, name);
    snprintf(plain, sizeof plain, "%.*s", (int)(quoted ? n - 2 : n), value + quoted);
    return put(s, key, plain) == 0;
}

/* Is it a file as this module writes it? The configuration's own reader looks at every line before inih does. */
static int read_file(struct settings *s, struct err *err)
{
    struct config scratch;
    struct stat st;

    if (lstat(s->path, &st) < 0)
        return errno == ENOENT ? 0 : err_set(err, "%s: %s", s->path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return err_set(err, "%s is no regular file", s->path);
    if (config_init(&scratch, err) < 0)
        return -1;
    int rc = config_read(&scratch, s->path, NULL, err);
    config_free(&scratch);
    if (rc < 0)
        return -1;
    if (ini_parse(s->path, on_value, s) != 0)
        return err_set(err, "%s: an option that no command sets, which cannot be kept here", s->path);
    return 0;
}

void settings_open(struct settings *s, const char *dir)
{
    struct err err;

    *s = (struct settings){.path = ""};
    if (!dir || strlen(dir) + sizeof "/" SETTINGS_FILE > sizeof s->path - 64)
        return;
    snprintf(s->path, sizeof s->path, "%s/%s", dir, SETTINGS_FILE);
    if (read_file(s, &err) < 0)
        settings_set_aside(s, err.text);
    for (size_t i = 0; i < s->n; i++)
        log_info("%s = %s, as kept in %s", s->list[i].key, s->list[i].value, s->path);
}

void settings_set_aside(struct settings *s, const char *why)
{
    char aside[sizeof s->path + 64], stamp[32];
    time_t now = time(NULL);
    struct tm tm;

    strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
    snprintf(aside, sizeof aside, "%s.bad-%s", s->path, stamp);
    s->n = 0;
    if (rename(s->path, aside) == 0)
        log_warn("what was set and kept cannot be used: %s; it is set aside as %s, and the configuration counts", why,
                 aside);
    else
        log_warn("what was set and kept cannot be used: %s; the configuration counts (renaming it failed: %s)", why,
                 strerror(errno));
}

int settings_apply(const struct settings *s, struct config *c, struct err *err)
{
    char text[SETTINGS_KEY + SETTINGS_VALUE + 2];

    for (size_t i = 0; i < s->n; i++) {
        snprintf(text, sizeof text, "%s=%s", s->list[i].key, s->list[i].value);
        if (config_set(c, text, err) < 0)
            return err_prefix(err, "%s: %s: ", s->path, s->list[i].key);
    }
    return 0;
}

const char *settings_find(const struct settings *s, const char *key)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->list[i].key, key) == 0)
            return s->list[i].value;
    return NULL;
}

static void write_all(const struct settings *s, FILE *f)
{
    fputs("# Set while earshot ran, and kept: goes before the configuration file. Written by earshot.\n", f);
    for (size_t i = 0; i < s->n; i++) {
        const char *dot = strchr(s->list[i].key, '.');
        fprintf(f, "\n[%.*s]\n%s = %s\n", (int)(dot - s->list[i].key), s->list[i].key, dot + 1, s->list[i].value);
    }
}

static void sync_folder(const char *path)
{
    char *copy = strdup(path);
    int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    if (fd >= 0) {
        fsync(fd); /* the new name too is there after a power cut; where that cannot be, the old one is */
        close(fd);
    }
    free(copy);
}

static int save(const struct settings *s, struct err *err)
{
    char fresh[sizeof s->path + 8];

    snprintf(fresh, sizeof fresh, "%s.new", s->path);
    unlink(fresh); /* left behind by a power cut, or not ours: never written through */
    int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0660);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!f) {
        int why = errno;
        if (fd >= 0)
            close(fd);
        return err_set(err, "cannot write %s: %s", fresh, strerror(why));
    }
    write_all(s, f);
    bool good = fflush(f) == 0 && !ferror(f) && fsync(fileno(f)) == 0;
    int why = errno;
    if (fclose(f) != 0 && good) {
        good = false;
        why = errno;
    }
    if (good && rename(fresh, s->path) < 0) {
        good = false;
        why = errno;
    }
    if (!good) {
        unlink(fresh);
        return err_set(err, "cannot write %s: %s", s->path, strerror(why));
    }
    sync_folder(s->path);
    return 0;
}

int settings_keep(struct settings *s, const char *key, const char *value, struct err *err)
{
    struct settings next = *s;

    if (!s->path[0])
        return err_set(err, "nothing can be kept: there is no state directory");
    if (!value)
        take(&next, key);
    else if (strpbrk(value, "\n\r;\"") || put(&next, key, value) < 0)
        return err_set(err, "%s = %.60s cannot be kept in a file", key, value);
    if (save(&next, err) < 0)
        return -1;
    *s = next;
    return 0;
}
