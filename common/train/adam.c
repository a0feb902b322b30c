#include "train/adam.h"

#include <math.h>
#include <stdlib.h>

int adam_init(struct adam *a, size_t n, float rate, float decay)
{
    *a = (struct adam){.rate = rate, .beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-8f, .decay = decay, .n = n};
    a->mean = calloc(n, sizeof *a->mean);
    a->square = calloc(n, sizeof *a->square);
    return a->mean && a->square ? 0 : -1;
}

void adam_free(struct adam *a)
{
    free(a->mean);
    free(a->square);
    *a = (struct adam){0};
}

void adam_step(struct adam *a, float *weights, const float *gradient)
{
    double t = (double)++a->steps;
    float rate = (float)((double)a->rate / (1 - pow((double)a->beta1, t)));
    float unbias = (float)(1 / sqrt(1 - pow((double)a->beta2, t)));
    float keep = 1 - a->rate * a->decay, b1 = a->beta1, b2 = a->beta2, epsilon = a->epsilon;
    float *restrict mean = a->mean, *restrict square = a->square, *restrict w = weights;
    const float *restrict g = gradient;

    for (size_t i = 0; i < a->n; i++) {
        mean[i] = b1 * mean[i] + (1 - b1) * g[i];
        square[i] = b2 * square[i] + (1 - b2) * g[i] * g[i];
        w[i] = keep * w[i] - rate * mean[i] / (sqrtf(square[i]) * unbias + epsilon);
    }
}
