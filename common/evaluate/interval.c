#include "evaluate/interval.h"

#include <math.h>

#define Z 1.959963984540054 /* 97.5 % point of the normal distribution */

struct share share_of(size_t hits, size_t n)
{
    struct share s = {.hits = hits, .n = n, .value = NAN, .low = 0, .high = 1};

    if (n == 0)
        return s;
    double p = (double)hits / (double)n, z2n = Z * Z / (double)n;
    double centre = (p + z2n / 2) / (1 + z2n);
    double half = Z / (1 + z2n) * sqrt(p * (1 - p) / (double)n + z2n / (4 * (double)n));
    s.value = p;
    s.low = hits == 0 ? 0 : fmax(0, centre - half);
    s.high = hits == n ? 1 : fmin(1, centre + half);
    return s;
}
