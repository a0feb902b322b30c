/* Are these samples of one and the same sound? Copies swing together, also behind a codec that keeps the wave (as all do below 3 kHz but at the
 * lowest rates); two recordings do not, however much they sound alike. */
#ifndef EARSHOT_COHERENCE_H
#define EARSHOT_COHERENCE_H

#include <stddef.h>

#define COHERENCE_SAME 0.6

/* a: n samples; b: n + 2 * slack, so that b[slack] is about where a[0] is. Both are changed: lows, which hum fills, and highs are taken
 * out, so that 8 kHz is the rate to have them at. Returns
 * the greatest magnitude, 0..1, of the normalised correlation (Pearson's, for a mean of zero) over all lags; 0 where there is silence. */
double coherence(float *a, float *b, size_t n, size_t slack);

#endif
