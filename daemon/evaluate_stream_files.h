/* The files that an evaluation of streams writes. */
#ifndef EARSHOT_EVALUATE_STREAM_FILES_H
#define EARSHOT_EVALUATE_STREAM_FILES_H

#include "daemon/evaluate_outputs.h"
#include "daemon/evaluate_stream.h"
#include "daemon/evaluate_stream_result.h"

enum { STREAM_FILE_SWEEP, STREAM_FILE_PICTURE, STREAM_FILE_THRESHOLDS, N_STREAM_FILES };

struct evaluate_stream_files {
    struct evaluate_output output[N_STREAM_FILES];
    struct evaluate_outputs all;
};

/* Opens what flags ask for before any work is done; files: [n] streams that are going to be read. Returns an exit code, errors
 * printed. */
int evaluate_stream_files_open(struct evaluate_stream_files *f, const struct evaluate *e,
                               const struct evaluate_streams *what, const struct stream_file *files, size_t n);

/* Writes and closes them. -1: not all could be written, said so. */
int evaluate_stream_files_write(struct evaluate_stream_files *f, const struct streams_result *r);

/* Leaves nothing of those that are still open. */
void evaluate_stream_files_abandon(struct evaluate_stream_files *f);

#endif
