/* NRDT: for each block of samples and each delay d, the mean over t of |x[t-d] + x[t+d] - 2 x[t]| / 4 (flag 0), or of that over
 * |x[t-d]| + |x[t+d]| + 2 |x[t]| + 1e-12 (flag 1: free of scale). t runs from d to block - d - 2 within the block, one fewer than
 * possible, as in the program that its models were trained with (github.com/Joal84/audio-class). */
#include "features/dot.h"
#include "features/feature_type.h"
#include <math.h>
#include <stdlib.h>

struct nrdt {
    size_t block, delays;
    size_t delay[PARAM_LIST];
    bool relative;
};

static void *make(const struct param_set *set, size_t max_samples, struct err *err)
{
    (void)max_samples;
    struct nrdt *f = calloc(1, sizeof *f);
    if (!f) {
        err_set(err, "no memory");
        return NULL;
    }
    long delays[PARAM_LIST];
    f->block = (size_t)param_integer(set, "block");
    f->relative = param_is(set, "flag", "1");
    f->delays = param_list(set, "delays", delays);
    for (size_t i = 0; i < f->delays; i++) {
        f->delay[i] = (size_t)delays[i];
        if (f->delay[i] > f->block / 4) {
            err_set(err, "delays: %zu is more than a quarter of block = %zu", f->delay[i], f->block);
            free(f);
            return NULL;
        }
    }
    return f;
}

static void unmake(void *state)
{
    free(state);
}

static size_t bands(const void *state)
{
    const struct nrdt *f = state;

    return f->delays;
}

static size_t frames(const void *state, size_t n)
{
    const struct nrdt *f = state;

    return n / f->block;
}

static size_t samples(const void *state, size_t n_frames)
{
    const struct nrdt *f = state;

    return n_frames * f->block;
}

static float second_difference(const float *x, size_t i, size_t d)
{
    return fabsf(x[i] + x[i + 2 * d] - 2 * x[i + d]);
}

static float magnitude(const float *x, size_t i, size_t d)
{
    return fabsf(x[i]) + fabsf(x[i + 2 * d]) + 2 * fabsf(x[i + d]) + 1e-12f;
}

static float sum_absolute(const float *x, size_t count, size_t d)
{
    float s[LANES] = {0};
    size_t i = 0;

    for (; i + LANES <= count; i += LANES)
        for (size_t k = 0; k < LANES; k++)
            s[k] += second_difference(x, i + k, d);
    for (size_t k = 0; i < count; i++, k++)
        s[k] += second_difference(x, i, d);
    return lanes_sum(s);
}

static float sum_relative(const float *x, size_t count, size_t d)
{
    float s[LANES] = {0};
    size_t i = 0;

    for (; i + LANES <= count; i += LANES)
        for (size_t k = 0; k < LANES; k++)
            s[k] += second_difference(x, i + k, d) / magnitude(x, i + k, d);
    for (size_t k = 0; i < count; i++, k++)
        s[k] += second_difference(x, i, d) / magnitude(x, i, d);
    return lanes_sum(s);
}

static void run(void *state, float *x, size_t n, size_t n_frames, float *out)
{
    const struct nrdt *f = state;

    (void)n;
    for (size_t t = 0; t < n_frames; t++, x += f->block)
        for (size_t i = 0; i < f->delays; i++) {
            size_t d = f->delay[i], count = f->block - 2 * d - 1;
            float sum = f->relative ? sum_relative(x, count, d) : sum_absolute(x, count, d);
            *out++ = sum / (4 * (float)count);
        }
}

static const struct param_spec params[] = {
    FEATURE_COMMON("44100", "220", "bands_frames"),
    {"delays", "2,4,8,16,20,32,50,64,100,128,200", "list 1..16384", "samples, a band each; at most a quarter of block"},
    {"block", "1000", "integer 4..65536", "samples, a frame each"},
    {"flag", "0", "0|1", "0: absolute, 1: relative to the samples' magnitude"},
};

const struct feature_type feature_nrdt = {
    .name = "nrdt",
    .help = "mean second differences at several delays; the defaults are those of the published networks (5 s)",
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .make = make,
    .unmake = unmake,
    .bands = bands,
    .frames = frames,
    .samples = samples,
    .run = run,
};
