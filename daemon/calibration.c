#include "daemon/calibration.h"

#include "base/json.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME       "calibration"
#define REFERENCE_DB    94.0
#define SINE_DB         3.0103 /* RMS of a full-scale sine under full scale */
#define MAX_OFFSET      300.0
#define MAX_FILE        65536
#define PATH_SIZE       4200
#define DEVICE_NAME_MAX 256

double calibration_stated(double sensitivity, double gain_db)
{
    return REFERENCE_DB - (sensitivity - SINE_DB + gain_db);
}

/* "USB Audio: - (hw:1,0)" -> "USB Audio: -" */
static void plain_name(const char *device, char out[DEVICE_NAME_MAX])
{
    snprintf(out, DEVICE_NAME_MAX, "%s", device);
    char *hw = strstr(out, " (hw:");
    if (hw)
        *hw = '\0';
}

static int path_of(char out[PATH_SIZE], const char *dir, const char *name, struct err *err)
{
    int n = snprintf(out, PATH_SIZE, "%s/%s", dir, name);
    return n < 0 || n >= PATH_SIZE ? err_set(err, "%s: the path is too long", dir) : 0;
}

/* Reads all of a regular file that is no larger than MAX_FILE. The text is the caller's; NULL with errno: none. */
static char *read_all(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;
    if (fd < 0) {
        err_set(err, "cannot open %s: %s", path, strerror(errno));
        return NULL;
    }
    char *text = NULL;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > MAX_FILE) {
        err_set(err, "%s is no calibration file; allowed: a text file of at most %d bytes", path, MAX_FILE);
    } else if ((text = malloc(MAX_FILE + 1))) {
        ssize_t n = read(fd, text, MAX_FILE);
        if (n < 0)
            err_set(err, "cannot read %s: %s", path, strerror(errno));
        text[n < 0 ? 0 : n] = '\0';
        if (n < 0) {
            free(text);
            text = NULL;
        }
    } else {
        err_set(err, "no memory for %s", path);
    }
    close(fd);
    errno = 0;
    return text;
}

/* An entry of the file, or NULL with err. */
static json_t *parse_line(const char *line, size_t n, const char *path, unsigned number, struct err *err)
{
    json_error_t why;
    json_t *o = json_loadb(line, n, 0, &why), *offset = json_object_get(o, "offset_db");
    if (json_is_object(o) && json_string_value(json_object_get(o, "device")) &&
        json_string_value(json_object_get(o, "channel")) && json_is_number(json_object_get(o, "gain_db")) &&
        json_is_number(offset) && fabs(json_number_value(offset)) <= MAX_OFFSET)
        return o;
    json_decref(o);
    err_set(
        err,
        "%s:%u is no calibration; allowed: lines that `earshot calibrate` wrote (device, channel, gain_db, offset_db "
        "within +-%.0f dB)",
        path, number, MAX_OFFSET);
    return NULL;
}

static bool is_input(const json_t *o, const struct config *c, const char *name)
{
    return strcmp(json_string_value(json_object_get(o, "device")), name) == 0 &&
           strcmp(json_string_value(json_object_get(o, "channel")), c->input.channel) == 0;
}

static void take_entry(const json_t *o, const struct config *c, struct calibration *out)
{
    const char *how = json_string_value(json_object_get(o, "how"));
    const char *time = json_string_value(json_object_get(o, "time"));
    out->calibrated = true;
    out->offset_db = json_number_value(json_object_get(o, "offset_db")) +
                     json_number_value(json_object_get(o, "gain_db")) - c->input.gain_db;
    snprintf(out->how, sizeof out->how, "%s", how ? how : "");
    snprintf(out->time, sizeof out->time, "%s", time ? time : "");
}

/* Calls fn with each entry, which stays the caller's. -1: a line that is none. */
static int each_entry(const char *text, const char *path, void (*fn)(void *ctx, const json_t *o), void *ctx,
                      struct err *err)
{
    unsigned number = 0;
    while (*text) {
        size_t n = strcspn(text, "\n");
        number++;
        if (n > 0 && *text != '#') {
            json_t *o = parse_line(text, n, path, number, err);
            if (!o)
                return -1;
            fn(ctx, o);
            json_decref(o);
        }
        text += n + (text[n] == '\n');
    }
    return 0;
}

struct search {
    const struct config *config;
    char name[DEVICE_NAME_MAX];
    struct calibration *out;
};

