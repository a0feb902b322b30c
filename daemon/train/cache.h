/* What has been computed of recordings, kept between runs: a file for each kind of features, a record for each recording. Keyed by the
 * recording's path, size and time of change, and by all parameters of the features. */
#ifndef EARSHOT_TRAIN_CACHE_H
#define EARSHOT_TRAIN_CACHE_H

#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

/* Of one recording. */
struct train_sound {
    size_t n;         /* windows that count */
    float *x;         /* [n * cols], owned */
    double seconds;   /* how long it is */
    uint64_t content; /* the same for the same sound; 0: silence */
};

struct train_cache;

/* settings: text that says all about the features; cols: values of a window. The folder is made where its parent is there. NULL with err: it
 * cannot be used; another process at work there is no error but *busy. */
struct train_cache *train_cache_open(const char *folder, const char *settings, size_t cols, int *busy, struct err *err);
void train_cache_close(struct train_cache *c); /* NULL is fine */

/* 1: it is there, and s is filled; 0: it is not. One thread at a time. */
int train_cache_get(struct train_cache *c, const char *path, struct train_sound *s);
/* Best effort: what cannot be kept is computed again. One thread at a time. */
void train_cache_put(struct train_cache *c, const char *path, const struct train_sound *s);

#endif
