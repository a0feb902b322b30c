/* A plan in the making, for plan.c and for plan_folds.c, which deals and finds folds. */
#ifndef EARSHOT_TRAIN_PLAN_PRIVATE_H
#define EARSHOT_TRAIN_PLAN_PRIVATE_H

#include "daemon/train/plan.h"
#include "train/split.h"

/* What a plan is made from. */
struct draft {
    const struct train_list *list;
    const struct plan_params *p;
    struct train_plan *plan;
    struct split_clips clips;   /* as they hang together */
    struct split_clips units;   /* as they are dealt: the same, or each clip by itself where leaks are allowed */
    unsigned *label;            /* [clips] */
    size_t *group, *own;        /* [clips] */
    bool *fixed;                /* [clips]: never measured, for its label has no other recording */
    bool *side, *from, *chosen; /* [clips], for the round at hand */
    size_t *fold, n_folds;      /* [clips] */
};

/* --folds: fills fold, n_folds and the plan's names of them. As train_plan_make, in what is returned too. */
int plan_folds(struct draft *d, struct random *r, struct err *err);

/* --test-folds: whose clips are of one of the folds in `names`, commas between, are on the side that is measured. */
int plan_folds_named(struct draft *d, const char *names, struct err *err);

#endif
