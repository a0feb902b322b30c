/* Sample-rate conversion (libsamplerate), streaming, mono, without delay. Equal rates are passed through.
 *
 * Measured (tests/test_resample.c), as parts of the Nyquist frequency of the lower rate:
 *            flat within 0.1 dB to   -3 dB at   from 1.0 on at most
 *   FAST     0.70                    0.80        -95 dB
 *   MEDIUM   0.86                    0.90        -90 dB
 *   BEST     0.93                    0.96       -115 dB  */
#ifndef EARSHOT_RESAMPLE_H
#define EARSHOT_RESAMPLE_H

#include "base/err.h"
#include <stddef.h>

struct resample;

enum resample_quality { RESAMPLE_FAST /* SINC_FASTEST */, RESAMPLE_MEDIUM, RESAMPLE_BEST };

/* What models hear, in the daemon and in training. */
#define RESAMPLE_DEFAULT RESAMPLE_FAST

struct resample *resample_new(unsigned from_rate, unsigned to_rate, enum resample_quality quality, struct err *err);
void resample_free(struct resample *r);
void resample_reset(struct resample *r);

/* Takes n samples, writes at most `room` to out, returns the count written. `end`: no input follows, drain the filter.
 * All input is consumed if room >= resample_room(r, n). Allocates nothing (libsamplerate allocates in src_new alone). */
size_t resample_do(struct resample *r, const float *x, size_t n, float *out, size_t room, int end);
size_t resample_room(const struct resample *r, size_t n);

/* A whole signal at once: *out is malloc'ed, the caller's. */
int resample_all(const float *x, size_t n, unsigned from, unsigned to, enum resample_quality quality, float **out,
                 size_t *n_out, struct err *err);

#endif
