/* Ties the sample counter to the wall clock. See timebase.c for the loop. */
#ifndef EARSHOT_TIMEBASE_H
#define EARSHOT_TIMEBASE_H

#include <stdbool.h>
#include <stdint.h>

struct timebase; /* one thread (the analysis thread) */

struct timebase *timebase_new(unsigned nominal_rate);
void timebase_free(struct timebase *t);
void timebase_reset(struct timebase *t, unsigned nominal_rate); /* a new stream: frames begin at 0 */

/* Frame `frame` was captured at CLOCK_MONOTONIC mono_ns (with the callback's jitter: bursts arrive late, never early). */
void timebase_update(struct timebase *t, uint64_t frame, int64_t mono_ns);

/* The wall clock now minus CLOCK_MONOTONIC now. A step of more than 0.1 s against the last is held back while `in_sound` and
 * taken over between sounds; returns the step in ns when one was taken over, else 0 (small drifts are followed silently). */
int64_t timebase_wall(struct timebase *t, int64_t wall_minus_mono_ns, bool in_sound);

/* UTC ns of a frame. */
int64_t timebase_utc(const struct timebase *t, uint64_t frame);
double timebase_rate(const struct timebase *t); /* measured Hz */

#endif
