#include "daemon/sound.h"

#include "audio/audiofile.h"
#include "daemon/ffmpeg.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct sound {
    struct audiofile *file;
    struct ffmpeg *ffmpeg; /* where file is NULL */
    const char *path;
};

/* Is it worth ffmpeg's while? Not what cannot be opened, nor a pipe or device: libsndfile has eaten from that already. */
static bool plain_file(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 && access(path, R_OK) == 0;
}

/* err: why libsndfile could not; ffmpeg's reason is added to it. */
static struct ffmpeg *open_ffmpeg(const char *path, struct err *err)
{
    struct err first = *err, second;
    bool absent;
    struct ffmpeg *f = ffmpeg_open(path, &absent, &second);

    if (!f && absent)
        err_set(err, "%.*s; ffmpeg, which reads m4a, webm, 3gp and more, is not installed", ERR_TEXT / 2, first.text);
    else if (!f)
        err_set(err, "%.*s (%.*s)", ERR_TEXT / 2, first.text, ERR_TEXT / 3, second.text);
    return f;
}

/* libsndfile keeps why an open failed in one place for the whole process: opens take turns, so that each reads its own. fd -1: none yet. */
static struct audiofile *open_file(int fd, const char *path, bool *broken, struct err *err)
{
    static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

    pthread_mutex_lock(&turn);
    struct audiofile *f = fd >= 0 ? audiofile_open_fd(fd, path, broken, err) : audiofile_open(path, err);
    pthread_mutex_unlock(&turn);
    return f;
}

struct sound *sound_open(const char *path, struct err *err)
{
    struct sound *s = calloc(1, sizeof *s);

    if (!s) {
        err_set(err, "%s: no memory", path);
        return NULL;
    }
    s->path = path;
    s->file = open_file(-1, path, NULL, err);
    if (!s->file && plain_file(path))
        s->ffmpeg = open_ffmpeg(path, err);
    if (!s->file && !s->ffmpeg) {
        sound_close(s);
        return NULL;
    }
    return s;
}

struct sound *sound_open_fd(int fd, const char *name, bool *broken, struct err *err)
{
    struct sound *s = calloc(1, sizeof *s);

    *broken = false;
    if (!s) {
        close(fd);
        err_set(err, "%s: no memory", name);
        return NULL;
    }
    s->path = name;
    s->file = open_file(fd, name, broken, err);
    if (!s->file) {
        sound_close(s);
        return NULL;
    }
    return s;
}

void sound_close(struct sound *s)
{
    if (!s)
        return;
    audiofile_close(s->file);
    ffmpeg_close(s->ffmpeg);
    free(s);
}

unsigned sound_rate(const struct sound *s)
{
    return s->file ? audiofile_rate(s->file) : ffmpeg_rate(s->ffmpeg);
}

long sound_read(struct sound *s, float *out, size_t frames, struct err *err)
{
    if (s->file)
        return audiofile_read_mono(s->file, -1, out, frames, err);
    long n = ffmpeg_read_mono(s->ffmpeg, out, frames, err);
    if (n < 0)
        err_prefix(err, "%s: ", s->path);
    return n;
}
