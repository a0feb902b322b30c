#include "features/spectrum.h"

#include "features/dot.h"
#include <kiss_fftr.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A frame with at most this many strong bins, and others down to a hundred-thousandth of the strongest, is a tone in quiet:
 * see refine. Both are of power. */
enum { TONE_BINS = 24 };
#define STRONG 1e-3f
#define QUIET  1e-11f

struct spectrum {
    size_t window, place, frame, hop, fft_size, pad;
    bool reflect, power;
    double *taper, *frame_in; /* [window], [fft_size]: the windowed frame */
    double *even, *odd;       /* [fft_size / 2 + 1] each, for refine */
    struct turn {
        double cosine, sine;
    } * turn;        /* [fft_size]: one */
    float *in, *out; /* [fft_size], [bins] */
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

static void fill_tables(struct spectrum *s, bool symmetric)
{
    double period = (double)(s->window - (symmetric ? 1 : 0));

    for (size_t i = 0; i < s->window; i++)
        s->taper[i] = 0.5 - 0.5 * cos(2 * M_PI * (double)i / period);
    for (size_t i = 0; i < s->fft_size; i++)
        s->turn[i] = (struct turn){cos(2 * M_PI * (double)i / (double)s->fft_size),
                                   sin(2 * M_PI * (double)i / (double)s->fft_size)};
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
    s->frame_in = calloc(s->fft_size, sizeof *s->frame_in);
    s->turn = calloc(s->fft_size, sizeof *s->turn);
    s->even = calloc(spectrum_bins(s), sizeof *s->even);
    s->odd = calloc(spectrum_bins(s), sizeof *s->odd);
    s->in = calloc(s->fft_size, sizeof *s->in);
    s->out = calloc(spectrum_bins(s), sizeof *s->out);
    s->bins = calloc(spectrum_bins(s), sizeof *s->bins);
    s->fft = kiss_fftr_alloc((int)s->fft_size, 0, NULL, NULL);
    if (!s->taper || !s->frame_in || !s->turn || !s->even || !s->odd || !s->in || !s->out || !s->bins || !s->fft)
        goto no_memory;
    fill_tables(s, param_is(set, "window_symmetry", "symmetric"));
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
    free(s->odd);
    free(s->even);
    free(s->turn);
    free(s->frame_in);
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

/* |X|^2 of all bins into s->out. */
static void take_power(struct spectrum *s)
{
    const kiss_fft_cpx *restrict x = s->bins;
    float *restrict out = s->out;

    for (size_t i = 0, n = spectrum_bins(s); i < n; i++)
        out[i] = x[i].r * x[i].r + x[i].i * x[i].i;
}

/* In lanes, as dot() is: a maximum depends on no order, but compilers must heed NaN's. */
static void extremes(const float *x, size_t n, float *low, float *top)
{
    float lo[LANES], hi[LANES];

    for (size_t k = 0; k < LANES; k++)
        lo[k] = hi[k] = x[0];
    for (; n >= LANES; n -= LANES, x += LANES)
        for (size_t k = 0; k < LANES; k++) {
            lo[k] = x[k] < lo[k] ? x[k] : lo[k];
            hi[k] = x[k] > hi[k] ? x[k] : hi[k];
        }
    for (size_t k = 0; k < n; k++) {
        lo[k] = x[k] < lo[k] ? x[k] : lo[k];
        hi[k] = x[k] > hi[k] ? x[k] : hi[k];
    }
    *low = lo[0];
    *top = hi[0];
    for (size_t k = 1; k < LANES; k++) {
        *low = lo[k] < *low ? lo[k] : *low;
        *top = hi[k] > *top ? hi[k] : *top;
    }
}

/* The strong bins of a tone in quiet; 0 where the frame is none. */
static size_t tone_bins(const struct spectrum *s, size_t strong[TONE_BINS])
{
    float top, low;
    size_t n = 0;

    extremes(s->out, spectrum_bins(s), &low, &top);
    if (low > top * QUIET)
        return 0;
    for (size_t i = 0; i < spectrum_bins(s); i++)
        if (s->out[i] > top * STRONG) {
            if (n == TONE_BINS)
                return 0;
            strong[n++] = i;
        }
    return n;
}

/* Bin X of the inverse transform, added to the even and odd parts of the frame. */
static void add_inverse(struct spectrum *s, size_t bin, kiss_fft_cpx x)
{
    size_t n = s->fft_size, at = 0;
    double part = (bin == 0 || bin == n / 2 ? 1.0 : 2.0) / (double)n, re = part * x.r, im = part * x.i;

    for (size_t i = 0; i <= n / 2; i++) {
        s->even[i] += re * s->turn[at].cosine;
        s->odd[i] -= im * s->turn[at].sine;
        at += bin;
        at -= at >= n ? n : 0;
    }
}

/* A float FFT leaves about 1e-7 of a loud tone in every other bin, which a logarithm shows where these are quiet. The transform
 * is linear: the strong bins are taken out of the frame in double, what is left is transformed, and they are added again. */
static void refine(struct spectrum *s, const size_t *strong, size_t n_strong)
{
    kiss_fft_cpx kept[TONE_BINS];
    size_t n = s->fft_size;

    memset(s->even, 0, spectrum_bins(s) * sizeof *s->even);
    memset(s->odd, 0, spectrum_bins(s) * sizeof *s->odd);
    for (size_t j = 0; j < n_strong; j++) {
        kept[j] = s->bins[strong[j]];
        add_inverse(s, strong[j], kept[j]);
    }
    s->in[0] = (float)(s->frame_in[0] - s->even[0]);
    for (size_t i = 1; i <= n / 2; i++) {
        s->in[i] = (float)(s->frame_in[i] - s->even[i] - s->odd[i]);
        s->in[n - i] = (float)(s->frame_in[n - i] - s->even[i] + s->odd[i]);
    }
    kiss_fftr(s->fft, s->in, s->bins);
    for (size_t j = 0; j < n_strong; j++) {
        s->bins[strong[j]].r += kept[j].r;
        s->bins[strong[j]].i += kept[j].i;
    }
}

const float *spectrum_do(struct spectrum *s, const float *x, size_t n, size_t t)
{
    long first = (long)(t * s->hop + s->place) - (long)s->pad;
    double *in = s->frame_in + s->place;
    size_t strong[TONE_BINS], n_strong;

    if (first >= 0 && (size_t)first + s->window <= n)
        for (size_t i = 0; i < s->window; i++)
            in[i] = (double)x[(size_t)first + i] * s->taper[i];
    else
        for (size_t i = 0; i < s->window; i++)
            in[i] = (double)padded(s, x, (long)n, first + (long)i) * s->taper[i];
    for (size_t i = 0; i < s->fft_size; i++)
        s->in[i] = (float)s->frame_in[i];

    kiss_fftr(s->fft, s->in, s->bins);
    take_power(s);
    n_strong = tone_bins(s, strong);
    if (n_strong) {
        refine(s, strong, n_strong);
        take_power(s);
    }
    if (!s->power)
        for (size_t i = 0; i < spectrum_bins(s); i++)
            s->out[i] = sqrtf(s->out[i]);
    return s->out;
}
