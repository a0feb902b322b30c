#include "features/spectrum.h"

#include <kiss_fftr.h>
#include <math.h>
#include <stdlib.h>

struct spectrum {
    size_t window, place, frame, hop, fft_size, pad;
    bool reflect, power;
    float *taper, *in, *out; /* [window], [fft_size], [bins] */
    kiss_fft_cpx *bins;
    kiss_fftr_cfg fft;
};

static int check(const struct spectrum *s, struct err *err)
{
    if (s->fft_size < s->window)
        return err_set(err, "fft_size = %zu is less than window = %zu", s->fft_size, s->window);
    /* KissFFT allocates in kiss_fftr, and is slow, where another factor is left */
    if (s->fft_size != (size_t)kiss_fftr_next_fast_size_real((int)s->fft_size))
        return err_set(err, "fft_size = %zu is not even with only the factors 2, 3 and 5 in its half; the next is %d",
                       s->fft_size, kiss_fftr_next_fast_size_real((int)s->fft_size));
    if (s->hop < s->fft_size / 64)
        return err_set(err, "hop = %zu is less than a 64th of fft_size = %zu", s->hop, s->fft_size);
    return 0;
}

static void fill_taper(struct spectrum *s, bool symmetric)
{
    double period = (double)(s->window - (symmetric ? 1 : 0));

    for (size_t i = 0; i < s->window; i++)
        s->taper[i] = (float)(0.5 - 0.5 * cos(2 * M_PI * (double)i / period));
}

struct spectrum *spectrum_new(const struct param_set *set, struct err *err)
{
    struct spectrum *s = calloc(1, sizeof *s);
    if (!s)
        goto no_memory;
    bool centred_window = param_is(set, "window_place", "centre");
    s->window = (size_t)param_integer(set, "window");
    s->hop = (size_t)param_integer(set, "hop");
    s->fft_size = (size_t)param_integer(set, "fft_size");
    if (check(s, err) < 0)
        goto fail;
    s->place = centred_window ? (s->fft_size - s->window) / 2 : 0;
    s->frame = centred_window ? s->fft_size : s->window;
    s->pad = param_is(set, "centre", "true") ? s->frame / 2 : 0;
    s->reflect = param_is(set, "pad_mode", "reflect");
    s->power = param_is(set, "spectrum", "power");

    s->taper = calloc(s->window, sizeof *s->taper);
    s->in = calloc(s->fft_size, sizeof *s->in);
    s->out = calloc(spectrum_bins(s), sizeof *s->out);
    s->bins = calloc(spectrum_bins(s), sizeof *s->bins);
    s->fft = kiss_fftr_alloc((int)s->fft_size, 0, NULL, NULL);
    if (!s->taper || !s->in || !s->out || !s->bins || !s->fft)
        goto no_memory;
    fill_taper(s, param_is(set, "window_symmetry", "symmetric"));
    return s;

no_memory:
    err_set(err, "no memory");
fail:
    spectrum_free(s);
    return NULL;
}

void spectrum_free(struct spectrum *s)
{
    if (!s)
        return;
    kiss_fftr_free(s->fft);
    free(s->bins);
    free(s->out);
    free(s->in);
    free(s->taper);
    free(s);
}

size_t spectrum_bins(const struct spectrum *s)
{
    return s->fft_size / 2 + 1;
}

size_t spectrum_frames(const struct spectrum *s, size_t n)
{
    size_t length = n + 2 * s->pad;

    return length < s->frame ? 0 : 1 + (length - s->frame) / s->hop;
}

size_t spectrum_samples(const struct spectrum *s, size_t frames)
{
    size_t length = (frames - 1) * s->hop + s->frame;

    return length > 2 * s->pad ? length - 2 * s->pad : 0;
}

/* Sample i of the padded signal, where i may lie outside 0..n-1. */
static float padded(const struct spectrum *s, const float *x, long n, long i)
{
    if (i >= 0 && i < n)
        return x[i];
    if (!s->reflect || n == 0)
        return 0.0f;
    if (n == 1)
        return x[0];
    long period = 2 * (n - 1);
    i = labs(i) % period;
    return x[i < n ? i : period - i];
}

const float *spectrum_do(struct spectrum *s, const float *x, size_t n, size_t t)
{
    long first = (long)(t * s->hop + s->place) - (long)s->pad;
    float *in = s->in + s->place;

    if (first >= 0 && (size_t)first + s->window <= n)
        for (size_t i = 0; i < s->window; i++)
            in[i] = x[(size_t)first + i] * s->taper[i];
    else
        for (size_t i = 0; i < s->window; i++)
            in[i] = padded(s, x, (long)n, first + (long)i) * s->taper[i];

    kiss_fftr(s->fft, s->in, s->bins);
    for (size_t i = 0; i < spectrum_bins(s); i++)
        s->out[i] = s->bins[i].r * s->bins[i].r + s->bins[i].i * s->bins[i].i;
    if (!s->power)
        for (size_t i = 0; i < spectrum_bins(s); i++)
            s->out[i] = sqrtf(s->out[i]);
    return s->out;
}
