/* Columns of a spectrogram for people to look at: the energy of 64 mel bands from 50 Hz to 8 kHz (or half the sample rate, where that is
 * lower), a byte each. A byte is linear in dB: 0 is -100 dBFS or less, 255 is 0 dBFS, of the mean square within the band (audio/level.h:
 * a full-scale sine has -3.01 dBFS, which neighbouring bands share).
 *
 * A column is the mean over its frames: Hann windows of 40 ms, 20 ms apart (features/bandlevels.h), which go on from one column to the next. */
#ifndef EARSHOT_MELCOLUMN_H
#define EARSHOT_MELCOLUMN_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MELCOLUMN_BANDS 64
#define MELCOLUMN_HZ    50 /* frames a second: 100 ms are 5 of them */

struct melcolumn;

/* rate: 1000..768000 Hz. frames: in a column, 1 or more. NULL with err. */
struct melcolumn *melcolumn_new(unsigned rate, size_t frames, struct err *err);
void melcolumn_free(struct melcolumn *m);

/* Samples from column to column: frames * floor(rate / MELCOLUMN_HZ). */
size_t melcolumn_samples(const struct melcolumn *m);

/* Takes samples up to the end of a column, returns how many; *done: the column is complete, and stands in out. Finite samples.
 * Allocates nothing. */
size_t melcolumn_do(struct melcolumn *m, const float *x, size_t n, uint8_t out[MELCOLUMN_BANDS], bool *done);

/* The end of the sound: what there is of a column, zeros after it. false: nothing was left. */
bool melcolumn_flush(struct melcolumn *m, uint8_t out[MELCOLUMN_BANDS]);

/* The next sample does not follow the last one: what there was of a column is forgotten. */
void melcolumn_reset(struct melcolumn *m);

#endif
