#include "audio/soundlevel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "audio/soundlevel_sums.h"
#include "audio/weighting.h"

#define BLOCKS_PER_S 100
#define PIECE        256 /* samples filtered at a time */
#define TAU_FAST     0.125
#define TAU_SLOW     1.0
#define WARM_BLOCKS  50 /* four times tau: before it F still rises from nothing, and does not count as a low level */
#define NEAR_PEAK                                                                                                      \
    0.7 /* a sample under this share of the peak is no neighbour of a higher one: six samples to a cycle */
#define FULL_SCALE 0.999
#define NOTHING    1e-30 /* states below it would decay into denormal numbers, which are slow */

struct state {
    double s1, s2;
};

/* The block of 10 ms under way: joins the periods when it is whole and finite. */
struct block {
    double a, c, z, fast, slow, peak, highest;
    uint32_t n;
};

struct soundlevel {
    struct weighting w;
    struct state low, high, extra;
    double z_x, z_y, alpha_fast, alpha_slow;
    double fast, slow; /* weighted mean squares */
    double full_scale;
    struct thirdoctave *spectrum; /* NULL: not measured */
    bool settled;
    double c1, c2; /* the last two of C, for a peak between blocks */
    float class1_hz;
    uint32_t warm, block_size;
    uint64_t block_number, at; /* samples since the start, as far as blocks are concerned */
    struct block block;
    struct soundlevel_sums sums[SOUNDLEVEL_PERIODS];
};

static void begin_block(struct soundlevel *m)
{
    m->block = (struct block){0};
    /* 220 and 221 samples in turn at 22050 Hz */
    uint64_t end = ++m->block_number * m->w.rate / BLOCKS_PER_S;
    m->block_size = (uint32_t)(end - m->at);
}

struct soundlevel *soundlevel_new(const struct soundlevel_params *params, struct err *err)
{
    struct soundlevel *m = calloc(1, sizeof *m);
    if (!m) {
        err_set(err, "no memory for the level meter");
        return NULL;
    }
    if (weighting_init(&m->w, params->rate, err) < 0) {
        soundlevel_free(m);
        return NULL;
    }
    if (params->third_octave && !(m->spectrum = thirdoctave_new(params->rate, err))) {
        soundlevel_free(m);
        return NULL;
    }
    m->full_scale = FULL_SCALE * params->full_scale;
    m->alpha_fast = -expm1(-1 / (params->rate * TAU_FAST));
    m->alpha_slow = -expm1(-1 / (params->rate * TAU_SLOW));
    m->class1_hz = (float)weighting_class1(&m->w);
    for (int i = 0; i < SOUNDLEVEL_PERIODS; i++)
        soundlevel_sums_begin(&m->sums[i]);
    begin_block(m);
    return m;
}

void soundlevel_free(struct soundlevel *m)
{
    if (m)
        thirdoctave_free(m->spectrum);
    free(m);
}

/* As though the first sample had been there for ever: no step when a stream with an offset begins. */
static void settle(struct soundlevel *m, double x)
{
    m->low = (struct state){.s1 = -m->w.low.b0 * x, .s2 = m->w.low.b2 * x};
    m->high = m->extra = (struct state){0};
    m->z_x = x;
    m->z_y = m->c1 = m->c2 = 0;
    m->settled = true;
}

/* Transposed direct form II. What each sample waits for is the one before it: the sum is bracketed so that little stands between
 * the two, and the three sections, the averages and the Z filter are chains of their own that run side by side. */
static inline double section(const struct biquad *f, struct state *s, double x)
{
    double y = f->b0 * x + s->s1;
    s->s1 = (f->b1 * x + s->s2) - f->a1 * y;
    s->s2 = f->b2 * x - f->a2 * y;
    return y;
}

