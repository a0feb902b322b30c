/* The files that an evaluation writes: none of them is another, or one that it reads. */
#ifndef EARSHOT_EVALUATE_OUTPUTS_H
#define EARSHOT_EVALUATE_OUTPUTS_H

#include "base/outfile.h"
#include "daemon/evaluate.h"

/* One of them: where a flag's value says (`given`), else under `name` in --out; NULL both, or no --out: it is not wanted. */
struct evaluate_output {
    const char *given, *name;
    struct outfile file; /* .f NULL: not wanted */
    char *path;
};

struct evaluate_outputs {
    struct evaluate_output *output; /* [n], the caller's */
    size_t n;
    char *made; /* the folder of --out, where it was not there; NULL */
};

/* The i-th path that is read, NULL behind the last. */
typedef const char *evaluate_input(const void *ctx, size_t i);

/* Opens those that are wanted, before anything is computed; makes the folder of --out where its parent is there. Refuses two of one
 * file, and one that is an input (model, configuration and labels.csv are looked at as well). EXIT_GOOD, or the command's exit code, which has
 * been explained then. */
int evaluate_outputs_open(struct evaluate_outputs *o, const struct evaluate *e, evaluate_input *input, const void *ctx);

/* Closes them all. -1: not everything could be written, which has been said. */
int evaluate_outputs_finish(struct evaluate_outputs *o);

/* Leaves nothing of those that are still open, nor an empty folder of --out that was made here. */
void evaluate_outputs_abandon(struct evaluate_outputs *o);

#endif
