/* Mel-frequency cepstral coefficients: the orthonormal DCT-II of each frame of a log-mel spectrogram, its first n_mfcc values.
 * The defaults are librosa's (librosa.feature.mfcc, n_mfcc = 40, 22,050 Hz). */
#include "features/dot.h"
#include "features/feature_type.h"
#include "features/logmel.h"
#include "features/melbank.h"
#include "features/spectrum.h"
#include <math.h>
#include <stdlib.h>

struct mfcc {
    struct logmel *logmel;
    size_t bands, coefficients;
    float *dct; /* coefficients x bands */
    float *mel; /* frames x bands: top_db needs all frames before the first DCT */
};

static void unmake(void *state)
{
    struct mfcc *m = state;

    if (!m)
        return;
    logmel_free(m->logmel);
    free(m->dct);
    free(m->mel);
    free(m);
}

static void fill_dct(struct mfcc *m)
{
    for (size_t k = 0; k < m->coefficients; k++)
        for (size_t b = 0; b < m->bands; b++)
            m->dct[k * m->bands + b] = (float)(sqrt((k ? 2.0 : 1.0) / (double)m->bands) *
                                               cos(M_PI * (double)k * ((double)b + 0.5) / (double)m->bands));
}

static void *make(const struct param_set *set, size_t max_samples, struct err *err)
{
    struct mfcc *m = calloc(1, sizeof *m);
    if (!m)
        goto no_memory;
    m->logmel = logmel_new(set, err);
    if (!m->logmel)
        goto fail;
    m->bands = logmel_bands(m->logmel);
    m->coefficients = (size_t)param_integer(set, "n_mfcc");
    if (m->coefficients > m->bands) {
        err_set(err, "n_mfcc = %zu is more than mel_bands = %zu", m->coefficients, m->bands);
        goto fail;
    }
    size_t frames = (size_t)param_integer(set, "frames");
    if (!frames)
        frames = logmel_frames(m->logmel, max_samples);
    m->dct = calloc(m->coefficients * m->bands, sizeof *m->dct);
    m->mel = calloc((frames ? frames : 1) * m->bands, sizeof *m->mel);
    if (!m->dct || !m->mel)
        goto no_memory;
    fill_dct(m);
    return m;

no_memory:
    err_set(err, "no memory");
fail:
    unmake(m);
    return NULL;
}

static size_t bands(const void *state)
{
    const struct mfcc *m = state;

    return m->coefficients;
}

static size_t frames(const void *state, size_t n)
{
    const struct mfcc *m = state;

    return logmel_frames(m->logmel, n);
}

static size_t samples(const void *state, size_t n_frames)
{
    const struct mfcc *m = state;

    return logmel_samples(m->logmel, n_frames);
}

static void run(void *state, float *x, size_t n, size_t n_frames, float *out)
{
    struct mfcc *m = state;

    logmel_do(m->logmel, x, n, n_frames, m->mel);
    for (size_t t = 0; t < n_frames; t++)
        for (size_t k = 0; k < m->coefficients; k++)
            *out++ = dot(m->dct + k * m->bands, m->mel + t * m->bands, m->bands);
}

static const struct param_spec params[] = {
    FEATURE_COMMON("22050", "0", "bands_frames"),
    SPECTRUM_PARAMS("2048", "centre", "512", "2048", "true", "constant", "power"),
    MELBANK_PARAMS("128", "0", "0", "slaney", "hz", "slaney"),
    LOGMEL_PARAMS("db", "0", "1e-10", "80"),
    {"n_mfcc", "40", "integer 1..1024", "coefficients, from the zeroth; at most mel_bands"},
};

const struct feature_type feature_mfcc = {
    .name = "mfcc",
    .help = "mel-frequency cepstral coefficients; the defaults are librosa's",
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .make = make,
    .unmake = unmake,
    .bands = bands,
    .frames = frames,
    .samples = samples,
    .run = run,
};
