/* A linear head on embeddings, from a few examples of a sound and many of everything else: logistic regression with a ridge penalty (D.
 * Cox, "The regression analysis of binary sequences", 1958) on values that are brought to mean 0 and deviation 1 over the negatives.
 * Examples and negatives weigh half each, whatever their number, and each example the same, however long it is. The threshold stands
 * where the negatives' tail, taken for exponential beyond its 98th percentile, gives as many false alarms an hour as are allowed.
 * Pure: no audio, no files. */
#ifndef EARSHOT_LEARN_H
#define EARSHOT_LEARN_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>

struct learn_set {
    size_t dims, n_negatives, n_hard, n_positives, n_examples;
    const float *negatives;  /* [n_negatives][dims], of what is heard elsewhere: they set the threshold */
    const float *hard;       /* [n_hard][dims]: what was taken for it, or is taught as something else */
    double hard_weight;      /* of one, in negatives */
    const float *positives;  /* [n_positives][dims] */
    const unsigned *example; /* [n_positives], 0..n_examples-1: whose window it is */
    const bool *clean;       /* [n_positives]: as it was recorded, not changed; each example has one at least */
};

struct learn_params {
    double ridge;          /* penalty of the squared weights */
    double false_alarms_h; /* allowed */
    double windows_h;      /* chances to be wrong in an hour of sound: its windows, by those that an event takes */
};

/* score = 1 / (1 + exp(-(w . x + bias))); the threshold is 0.5. */
struct learned {
    float *w; /* [dims] */
    float bias;
    float *
        score; /* [n_examples], of the best clean window by a head that was fitted without the example; NaN: it is the only one */
    float recall;         /* share of those at or above 0.5; NaN: one example */
    float false_alarms_h; /* expected at 0.5 */
};

/* Examples are left out one by one, where there are more than that in so many parts. */
#define LEARN_FOLDS 5

void learn_defaults(struct learn_params *p, double hop_s);

/* -1 with err: no memory, no negatives, no example. learned_free frees what it holds. */
int learn_head(const struct learn_set *set, const struct learn_params *params, struct learned *out, struct err *err);
void learned_free(struct learned *l);

#endif
