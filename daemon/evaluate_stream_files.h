/* The files that an evaluation of streams writes. */
#ifndef EARSHOT_EVALUATE_STREAM_FILES_H
#define EARSHOT_EVALUATE_STREAM_FILES_H

#include "base/outfile.h"
#include "daemon/evaluate_stream.h"
#include "daemon/evaluate_stream_result.h"

struct evaluate_stream_files {
    struct outfile sweep, picture, thresholds;
};

/* Opens what flags ask for before any work is done. Returns an exit code, errors printed. */
int evaluate_stream_files_open(struct evaluate_stream_files *f, const struct evaluate *e,
                               const struct evaluate_streams *what);

/* Writes and closes them. -1: not all could be written, said so. */
int evaluate_stream_files_write(struct evaluate_stream_files *f, const struct streams_result *r);

/* Leaves nothing of those that are still open. */
void evaluate_stream_files_abandon(struct evaluate_stream_files *f);

#endif
