/* Weighted logistic regression with a ridge penalty on all weights but the bias, by Newton's method with halved steps. Rows are padded
 * with zeros to a multiple of 8 values, so that the compiler's vectors fit. */
#ifndef EARSHOT_LOGISTIC_H
#define EARSHOT_LOGISTIC_H

#include <stddef.h>

struct logistic {
    size_t n, m, stride; /* rows; columns, the bias's 1 among them as the last; logistic_stride(m) */
    const float *x;      /* [n][stride] */
    const float *y;      /* [n], 0 or 1 */
    const float *weight; /* [n] */
    double ridge;
};

size_t logistic_stride(size_t m);

/* w: [m], where to start from, and what was found. -1: no memory. */
int logistic_fit(const struct logistic *p, double *w);

#endif
