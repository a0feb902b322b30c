/* How good scores of labelled clips are: one right label a clip, a score for every label. */
#ifndef EARSHOT_EVALUATE_CLIPSCORE_H
#define EARSHOT_EVALUATE_CLIPSCORE_H

#include "evaluate/interval.h"
#include <stdbool.h>
#include <stddef.h>

/* All borrowed. */
struct clipset {
    size_t n, n_labels;
    const char *const *labels; /* [n_labels] */
    const float *scores;       /* [n * n_labels], 0..1 */
    const unsigned *truth;     /* [n], index into labels */
};

/* Some of a set's clips. */
struct clip_choice {
    const size_t *clip; /* [n], index into the set; NULL: the first n */
    size_t n;
};

/* Where `label` stands among the scores of one clip, 0: first. Equal scores stand in the order of their labels' bytes, as in
 * `earshot classify`. among: [n_labels], the labels that count; NULL: all. */
size_t clipscore_rank(const struct clipset *s, size_t clip, unsigned label, const bool *among);

/* The label with rank 0. */
unsigned clipscore_best(const struct clipset *s, size_t clip, const bool *among);

/* The labels that occur among the clips chosen: own, [n_labels]. Returns how many. */
size_t clipscore_own_labels(const struct clipset *s, struct clip_choice which, bool *own);

struct clip_figures {
    struct share top1, top3, top5; /* the right label's rank is under 1, 3, 5 among all labels */
    struct share own;              /* it is the first among the labels of `own` */
};
void clipscore_figures(const struct clipset *s, struct clip_choice which, const bool *own, struct clip_figures *out);

/* One label, the best label of each clip taken as the answer. NaN where there is nothing to divide by. */
struct class_figures {
    size_t support, predicted, hits; /* clips that are it, that were taken for it, both */
    double precision, recall, f1;    /* hits / predicted, hits / support, 2 hits / (support + predicted) */
    double average_precision;
};
/* out: [n_labels]. -1: no memory. */
int clipscore_classes(const struct clipset *s, struct class_figures *out);

/* Average precision of a ranking of n cases by score: the sum over the distinct scores, from the highest, of (recall there -
 * recall before) times precision there. Cases with the same score are taken together, so that their order cannot matter (as
 * scikit-learn's average_precision_score does; without ties it is the non-interpolated average precision of Manning, Raghavan and
 * Schuetze, "Introduction to Information Retrieval", 2008, 8.4). Sorts the cases; NaN where none is positive. */
struct ranked {
    float score;
    bool positive;
};
double clipscore_average_precision(struct ranked *cases, size_t n);

/* Means over the labels with support; NaN where there is none. A label that was never named has recall and f1 0. */
struct macro_figures {
    size_t n; /* labels with support */
    double recall, f1, average_precision;
};
void clipscore_macro(const struct class_figures *classes, size_t n_labels, struct macro_figures *out);

#endif
