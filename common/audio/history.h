/* The last `size` samples of a stream, by their number in it. The buffer is made once for the largest size; only `size`
 * samples of it are ever touched. */
#ifndef EARSHOT_HISTORY_H
#define EARSHOT_HISTORY_H

#include <stddef.h>
#include <stdint.h>

struct history {
    float *buffer;
    size_t capacity, size;
    uint64_t first, end; /* samples [first, end) are held */
    uint64_t origin;     /* number of a sample that lies at buffer[0] */
};

int history_init(struct history *h, size_t capacity); /* -1: no memory. Empty, size 0 */
void history_free(struct history *h);
void history_resize(struct history *h, size_t size); /* <= capacity; keeps the newest samples */
void history_push(struct history *h, const float *x, size_t n);
/* Samples from number `from` (held, or the end) that lie in one piece; 0 at the end. */
size_t history_read(const struct history *h, uint64_t from, const float **x);

#endif
