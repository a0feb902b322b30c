/* Training of a dense net, step by step: batches of shuffled items, Adam, early stopping. Inputs are standardised by mean and
 * spread of what is trained on. All that is random comes from the seed: the same data and seed give the same weights, also where
 * training was broken off and went on from what fit_save had written. */
#ifndef EARSHOT_FIT_H
#define EARSHOT_FIT_H

#include "base/err.h"
#include "train/dense.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct fit_params {
    size_t n_hidden, hidden[DENSE_LAYERS_MAX - 1]; /* units of the layers before the last */
    size_t classes;
    float dropout, rate, decay; /* 0 <= dropout < 1; rate > 0: Adam's */
    size_t batch, epochs;
    size_t patience; /* epochs without a better one after which it stops; 0: never */
    uint64_t seed;
};

/* Borrowed. */
struct fit_data {
    const float *x; /* [items * cols] */
    size_t cols;
    const unsigned *label; /* [items], below classes */
    const size_t *train;   /* [n_train], items; one at least */
    size_t n_train;
    const size_t
        *check; /* [n_check]: they choose the epoch, nothing is learned from them; none: the last epoch is kept */
    size_t n_check;
};

/* What an epoch came to. NaN where nothing is checked. */
struct fit_point {
    double loss, check_loss, check_right; /* mean cross-entropy; share of the items */
};

struct fit;
struct fit *fit_new(const struct fit_params *p, const struct fit_data *data, struct err *err);
void fit_free(struct fit *f);

/* One batch; at an epoch's end the check. false: it is done, and the net is that of the best epoch. Allocates nothing. */
bool fit_step(struct fit *f);

struct fit_progress {
    size_t epoch;       /* that are complete */
    size_t step, steps; /* of the one under way */
    size_t best; /* epoch that is kept, from 1: most checked items right, among equals the least loss; 0: none yet */
    struct fit_point *points; /* [epoch] */
};
struct fit_progress fit_progress(const struct fit *f);

/* Where training stands. -1: not written. */
int fit_save(const struct fit *f, FILE *out);
/* Takes up where fit_save was called, for the same params and data. -1: it is no such thing, cut off, or of others. */
int fit_load(struct fit *f, FILE *in);

/* Of any items, [n * classes]. */
void fit_scores(struct fit *f, const size_t *items, size_t n, float *scores);

/* Layer l for inputs as they come: the standardisation stands in the first one's weights. weight [out * in], bias [out]. */
void fit_layer(const struct fit *f, size_t l, float *weight, float *bias);
const struct dense_shape *fit_shape(const struct fit *f);

#endif
