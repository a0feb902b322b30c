/* Who is trained on, and who is measured, in each round of a training. */
#ifndef EARSHOT_TRAIN_PLAN_H
#define EARSHOT_TRAIN_PLAN_H

#include "base/err.h"
#include "daemon/train/list.h"
#include <stdbool.h>
#include <stdint.h>

enum train_part {
    PART_TRAIN, /* learned from */
    PART_CHECK, /* chooses the epoch */
    PART_TEST,  /* measured on */
    PART_OUT    /* neither: it is of a recording that is measured on */
};

enum leak_rule { LEAKS_REFUSED, LEAKS_DROPPED, LEAKS_ALLOWED };

struct plan_params {
    double test, check;     /* shares */
    const char *test_folds; /* folds that are measured on, "1,2"; NULL: a share */
    const char *folds;      /* "fold" (the column), or a number of folds to deal: each is measured on once; NULL: no */
    enum leak_rule leaks;
    uint64_t seed;
    bool quiet; /* says nothing on stderr */
};

struct train_plan {
    size_t rounds;       /* the last one's net is the one that is written */
    bool cross;          /* the others are folds, each measured by a net that has not seen it */
    unsigned char *part; /* [rounds * clips], enum train_part */
    char **fold;         /* [clips], owned: in what fold a clip was measured; NULL: none */
    size_t n_clips;
    size_t n_groups; /* recordings that clips are parts of */
    size_t leaks;    /* clips measured of whose recording a part was trained on */
    size_t tested;   /* clips measured */
    size_t dropped;  /* clips that a round left out for their recordings */
};

/* content: [clips], as gathered. What cannot be measured is told on stderr. -1: err says what stands against it; of a leak it names a
 * pair. TRAIN_USAGE: such folds cannot be. */
int train_plan_make(struct train_plan *plan, const struct train_list *list, const uint64_t *content,
                    const struct plan_params *p, struct err *err);
void train_plan_free(struct train_plan *plan);

#endif
