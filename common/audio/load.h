/* A whole audio file as mono samples at one rate. */
#ifndef EARSHOT_LOAD_H
#define EARSHOT_LOAD_H

#include "audio/resample.h"

/* Grows as files need it; free(x) is the caller's. Starts as {0}. */
struct loaded {
    float *x;
    size_t n, room;
};

/* -1: err names the file; also where it has more than `most` samples at `rate`. */
int load_mono(struct loaded *l, const char *path, unsigned rate, enum resample_quality quality, size_t most,
              struct err *err);

/* Room for n samples, what is there kept. -1: no memory, err does not name the file. */
int loaded_grow(struct loaded *l, size_t n, struct err *err);

#endif
