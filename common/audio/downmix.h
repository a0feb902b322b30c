/* Interleaved frames of a device -> the one channel that is listened to. */
#ifndef EARSHOT_DOWNMIX_H
#define EARSHOT_DOWNMIX_H

#include "base/err.h"
#include <stddef.h>

#define DOWNMIX_MIX (-1) /* the mean of all channels */

/* "mix" (or "") -> DOWNMIX_MIX; "1", "2", ... "64" -> 0, 1, ... 63. */
int downmix_parse(const char *text, int *channel, struct err *err);

/* dB -> factor. */
float downmix_gain(double gain_db);

/* x: frames * channels floats; out: frames floats, may be x itself. channel: DOWNMIX_MIX or 0..channels-1;
 * one that the frames do not have gives silence. The mean, not the sum: two channels that agree keep their
 * level, a phase-inverted pair cancels. */
void downmix_do(const float *x, size_t frames, unsigned channels, int channel, float gain, float *out);

#endif
