/* Scores of many windows of one recording -> one score for each label.
 *
 * Windows under -70 dBFS count only where there is nothing louder. What is taken together is
 *   mean_score   the mean of the scores;
 *   mean_logit   the score whose logit, ln(s / (1 - s)), is the mean of the windows' logits. For a network with a linear
 *                layer before its sigmoid that is the score of the windows' mean embedding: what a network learns whose
 *                training judges several windows of a sound together;
 *   loud_logit   the same over the windows that are no more than 15 dB below the loudest, levels rounded down to
 *                1 dB: the pauses between and after sounds say little about them. */
#ifndef EARSHOT_POOL_H
#define EARSHOT_POOL_H

#include "base/err.h"
#include "model/model.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ln(s / (1 - s)), within -16..16: beyond that a float next to 1 cannot tell. NaN counts as 0. */
#define LOGIT_MAX 16.0f
float score_logit(float score);
float logit_score(float logit);

/* RMS of n samples in dBFS (0: a square wave of full scale), at least -120. */
double pool_level(const float *x, size_t n);

struct pool;
struct pool *pool_new(enum pooling pooling, size_t n_labels, struct err *err);
void pool_free(struct pool *p);
void pool_reset(struct pool *p);

/* Would the scores of a window of that level count, as far as can be said now? Where not, they need not be computed. */
bool pool_wants(const struct pool *p, double level_dbfs);
/* scores: [n_labels]. Allocates nothing. */
void pool_add(struct pool *p, double level_dbfs, const float *scores);
/* out: [n_labels]; zeros where there was no window. Returns how many windows it stands for. */
uint64_t pool_scores(const struct pool *p, float *out);

#endif
