/* Raw s16le from stdin: `ffmpeg -i rtsp://... -f s16le -ar 16000 -ac 1 - | earshot run --input -`. It waits where the ring
 * is full: the pipe holds the sender back, nothing is dropped here. */
#include "daemon/capture_stdin.h"
#include "audio/downmix.h"
#include "base/log.h"
#include "daemon/capture_link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define DEFAULT_RATE       16000
#define LATE_NS            1000000000 /* a pause of the stream rather than jitter */
#define MAX_PPM            500
#define STDIN_MAX_CHANNELS 64

struct stdin_source {
    struct capture_link *link;
    pthread_t thread;
    int wake; /* eventfd: stop, while poll waits for sound */
    unsigned char buffer[BLOCK_SAMPLES * 2];
    size_t held; /* bytes in buffer that are not yet whole frames in a block */
    uint64_t frame;
    struct pipe_clock clock;
};

int64_t pipe_clock_time(struct pipe_clock *c, uint64_t frame, unsigned frames, int64_t now_ns)
{
    int64_t length = (int64_t)frames * 1000000000 / c->rate;
    int64_t since = (int64_t)((double)frame * 1e9 / c->rate);
    int64_t arrived = now_ns - length;

    if (!c->began || arrived > c->base_ns + since + LATE_NS) {
        c->began = 1;
        c->base_ns = arrived - since;
        return arrived;
    }
    if (arrived < c->base_ns + since) {
        int64_t early = c->base_ns + since - arrived, step = length * MAX_PPM / 1000000;
        c->base_ns -= early < step ? early : step;
        return c->base_ns + since;
    }
    return arrived; /* a little late: jitter, which the time base filters */
}

/* Waits for sound. 1: there is some (or the end), 0: stop. */
static int wait_readable(const struct stdin_source *s)
{
    struct pollfd p[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = s->wake, .events = POLLIN}};
    while (poll(p, 2, -1) < 0 && errno == EINTR)
        ;
    return p[1].revents == 0;
}

/* Whole frames of the buffer -> one block. Returns false on stop. */
static bool deliver(struct stdin_source *s)
{
    struct capture_link *l = s->link;
    size_t frame_bytes = 2 * (size_t)l->rt.channels, frames = s->held / frame_bytes, used = frames * frame_bytes;
    if (frames == 0)
        return true;
    struct audio_block *b = capture_link_block(l);
    if (!b)
        return false;
    for (size_t i = 0; i < used / 2; i++) {
        int v = s->buffer[2 * i] | s->buffer[2 * i + 1] << 8;
        b->samples[i] = (float)(v >= 32768 ? v - 65536 : v) / 32768;
    }
    int64_t at = pipe_clock_time(&s->clock, s->frame, (unsigned)frames, clock_ns(CLOCK_MONOTONIC));
    capture_link_commit(l, b, s->frame, (unsigned)frames, at);
    s->frame += frames;
    s->held -= used;
    memmove(s->buffer, s->buffer + used, s->held);
    return true;
}

static void *stdin_thread(void *arg)
{
    struct stdin_source *s = arg;
    struct capture_link *l = s->link;
    size_t size = (size_t)(BLOCK_SAMPLES / l->rt.channels * l->rt.channels) * 2;

    for (;;) {
        if (!wait_readable(s))
            return NULL;
        ssize_t n = read(STDIN_FILENO, s->buffer + s->held, size - s->held);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0) {
            capture_link_state(l, "ended", "stdin: %s", strerror(errno));
            break;
        }
        if (n == 0) {
            if (s->held > 0)
                log_warn("stdin: %zu byte%s at the end are no whole frame (%u channel%s, 16 bit): left out", s->held,
                         s->held == 1 ? "" : "s", l->rt.channels, l->rt.channels == 1 ? "" : "s");
            capture_link_state(l, "ended", "%s", "");
            break;
        }
        s->held += (size_t)n;
        if (!deliver(s))
            return NULL;
    }
    capture_link_end(l, s->frame, clock_ns(CLOCK_MONOTONIC));
    return NULL;
}

static void stdin_free(struct stdin_source *s)
{
    if (!s)
        return;
    if (s->wake >= 0)
        close(s->wake);
    capture_link_drop(s->link);
    free(s);
}

static void stdin_stop(void *self)
{
    struct stdin_source *s = self;
    capture_link_stop(s->link);
    if (eventfd_write(s->wake, 1))
        log_error("stdin: cannot wake the reader: %s", strerror(errno));
    pthread_join(s->thread, NULL);
    stdin_free(s);
}

static int check(const struct config *config, unsigned *rate, unsigned *channels, struct err *err)
{
    int channel;
    if (downmix_parse(config->input.channel, &channel, err))
        return err_prefix(err, "[input] ");
    *rate = config->input.rate ? (unsigned)config->input.rate : DEFAULT_RATE;
    *channels = config->input.channels > 0 ? (unsigned)config->input.channels
                : channel >= 0             ? (unsigned)channel + 1
                                           : 1;
    if (config->input.rate < 0 || *rate < 4000 || *rate > 384000)
        return err_set(err, "[input] rate = %d: 4000 to 384000 Hz is needed for raw audio on stdin",
                       config->input.rate);
    if (config->input.channels < 0 || *channels > STDIN_MAX_CHANNELS)
        return err_set(err, "[input] channels = %d: 1 to %d is needed for raw audio on stdin", config->input.channels,
                       STDIN_MAX_CHANNELS);
    if (channel >= (int)*channels)
        return err_set(err, "stdin has %u channel%s; [input] channel = %s is not among them", *channels,
                       *channels == 1 ? "" : "s", config->input.channel);
    int mode = fcntl(STDIN_FILENO, F_GETFL); /* one that was closed is open for writing: see cmdline.c */
    if (mode < 0 || (mode & O_ACCMODE) == O_WRONLY)
        return err_set(err, "stdin is closed: raw s16le audio was to come from it");
    if (isatty(STDIN_FILENO))
        return err_set(err, "stdin is a terminal: pipe raw s16le audio into it, as ffmpeg -f s16le - does");
    return 0;
}

int capture_stdin_start(struct capture_link *l, const struct config *config, struct capture_source *source,
                        struct err *err)
{
    unsigned rate = 0, channels = 0;
    if (check(config, &rate, &channels, err))
        return -1;

    struct stdin_source *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(err, "no memory for the input");
    s->link = capture_link_hold(l);
    s->clock.rate = rate;
    s->wake = eventfd(0, EFD_CLOEXEC);
    if (s->wake < 0) {
        err_set(err, "no eventfd for the input: %s", strerror(errno));
        goto fail;
    }
    capture_rt_begin(&l->rt, rate, channels, 0);
    capture_link_opened(l, "stdin", rate, channels);
    capture_link_state(l, "ok", "%s", "");
    int e = pthread_create(&s->thread, NULL, stdin_thread, s);
    if (e == 0) {
        *source = (struct capture_source){.self = s, .stop = stdin_stop};
        return 0;
    }
    err_set(err, "no thread for the input: %s", strerror(e));
fail:
    stdin_free(s);
    return -1;
}
