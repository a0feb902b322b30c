#include "daemon/capture_link.h"
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RING_POLL_NS 500000 /* a file thread that waits for room: a ring's length is some seconds */

void capture_deadline(struct timespec *t, unsigned ms)
{
    clock_gettime(CLOCK_MONOTONIC, t);
    t->tv_sec += ms / 1000;
    t->tv_nsec += (long)(ms % 1000) * 1000000;
    if (t->tv_nsec >= 1000000000) {
        t->tv_nsec -= 1000000000;
        t->tv_sec++;
    }
}

struct capture_link *capture_link_new(bool live, const char *name)
{
    struct capture_link *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->rt.ring = ring_new(sizeof(struct audio_block), CAPTURE_RING_BLOCKS);
    if (!l->rt.ring) {
        free(l);
        return NULL;
    }
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&l->wake, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&l->lock, NULL);
    l->references = 1;
    l->state.live = live;
    snprintf(l->state.name, sizeof l->state.name, "%s", name);
    snprintf(l->state.state, sizeof l->state.state, "opening");
    return l;
}

struct capture_link *capture_link_hold(struct capture_link *l)
{
    pthread_mutex_lock(&l->lock);
    l->references++;
    pthread_mutex_unlock(&l->lock);
    return l;
}

void capture_link_drop(struct capture_link *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    unsigned left = --l->references;
    pthread_mutex_unlock(&l->lock);
    if (left > 0)
        return;
    pthread_cond_destroy(&l->wake);
    pthread_mutex_destroy(&l->lock);
    ring_free(l->rt.ring);
    free(l);
}

static void log_state(const struct capture_link *l, const char *state, double away_s)
{
    const struct capture_state *s = &l->state;

    if (strcmp(state, "ok") != 0) {
        if (*l->why)
            log_warn("input %s: %s", state, l->why);
    } else if (away_s > 0) {
        log_info("input back after %.1f s: %s, %u Hz, %u channel%s", away_s, s->name, s->rate, s->channels,
                 s->channels == 1 ? "" : "s");
    } else {
        log_info("input: %s, %u Hz, %u channel%s", s->name, s->rate, s->channels, s->channels == 1 ? "" : "s");
    }
}

void capture_link_state(struct capture_link *l, const char *state, const char *fmt, ...)
{
    char why[sizeof l->why];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);

    pthread_mutex_lock(&l->lock);
    bool was_ok = strcmp(l->state.state, "ok") == 0, is_ok = strcmp(state, "ok") == 0;
    if (strcmp(l->state.state, state) != 0 || strcmp(l->why, why) != 0) {
        double away_s = 0;
        bool absent = !is_ok && !l->away_ns && strcmp(state, "opening") != 0; /* from the start */
        if ((was_ok && !is_ok) || absent) {
            l->away_ns = clock_ns(CLOCK_MONOTONIC);
        } else if (is_ok && l->away_ns) {
            away_s = (double)(clock_ns(CLOCK_MONOTONIC) - l->away_ns) / 1e9;
            l->state.recoveries++;
        }
        memcpy(l->why, why, sizeof why);
        snprintf(l->state.state, sizeof l->state.state, "%s", state);
        snprintf(l->state.reason, sizeof l->state.reason, "%.*s", (int)sizeof l->state.reason - 1, why);
        log_state(l, state, away_s);
    }
    pthread_mutex_unlock(&l->lock);
}

void capture_link_opened(struct capture_link *l, const char *name, unsigned rate, unsigned channels)
{
    pthread_mutex_lock(&l->lock);
    snprintf(l->state.name, sizeof l->state.name, "%s", name);
    l->state.rate = rate;
    l->state.channels = channels;
    pthread_mutex_unlock(&l->lock);
}

bool capture_link_wait(struct capture_link *l, unsigned ms)
{
    struct timespec until;
    capture_deadline(&until, ms);
    pthread_mutex_lock(&l->lock);
    while (!atomic_load(&l->stop) && pthread_cond_timedwait(&l->wake, &l->lock, &until) == 0)
        ;
    bool stop = atomic_load(&l->stop);
    pthread_mutex_unlock(&l->lock);
    return stop;
}

void capture_link_stop(struct capture_link *l)
{
    pthread_mutex_lock(&l->lock);
    atomic_store(&l->stop, true);
    pthread_cond_broadcast(&l->wake);
    pthread_mutex_unlock(&l->lock);
}

struct audio_block *capture_link_block(struct capture_link *l)
{
    for (;;) {
        struct audio_block *b = ring_reserve(l->rt.ring);
        if (b || atomic_load(&l->stop))
            return atomic_load(&l->stop) ? NULL : b;
        nanosleep(&(struct timespec){.tv_nsec = RING_POLL_NS}, NULL);
    }
}

void capture_link_commit(struct capture_link *l, struct audio_block *b, uint64_t frame, unsigned frames,
                         int64_t mono_ns)
{
    b->frame = frame;
    b->mono_ns = mono_ns;
    b->epoch = l->rt.epoch;
    b->rate = l->rt.rate;
    b->channels = (uint16_t)l->rt.channels;
    b->frames = (uint16_t)frames;
    b->flags = frames ? 0 : BLOCK_END;
    ring_commit(l->rt.ring);
    atomic_fetch_add_explicit(&l->rt.blocks, 1, memory_order_relaxed);
}

void capture_link_end(struct capture_link *l, uint64_t frame, int64_t mono_ns)
{
    struct audio_block *b = capture_link_block(l);
    if (b)
        capture_link_commit(l, b, frame, 0, mono_ns);
}
