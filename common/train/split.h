/* Which clips are trained on, which choose the epoch, and which are measured. Clips of one recording (a group) are alike: on both
 * sides of a split they make a net that knows the recording by heart look like one that knows the sound. */
#ifndef EARSHOT_SPLIT_H
#define EARSHOT_SPLIT_H

#include "train/random.h"
#include <stdbool.h>
#include <stddef.h>

/* What is split. */
struct split_clips {
    size_t n, n_labels, n_groups;
    const unsigned *label; /* [n] */
    const size_t *group;   /* [n], below n_groups */
};

/* Takes groups at random until `share` of each label's clips is taken, as near as whole groups allow. Of a label with two groups or
 * more, one is taken and one is left; a label with one group keeps it. from: [n], who may be taken (NULL: all); taken: [n]. -1: no
 * memory. */
int split_share(const struct split_clips *c, const bool *from, double share, struct random *r, bool *taken);

/* Deals groups out to `folds` parts so that each has about as many clips of every label. fold: [n], 0.. folds - 1. -1: no memory. */
int split_folds(const struct split_clips *c, size_t folds, struct random *r, size_t *fold);

/* Is a group on both sides? 1: *a is a clip with side[] false, *b one of its group with side[] true; *count: how many clips of the side
 * `true` have one on the other. 0: no. -1: no memory. skip: [n], clips that are on no side; NULL: none. a, b, count: not NULL. */
int split_leak(const struct split_clips *c, const bool *side, const bool *skip, size_t *a, size_t *b, size_t *count);

#endif
