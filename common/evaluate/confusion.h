/* What was heard for what: clips by their label and by the best label of their scores. */
#ifndef EARSHOT_EVALUATE_CONFUSION_H
#define EARSHOT_EVALUATE_CONFUSION_H

#include "evaluate/clipscore.h"
#include <stdio.h>

struct confusion {
    const char *const *labels;
    size_t n_rows, n_cols;
    unsigned *rows; /* [n_rows]: labels that occur, in the order of the model */
    unsigned *cols; /* [n_cols]: labels that occur, in the same order, then those that were heard only */
    size_t *count;  /* [n_rows * n_cols] */
    size_t *total;  /* [n_rows] */
};

/* -1: no memory. */
int confusion_init(struct confusion *c, const struct clipset *set);
void confusion_free(struct confusion *c);

/* Clips of one label that were taken for one other. */
struct mistake {
    size_t row, col, count;
};
/* The most frequent first, equal ones by row and column; at most n. Returns how many. */
size_t confusion_mistakes(const struct confusion *c, struct mistake *out, size_t n);

/* CSV: a header with `label` and the columns' labels, then a line for each row: label, counts. */
void confusion_write(FILE *out, const struct confusion *c);

#endif
