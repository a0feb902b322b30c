/* Sound level of blocks. dBFS here is 20 log10 of the linear value, 1.0 being full scale: a full-scale sine has an RMS of
 * -3.01 dBFS and a full-scale square wave 0 dBFS. Nothing is below LEVEL_MIN_DBFS.
 *
 * The RMS is taken after a second-order Butterworth high-pass (bilinear transform, cutoff pre-warped; coefficients as in
 * R. Bristow-Johnson's Audio EQ Cookbook with Q = 1/sqrt 2), so that a DC offset and handling rumble do not count; the
 * peak is that of the samples as they came. */
#ifndef EARSHOT_LEVEL_H
#define EARSHOT_LEVEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEVEL_MIN_DBFS (-120.0f)

struct level {
    bool filter, settled;
    double b0, a1, a2, s1, s2;
    double power, raw_power; /* sums of squares of the block so far */
    float peak;
    uint32_t n;
};

struct level_block {
    uint32_t n;         /* samples; 0: all figures are those of silence */
    double power;       /* mean square after the high-pass */
    float rms_dbfs;     /* the same in dBFS */
    float raw_rms_dbfs; /* without the high-pass */
    float peak;         /* largest absolute sample, linear */
    bool zero;          /* nothing but zeros */
};

/* highpass_hz 0: none; else below rate / 2. */
void level_init(struct level *l, unsigned rate, double highpass_hz);
void level_do(struct level *l, const float *x, size_t n); /* finite samples */
struct level_block level_end(struct level *l);            /* ends the block; the filter goes on */

float level_dbfs(double mean_square);

#endif
