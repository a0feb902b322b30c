/* Many recordings, several at a time, told in the order of their list. */
#ifndef EARSHOT_CLASSIFY_BATCH_H
#define EARSHOT_CLASSIFY_BATCH_H

#include "daemon/classify.h"
#include "daemon/classify_journal.h"

enum classify_format { CLASSIFY_TABLE, CLASSIFY_JSON, CLASSIFY_CSV };

struct classify_batch_params {
    const struct classify_params *params;
    const char *const *models; /* paths */
    size_t n_models;
    enum classify_format format;
    size_t top; /* labels, 0: all */
    size_t jobs;
    char *const *files;
    size_t n_files;
    /* May be NULL. What it holds is not done again, but told all the same; what gets done is added. A file that failed, or that
     * was cut off, is not: the next run tries it again. */
    struct classify_journal *journal;
};

/* Prints on stdout, and what failed on stderr. Returns an exit code. */
int classify_batch(const struct classify_batch_params *p);

#endif
