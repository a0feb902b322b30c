/* What a model makes of sounds that it does not know: does it name them, or let them pass as `unknown`?
 *
 * A clip is named after the label with the highest score among those that reach their thresholds, and rejected where none does.
 * `background` and `unknown` as labels of a model name nothing; clips that are labelled so hold no sound to be known or not, and are
 * counted apart. Scores are those that the clip is judged by otherwise: pooled over
 * its windows, calibrated where the model is. */
#ifndef EARSHOT_EVALUATE_REJECTION_H
#define EARSHOT_EVALUATE_REJECTION_H

#include "evaluate/clipscore.h"
#include <limits.h>

#define REJECTION_UNKNOWN UINT_MAX /* truth of a clip that holds none of the model's sounds */

struct rejection {
    struct share right, wrong, rejected; /* of the known clips: named as what they are, as something else, not at all */
    struct share unknown_named;          /* of the unknown clips */
    struct share silent_named;           /* of the clips that are background: named as some sound */
    struct share unknown_at_95; /* of the unknown clips: best score as high as that of 95 % of the known ones */
    /* Area under the ROC curve: how often an unknown clip's best score is below a known one's, ties half (T. Fawcett, "An
     * introduction to ROC analysis", 2006; the measure and the baseline of D. Hendrycks and K. Gimpel, "A baseline for
     * detecting misclassified and out-of-distribution examples", 2017). 0.5: it cannot tell, 1: always. NaN where either kind
     * is missing. */
    double auroc;
    size_t *named; /* [n_labels], unknown clips that were named so */
};

/* thresholds: [set->n_labels]. truth may be REJECTION_UNKNOWN. -1: no memory. */
int rejection_of(const struct clipset *set, const float *thresholds, struct rejection *out);
void rejection_free(struct rejection *r);

#endif