static void filter(struct soundlevel *m, const float *x, size_t n, double c_out[PIECE])
{
    struct biquad low = m->w.low, high = m->w.high, extra = m->w.extra;
    struct state sl = m->low, sh = m->high, se = m->extra;
    double alpha_fast = m->alpha_fast, alpha_slow = m->alpha_slow, pole = m->w.z_pole;
    double fast = m->fast, slow = m->slow, zx = m->z_x, zy = m->z_y;
    struct block b = m->block;

    for (size_t i = 0; i < n; i++) {
        double in = x[i];
        zy = (in - zx) + pole * zy;
        zx = in;
        double c = section(&high, &sh, section(&low, &sl, in)), a = section(&extra, &se, c), power = a * a;
        c_out[i] = c;
        b.z += zy * zy;
        b.c += c * c;
        b.a += power;
        fast += alpha_fast * (power - fast);
        slow += alpha_slow * (power - slow);
        b.fast = fast > b.fast ? fast : b.fast;
        b.slow = slow > b.slow ? slow : b.slow;
    }
    m->low = sl;
    m->high = sh;
    m->extra = se;
    m->fast = fast;
    m->slow = slow;
    m->z_x = zx;
    m->z_y = zy;
    m->block = b;
}

/* The top of the parabola through three samples, the middle one being the largest. */
static double top(double before, double at, double after)
{
    double curve = before - 2 * at + after;
    if (curve >= 0)
        return at;
    double slope = before - after;
    return at - slope * slope / (8 * curve);
}

static double period_peak(const struct soundlevel *m)
{
    return fmin(m->sums[SOUNDLEVEL_SHORT].peak, m->sums[SOUNDLEVEL_LONG].peak);
}

/* Between the samples is looked only near what may become a period's peak. */
static void find_peak(struct soundlevel *m, const double *c, size_t n)
{
    double highest = fabs(m->c1);
    for (size_t i = 0; i < n; i++) {
        double size = fabs(c[i]);
        highest = size > highest ? size : highest;
    }
    double peak = fmax(m->block.peak, highest), near = NEAR_PEAK * fmax(peak, period_peak(m));
    if (highest > near) {
        double before = m->c2, at = m->c1;
        for (size_t i = 0; i < n; i++) {
            double after = c[i], size = fabs(at), sign = at < 0 ? -1 : 1;
            if (size > near && sign * before <= size && sign * after <= size)
                peak = fmax(peak, top(sign * before, size, sign * after));
            before = at;
            at = after;
        }
    }
    m->block.peak = peak;
    m->c2 = n > 1 ? c[n - 2] : m->c1;
    m->c1 = c[n - 1];
}

static void add_block(struct soundlevel *m, struct soundlevel_sums *s, uint32_t bin, bool counts)
{
    const struct block *b = &m->block;
    s->a += b->a;
    s->c += b->c;
    s->z += b->z;
    s->fast = fmax(s->fast, b->fast);
    s->slow = fmax(s->slow, b->slow);
    s->peak = fmax(s->peak, b->peak);
    s->samples += b->n;
    s->blocks++;
    s->overloads += b->highest >= m->full_scale;
    if (counts) {
        s->bin[bin]++;
        s->counted++;
        s->fast_least = fmin(s->fast_least, m->fast);
    }
}

static void reset_filters(struct soundlevel *m)
{
    m->settled = false;
    if (!isfinite(m->fast) || !isfinite(m->slow)) {
        m->fast = m->slow = 0;
        m->warm = 0;
    }
}

static void flush_denormals(struct soundlevel *m)
{
    struct state *s[] = {&m->low, &m->high, &m->extra};
    for (size_t i = 0; i < sizeof s / sizeof *s; i++)
        if (fabs(s[i]->s1) < NOTHING && fabs(s[i]->s2) < NOTHING)
            *s[i] = (struct state){0};
    if (fabs(m->z_y) < NOTHING)
        m->z_y = 0;
    if (m->fast < NOTHING)
        m->fast = 0;
    if (m->slow < NOTHING)
        m->slow = 0;
}

