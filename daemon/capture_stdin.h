/* When the frames of a stream were captured that comes through a pipe, where only their arrival is known. Pure. */
#ifndef EARSHOT_CAPTURE_STDIN_H
#define EARSHOT_CAPTURE_STDIN_H

#include <stdint.h>

struct pipe_clock {
    unsigned rate;
    int64_t base_ns; /* time of frame 0, as far as is known */
    int began;
};

/* `frames` frames, the first of them number `frame`, arrived at now_ns. Returns CLOCK_MONOTONIC ns of the first one.
 * A live stream: its arrival, less the block's length; one that has paused for over a second goes on from its arrival. What
 * comes faster than sound does (a file through a pipe) keeps the pace of its sample rate, up to 500 ppm, the most that a
 * sound card's clock is off. */
int64_t pipe_clock_time(struct pipe_clock *c, uint64_t frame, unsigned frames, int64_t now_ns);

#endif
