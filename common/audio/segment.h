/* Cuts a stream at the model's rate into overlapping windows: `window` samples every `hop`. Samples are numbered; what number the
 * first one has is the caller's choice. */
#ifndef EARSHOT_SEGMENT_H
#define EARSHOT_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct segment {
    float *samples;
    size_t capacity, fill;
    size_t window, hop;
    uint64_t first;   /* number of samples[0], where the next window begins */
    uint64_t covered; /* number after the last sample that a window held */
    uint32_t index;   /* of the next window */
};

/* Room for `capacity` samples; at least a window. -1: no memory. hop <= window. */
int segment_init(struct segment *s, size_t window, size_t hop, size_t capacity);
void segment_free(struct segment *s);
void segment_begin(struct segment *s, uint64_t first);
void segment_add(struct segment *s, const float *x,
                 size_t n); /* what does not fit is cut off: the caller drains in time */

/* Takes the next whole window into out (s->window samples); false: not there yet. */
bool segment_next(struct segment *s, float *out);
/* The end: what no window held comes as a last one, padded with zeros. Returns its count of samples that are sound, 0: nothing is
 * left over. */
size_t segment_tail(struct segment *s, float *out);

#endif
