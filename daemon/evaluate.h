/* What the two parts of `earshot evaluate`, clips and streams, are given alike. */
#ifndef EARSHOT_EVALUATE_H
#define EARSHOT_EVALUATE_H

#include "daemon/classify.h"
#include "daemon/cmd.h"

#define EVALUATE "evaluate" /* for cmd_fail */

struct evaluate {
    const struct cmd_context *cx;  /* the configuration and --json */
    const char *model;             /* path, as model_find gives it */
    struct classify_params params; /* of the configuration, as classify has them */
    size_t jobs;                   /* files at once, 1 or more */
    const char *picture;           /* --picture: SVG file to write, NULL: none, or as --out says */
    const char *out;               /* --out: folder for all files that nothing else names; NULL */
};

/* The thresholds at which the decision stage opens, [m->n_labels], those of the configuration among them. The caller's to free; NULL
 * with *code (of the command) where that cannot be, which has been said then. */
float *evaluate_thresholds(const struct evaluate *e, const struct model_info *m, int *code);

#endif
