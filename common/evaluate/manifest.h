/* A list of labelled clips, as CSV with a header. Columns: path (or file; relative to the manifest), label, and where there are
 * such: fold, dataset; others are kept for conditions. */
#ifndef EARSHOT_EVALUATE_MANIFEST_H
#define EARSHOT_EVALUATE_MANIFEST_H

#include "base/csv.h"
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>

struct clip {
    unsigned line;
    char *path;          /* the manifest's folder and name, or name where that begins with '/' */
    char **field;        /* [n_columns], as written */
    const char *name;    /* field of the column path */
    const char *label;   /* as written */
    const char *fold;    /* NULL: no such column; "" where it is empty */
    const char *dataset; /* the same */
};

struct manifest {
    const char *path; /* borrowed */
    char **columns;
    size_t n_columns;
    struct clip *clips;
    size_t n;
    size_t n_bad; /* lines that were told to `problem` */
    struct csv csv;
};

/* One line of text, "MANIFEST:LINE: what is wrong". */
typedef void manifest_problem(void *ctx, const char *text);

/* Empty fields behind the last column that has a name are not counted. A line with another number of fields than the header, without
 * path or label, or with the file of an earlier line (also by another path, ./x for x) is told to `problem`, counted and left out. -1: no file, no CSV, no header with path and label, a column twice, or no line behind it. */
int manifest_read(struct manifest *m, const char *path, manifest_problem *problem, void *ctx, struct err *err);
void manifest_free(struct manifest *m);

/* Keeps the clips for which all conditions of at least one text hold: "column=value,column=value"
 * (n_where 0: all clips), and, where `folds` is not NULL, whose fold stands in that list, "1,3". Returns how many went, -1: a text
 * that cannot be read, a column that is not there (the nearest is named), or no clip is left. */
long manifest_filter(struct manifest *m, const char *const *where, size_t n_where, const char *folds, struct err *err);

/* Throws out the clips i with drop[i], [n]. */
void manifest_drop(struct manifest *m, const bool *drop);

#endif
