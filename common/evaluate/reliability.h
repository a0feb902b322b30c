/* Are scores what they say: is a label with score 0.8 right in 80 of 100 clips? */
#ifndef EARSHOT_EVALUATE_RELIABILITY_H
#define EARSHOT_EVALUATE_RELIABILITY_H

#include "evaluate/clipscore.h"

enum { RELIABILITY_BINS = 15 };

struct reliability {
    size_t n;
    /* Expected calibration error of the best label's score: the mean over the bins, weighted by their clips, of |share that is right -
     * mean score| (C. Guo et al., "On calibration of modern neural networks", ICML 2017, eq. 3, 15 bins of equal width, a score on
     * an edge in the lower one). Its bias is upwards where clips are few. */
    double ece;
    double max_error; /* the greatest of those differences (ibid., eq. 5) */
    /* G. W. Brier, "Verification of forecasts expressed in terms of probability", 1950: the mean over clips of the sum over all
     * labels of (score - (1 if it is the label, else 0))^2; 0 is best. */
    double brier;
    struct {
        size_t n;
        double score, right; /* mean score, share that is right; NaN where n is 0 */
    } bin[RELIABILITY_BINS];
};

/* NaN for all where the set is empty. */
void reliability_of(const struct clipset *set, struct reliability *out);

#endif
