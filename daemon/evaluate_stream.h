/* Streams with annotations: what was heard of what was there, and how often something that was not. */
#ifndef EARSHOT_EVALUATE_STREAM_H
#define EARSHOT_EVALUATE_STREAM_H

#include "daemon/evaluate.h"

struct evaluate_stream {
    const char *sound, *annotations; /* paths */
};

/* Prints its own output and errors; returns an exit code. */
int evaluate_stream_run(const struct evaluate *e, const struct evaluate_stream *streams, size_t n);

#endif
