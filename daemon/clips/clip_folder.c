#include "daemon/clips/clip_folder.h"

#include "base/log.h"
#include "daemon/clips/clip_file.h"
#include "daemon/clips/clip_name.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER_MODE 0750
#define DAY_MS      86400000.0
#define PIECE       4096

int clip_folder_path(const struct config *config, const char *state_dir, char *out, size_t size, struct err *err)
{
    int n;

    if (config->clips.dir[0])
        n = snprintf(out, size, "%s", config->clips.dir);
    else if (state_dir)
        n = snprintf(out, size, "%s/clips", state_dir);
    else
        return err_set(err, "there is no folder for clips: no state directory, and [clips] dir is empty");
    return n >= 0 && (size_t)n < size ? 0 : err_set(err, "the folder for clips: its path is too long");
}

int clip_folder_make(const char *dir, struct err *err)
{
    struct stat st;

    if (mkdir(dir, FOLDER_MODE) < 0 && errno != EEXIST)
        return err_set(err, "folder for clips %s: %s", dir, strerror(errno));
    if (stat(dir, &st) < 0)
        return err_set(err, "folder for clips %s: %s", dir, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return err_set(err, "folder for clips %s: it is not a folder", dir);
    if (access(dir, R_OK | W_OK | X_OK) < 0)
        return err_set(err, "folder for clips %s: %s", dir, strerror(errno));
    return 0;
}

void clip_quota_from(const struct config *config, struct clip_quota *out)
{
    *out = (struct clip_quota){.bytes = (uint64_t)(config->clips.max_size * 1e6),
                               .files = (uint64_t)config->clips.max_files,
                               .age_ms = (int64_t)(config->clips.max_age * DAY_MS),
                               .class_share = config->clips.class_share / 100};
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct clip_entry *)a)->name, ((const struct clip_entry *)b)->name);
}

static int add(struct clip_entry **list, size_t *n, const char *file, const struct clip_name *name, uint64_t bytes)
{
    if (*n % 256 == 0) {
        struct clip_entry *more = realloc(*list, (*n + 256) * sizeof *more);
        if (!more)
            return -1;
        *list = more;
    }
    struct clip_entry *e = &(*list)[(*n)++];
    *e = (struct clip_entry){.utc_ms = name->utc_ms, .bytes = bytes};
    snprintf(e->name, sizeof e->name, "%.*s", CLIP_SIZE - 1, file);
    memcpy(e->label, name->label, sizeof e->label);
    return 0;
}

struct clip_entry *clip_folder_list(const char *dir, size_t *n, struct err *err)
{
    struct clip_entry *list = NULL;
    DIR *d = opendir(dir);
    struct dirent *entry;
    struct clip_name name;
    struct stat st;
    bool ok = d;

    *n = 0;
    if (!d)
        err_set(err, "%s: %s", dir, strerror(errno));
    while (ok && (entry = readdir(d)))
        if (clip_name_read(entry->d_name, &name, NULL) &&
            fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
            ok = add(&list, n, entry->d_name, &name, (uint64_t)st.st_size) == 0 || (err_set(err, "no memory"), false);
    if (d)
        closedir(d);
    if (ok && !list && !(list = malloc(sizeof *list)))
        err_set(err, "no memory");
    if (!ok) {
        free(list);
        return NULL;
    }
    if (*n > 1)
        qsort(list, *n, sizeof *list, by_name);
    return list;
}

long clip_folder_keep(const char *dir, const struct clip_quota *q, const struct clip_entry *coming, int64_t now_ms,
                      struct err *err)
{
    size_t n;
    struct clip_entry *list = clip_folder_list(dir, &n, err);
    if (!list)
        return -1;
    long gone = clip_quota_apply(q, list, n, coming, now_ms);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; gone > 0 && fd >= 0 && i < n; i++)
        if (list[i].gone && unlinkat(fd, list[i].name, 0) < 0 && errno != ENOENT) {
            gone = err_set(err, "%s/%s cannot be removed: %s", dir, list[i].name, strerror(errno));
            break;
        }
    if (fd >= 0)
        close(fd);
    free(list);
    return gone;
}

/* --- what a killed process left ------------------------------------------------------------------------------------------ */

/* Copies all samples that can be read into a file of that name. A header that was never completed says nothing of the length. */
static int repair(const char *dir, int fd, const char *file)
{
    SF_INFO info = {0};
    struct err err;
    int16_t x[PIECE];
    char temporary[CLIP_SIZE];
    struct clip_name name;
    sf_count_t n;

    SNDFILE *from = sf_open_fd(dup(fd), SFM_READ, &info, SF_TRUE);
    if (!from)
        return -1;
    if (info.channels != 1 || !clip_name_read(file, &name, NULL)) {
        sf_close(from);
        return -1;
    }
    /* the leftover has the temporary name: another id for the while */
    snprintf(name.id, sizeof name.id, "%08x", (unsigned)getpid());
    clip_name_write(&name, temporary);
    struct clip_file *to = clip_file_create(dir, temporary, strcmp(name.extension, "wav") == 0 ? CLIP_WAV : CLIP_FLAC,
                                            (unsigned)info.samplerate, name.label, "cut short, and repaired", &err);
    int rc = to ? 0 : -1;
    while (rc == 0 && (n = sf_read_short(from, x, PIECE)) > 0)
        rc = clip_file_write(to, x, (size_t)n, &err);
    sf_close(from);
    if (rc == 0 && clip_file_frames(to) > 0)
        return clip_file_finish(to, file, &err);
    clip_file_abandon(to);
    return -1;
}

long clip_folder_recover(const char *dir, long *removed)
{
    DIR *d = opendir(dir);
    struct dirent *entry;
    long repaired = 0;

    *removed = 0;
    while (d && (entry = readdir(d))) {
        struct clip_name name;
        char file[CLIP_SIZE];
        bool part;
        if (!clip_name_read(entry->d_name, &name, &part) || !part)
            continue;
        int fd = openat(dirfd(d), entry->d_name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        struct stat st;
        if (fd < 0)
            continue;
        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
            close(fd);
            continue;
        }
        if (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) {
            clip_name_write(&name, file);
            bool kept = strcmp(name.label, CLIP_ALL) == 0 && repair(dir, fd, file) == 0;
            repaired += kept;
            *removed += !kept;
            unlinkat(dirfd(d), entry->d_name, 0);
        }
        close(fd);
    }
    if (d)
        closedir(d);
    return repaired;
}
