/* The real-time zone: all that the PortAudio callback may touch, and what it does with it. No lock, no allocation, no
 * logging, no system call (clock_gettime is answered by the vDSO, in user space). */
#ifndef EARSHOT_CAPTURE_RT_H
#define EARSHOT_CAPTURE_RT_H

#include "base/ring.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct capture_rt {
    /* Written before the stream starts, read by the callback. */
    struct ring *ring;  /* of struct audio_block; the callback is its producer */
    unsigned rate;      /* Hz */
    unsigned channels;  /* 1..BLOCK_SAMPLES */
    int64_t latency_ns; /* the stream's own figure, for where the callback's times make no sense */

    /* The callback's own while a stream runs. */
    uint32_t epoch;
    uint64_t frame;  /* number of the next frame */
    int64_t last_ns; /* of the previous callback, 0 before the first */
    uint32_t flags;  /* for the next block */
    bool full;       /* inside a run of dropped blocks */

    /* Counters for other threads. Relaxed everywhere: each stands for itself, nothing else is read on the strength of it. */
    _Atomic uint64_t callbacks, blocks, overruns, lost_frames;
};

/* Before a stream starts: a new epoch, frames from 0. */
void capture_rt_begin(struct capture_rt *rt, unsigned rate, unsigned channels, int64_t latency_ns);

/* One callback's worth. x: frames * channels floats, or NULL: they are lost. now_ns: CLOCK_MONOTONIC; age_ns: how long ago the
 * first frame was captured. overflow: the device lost audio before this. Where the ring is full the frames are dropped and
 * counted, and the numbers of the frames after them jump. After a pause of more than a second what comes is a new epoch:
 * nobody knows how many frames the pause would have held. */
void capture_rt_push(struct capture_rt *rt, const float *x, unsigned long frames, int64_t now_ns, int64_t age_ns,
                     bool overflow);

#endif
