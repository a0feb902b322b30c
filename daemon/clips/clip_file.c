#include "daemon/clips/clip_file.h"

#include "base/npy.h"
#include "daemon/clips/clip_name.h"

#include <errno.h>
#include <fcntl.h>
#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODE 0640

struct clip_file {
    int dir_fd, fd;
    char *dir;
    char part[CLIP_PART_SIZE];
    SNDFILE *sound;
    sf_count_t at, length; /* of the file, bytes */
    int failed;            /* errno of the first thing that could not be written */
    uint64_t frames;
};

const char *clip_format_extension(int format)
{
    return format == CLIP_WAV ? "wav" : "flac";
}

/* --- what libsndfile writes through: so that the reason of a failure is known, and none is missed --------------------- */

static sf_count_t get_length(void *user)
{
    return ((struct clip_file *)user)->length;
}

static sf_count_t seek(sf_count_t offset, int whence, void *user)
{
    struct clip_file *f = user;

    f->at = whence == SEEK_SET ? offset : (whence == SEEK_CUR ? f->at : f->length) + offset;
    return f->at;
}

static sf_count_t read_back(void *to, sf_count_t count, void *user)
{
    struct clip_file *f = user;
    ssize_t n = pread(f->fd, to, (size_t)count, f->at);

    f->at += n > 0 ? n : 0;
    return n > 0 ? n : 0;
}

static sf_count_t write_out(const void *from, sf_count_t count, void *user)
{
    struct clip_file *f = user;
    sf_count_t done = 0;

    while (done < count && !f->failed) {
        ssize_t n = pwrite(f->fd, (const char *)from + done, (size_t)(count - done), f->at);
        if (n < 0 && errno != EINTR)
            f->failed = errno;
        if (n > 0) {
            done += n;
            f->at += n;
        }
    }
    if (f->at > f->length)
        f->length = f->at;
    return done;
}

static sf_count_t tell(void *user)
{
    return ((struct clip_file *)user)->at;
}

/* --------------------------------------------------------------------------------------------------------------------- */

static int fail(const struct clip_file *f, struct err *err)
{
    return err_set(err, "%s: %s", f->dir, f->failed ? strerror(f->failed) : sf_strerror(f->sound));
}

static int open_part(struct clip_file *f, struct err *err)
{
    f->dir_fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->dir_fd < 0)
        return err_set(err, "%s: %s", f->dir, strerror(errno));
    /* O_EXCL: what lies there under this name, a link perhaps, is not ours to write to */
    f->fd = openat(f->dir_fd, f->part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, MODE);
    if (f->fd < 0)
        return err_set(err, "%s: %s", f->dir, strerror(errno));
    flock(f->fd, LOCK_EX | LOCK_NB); /* a file system without locks does without */
    return 0;
}

static int open_sound(struct clip_file *f, int format, unsigned rate, struct err *err)
{
    static SF_VIRTUAL_IO io = {get_length, seek, read_back, write_out, tell};
    SF_INFO info = {.samplerate = (int)rate,
                    .channels = 1,
                    .format = SF_FORMAT_PCM_16 | (format == CLIP_WAV ? SF_FORMAT_WAV : SF_FORMAT_FLAC)};

    f->sound = sf_open_virtual(&io, SFM_WRITE, &info, f);
    return f->sound ? 0 : fail(f, err);
}

struct clip_file *clip_file_create(const char *dir, const char *name, int format, unsigned rate, const char *title,
                                   const char *comment, struct err *err)
{
    struct clip_file *f = calloc(1, sizeof *f);

    if (!f || !(f->dir = strdup(dir))) {
        free(f);
        err_set(err, "%s: no memory", dir);
        return NULL;
    }
    f->fd = f->dir_fd = -1;
    clip_name_part(name, f->part);
    if (open_part(f, err) < 0 || open_sound(f, format, rate, err) < 0) {
        if (f->fd < 0)
            f->part[0] = '\0'; /* not ours to remove */
        clip_file_abandon(f);
        return NULL;
    }
    sf_set_string(f->sound, SF_STR_TITLE, title);
    sf_set_string(f->sound, SF_STR_COMMENT, comment);
    sf_set_string(f->sound, SF_STR_SOFTWARE, "earshot " EARSHOT_VERSION);
    return f;
}

int clip_file_write(struct clip_file *f, const int16_t *x, size_t n, struct err *err)
{
    if (sf_write_short(f->sound, x, (sf_count_t)n) != (sf_count_t)n || f->failed)
        return fail(f, err);
    f->frames += n;
    return 0;
}

uint64_t clip_file_frames(const struct clip_file *f)
{
    return f->frames;
}

uint64_t clip_file_bytes(const struct clip_file *f)
{
    return (uint64_t)f->length;
}

int clip_file_complete(struct clip_file *f, struct err *err)
{
    if (!f->sound)
        return 0;
    int rc = sf_close(f->sound); /* encodes what it still holds, and writes the header's figures */
    f->sound = NULL;
    if (f->failed || rc != 0)
        return err_set(err, "%s: %s", f->dir, f->failed ? strerror(f->failed) : sf_error_number(rc));
    if (fsync(f->fd) < 0)
        return err_set(err, "%s: %s", f->dir, strerror(errno));
    return 0;
}

static void forget(struct clip_file *f)
{
    if (f->fd >= 0)
        close(f->fd);
    if (f->dir_fd >= 0)
        close(f->dir_fd);
    free(f->dir);
    free(f);
}

int clip_file_finish(struct clip_file *f, const char *name, struct err *err)
{
    if (clip_file_complete(f, err) < 0) {
        clip_file_abandon(f);
        return -1;
    }
    if (renameat(f->dir_fd, f->part, f->dir_fd, name) < 0) {
        err_set(err, "%s/%s: %s", f->dir, name, strerror(errno));
        clip_file_abandon(f);
        return -1;
    }
    fsync(f->dir_fd); /* without it a power cut may take the name back, and leave the part to be cleared away */
    forget(f);
    return 0;
}

void clip_file_abandon(struct clip_file *f)
{
    if (!f)
        return;
    f->failed = f->failed ? f->failed : ECANCELED; /* what libsndfile still holds is not written */
    if (f->sound)
        sf_close(f->sound);
    if (*f->part)
        unlinkat(f->dir_fd, f->part, 0);
    forget(f);
}

int clip_file_embeddings(const char *dir, const char *name, const float *x, size_t windows, size_t size,
                         struct err *err)
{
    char part[CLIP_PART_SIZE], from[4096 + CLIP_PART_SIZE], to[4096 + CLIP_SIZE];
    const size_t shape[] = {windows, size};

    clip_name_part(name, part);
    snprintf(from, sizeof from, "%.4095s/%s", dir, part);
    snprintf(to, sizeof to, "%.4095s/%s", dir, name);
    if (npy_write(from, x, shape, 2, err) < 0)
        return -1;
    int fd = open(from, O_RDWR | O_CLOEXEC), dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd >= 0 && dir_fd >= 0 && fchmod(fd, MODE) == 0 && fsync(fd) == 0 && rename(from, to) == 0
                 ? 0
                 : err_set(err, "%s: %s", to, strerror(errno));
    if (rc == 0)
        fsync(dir_fd);
    else
        unlink(from);
    if (fd >= 0)
        close(fd);
    if (dir_fd >= 0)
        close(dir_fd);
    return rc;
}
