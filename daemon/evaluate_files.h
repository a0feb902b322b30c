/* The files that an evaluation of clips writes. */
#ifndef EARSHOT_EVALUATE_FILES_H
#define EARSHOT_EVALUATE_FILES_H

#include "daemon/evaluate_clips.h"
#include "daemon/evaluate_outputs.h"
#include "daemon/evaluate_print.h"
#include "evaluate/manifest.h"

enum { FILE_SCORES, FILE_CONFUSION, FILE_PICTURE, FILE_RELIABILITY, N_FILES };

struct evaluate_files {
    struct evaluate_output output[N_FILES];
    struct evaluate_outputs all;
};

/* Opens what flags ask for before any work is done; m: what is going to be read. Returns an exit code, errors printed. */
int evaluate_files_open(struct evaluate_files *f, const struct evaluate *e, const struct evaluate_clips *what,
                        const struct manifest *m);

/* Writes and closes them. -1: not all could be written, said so. clips: those of the result's set. */
int evaluate_files_write(struct evaluate_files *f, const struct clips_result *r, const struct clip *clips);

/* Leaves nothing of those that are still open. */
void evaluate_files_abandon(struct evaluate_files *f);

#endif
