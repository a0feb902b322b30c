#include "audio/soundlevel_sums.h"

#include <math.h>
#include <string.h>

#define PER_DB       10 /* bins */
#define LEAST_BLOCKS 10 /* no percentiles of less */

void soundlevel_sums_begin(struct soundlevel_sums *s)
{
    memset(s, 0, sizeof *s);
    s->fast_least = INFINITY;
}

uint32_t soundlevel_bin(double power)
{
    double at = (10 * log10(power + 1e-300) - (double)SOUNDLEVEL_MIN_DB) * PER_DB;
    return !(at > 0) ? 0 : at >= SOUNDLEVEL_BINS ? SOUNDLEVEL_BINS - 1 : (uint32_t)at;
}

float soundlevel_decibel(double power)
{
    return power > 0 ? fmaxf((float)(10 * log10(power)), SOUNDLEVEL_MIN_DB) : SOUNDLEVEL_MIN_DB;
}

/* The level that is exceeded for `share` of the time. */
static float exceeded(const struct soundlevel_sums *s, double share)
{
    double want = share * s->counted, above = 0;
    for (int i = SOUNDLEVEL_BINS - 1; i >= 0; i--) {
        if (s->bin[i] > 0 && above + s->bin[i] >= want)
            return SOUNDLEVEL_MIN_DB + (float)((i + 1 - (want - above) / s->bin[i]) / PER_DB);
        above += s->bin[i];
    }
    return SOUNDLEVEL_MIN_DB;
}

void soundlevel_nothing(struct soundlevel_figures *out)
{
    *out = (struct soundlevel_figures){.laeq = NAN,
                                       .lceq = NAN,
                                       .lzeq = NAN,
                                       .lafmax = NAN,
                                       .lafmin = NAN,
                                       .lasmax = NAN,
                                       .lcpeak = NAN,
                                       .l10 = NAN,
                                       .l50 = NAN,
                                       .l90 = NAN};
}

void soundlevel_sums_levels(const struct soundlevel_sums *s, struct soundlevel_figures *out)
{
    double n = (double)s->samples;
    if (n > 0) {
        out->laeq = soundlevel_decibel(s->a / n);
        out->lceq = soundlevel_decibel(s->c / n);
        out->lzeq = soundlevel_decibel(s->z / n);
        out->lafmax = soundlevel_decibel(s->fast);
        out->lasmax = soundlevel_decibel(s->slow);
        out->lcpeak = soundlevel_decibel(s->peak * s->peak);
    }
    if (s->counted > 0)
        out->lafmin = soundlevel_decibel(s->fast_least);
    if (s->counted >= LEAST_BLOCKS) {
        out->l10 = exceeded(s, 0.1);
        out->l50 = exceeded(s, 0.5);
        out->l90 = exceeded(s, 0.9);
    }
}
