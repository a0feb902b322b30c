/* The training itself: a net for each round of a plan, with the state saved on the way. */
#ifndef EARSHOT_TRAIN_ROUNDS_H
#define EARSHOT_TRAIN_ROUNDS_H

#include "base/err.h"
#include "daemon/train/gather.h"
#include "daemon/train/plan.h"
#include "train/fit.h"

/* What a round came to. */
struct train_round {
    uint64_t epochs, best; /* best: counted from 1 */
    double check_right;    /* at the best; NaN where nothing was checked */
};

struct train_rounds {
    struct train_round *round; /* [plan->rounds] */
    float *scores;             /* [clips * labels]: of clips that were measured, the mean over their windows */
    unsigned char *tested;     /* [clips], 0 or 1 */
    struct fit *fit;           /* of the last round; what it was trained on is gone: fit_layer alone may be called */
    double elapsed_s;          /* also of runs that were broken off */
    bool resumed;
};

struct rounds_params {
    struct fit_params fit; /* classes and seed, too */
    const char
        *state; /* file that says where it stands; it is read where it is there, and removed at the end by the caller */
    double save_s; /* seconds between two savings */
};

/* -1: no memory, or the state cannot be written; err says so. A state of other recordings or settings is told, and begun anew. */
int train_rounds_run(struct train_rounds *t, const struct train_list *list, const struct gathered *g,
                     const struct train_plan *plan, const struct rounds_params *p, struct err *err);
void train_rounds_free(struct train_rounds *t);

#endif
