/* What the two parts of `earshot evaluate`, clips and streams, are given alike. */
#ifndef EARSHOT_EVALUATE_H
#define EARSHOT_EVALUATE_H

#include "base/outfile.h"
#include "daemon/classify.h"
#include "daemon/cmd.h"

#define EVALUATE "evaluate" /* for cmd_fail */

struct evaluate {
    const struct cmd_context *cx;  /* the configuration and --json */
    const char *model;             /* path, as model_find gives it */
    struct classify_params params; /* of the configuration, as classify has them */
    size_t jobs;                   /* files at once, 1 or more */
    const char *picture;           /* --picture: SVG file to write, NULL: none, or as --out says */
    const char *out;               /* --out: folder, there and writable, for all files that nothing else names; NULL */
};

/* Opens a file to be written: `given` (a flag's value) where not NULL, else `name` in --out; where neither is wanted *o stays as it
 * is. EXIT_GOOD, or the command's exit code, which has been explained then. */
int evaluate_open(const struct evaluate *e, struct outfile *o, const char *given, const char *name);
int evaluate_finish(struct outfile *o); /* outfile_finish; -1: it failed, which has been said */

/* The thresholds at which the decision stage opens, [m->n_labels], those of the configuration among them. The caller's to free; NULL
 * with *code (of the command) where that cannot be, which has been said then. */
float *evaluate_thresholds(const struct evaluate *e, const struct model_info *m, int *code);

#endif
