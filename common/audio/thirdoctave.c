#include "audio/thirdoctave.h"

#include <complex.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PI         3.14159265358979323846
#define MIN_RATE   4000u
#define SECTIONS   3
#define LANES      4  /* bands of a stage that are filtered side by side: more than a stage has */
#define MAX_STAGES 16 /* 768 kHz / 2^15 is 23 Hz */
#define SHARE                                                                                                          \
    0.25          /* of its rate that a band may reach: above it the bilinear transform would flatten the lower skirt */
#define TOP 0.405 /* of the rate, that the highest band may reach */
#define UP_SIDE                                                                                                        \
    12 /* taps on each side of the middle that are not zero, at 1, 3, 5, ...: passes 0.2 of the upper rate */
#define DOWN_SIDE  6 /* passes 0.125 of the upper rate, stops from 0.375 on */
#define UP_REACH   ((size_t)UP_SIDE)
#define DOWN_REACH ((size_t)2 * DOWN_SIDE - 1)
#define KAISER     7.3
#define PIECE      256
#define NOTHING    1e-20f

/* GCC's and clang's vectors: the lanes are filtered together on every machine that can. */
typedef float lanes __attribute__((vector_size(LANES * sizeof(float))));

/* A rate and its bands. */
struct stage {
    unsigned first, bands; /* of the spectrum */
    lanes a1[SECTIONS], a2[SECTIONS], gain[SECTIONS];
    lanes s1[SECTIONS], s2[SECTIONS];
    double power[THIRDOCTAVE_PERIODS][LANES], count[THIRDOCTAVE_PERIODS];
    float tail[2 * DOWN_REACH]; /* samples before those at hand */
    unsigned odd;               /* 1: the next sample is one that is left out */
};

struct thirdoctave {
    unsigned rate, bands, n_stages;
    float up[UP_SIDE], down[DOWN_SIDE];
    float up_tail[2 * UP_REACH];
    struct stage top;               /* at twice the rate */
    struct stage stage[MAX_STAGES]; /* at the rate, half of it, ... */
};

static double edge(unsigned band)
{
    return thirdoctave_middle(band) * pow(10, 0.05);
}

double thirdoctave_middle(unsigned band)
{
    return 1000 * pow(10, ((double)band - 17) / 10);
}

double thirdoctave_nominal(unsigned band)
{
    static const double decade[] = {20, 25, 31.5, 40, 50, 63, 80, 100, 125, 160};
    unsigned decades = band / 10;
    return decade[band % 10] * pow(10, decades);
}

/* The Butterworth prototype's pole, taken to a band-pass between the pre-warped edges w1 and w2, is two poles; the bilinear transform
 * makes z = (1 + s) / (1 - s) of each. With its conjugate each is a section; zeros lie at 0 Hz and Nyquist. */
static void set_section(struct stage *s, unsigned section, unsigned lane, double complex pole, double complex other)
{
    double complex z = (1 + pole) / (1 - pole), y = (1 + other) / (1 - other);
    s->a1[section][lane] = (float)-creal(z + y);
    s->a2[section][lane] = (float)creal(z * y);
    s->gain[section][lane] = 1;
}

static double section_power(const struct stage *s, unsigned section, unsigned lane, double w)
{
    double complex z = cexp(-I * w);
    double complex h = (double)s->gain[section][lane] * (1 - z * z) /
                       (1 + (double)s->a1[section][lane] * z + (double)s->a2[section][lane] * z * z);
    return creal(h) * creal(h) + cimag(h) * cimag(h);
}

static void design_band(struct stage *s, unsigned lane, double low, double high, double rate)
{
    double w1 = tan(PI * low / rate), w2 = tan(PI * high / rate), width = w2 - w1, middle = w1 * w2;
    double complex slow = -0.5 + I * sqrt(0.75); /* of order 3: this one, its conjugate, and -1 */
    double complex root = csqrt(slow * slow * width * width - 4 * middle);
    double complex a = (slow * width + root) / 2, b = (slow * width - root) / 2;
    double complex real_root = csqrt((double complex)(width * width - 4 * middle));

    set_section(s, 0, lane, a, conj(a));
    set_section(s, 1, lane, b, conj(b));
    set_section(s, 2, lane, (-width + real_root) / 2, (-width - real_root) / 2);
    double at = 2 * atan(sqrt(middle));
    for (unsigned i = 0; i < SECTIONS; i++)
        s->gain[i][lane] = (float)(1 / sqrt(section_power(s, i, lane, at)));
}

