/* Sums in eight lanes: the compiler may not reorder a float sum by itself, so the order is written down here. */
#ifndef EARSHOT_DOT_H
#define EARSHOT_DOT_H

#include <stddef.h>

enum { LANES = 8 };

static inline float lanes_sum(const float s[LANES])
{
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

static inline float dot(const float *restrict a, const float *restrict b, size_t n)
{
    float s[LANES] = {0};
    size_t i = 0;

    for (; i + LANES <= n; i += LANES)
        for (size_t k = 0; k < LANES; k++)
            s[k] += a[i + k] * b[i + k];
    for (size_t k = 0; i < n; i++, k++)
        s[k] += a[i] * b[i];
    return lanes_sum(s);
}

#endif
