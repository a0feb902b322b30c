#include "audio/audiofile.h"

#include <errno.h>
#include <fcntl.h>
#include <sndfile.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A header's frame count cannot be trusted (streamed and truncated files, MP3): what counts is what can be read, a block at a
 * time, the first already at opening. */
enum { BLOCK_SAMPLES = 16384, RATE_MIN = 1000, RATE_MAX = 768000, CHANNELS_MAX = 256 };
enum { ALL = -2 }; /* channels, interleaved */

struct audiofile {
    SNDFILE *file;
    SF_INFO info;
    char *path;
    float *block; /* interleaved */
    size_t block_frames, have, used;
    uint64_t total;
    bool broken;
};

static int check_plain(int fd, const char *path, struct err *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_set(err, "%s: %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return err_set(err, "%s: is a directory, not an audio file", path);
    if (S_ISREG(st.st_mode) && st.st_size == 0)
        return err_set(err, "%s: is empty", path);
    return 0;
}

/* Returns the frames at hand, 0 at the end, -1 with err at a broken place. */
static long fill(struct audiofile *f, struct err *err)
{
    if (f->used < f->have)
        return (long)(f->have - f->used);
    f->used = f->have = 0;
    if (!f->broken) {
        sf_count_t n = sf_readf_float(f->file, f->block, (sf_count_t)f->block_frames);
        f->have = n > 0 ? (size_t)n : 0;
        f->total += f->have;
        f->broken = f->have < f->block_frames && sf_error(f->file) != SF_ERR_NO_ERROR;
    }
    if (f->have == 0 && f->broken)
        return err_set(err, "%s: broken after %llu frames: %s", f->path, (unsigned long long)f->total,
                       sf_strerror(f->file));
    return (long)f->have;
}

static int check_info(const struct audiofile *f, struct err *err)
{
    if (f->info.samplerate < RATE_MIN || f->info.samplerate > RATE_MAX)
        return err_set(err, "%s: a sample rate of %d Hz, %d to %d are supported", f->path, f->info.samplerate, RATE_MIN,
                       RATE_MAX);
    if (f->info.channels < 1 || f->info.channels > CHANNELS_MAX)
        return err_set(err, "%s: %d channels, 1 to %d are supported", f->path, f->info.channels, CHANNELS_MAX);
    return 0;
}

struct audiofile *audiofile_open(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        err_set(err, "%s: %s", path, strerror(errno));
        return NULL;
    }
    return audiofile_open_fd(fd, path, NULL, err);
}

struct audiofile *audiofile_open_fd(int fd, const char *path, bool *broken, struct err *err)
{
    if (broken)
        *broken = false;
    if (check_plain(fd, path, err) < 0) {
        close(fd);
        return NULL;
    }
    struct audiofile *f = calloc(1, sizeof *f);
    if (!f) {
        close(fd);
        err_set(err, "%s: no memory", path);
        return NULL;
    }
    f->path = strdup(path);
    f->block = calloc(BLOCK_SAMPLES, sizeof *f->block);
    if (!f->path || !f->block) {
        close(fd);
        err_set(err, "%s: no memory", path);
        goto fail;
    }
    f->file = sf_open_fd(fd, SFM_READ, &f->info, SF_TRUE); /* closes fd when it fails, too */
    if (!f->file) {
        err_set(err, "%s: not an audio file that can be read: %s", path, sf_strerror(NULL));
        goto fail;
    }
    if (check_info(f, err) < 0)
        goto fail;
    f->block_frames = BLOCK_SAMPLES / (size_t)f->info.channels;
    long first = fill(f, err);
    if (first == 0)
        err_set(err, "%s: holds no audio", path);
    if (broken)
        *broken = first <= 0;
    if (first <= 0)
        goto fail;
    return f;

fail:
    audiofile_close(f);
    return NULL;
}

void audiofile_close(struct audiofile *f)
{
    if (!f)
        return;
    if (f->file)
        sf_close(f->file);
    free(f->block);
    free(f->path);
    free(f);
}

unsigned audiofile_rate(const struct audiofile *f)
{
    return (unsigned)f->info.samplerate;
}

unsigned audiofile_channels(const struct audiofile *f)
{
    return (unsigned)f->info.channels;
}

uint64_t audiofile_frames(const struct audiofile *f)
{
    return f->info.frames > 0 && f->info.frames < SF_COUNT_MAX ? (uint64_t)f->info.frames : 0;
}

static void copy_frames(const struct audiofile *f, int channel, float *out, size_t frames)
{
    size_t channels = (size_t)f->info.channels;
    const float *in = f->block + f->used * channels;

    if (channel == ALL || channels == 1) {
        memcpy(out, in, frames * channels * sizeof *out);
    } else if (channel >= 0) {
        for (size_t i = 0; i < frames; i++)
            out[i] = in[i * channels + (size_t)channel];
    } else {
        for (size_t i = 0; i < frames; i++, in += channels) {
            float sum = 0;
            for (size_t c = 0; c < channels; c++)
                sum += in[c];
            out[i] = sum / (float)channels;
        }
    }
}

static long read_frames(struct audiofile *f, int channel, float *out, size_t frames, struct err *err)
{
    size_t done = 0, width = channel == ALL ? (size_t)f->info.channels : 1;

    while (done < frames) {
        long have = fill(f, done ? NULL : err);
        if (have <= 0)
            return done ? (long)done : have;
        size_t n = (size_t)have < frames - done ? (size_t)have : frames - done;
        copy_frames(f, channel, out + done * width, n);
        f->used += n;
        done += n;
    }
    return (long)done;
}

long audiofile_read_mono(struct audiofile *f, int channel, float *out, size_t frames, struct err *err)
{
    if (channel < -1 || channel >= f->info.channels)
        return err_set(err, "%s: has no channel %d, only %d", f->path, channel + 1, f->info.channels);
    return read_frames(f, channel, out, frames, err);
}

long audiofile_read(struct audiofile *f, float *interleaved, size_t frames, struct err *err)
{
    return read_frames(f, ALL, interleaved, frames, err);
}