/* The modified Bessel function of order 0, by its series. */
static double bessel0(double x)
{
    double sum = 1, term = 1;
    for (int k = 1; k < 40; k++) {
        term *= x * x / (4.0 * k * k);
        sum += term;
    }
    return sum;
}

/* A half-band low-pass: 0.5 in the middle, sin(pi k / 2) / (pi k) at odd k, windowed; the sum is made 1. */
static void design_taps(float *tap, int side)
{
    double sum = 0, value[UP_SIDE];
    for (int i = 0; i < side; i++) {
        double k = 2 * i + 1, at = k / (2 * side);
        value[i] = sin(PI * k / 2) / (PI * k) * bessel0(KAISER * sqrt(1 - at * at)) / bessel0(KAISER);
        sum += 2 * value[i];
    }
    for (int i = 0; i < side; i++)
        tap[i] = (float)(value[i] * 0.5 / sum);
}

/* Each band to the lowest rate that it may have. */
static void design_bands(struct thirdoctave *t)
{
    while (t->bands < THIRDOCTAVE_BANDS && edge(t->bands) <= TOP * t->rate)
        t->bands++;
    struct stage *s = &t->top;
    double at = 2.0 * t->rate;
    for (unsigned band = t->bands; band-- > 0;) {
        while (edge(band) <= SHARE / 2 * at && t->n_stages < MAX_STAGES) {
            s = &t->stage[t->n_stages++];
            at /= 2;
        }
        design_band(s, s->bands++, thirdoctave_middle(band) * pow(10, -0.05), edge(band), at);
        s->first = band; /* lanes run downwards: lane i is band first + bands - 1 - i */
    }
}

struct thirdoctave *thirdoctave_new(unsigned rate, struct err *err)
{
    if (rate < MIN_RATE) {
        err_set(err, "a sample rate of %u Hz: thirds of octaves take %u Hz or more", rate, MIN_RATE);
        return NULL;
    }
    struct thirdoctave *t = calloc(1, sizeof *t);
    if (!t) {
        err_set(err, "no memory for the spectrum");
        return NULL;
    }
    t->rate = rate;
    design_taps(t->up, UP_SIDE);
    design_taps(t->down, DOWN_SIDE);
    design_bands(t);
    return t;
}

void thirdoctave_free(struct thirdoctave *t)
{
    free(t);
}

unsigned thirdoctave_count(const struct thirdoctave *t)
{
    return t->bands;
}

static inline lanes section(const struct stage *s, int k, lanes *s1, lanes *s2, lanes v)
{
    lanes in = s->gain[k] * v, y = in + *s1;
    *s1 = *s2 - s->a1[k] * y;
    *s2 = -in - s->a2[k] * y;
    return y;
}

/* In digital silence they would become denormal numbers, which are slow. */
static void flush(struct stage *s)
{
    for (int k = 0; k < SECTIONS; k++)
        for (int j = 0; j < LANES; j++)
            if (fabsf(s->s1[k][j]) < NOTHING && fabsf(s->s2[k][j]) < NOTHING)
                s->s1[k][j] = s->s2[k][j] = 0;
}

static void filter(struct stage *s, const float *x, size_t n)
{
    const struct stage c = *s; /* a copy of its own, which stays in registers */
    lanes p = {0}, s1[SECTIONS] = {c.s1[0], c.s1[1], c.s1[2]}, s2[SECTIONS] = {c.s2[0], c.s2[1], c.s2[2]};
    for (size_t i = 0; i < n; i++) {
        lanes v = {x[i], x[i], x[i], x[i]};
        v = section(&c, 0, &s1[0], &s2[0], v);
        v = section(&c, 1, &s1[1], &s2[1], v);
        v = section(&c, 2, &s1[2], &s2[2], v);
        p += v * v;
    }
    memcpy(s->s1, s1, sizeof s1);
    memcpy(s->s2, s2, sizeof s2);
    for (int k = 0; k < THIRDOCTAVE_PERIODS; k++) {
        for (int j = 0; j < LANES; j++)
            s->power[k][j] += (double)p[j];
        s->count[k] += (double)n;
    }
    flush(s);
}

