#include "audio/level.h"

#include <math.h>

#define PI 3.14159265358979323846

void level_init(struct level *l, unsigned rate, double highpass_hz)
{
    *l = (struct level){.filter = highpass_hz > 0};
    double w = 2 * PI * highpass_hz / rate;
    double alpha = sin(w) * sqrt(0.5); /* sin w / 2Q */
    double a0 = 1 + alpha;
    l->b0 = (1 + cos(w)) / 2 / a0;
    l->a1 = -2 * cos(w) / a0;
    l->a2 = (1 - alpha) / a0;
}

/* Transposed direct form II; b1 = -2 b0, b2 = b0. What each sample waits for is the one before it: the sums are bracketed so that
 * as little as can be stands between the two. */
static void filter(struct level *l, const float *x, size_t n)
{
    double b0 = l->b0, b1 = -2 * l->b0, a1 = l->a1, a2 = l->a2, s1 = l->s1, s2 = l->s2, power = l->power;
    for (size_t i = 0; i < n; i++) {
        double in = x[i], y = b0 * in + s1;
        s1 = (b1 * in + s2) - a1 * y;
        s2 = b0 * in - a2 * y;
        power += y * y;
    }
    l->s1 = s1;
    l->s2 = s2;
    l->power = power;
}

void level_do(struct level *l, const float *x, size_t n)
{
    if (n == 0)
        return;
    if (!l->settled) {
        /* as though the first sample had been there for ever: no step when a stream with an offset begins */
        l->s1 = -l->b0 * x[0];
        l->s2 = l->b0 * x[0];
        l->settled = true;
    }
    float peak = l->peak;
    double raw = l->raw_power;
    for (size_t i = 0; i < n; i++) {
        float a = fabsf(x[i]);
        peak = a > peak ? a : peak;
        raw += (double)x[i] * x[i];
    }
    l->peak = peak;
    l->raw_power = raw;
    l->n += (uint32_t)n;
    if (l->filter)
        filter(l, x, n);
}

struct level_block level_end(struct level *l)
{
    double n = l->n ? l->n : 1;
    struct level_block b = {
        .n = l->n,
        .power = (l->filter ? l->power : l->raw_power) / n,
        .raw_rms_dbfs = level_dbfs(l->raw_power / n),
        .peak = l->peak,
        .zero = l->peak == 0,
    };
    b.rms_dbfs = level_dbfs(b.power);
    l->power = l->raw_power = 0;
    l->peak = 0;
    l->n = 0;
    /* in digital silence the state would decay into denormal numbers, which are slow */
    if (b.zero && fabs(l->s1) < 1e-30 && fabs(l->s2) < 1e-30)
        l->s1 = l->s2 = 0;
    return b;
}

float level_dbfs(double mean_square)
{
    return mean_square > 1e-12 ? (float)(10 * log10(mean_square)) : LEVEL_MIN_DBFS;
}
