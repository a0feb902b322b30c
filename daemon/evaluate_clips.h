/* Labelled clips: how often the best label of a whole file, as `earshot classify` tells it, is the right one. */
#ifndef EARSHOT_EVALUATE_CLIPS_H
#define EARSHOT_EVALUATE_CLIPS_H

#include "daemon/evaluate.h"

struct evaluate_clips {
    const char *manifest;
    const char *folds;        /* "1,3", NULL: all */
    const char *const *where; /* [n_where], "column=value,column=value" */
    size_t n_where;
    const char *map; /* CSV: name in the manifest, label; NULL */
    bool skip_unknown;
    const char *strangers; /* labels, commas between: sounds that the model should not name; NULL */
    const char *scores, *confusion, *reliability; /* files to write, NULL: not, or as --out says */
};

/* Prints its own output and errors; returns an exit code. */
int evaluate_clips_run(const struct evaluate *e, const struct evaluate_clips *what);

#endif