/* Every other sample of the low-passed signal. x has 2 DOWN_REACH samples before it. Returns how many. */
static size_t halve(struct stage *s, const float *tap, const float *x, size_t n, float *out)
{
    size_t m = 0;
    for (size_t i = s->odd; i < n; i += 2) {
        const float *at = x + i - DOWN_REACH;
        float sum = 0.5f * at[0];
        for (int k = 0; k < DOWN_SIDE; k++)
            sum += tap[k] * (at[2 * k + 1] + at[-(2 * k + 1)]);
        out[m++] = sum;
    }
    s->odd = (s->odd + (unsigned)(n & 1)) & 1;
    return m;
}

/* Twice the rate: a sample, and one between it and the next. x has 2 UP_REACH samples before it. */
static void twice(const float *tap, const float *x, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++) {
        const float *at = x + i - UP_REACH;
        float sum = 0;
        for (int k = 0; k < UP_SIDE; k++)
            sum += tap[k] * (at[k + 1] + at[-k]);
        out[2 * i] = at[0];
        out[2 * i + 1] = 2 * sum;
    }
}

static void run_top(struct thirdoctave *t, const float *x, size_t n)
{
    float in[2 * UP_REACH + PIECE], out[2 * PIECE];
    if (t->top.bands == 0)
        return;
    memcpy(in, t->up_tail, sizeof t->up_tail);
    memcpy(in + 2 * UP_REACH, x, n * sizeof *x);
    twice(t->up, in + 2 * UP_REACH, n, out);
    memcpy(t->up_tail, in + n, sizeof t->up_tail);
    filter(&t->top, out, 2 * n);
}

static void run(struct thirdoctave *t, const float *x, size_t n)
{
    float in[2 * DOWN_REACH + PIECE], out[PIECE];
    memcpy(in + 2 * DOWN_REACH, x, n * sizeof *x);
    for (unsigned k = 0; k < t->n_stages && n > 0; k++) {
        struct stage *s = &t->stage[k];
        if (s->bands > 0)
            filter(s, in + 2 * DOWN_REACH, n);
        if (k + 1 == t->n_stages)
            return;
        memcpy(in, s->tail, sizeof s->tail);
        size_t m = halve(s, t->down, in + 2 * DOWN_REACH, n, out);
        memcpy(s->tail, in + n, sizeof s->tail);
        memcpy(in + 2 * DOWN_REACH, out, m * sizeof *out);
        n = m;
    }
}

void thirdoctave_do(struct thirdoctave *t, const float *x, size_t n)
{
    float piece[PIECE];
    while (n > 0) {
        size_t m = n < PIECE ? n : PIECE;
        for (size_t i = 0; i < m; i++)
            piece[i] = isfinite(x[i]) ? x[i] : 0.0f;
        run_top(t, piece, m);
        run(t, piece, m);
        x += m;
        n -= m;
    }
}

static void take(struct stage *s, unsigned period, double power[THIRDOCTAVE_BANDS])
{
    for (unsigned j = 0; j < s->bands && s->count[period] > 0; j++)
        power[s->first + s->bands - 1 - j] = s->power[period][j] / s->count[period];
    memset(s->power[period], 0, sizeof s->power[period]);
    s->count[period] = 0;
}

void thirdoctave_take(struct thirdoctave *t, unsigned period, double power[THIRDOCTAVE_BANDS])
{
    memset(power, 0, THIRDOCTAVE_BANDS * sizeof *power);
    take(&t->top, period, power);
    for (unsigned k = 0; k < t->n_stages; k++)
        take(&t->stage[k], period, power);
}

static double half_band(const float *tap, int side, double w)
{
    double h = 0.5;
    for (int k = 0; k < side; k++)
        h += 2 * (double)tap[k] * cos((2 * k + 1) * w);
    return h * h;
}

static double band_power(const struct stage *s, unsigned band, double w)
{
    double power = 1;
    for (unsigned i = 0; i < SECTIONS; i++)
        power *= section_power(s, i, s->first + s->bands - 1 - band, w);
    return power;
}

double thirdoctave_response(const struct thirdoctave *t, unsigned band, double f)
{
    double power = 1, w = 2 * PI * f / t->rate;
    if (t->top.bands > 0 && band >= t->top.first)
        power = half_band(t->up, UP_SIDE, w / 2) * band_power(&t->top, band, w / 2);
    for (unsigned k = 0; k < t->n_stages && band < t->top.first + (t->top.bands > 0 ? 0 : t->bands + 1); k++) {
        const struct stage *s = &t->stage[k];
        if (s->bands > 0 && band >= s->first) {
            power *= band_power(s, band, w);
            break;
        }
        power *= half_band(t->down, DOWN_SIDE, w);
        w *= 2;
    }
    return 10 * log10(power + 1e-300);
}
