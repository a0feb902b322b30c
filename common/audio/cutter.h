/* From the device's stream to windows at the model's rate: a converter that runs only now and then, and the segmenter behind it.
 *
 * What it gives is what a converter that has run since sample 0 would give, bit for bit: it starts at a sample of the grid that
 * both rates share, so that its phases are the same, and as far before the first window as its filter reaches. */
#ifndef EARSHOT_CUTTER_H
#define EARSHOT_CUTTER_H

#include "audio/resample.h"
#include "audio/segment.h"
#include "base/err.h"

struct cutter {
    unsigned from, to; /* Hz: the stream's, the model's */
    struct resample *resample;
    unsigned grid, grid_out; /* every grid-th stream sample coincides with every grid_out-th of the model's */
    size_t lead;             /* stream samples that the converter must have had before its output is right */
    size_t discard;          /* outputs that come before the window's first sample */
    float *out;
    size_t out_room;
    struct segment segment;
};

/* piece: the most samples that cutter_do is given at once; held: samples at the model's rate that may wait uncut. */
int cutter_init(struct cutter *c, unsigned from, unsigned to, size_t window, size_t hop, size_t piece, size_t held,
                struct err *err);
void cutter_free(struct cutter *c);

/* Stream samples before a window's first one that cutter_begin may want. */
size_t cutter_reach(const struct cutter *c);
/* Windows shall begin with stream sample `first` (the model's sample nearest before it). Returns the stream sample to feed from. */
uint64_t cutter_begin(struct cutter *c, uint64_t first);
/* After each call c->segment holds what has become ready: everything up to the filter's reach (at 48 to 16 kHz 1.3 ms) before the
 * last sample given. */
void cutter_do(struct cutter *c, const float *x, size_t n);
void cutter_end(struct cutter *c); /* no input follows: the rest, as though zeros did */

/* Stream samples that the next window wants at least. */
uint64_t cutter_due(const struct cutter *c);

/* The stream sample nearest to a sample of the model's. */
uint64_t cutter_stream(const struct cutter *c, uint64_t model);

#endif
