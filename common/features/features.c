#include "features/features.h"

#include "features/feature_type.h"
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const struct feature_type *const types[] = {&feature_logmel, &feature_mfcc, &feature_nrdt};

enum { TYPES = sizeof types / sizeof *types };

/* A fixed matrix may not be larger than this many floats, nor look at more samples: a model file may ask for anything. */
#define FIXED_MAX ((size_t)1 << 23)

struct feature {
    const struct feature_type *type;
    void *state;
    unsigned rate;
    float scale;
    size_t fixed_frames, max_samples;
    size_t bands;
    bool pool, turned;
    float *x;      /* clean samples, zero-padded */
    float *matrix; /* frames x bands, where the result is pooled or turned; else NULL */
};

static size_t frames_of(const struct feature *f, size_t n)
{
    if (f->fixed_frames)
        return f->fixed_frames;
    size_t frames = f->type->frames(f->state, n);
    return frames ? frames : 1;
}

static const struct feature_type *find_type(const char *name, struct err *err)
{
    for (size_t i = 0; i < TYPES; i++)
        if (strcmp(types[i]->name, name) == 0)
            return types[i];

    char names[128] = "";
    for (size_t i = 0; i < TYPES; i++)
        strncat(strncat(names, i ? ", " : "", 3), types[i]->name, 24);
    err_set(err, "unknown feature \"%.40s\"; there are: %s", name, names);
    return NULL;
}

static int allocate(struct feature *f, struct err *err)
{
    size_t frames = frames_of(f, f->max_samples), samples = f->type->samples(f->state, f->fixed_frames ? frames : 1);
    size_t length = samples > f->max_samples ? samples : f->max_samples;

    if (f->fixed_frames && (samples > FIXED_MAX || frames * f->bands > FIXED_MAX))
        return err_set(err, "frames = %zu: %zu samples and %zu values are too many, at most %zu", frames, samples,
                       frames * f->bands, FIXED_MAX);
    f->x = calloc(length + 1, sizeof *f->x);
    if (f->pool || f->turned)
        f->matrix = calloc(frames * f->bands, sizeof *f->matrix);
    if (!f->x || ((f->pool || f->turned) && !f->matrix))
        return err_set(err, "no memory for the features of %zu samples", f->max_samples);
    return 0;
}

struct feature *feature_new(const char *name, const struct param *params, size_t n_params, size_t max_samples,
                            struct err *err)
{
    struct param_set set;
    struct feature *f = NULL;
    const struct feature_type *type = find_type(name, err);

    if (!type)
        return NULL;
    if (params_read(&set, type->params, type->n_params, params, n_params, err) < 0)
        goto fail;
    if (max_samples > INT32_MAX) {
        err_set(err, "%zu samples at once are too many, at most %d", max_samples, INT32_MAX);
        goto fail;
    }
    f = calloc(1, sizeof *f);
    if (!f) {
        err_set(err, "no memory");
        goto fail;
    }
    f->type = type;
    f->rate = (unsigned)param_integer(&set, "sample_rate");
    f->scale = (float)param_integer(&set, "sample_scale");
    f->fixed_frames = (size_t)param_integer(&set, "frames");
    f->pool = param_is(&set, "pooling", "mean");
    f->turned = param_is(&set, "layout", "bands_frames") && !f->pool;
    f->max_samples = max_samples;
    f->state = type->make(&set, max_samples, err);
    if (!f->state)
        goto fail;
    f->bands = type->bands(f->state);
    if (allocate(f, err) < 0)
        goto fail;
    return f;

fail:
    feature_free(f);
    err_prefix(err, "feature %s: ", type->name);
    return NULL;
}

void feature_free(struct feature *f)
{
    if (!f)
        return;
    f->type->unmake(f->state);
    free(f->x);
    free(f->matrix);
    free(f);
}

unsigned feature_rate(const struct feature *f)
{
    return f->rate;
}

void feature_shape(const struct feature *f, size_t n, size_t *rows, size_t *cols)
{
    size_t frames = f->pool ? 1 : frames_of(f, n);

    *rows = f->turned ? f->bands : frames;
    *cols = f->turned ? frames : f->bands;
}

/* Also zero-pads up to what `frames` need. Returns the number of samples then. */
static size_t clean(struct feature *f, const float *x, size_t n, size_t frames)
{
    size_t needed = f->type->samples(f->state, frames);

    for (size_t i = 0; i < n; i++)
        f->x[i] = fabsf(x[i]) <= FEATURE_LIMIT ? x[i] * f->scale : 0.0f; /* false for NaN too */
    for (size_t i = n; i < needed; i++)
        f->x[i] = 0.0f;
    return n > needed ? n : needed;
}

static void pool_mean(const float *matrix, size_t frames, size_t bands, float *out)
{
    for (size_t b = 0; b < bands; b++) {
        double sum = 0;
        for (size_t t = 0; t < frames; t++)
            sum += matrix[t * bands + b];
        out[b] = (float)(sum / (double)frames);
    }
}

void feature_do(struct feature *f, const float *x, size_t n, float *out)
{
    n = n < f->max_samples ? n : f->max_samples;
    size_t frames = frames_of(f, n), length = clean(f, x, n, frames);
    float *matrix = f->matrix ? f->matrix : out;

    f->type->run(f->state, f->x, length, frames, matrix);
    if (f->pool)
        pool_mean(matrix, frames, f->bands, out);
    else if (f->turned)
        for (size_t b = 0; b < f->bands; b++)
            for (size_t t = 0; t < frames; t++)
                out[b * frames + t] = matrix[t * f->bands + b];
}

size_t feature_type_count(void)
{
    return TYPES;
}

const char *feature_type_name(size_t i)
{
    return types[i]->name;
}

const char *feature_type_help(size_t i)
{
    return types[i]->help;
}

const struct param_spec *feature_type_params(size_t i, size_t *n)
{
    *n = types[i]->n_params;
    return types[i]->params;
}
