/* scale * log(max(mel, amin) + offset) + shift, mel: triangular sums over the magnitude or power spectrum of each frame.
 * Defaults are YAMNet's (tensorflow/models, research/audioset/yamnet/features.py); VGGish, librosa and the mel front ends of
 * kaldi and EfficientAT are other values of the same parameters. */
#include "features/logmel.h"

#include "features/feature_type.h"
#include "features/melbank.h"
#include "features/spectrum.h"
#include <math.h>
#include <stdlib.h>

struct logmel {
    struct spectrum *spectrum;
    struct melbank *bank;
    float pre_emphasis;
    bool logarithm;
    float offset, amin, factor; /* factor: of the natural logarithm */
    float range;                /* top_db, 0: none */
    float scale, shift;
};

static int read_log(struct logmel *l, const struct param_set *set, struct err *err)
{
    double offset = param_number(set, "log_offset"), amin = param_number(set, "log_amin");
    double top_db = param_number(set, "top_db");
    bool db = param_is(set, "log", "db");

    l->logarithm = !param_is(set, "log", "none");
    l->offset = (float)offset;
    l->amin = (float)amin;
    l->factor = db ? (param_is(set, "spectrum", "power") ? 10.0f : 20.0f) / (float)log(10) : 1.0f;
    l->range = (float)top_db;
    l->scale = (float)param_number(set, "scale");
    l->shift = (float)param_number(set, "shift");
    l->pre_emphasis = (float)param_number(set, "pre_emphasis");
    if (l->logarithm && offset + amin < 1e-30)
        return err_set(err, "log_offset = %g and log_amin = %g: silence has no logarithm, one must be at least 1e-30",
                       offset, amin);
    if (top_db > 0 && !db)
        return err_set(err, "top_db = %g needs log = db", top_db);
    return 0;
}

struct logmel *logmel_new(const struct param_set *set, struct err *err)
{
    struct logmel *l = calloc(1, sizeof *l);
    if (!l) {
        err_set(err, "no memory");
        return NULL;
    }
    if (read_log(l, set, err) < 0)
        goto fail;
    l->spectrum = spectrum_new(set, err);
    if (!l->spectrum)
        goto fail;
    l->bank = melbank_new(set, err);
    if (!l->bank)
        goto fail;
    return l;

fail:
    logmel_free(l);
    return NULL;
}

void logmel_free(struct logmel *l)
{
    if (!l)
        return;
    melbank_free(l->bank);
    spectrum_free(l->spectrum);
    free(l);
}

size_t logmel_bands(const struct logmel *l)
{
    return melbank_bands(l->bank);
}

static size_t lost_samples(const struct logmel *l)
{
    return l->pre_emphasis > 0 ? 1 : 0;
}

size_t logmel_frames(const struct logmel *l, size_t n)
{
    size_t lost = lost_samples(l);

    return spectrum_frames(l->spectrum, n > lost ? n - lost : 0);
}

size_t logmel_samples(const struct logmel *l, size_t frames)
{
    return spectrum_samples(l->spectrum, frames) + lost_samples(l);
}

static void take_log(const struct logmel *l, float *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        v[i] = l->factor * logf((v[i] > l->amin ? v[i] : l->amin) + l->offset);
    if (l->range == 0)
        return;

    float top = v[0];
    for (size_t i = 1; i < n; i++)
        top = v[i] > top ? v[i] : top;
    for (size_t i = 0; i < n; i++)
        v[i] = v[i] > top - l->range ? v[i] : top - l->range;
}

void logmel_do(struct logmel *l, float *x, size_t n, size_t frames, float *out)
{
    size_t bands = logmel_bands(l);

    if (l->pre_emphasis > 0) {
        n--;
        for (size_t i = 0; i < n; i++)
            x[i] = x[i + 1] - l->pre_emphasis * x[i];
    }
    for (size_t t = 0; t < frames; t++)
        melbank_do(l->bank, spectrum_do(l->spectrum, x, n, t), out + t * bands);
    if (l->logarithm)
        take_log(l, out, frames * bands);
    if (l->scale != 1 || l->shift != 0)
        for (size_t i = 0; i < frames * bands; i++)
            out[i] = l->scale * out[i] + l->shift;
}

static void *make(const struct param_set *set, size_t max_samples, struct err *err)
{
    (void)max_samples;
    return logmel_new(set, err);
}

static void unmake(void *state)
{
    logmel_free(state);
}

static size_t bands(const void *state)
{
    return logmel_bands(state);
}

static size_t frames(const void *state, size_t n)
{
    return logmel_frames(state, n);
}

static size_t samples(const void *state, size_t n_frames)
{
    return logmel_samples(state, n_frames);
}

static void run(void *state, float *x, size_t n, size_t n_frames, float *out)
{
    logmel_do(state, x, n, n_frames, out);
}

static const struct param_spec params[] = {
    FEATURE_COMMON("16000", "0", "frames_bands"),
    SPECTRUM_PARAMS("400", "start", "160", "512", "false", "constant", "magnitude"),
    MELBANK_PARAMS("64", "125", "7500", "htk", "mel", "none"),
    LOGMEL_PARAMS("ln", "0.001", "0", "0"),
};

const struct feature_type feature_logmel = {
    .name = "logmel",
    .help = "log-mel spectrogram; the defaults are YAMNet's",
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .make = make,
    .unmake = unmake,
    .bands = bands,
    .frames = frames,
    .samples = samples,
    .run = run,
};
