/* Scores of many files, several at a time. */
#ifndef EARSHOT_EVALUATE_HEAR_H
#define EARSHOT_EVALUATE_HEAR_H

#include "daemon/evaluate.h"
#include "evaluate/manifest.h"

struct hearing {
    struct classifier **classifiers; /* [n_jobs], one for each thread */
    size_t n_jobs;
    const struct model_info *model; /* the first classifier's */

    float *scores;    /* [clips * n_labels]: as classify's `top` */
    bool *heard;      /* [clips]; false: the file could not be read to its end */
    double seconds;   /* of sound */
    double elapsed_s; /* that it took */
};

/* Loads the model. Returns an exit code, errors printed: a model that cannot be used is wrong usage. */
int hearing_open(struct hearing *h, const struct evaluate *e);
void hearing_close(struct hearing *h);

/* Hears all clips; with a line of progress where stderr is a terminal. A file that cannot be read is named on stderr with its line
 * in the manifest, in the manifest's order, when all are through. Returns how many of those, -1: no memory or no thread, said so. */
long hearing_do(struct hearing *h, const struct manifest *m);

#endif
