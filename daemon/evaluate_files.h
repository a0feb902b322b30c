/* The files that an evaluation of clips writes. */
#ifndef EARSHOT_EVALUATE_FILES_H
#define EARSHOT_EVALUATE_FILES_H

#include "base/outfile.h"
#include "daemon/evaluate_clips.h"
#include "daemon/evaluate_print.h"

struct evaluate_files {
    struct outfile scores, confusion, picture, reliability;
};

/* Opens what flags ask for before any work is done. Returns an exit code, errors printed. */
int evaluate_files_open(struct evaluate_files *f, const struct evaluate *e, const struct evaluate_clips *what);

/* Writes and closes them. -1: not all could be written, said so. clips: those of the result's set. */
int evaluate_files_write(struct evaluate_files *f, const struct clips_result *r, const struct clip *clips);

/* Leaves nothing of those that are still open. */
void evaluate_files_abandon(struct evaluate_files *f);

#endif
