/* Short-time spectrum: framing, Hann window, real FFT (KissFFT), magnitude or power.
 *
 * A frame is `window` samples long where the window stands at the start of the FFT (zeros after it: VGGish, YAMNet), and
 * `fft_size` samples where it stands in its centre (zeros on both sides: librosa, torch). Frame t begins at sample hop * t, or,
 * with `centre`, half a frame before it; what then lies outside the signal is zero (pad_mode constant) or mirrored without
 * repeating the edge sample (reflect). */
#ifndef EARSHOT_SPECTRUM_H
#define EARSHOT_SPECTRUM_H

#include "features/params.h"

struct spectrum;

/* Reads the rows of SPECTRUM_PARAMS. */
struct spectrum *spectrum_new(const struct param_set *set, struct err *err);
void spectrum_free(struct spectrum *s);

size_t spectrum_bins(const struct spectrum *s); /* fft_size / 2 + 1 */
size_t spectrum_frames(const struct spectrum *s, size_t n);
size_t spectrum_samples(const struct spectrum *s, size_t frames); /* the fewest that hold so many, frames >= 1 */

/* Frame t of x, n samples: spectrum_bins values, valid until the next call. */
const float *spectrum_do(struct spectrum *s, const float *x, size_t n, size_t t);

#define SPECTRUM_PARAMS(window_, place, hop_, fft, centre_, pad, kind)                                                 \
    {"window", window_, "integer 2..65536", "samples under the Hann window"},                                          \
        {"window_symmetry", "periodic", "periodic|symmetric", "Hann of length N: cos(2 pi n/N) or cos(2 pi n/(N-1))"}, \
        {"window_place", place, "start|centre", "of the window in the FFT, zeros fill the rest"},                      \
        {"hop", hop_, "integer 1..65536", "samples from frame to frame"},                                              \
        {"fft_size", fft, "integer 4..65536", "even, and only the factors 2, 3 and 5"},                                \
        {"centre", centre_, "true|false", "frame t is centred on sample hop * t"},                                     \
        {"pad_mode", pad, "constant|reflect", "what is beyond the ends of a centred signal: zeros or its mirror"},     \
    {                                                                                                                  \
        "spectrum", kind, "magnitude|power", "|X| or |X|^2"                                                            \
    }

#endif
