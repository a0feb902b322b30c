/* What a capture's threads share, and what outlives the capture where one of them is stuck in PortAudio: the ring, the
 * state that is told to the user, the counters. Counted references: the last holder frees it. Private to daemon/capture*. */
#ifndef EARSHOT_CAPTURE_LINK_H
#define EARSHOT_CAPTURE_LINK_H

#include "base/clock.h"
#include "base/ring.h"
#include "daemon/capture.h"
#include "daemon/capture_rt.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* Two and a half seconds of 10 ms blocks: what a stalled sound server may deliver at once. */
#define CAPTURE_RING_BLOCKS 256

struct capture_link {
    struct capture_rt rt;   /* the callback's, or that of the file or stdin thread in its place */
    _Atomic uint64_t steps; /* of a recovery, relaxed: only ever compared with an earlier value */
    atomic_bool stop;       /* relaxed would do, the waits re-check under the lock */
    pthread_mutex_t lock;   /* guards what follows */
    pthread_cond_t wake;    /* CLOCK_MONOTONIC; signalled by stop and by a thread that ends */
    unsigned references;
    struct capture_state state; /* texts, rate, channels, recoveries; its counters are filled in by capture_get_state */
    char why[512];              /* the reason in full, as logged */
    int64_t away_ns;            /* when it stopped being "ok", 0 before that */
};

struct capture_link *capture_link_new(bool live, const char *name);
struct capture_link *capture_link_hold(struct capture_link *l);
void capture_link_drop(struct capture_link *l); /* NULL is fine */

/* Says how the input fares. Logged once a change: `fmt` must not hold figures that move. state: as health's input_state; "ok"
 * takes the name, rate and channels that were set by capture_link_opened. */
void capture_link_state(struct capture_link *l, const char *state, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void capture_link_opened(struct capture_link *l, const char *name, unsigned rate, unsigned channels);

/* Waits up to ms, or until stop. Returns true when to stop. */
bool capture_link_wait(struct capture_link *l, unsigned ms);
void capture_link_stop(struct capture_link *l);

void capture_deadline(struct timespec *t, unsigned ms);

/* For sources that are threads of their own (file, stdin): a place in the ring, waiting for room; NULL: stop. */
struct audio_block *capture_link_block(struct capture_link *l);
void capture_link_commit(struct capture_link *l, struct audio_block *b, uint64_t frame, unsigned frames,
                         int64_t mono_ns);
void capture_link_end(struct capture_link *l, uint64_t frame, int64_t mono_ns);

/* A source. capture.c holds one of them. */
struct capture_source {
    void *self;
    void (*stop)(void *self); /* within 0.3 s; frees self; drops its reference */
};

/* Each starts its thread, takes a reference of its own, and fills *source. -1 with err: nothing was started. */
int capture_file_start(struct capture_link *l, const struct config *config, bool fast, struct capture_source *source,
                       struct err *err);
int capture_stdin_start(struct capture_link *l, const struct config *config, struct capture_source *source,
                        struct err *err);
int capture_portaudio_start(struct capture_link *l, const struct config *config, struct capture_source *source,
                            struct err *err);

#endif
