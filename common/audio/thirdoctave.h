/* Spectrum in thirds of octaves: IEC 61260-1:2014, base 10, from 20 Hz to 20 kHz or what the sample rate allows.
 *
 * Band n (0 is 20 Hz nominal) has the exact middle 1000 Hz * 10^((n - 17) / 10) and edges 10^(1/20) below and above it. Each is a
 * Butterworth band-pass of order 6 (three sections; bilinear transform, both edges pre-warped), which meets class 1 as long as its upper
 * edge lies below a quarter of the rate: above, the transform flattens the lower skirt. So the highest bands work at twice the rate, and
 * lower ones at a half, a quarter ... of it, by half-band FIR filters (Kaiser window, 75 dB). All bands below 6 kHz together cost as
 * much as those between 6 and 12 kHz (at 48 kHz).
 *
 * Allocates in thirdoctave_new only. One thread. */
#ifndef EARSHOT_THIRDOCTAVE_H
#define EARSHOT_THIRDOCTAVE_H

#include "base/err.h"
#include <stddef.h>

#define THIRDOCTAVE_BANDS   31
#define THIRDOCTAVE_PERIODS 2 /* averages that run side by side */

struct thirdoctave;

/* NULL: no memory, or a rate under 4 kHz. */
struct thirdoctave *thirdoctave_new(unsigned rate, struct err *err);
void thirdoctave_free(struct thirdoctave *t);
unsigned
thirdoctave_count(const struct thirdoctave *t); /* bands from 20 Hz up whose edge is within 0.405 of the rate */

void thirdoctave_do(struct thirdoctave *t, const float *x, size_t n); /* what is not finite is taken as 0 */

/* Mean square of each of the thirdoctave_count() bands since the last call for that period; begins it anew. 0 where nothing was heard. */
void thirdoctave_take(struct thirdoctave *t, unsigned period, double power[THIRDOCTAVE_BANDS]);

double thirdoctave_middle(unsigned band);  /* exact, Hz */
double thirdoctave_nominal(unsigned band); /* 20, 25, 31.5, ... 20000 Hz */

/* Response in dB at f Hz, decimation filters included. */
double thirdoctave_response(const struct thirdoctave *t, unsigned band, double f);

#endif
