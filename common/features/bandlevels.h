/* What a picture of sound shows of a moment: the power in 64 mel bands from 50 Hz to 8 kHz, or to half the sample rate where that is
 * less. The bands overlap by half (triangles over Hz, mel as 2595 log10(1 + f/700)); their sum is about the power of the sound between
 * those edges, so that a sine in the middle of a band stands at its own level. dBFS as everywhere: a full-scale sine is -3.
 *
 * Allocates in bandlevels_new only. */
#ifndef EARSHOT_BANDLEVELS_H
#define EARSHOT_BANDLEVELS_H

#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

enum { BANDLEVELS = 64 };
#define BANDLEVELS_FLOOR_DBFS (-100.0)

struct bandlevels;

/* rate: Hz, 1000 and more. */
struct bandlevels *bandlevels_new(unsigned rate, struct err *err);
void bandlevels_free(struct bandlevels *b);

/* Samples that one look is taken of: 40 ms (256 samples at least), under a Hann window; looks every hop, 20 ms, miss nothing. */
size_t bandlevels_frame(const struct bandlevels *b);
size_t bandlevels_hop(const struct bandlevels *b);
double bandlevels_top_hz(const struct bandlevels *b); /* upper edge of the highest band */

/* x: bandlevels_frame samples, finite. out: the mean square in each band, the lowest first. */
void bandlevels_do(struct bandlevels *b, const float *x, float out[BANDLEVELS]);

/* A band's mean square as a byte: 0 at BANDLEVELS_FLOOR_DBFS and below, 255 at 0 dBFS and above, even steps of dB between. */
uint8_t bandlevels_byte(double power);

/* The frequency of band b's middle where the highest edge is top_hz: for axes. b may be fractional. */
double bandlevels_hz(double b, double top_hz);

#endif
