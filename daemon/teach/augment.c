#include "daemon/teach/augment.h"

#include <math.h>
#include <string.h>

/* splitmix64 (G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators", 2014). */
static uint64_t next(struct augment *a)
{
    uint64_t z = a->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

double augment_uniform(struct augment *a)
{
    return (double)(next(a) >> 11) * 0x1p-53;
}

static double between(struct augment *a, double from, double to)
{
    return from + (to - from) * augment_uniform(a);
}

static float rms(const float *x, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return n ? (float)sqrt(sum / (double)n) : 0;
}

/* A window that begins at `start`, which may lie before the first sample; echoes reach in from before it. */
static void cut(const float *x, size_t m, ptrdiff_t start, float gain, float *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ptrdiff_t at = start + (ptrdiff_t)i;
        if (at >= 0 && (size_t)at < m)
            out[i] += gain * x[at];
    }
}

/* White noise, made duller by a drawn amount. */
static void noise(struct augment *a, float *x, size_t n, float level)
{
    float colour = (float)between(a, 0.0, 0.98), state = 0, scale = level * sqrtf(1 - colour * colour) * sqrtf(3);

    for (size_t i = 0; i < n; i++) {
        state = colour * state + (float)between(a, -1, 1);
        x[i] += scale * state;
    }
}

void augment_do(struct augment *a, const float *x, size_t m, size_t from, size_t to, float *out, size_t n)
{
    double least = fmin((double)(to - from), (double)n) * 0.6; /* of the sound, within the window */
    double first = (double)from + least - (double)n, last = (double)to - least;
    ptrdiff_t start = (ptrdiff_t)between(a, first, fmax(first + 1, last));

    memset(out, 0, n * sizeof *out);
    cut(x, m, start, 1, out, n);
    float now = rms(out, n), wanted = (float)pow(10, between(a, -38, -16) / 20);
    float gain = now > 1e-7f ? wanted / now : 1;
    for (size_t i = 0; i < n; i++)
        out[i] *= gain;
    if (augment_uniform(a) < 0.5)
        noise(a, out, n, wanted * (float)pow(10, -between(a, 10, 40) / 20));
}
