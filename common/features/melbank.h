/* A bank of triangular mel filters, stored sparse: of each band only the bins that it weighs.
 *
 * Scales: htk 2595 log10(1 + f/700) (O'Shaughnessy; kaldi's 1127 ln(1 + f/700) is the same), slaney: linear below 1 kHz, 27 steps
 * per factor 6.4 above (Auditory Toolbox). bands + 2 edges stand equally spaced on the scale from fmin to fmax. The triangles are
 * straight lines over Hz (librosa) or over mel (VGGish, kaldi). Slaney's norm gives each the area 1 over Hz. */
#ifndef EARSHOT_MELBANK_H
#define EARSHOT_MELBANK_H

#include "features/params.h"

struct melbank;

/* Reads sample_rate, fft_size and the rows of MELBANK_PARAMS. */
struct melbank *melbank_new(const struct param_set *set, struct err *err);
void melbank_free(struct melbank *m);
size_t melbank_bands(const struct melbank *m);

/* spectrum: fft_size / 2 + 1 bins. out: melbank_bands values. */
void melbank_do(const struct melbank *m, const float *spectrum, float *out);

#define MELBANK_PARAMS(bands, fmin, fmax, scale, triangles, norm)                                                      \
    {"mel_bands", bands, "integer 1..1024", "triangular filters"},                                                     \
        {"fmin", fmin, "number 0..192000", "Hz, lower edge of the lowest band"},                                       \
        {"fmax", fmax, "number 0..192000", "Hz, upper edge of the highest band; 0: half the sample rate"},             \
        {"mel_scale", scale, "htk|slaney", "which mel"},                                                               \
        {"mel_triangles", triangles, "hz|mel", "triangles are straight over Hz (librosa) or mel (VGGish, kaldi)"},     \
        {"mel_norm", norm, "none|slaney", "peak 1, or area 1 over Hz"},                                                \
        {"skip_dc", "false", "true|false", "bin 0 weighs nothing"},                                                    \
    {                                                                                                                  \
        "skip_nyquist", "false", "true|false", "the last bin weighs nothing"                                           \
    }

#endif