static void end_block(struct soundlevel *m)
{
    const struct block *b = &m->block;
    if (isfinite(b->a + b->c + b->z + m->fast + m->slow)) {
        uint32_t bin = soundlevel_bin(m->fast);
        bool counts = m->warm >= WARM_BLOCKS;
        m->warm += !counts;
        for (int i = 0; i < SOUNDLEVEL_PERIODS; i++)
            add_block(m, &m->sums[i], bin, counts);
        flush_denormals(m);
    } else {
        for (int i = 0; i < SOUNDLEVEL_PERIODS; i++)
            m->sums[i].lost += b->n;
        reset_filters(m);
    }
    begin_block(m);
}

/* Within one block and one PIECE. */
static void take(struct soundlevel *m, const float *x, size_t n)
{
    double c[PIECE];
    float highest = 0;

    if (n == 0)
        return;
    if (!m->settled)
        settle(m, isfinite(x[0]) ? x[0] : 0);
    for (size_t i = 0; i < n; i++) {
        float size = fabsf(x[i]);
        highest = size > highest ? size : highest;
    }
    m->block.highest = fmax(m->block.highest, highest);
    filter(m, x, n, c);
    find_peak(m, c, n);
    m->block.n += (uint32_t)n;
    m->at += n;
}

void soundlevel_do(struct soundlevel *m, const float *x, size_t n)
{
    if (m->spectrum)
        thirdoctave_do(m->spectrum, x, n);
    while (n > 0) {
        size_t piece = m->block_size - m->block.n;
        piece = piece < n ? piece : n;
        piece = piece < PIECE ? piece : PIECE;
        take(m, x, piece);
        x += piece;
        n -= piece;
        if (m->block.n == m->block_size)
            end_block(m);
    }
}

/* The block ends early: what it holds was heard. */
static void cut_block(struct soundlevel *m)
{
    if (m->block.n == 0)
        return;
    m->block_number = 0;
    m->at = 0;
    end_block(m);
}

void soundlevel_lost(struct soundlevel *m, uint64_t frames)
{
    cut_block(m);
    for (int i = 0; i < SOUNDLEVEL_PERIODS; i++)
        m->sums[i].lost += frames;
    /* the filters stay as they are: they know the converter's offset, and a splice in noise is no step */
}

void soundlevel_skip(struct soundlevel *m)
{
    soundlevel_lost(m, 0);
}

static void spectrum(struct soundlevel *m, enum soundlevel_period period, struct soundlevel_figures *out)
{
    double power[THIRDOCTAVE_BANDS];
    thirdoctave_take(m->spectrum, period, power);
    out->n_bands = thirdoctave_count(m->spectrum);
    for (unsigned i = 0; i < out->n_bands; i++)
        out->band[i] = out->measured_s > 0 ? soundlevel_decibel(power[i]) : NAN;
}

void soundlevel_take(struct soundlevel *m, enum soundlevel_period period, bool flush, struct soundlevel_figures *out)
{
    struct soundlevel_sums *s = &m->sums[period];
    if (flush)
        cut_block(m);
    soundlevel_nothing(out);
    soundlevel_sums_levels(s, out);
    out->measured_s = (double)s->samples / m->w.rate;
    out->lost_s = (double)s->lost / m->w.rate;
    out->rate = m->w.rate;
    out->class1_hz = m->class1_hz;
    out->overloads = s->overloads;
    out->blocks = s->blocks;
    if (m->spectrum)
        spectrum(m, period, out);
    soundlevel_sums_begin(s);
}

void soundlevel_get_now(const struct soundlevel *m, struct soundlevel_now *out)
{
    *out = (struct soundlevel_now){
        .laf = m->fast > 0 ? soundlevel_decibel(m->fast) : -INFINITY,
        .las = m->slow > 0 ? soundlevel_decibel(m->slow) : -INFINITY,
    };
}

float soundlevel_class1(const struct soundlevel *m)
{
    return m->class1_hz;
}
