/* Signals and a window collector for the tests of the analysis stages. */
#ifndef EARSHOT_TESTS_SYNTH_H
#define EARSHOT_TESTS_SYNTH_H

#include "audio/analysis.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TEST_PI 3.14159265358979323846

static inline uint32_t synth_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    return *seed ^= *seed << 5;
}

/* Uniform noise, RMS 1. */
static inline float synth_noise(uint32_t *seed)
{
    return (float)((synth_random(seed) / 4294967296.0 - 0.5) * 3.4641016);
}

static inline double synth_gain(double dbfs)
{
    return pow(10, dbfs / 20);
}

static inline struct gate_params synth_gate(void)
{
    return (struct gate_params){.threshold = {THRESHOLD_AUTO, 12},
                                .hysteresis_db = 6,
                                .hold_s = 0.5,
                                .preroll_s = 0.25,
                                .min_duration_s = 0.05,
                                .highpass_hz = 40,
                                .floor_dbfs = -60};
}

static inline struct analysis_params synth_params(unsigned device_rate, unsigned model_rate)
{
    return (struct analysis_params){
        .device_rate = device_rate, .model_rate = model_rate, .window_s = 1, .hop_s = 0.5, .gate = synth_gate()};
}

/* Everything that came out, in order. */
struct collector {
    struct window_info *info;
    float *samples; /* n * width */
    size_t n, width, room;
};

static inline void collect(void *ctx, const struct window *w)
{
    struct collector *c = ctx;
    if (c->n == c->room) {
        c->room = c->room ? 2 * c->room : 16;
        c->info = realloc(c->info, c->room * sizeof *c->info);
        c->samples = realloc(c->samples, c->room * c->width * sizeof *c->samples);
        if (!c->info || !c->samples)
            abort();
    }
    c->info[c->n] = w->info;
    memcpy(c->samples + c->n * c->width, w->samples, c->width * sizeof *w->samples);
    c->n++;
}

static inline void collector_free(struct collector *c)
{
    free(c->info);
    free(c->samples);
    *c = (struct collector){0};
}

static inline size_t collector_lasts(const struct collector *c)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++)
        n += c->info[i].last;
    return n;
}

#endif