static void look(void *ctx, const json_t *o)
{
    struct search *s = ctx;
    if (is_input(o, s->config, s->name))
        take_entry(o, s->config, s->out);
}

int calibration_find(const char *dir, const struct config *config, const char *device, struct calibration *out,
                     struct err *err)
{
    char path[PATH_SIZE];
    struct stat st;
    struct search s = {.config = config, .out = out};

    *out = (struct calibration){.how = ""};
    if (config->level.sensitivity < LEVEL_CALIBRATED) {
        out->calibrated = true;
        out->offset_db = calibration_stated(config->level.sensitivity, config->input.gain_db);
        snprintf(out->how, sizeof out->how, "stated");
        return 0;
    }
    if (!*dir || !*device)
        return 0;
    if (path_of(path, dir, FILE_NAME, err) < 0)
        return -1;
    if (lstat(path, &st) < 0 && errno == ENOENT)
        return 0;
    char *text = read_all(path, err);
    if (!text)
        return -1;
    plain_name(device, s.name);
    int rc = each_entry(text, path, look, &s, err);
    free(text);
    if (rc < 0)
        *out = (struct calibration){.how = ""};
    return rc;
}

struct rewrite {
    struct search s;
    FILE *f;
};

static void keep_other(void *ctx, const json_t *o)
{
    struct rewrite *w = ctx;
    if (is_input(o, w->s.config, w->s.name))
        return;
    json_dumpf(o, w->f, JSON_LINE | JSON_PRESERVE_ORDER);
    fputc('\n', w->f);
}

static int write_entries(struct rewrite *w, const char *path, const struct calibration *c, double level_db,
                         struct err *err)
{
    struct stat st;
    if (lstat(path, &st) == 0) {
        char *text = read_all(path, err);
        int rc = text ? each_entry(text, path, keep_other, w, err) : -1;
        free(text);
        if (rc < 0)
            return -1;
    }
    json_t *o =
        json_pack("{s:o, s:s, s:f, s:o, s:s, s:o, s:s}", "device", json_text(w->s.name), "channel",
                  w->s.config->input.channel, "gain_db", w->s.config->input.gain_db, "offset_db",
                  json_decimal(c->offset_db, 3), "how", c->how, "level_db", json_decimal(level_db, 2), "time", c->time);
    if (!o)
        return err_set(err, "no memory");
    json_dumpf(o, w->f, JSON_LINE | JSON_PRESERVE_ORDER);
    fputc('\n', w->f);
    json_decref(o);
    return 0;
}

int calibration_save(const char *dir, const struct config *config, const char *device, const struct calibration *c,
                     double level_db, struct err *err)
{
    char path[PATH_SIZE], fresh[PATH_SIZE];
    struct rewrite w = {.s = {.config = config}};

    if (path_of(path, dir, FILE_NAME, err) < 0 || path_of(fresh, dir, FILE_NAME ".new", err) < 0)
        return -1;
    plain_name(device, w.s.name);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0660);
    w.f = fd < 0 ? NULL : fdopen(fd, "w");
    if (!w.f) {
        err_set(err, "cannot open %s: %s", fresh, strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    int rc = write_entries(&w, path, c, level_db, err);
    /* on the disk before it takes the old one's place */
    if (rc == 0 && (fflush(w.f) != 0 || fdatasync(fd) < 0))
        rc = err_set(err, "cannot write %s: %s", fresh, strerror(errno));
    if (fclose(w.f) != 0 && rc == 0)
        rc = err_set(err, "cannot write %s: %s", fresh, strerror(errno));
    if (rc == 0 && rename(fresh, path) < 0)
        rc = err_set(err, "cannot write %s: %s", path, strerror(errno));
    if (rc < 0)
        unlink(fresh);
    return rc;
}

bool calibration_changed(const char *dir, struct calibration_seen *seen)
{
    char path[PATH_SIZE];
    struct stat st;
    struct calibration_seen now = {.mtime_ns = -1};

    if (*dir && path_of(path, dir, FILE_NAME, NULL) == 0 && stat(path, &st) == 0)
        now = (struct calibration_seen){.mtime_ns = st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec,
                                        .size = st.st_size,
                                        .inode = (long long)st.st_ino};
    bool changed = now.mtime_ns != seen->mtime_ns || now.size != seen->size || now.inode != seen->inode;
    *seen = now;
    return changed;
}
