/* What tests of the store share: a folder, events, and a taker that keeps what it was handed. */
#ifndef TESTS_STORE_HELP_H
#define TESTS_STORE_HELP_H

#include "daemon/store/store.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static inline int64_t wall_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline void nap_ms(int ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
}

static inline struct event make_event(enum event_type type, const char *label, bool notify)
{
    struct event e = {.type = type, .score = 0.83f, .n_top = 1, .segments = 2, .notify = notify};

    e.start_ns = wall_ns() - 1500000000;
    e.end_ns = e.start_ns + 1234567890;
    e.peak_dbfs = -6;
    e.rms_dbfs = -21.25f;
    uuid7(e.id, wall_ns());
    uuid7(e.event_id, wall_ns());
    uuid7(e.sound_id, wall_ns());
    snprintf(e.label, sizeof e.label, "%s", label);
    snprintf(e.top[0].label, sizeof e.top[0].label, "%s", label);
    e.top[0].score = 0.83f;
    snprintf(e.source, sizeof e.source, "mic");
    snprintf(e.model, sizeof e.model, "earshot-s");
    return e;
}

#define GOT_MOST 4096
struct got {
    char id[UUID_SIZE];
    int64_t seq;
    bool replayed;
};

/* room: how many messages it takes before it is full */
struct taker {
    pthread_mutex_t lock;
    struct got got[GOT_MOST];
    unsigned n, room, held;
    int64_t forgotten;
};

static inline bool taker_add(struct taker *t, const struct event *e, int64_t seq, bool replayed)
{
    pthread_mutex_lock(&t->lock);
    bool message = e->notify && seq >= 0, room = t->held < t->room || (seq == 0 && !replayed);
    if (t->n < GOT_MOST && (!message || room)) {
        struct got *g = &t->got[t->n++];
        memcpy(g->id, e->id, sizeof g->id);
        g->seq = seq;
        g->replayed = replayed;
        t->held += message;
    }
    pthread_mutex_unlock(&t->lock);
    return !message || room;
}

static inline bool taker_event(void *ctx, const struct event *e, int64_t seq)
{
    return taker_add(ctx, e, seq, false);
}

static inline bool taker_replay(void *ctx, const struct event *e, int64_t seq)
{
    return taker_add(ctx, e, seq, true);
}

static inline bool taker_pending(void *ctx, const char *id)
{
    (void)ctx, (void)id;
    return true;
}

static inline bool taker_saved(void *ctx, const char *id, int64_t seq)
{
    struct taker *t = ctx;

    pthread_mutex_lock(&t->lock);
    for (unsigned i = 0; i < t->n; i++)
        if (strcmp(t->got[i].id, id) == 0)
            t->got[i].seq = seq;
    pthread_mutex_unlock(&t->lock);
    return true;
}

static inline void taker_forget(void *ctx, int64_t seq)
{
    struct taker *t = ctx;
    pthread_mutex_lock(&t->lock);
    t->forgotten = seq;
    pthread_mutex_unlock(&t->lock);
}

static inline struct store_taker taker_calls(struct taker *t)
{
    return (struct store_taker){.ctx = t,
                                .event = taker_event,
                                .replay = taker_replay,
                                .pending = taker_pending,
                                .saved = taker_saved,
                                .forget = taker_forget};
}

static inline unsigned taker_count(struct taker *t)
{
    pthread_mutex_lock(&t->lock);
    unsigned n = t->n;
    pthread_mutex_unlock(&t->lock);
    return n;
}

static inline bool wait_count(struct taker *t, unsigned n)
{
    for (int i = 0; i < 1000 && taker_count(t) < n; i++)
        nap_ms(5);
    return taker_count(t) == n;
}

static inline struct store_params store_defaults(const char *dir)
{
    return (struct store_params){.dir = dir, .history = true, .outbox_max = 100000, .late_retry_s = 0.1};
}

#endif
