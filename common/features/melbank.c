#include "features/melbank.h"

#include "features/dot.h"
#include <math.h>
#include <stdlib.h>

struct band {
    size_t start, count; /* bins */
    const float *weights;
};

struct melbank {
    size_t bands;
    struct band *band;
    float *weights; /* of all bands */
};

struct design {
    double bin_hz, fmin, fmax;
    size_t bands, first, last; /* bins that may weigh */
    bool slaney, over_mel, area;
};

#define SLANEY_HZ_PER_MEL (200.0 / 3)
#define SLANEY_KNEE_HZ    1000.0
#define SLANEY_KNEE_MEL   (SLANEY_KNEE_HZ / SLANEY_HZ_PER_MEL)
#define SLANEY_LOG_STEP   (log(6.4) / 27)

static double to_mel(const struct design *d, double hz)
{
    if (!d->slaney)
        return 2595 * log10(1 + hz / 700);
    return hz < SLANEY_KNEE_HZ ? hz / SLANEY_HZ_PER_MEL : SLANEY_KNEE_MEL + log(hz / SLANEY_KNEE_HZ) / SLANEY_LOG_STEP;
}

static double to_hz(const struct design *d, double mel)
{
    if (!d->slaney)
        return 700 * (pow(10, mel / 2595) - 1);
    return mel < SLANEY_KNEE_MEL ? mel * SLANEY_HZ_PER_MEL
                                 : SLANEY_KNEE_HZ * exp(SLANEY_LOG_STEP * (mel - SLANEY_KNEE_MEL));
}

/* Edge 0..bands+1, in mel. */
static double edge(const struct design *d, size_t i)
{
    double low = to_mel(d, d->fmin), high = to_mel(d, d->fmax);

    return low + (high - low) * (double)i / (double)(d->bands + 1);
}

static double weight(const struct design *d, size_t b, size_t bin)
{
    double e[3], f = (double)bin * d->bin_hz;

    for (size_t i = 0; i < 3; i++)
        e[i] = d->over_mel ? edge(d, b + i) : to_hz(d, edge(d, b + i));
    double x = d->over_mel ? to_mel(d, f) : f;
    double w = fmax(0, fmin((x - e[0]) / (e[1] - e[0]), (e[2] - x) / (e[2] - e[1])));
    return d->area ? w * 2 / (to_hz(d, edge(d, b + 2)) - to_hz(d, edge(d, b))) : w;
}

static int read_design(struct design *d, const struct param_set *set, struct err *err)
{
    double rate = (double)param_integer(set, "sample_rate");
    size_t fft_size = (size_t)param_integer(set, "fft_size");

    d->bands = (size_t)param_integer(set, "mel_bands");
    d->bin_hz = rate / (double)fft_size;
    d->fmin = param_number(set, "fmin");
    d->fmax = param_number(set, "fmax");
    if (d->fmax == 0)
        d->fmax = rate / 2;
    d->first = param_is(set, "skip_dc", "true") ? 1 : 0;
    d->last = fft_size / 2 - (param_is(set, "skip_nyquist", "true") ? 1 : 0);
    d->slaney = param_is(set, "mel_scale", "slaney");
    d->over_mel = param_is(set, "mel_triangles", "mel");
    d->area = param_is(set, "mel_norm", "slaney");
    if (d->fmax > rate / 2)
        return err_set(err, "fmax = %g Hz is above half of sample_rate = %g Hz", d->fmax, rate);
    if (d->fmax < d->fmin + 1)
        return err_set(err, "fmin = %g Hz is not at least 1 Hz below fmax = %g Hz", d->fmin, d->fmax);
    return 0;
}

/* Bins that may weigh in band b: from the one below its lower edge to the one above its upper edge. */
static void bin_range(const struct design *d, size_t b, size_t *first, size_t *last)
{
    double low = floor(to_hz(d, edge(d, b)) / d->bin_hz) - 1, high = ceil(to_hz(d, edge(d, b + 2)) / d->bin_hz) + 1;

    *first = low > (double)d->first ? (size_t)low : d->first;
    *last = high < (double)d->last ? (size_t)high : d->last;
}

struct melbank *melbank_new(const struct param_set *set, struct err *err)
{
    struct design d;
    if (read_design(&d, set, err) < 0)
        return NULL;

    struct melbank *m = calloc(1, sizeof *m);
    if (!m)
        goto no_memory;
    m->bands = d.bands;
    m->band = calloc(d.bands, sizeof *m->band);
    size_t room = 0, used = 0, first, last;
    for (size_t b = 0; b < d.bands; b++) {
        bin_range(&d, b, &first, &last);
        room += last - first + 1;
    }
    m->weights = calloc(room, sizeof *m->weights);
    if (!m->band || !m->weights)
        goto no_memory;

    for (size_t b = 0; b < d.bands; b++) {
        struct band *band = &m->band[b];
        band->weights = m->weights + used;
        bin_range(&d, b, &first, &last);
        for (size_t bin = first; bin <= last; bin++) {
            double w = weight(&d, b, bin);
            if (w > 0) {
                band->start = band->count ? band->start : bin;
                band->count++;
                m->weights[used++] = (float)w;
            }
        }
    }
    return m;

no_memory:
    err_set(err, "no memory");
    melbank_free(m);
    return NULL;
}

void melbank_free(struct melbank *m)
{
    if (!m)
        return;
    free(m->weights);
    free(m->band);
    free(m);
}

size_t melbank_bands(const struct melbank *m)
{
    return m->bands;
}

void melbank_do(const struct melbank *m, const float *spectrum, float *out)
{
    for (size_t b = 0; b < m->bands; b++)
        out[b] = dot(m->band[b].weights, spectrum + m->band[b].start, m->band[b].count);
}
