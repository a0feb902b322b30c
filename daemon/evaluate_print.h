/* What an evaluation of clips found, for programs and for people. */
#ifndef EARSHOT_EVALUATE_PRINT_H
#define EARSHOT_EVALUATE_PRINT_H

#include "evaluate/clipreport.h"
#include "evaluate/rejection.h"
#include "model/model.h"
#include <jansson.h>
#include <stdio.h>

/* Clips that no figure counts. */
struct left_out {
    size_t filtered; /* by --where and --folds */
    size_t unknown;  /* by --skip-unknown */
    size_t bad;      /* lines of the manifest that cannot be used */
    size_t unheard;  /* files that could not be read */
};

struct clips_result {
    const char *manifest;     /* path */
    const char *folds;        /* --folds, NULL: none */
    const char *const *where; /* [n_where], --where */
    size_t n_where;
    const struct model_info *model;
    const struct clipreport *report;
    const struct rejection *rejection; /* NULL: no clip was to be unknown */
    struct left_out left_out;
    double seconds; /* of sound */
    double elapsed_s;
};

/* What unknown clips were named. */
struct named {
    const char *label;
    size_t clips;
};
/* The most frequent names, at most `size`, most clips first. Returns how many. */
size_t rejection_names(const struct clips_result *r, struct named *out, size_t size);

/* One JSON object on one line. -1: no memory. */
int evaluate_json(FILE *out, const struct clips_result *r);

/* All figures of a report, into an object. Not 0: no memory. */
int evaluate_figures_json(json_t *o, const struct clipreport *r);

/* Tables: what stands above them, and all of them; the report's alone. */
void evaluate_text(FILE *out, const struct clips_result *r);
void evaluate_figures_text(FILE *out, const struct clipreport *r);

#endif
