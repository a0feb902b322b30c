/* Sound from a file: at the pace of a microphone, or as fast as the ring takes it. It waits where the ring is full, so
 * that nothing of a file is ever dropped. */
#include "audio/audiofile.h"
#include "audio/downmix.h"
#include "daemon/capture_link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct file_source {
    struct capture_link *link;
    struct audiofile *file;
    pthread_t thread;
    bool fast;
};

/* Until the block's last frame would have come out of a microphone. */
static void pace(int64_t until_ns)
{
    struct timespec t = {.tv_sec = until_ns / 1000000000, .tv_nsec = until_ns % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        ;
}

static void *file_thread(void *arg)
{
    struct file_source *f = arg;
    struct capture_link *l = f->link;
    unsigned rate = l->rt.rate, room = BLOCK_SAMPLES / l->rt.channels;
    /* 20 ms, about what a sound card delivers; whole blocks where nobody waits for them */
    unsigned n = !f->fast && rate / 50 > 0 && rate / 50 < room ? rate / 50 : room;
    int64_t start = clock_ns(CLOCK_MONOTONIC);
    uint64_t frame = 0;
    struct err err = {""};
    long got = 0;

    for (struct audio_block *b; (b = capture_link_block(l));) {
        got = audiofile_read(f->file, b->samples, n, &err);
        if (got <= 0)
            break;
        int64_t at = start + (int64_t)((double)frame * 1e9 / rate);
        if (!f->fast)
            pace(at + got * 1000000000LL / rate);
        capture_link_commit(l, b, frame, (unsigned)got, at);
        frame += (uint64_t)got;
    }
    if (got < 0)
        capture_link_state(l, "ended", "%s", err.text);
    else
        capture_link_state(l, "ended", "%s", "");
    capture_link_end(l, frame, start + (int64_t)((double)frame * 1e9 / rate));
    return NULL;
}

static void file_free(struct file_source *f)
{
    if (!f)
        return;
    audiofile_close(f->file);
    capture_link_drop(f->link);
    free(f);
}

static void file_stop(void *self)
{
    struct file_source *f = self;
    capture_link_stop(f->link); /* seen after the running block: 20 ms, or the disk's time for one */
    pthread_join(f->thread, NULL);
    file_free(f);
}

int capture_file_start(struct capture_link *l, const struct config *config, bool fast, struct capture_source *source,
                       struct err *err)
{
    const char *path = config->input.device + strlen("file:");
    int channel;
    if (downmix_parse(config->input.channel, &channel, err))
        return err_prefix(err, "[input] ");

    struct file_source *f = calloc(1, sizeof *f);
    if (!f)
        return err_set(err, "no memory for the input");
    f->link = capture_link_hold(l);
    f->fast = fast;
    f->file = audiofile_open(path, err);
    if (!f->file)
        goto fail;
    unsigned rate = audiofile_rate(f->file), channels = audiofile_channels(f->file);
    if (rate == 0 || channels == 0 || channels > BLOCK_SAMPLES) {
        err_set(err, "%s: %u channels at %u Hz: 1 to %d channels can be read", path, channels, rate, BLOCK_SAMPLES);
        goto fail;
    }
    if (channel >= (int)channels) {
        err_set(err, "%s has %u channel%s; [input] channel = %s is not among them", path, channels,
                channels == 1 ? "" : "s", config->input.channel);
        goto fail;
    }
    capture_rt_begin(&l->rt, rate, channels, 0);
    capture_link_opened(l, path, rate, channels);
    capture_link_state(l, "ok", "%s", "");
    int e = pthread_create(&f->thread, NULL, file_thread, f);
    if (e == 0) {
        *source = (struct capture_source){.self = f, .stop = file_stop};
        return 0;
    }
    err_set(err, "no thread for the input: %s", strerror(e));
fail:
    file_free(f);
    return -1;
}
