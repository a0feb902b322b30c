#include "audio/coherence.h"

#include <math.h>

/* The four last samples less the four before them: a band around a tenth of the rate. Above it, half a sample's shift, which a cut may
 * leave, would turn the wave. */
static void take_band(float *x, size_t n)
{
    for (size_t i = n; i-- > 7;)
        x[i] += x[i - 1] + x[i - 2] + x[i - 3] - x[i - 4] - x[i - 5] - x[i - 6] - x[i - 7];
    for (size_t i = 0; i < n && i < 7; i++)
        x[i] = 0;
}

static double product(const float *a, const float *b, size_t n)
{
    double sum = 0;

    while (n > 0) { /* in pieces: a float sum of a few is exact enough, and fast */
        size_t part = n < 64 ? n : 64;
        float s = 0;
        for (size_t i = 0; i < part; i++)
            s += a[i] * b[i];
        sum += (double)s;
        a += part;
        b += part;
        n -= part;
    }
    return sum;
}

double coherence(float *a, float *b, size_t n, size_t slack)
{
    double best = 0;

    take_band(a, n);
    take_band(b, n + 2 * slack);
    double energy_a = product(a, a, n);
    for (size_t lag = 0; lag <= 2 * slack; lag++) {
        double energy_b = product(b + lag, b + lag, n);
        if (energy_a > 1e-12 && energy_b > 1e-12)
            best = fmax(best, fabs(product(a, b + lag, n)) / sqrt(energy_a * energy_b));
    }
    return best < 1 ? best : 1;
}
