#include "audio/tonecheck.h"

#include <math.h>
#include <stdio.h>

#define PI           3.14159265358979323846
#define FRAMES_PER_S 10
#define HIGHPASS_HZ  20.0
#define FULL_SCALE   0.999
#define SILENCE_DBFS (-140.0)
#define MOST_DB      120.0

/* Fits a sine of that frequency from here on. */
static void tune(struct tonecheck *t, double hz)
{
    t->expected_hz = hz;
    t->turn_re = cos(2 * PI * hz / t->rate);
    t->turn_im = sin(2 * PI * hz / t->rate);
}

static void begin_frame(struct tonecheck *t)
{
    t->re = 1;
    t->im = t->sum_re = t->sum_im = t->energy = t->peak = t->re_re = t->re_im = 0;
    t->n = t->crossings = 0;
}

void tonecheck_init(struct tonecheck *t, unsigned rate, double full_scale)
{
    *t = (struct tonecheck){
        .rate = rate,
        .frame = rate / FRAMES_PER_S > 0 ? rate / FRAMES_PER_S : 1,
        .full_scale = FULL_SCALE * full_scale,
        .pole = exp(-2 * PI * HIGHPASS_HZ / rate),
    };
    tune(t, TONE_HZ);
    begin_frame(t);
}

static double decibel(double power)
{
    return power > 1e-14 ? 10 * log10(power) : SILENCE_DBFS;
}

void tonecheck_lost(struct tonecheck *t)
{
    t->stretch = 0;
    t->state.steady_s = 0;
    begin_frame(t);
}

static void begin_stretch(struct tonecheck *t, double dbfs)
{
    t->stretch = 0;
    t->stretch_power = 0;
    t->low_dbfs = t->high_dbfs = dbfs;
}

/* A good frame of that power joins the stretch, or begins a new one. */
static enum tone_verdict join(struct tonecheck *t, double power)
{
    double dbfs = decibel(power);
    enum tone_verdict verdict = TONE_GOOD;
    if (t->stretch == 0)
        begin_stretch(t, dbfs);
    t->low_dbfs = fmin(t->low_dbfs, dbfs);
    t->high_dbfs = fmax(t->high_dbfs, dbfs);
    t->state.span_db = t->high_dbfs - t->low_dbfs;
    if (t->state.span_db > TONE_SPAN_DB) {
        verdict = TONE_UNSTEADY;
        begin_stretch(t, dbfs);
    }
    t->stretch++;
    t->stretch_power += power;
    t->state.mean_dbfs = decibel(t->stretch_power / t->stretch);
    return verdict;
}

static enum tone_verdict judge(struct tonecheck *t, double tone)
{
    struct tone_state *s = &t->state;
    if (!(s->level_dbfs > TONE_LEAST))
        return TONE_QUIET;
    if (t->peak >= t->full_scale)
        return TONE_CLIPPED;
    if (!(s->purity_db >= TONE_PURITY_DB))
        return TONE_NOISE;
    if (fabs(s->hz / TONE_HZ - 1) > TONE_HZ_OFF)
        return TONE_FREQUENCY;
    return join(t, tone);
}

/* Of the sine a cos + b sin that is nearest to what was heard: two equations. */
static double fitted_power(const struct tonecheck *t)
{
    double cc = t->re_re, cs = t->re_im, ss = t->n - cc, det = cc * ss - cs * cs;
    if (!(det > 0))
        return 0;
    double a = (t->sum_re * ss - t->sum_im * cs) / det, b = (t->sum_im * cc - t->sum_re * cs) / det;
    return (a * a + b * b) / 2;
}

static void end_frame(struct tonecheck *t)
{
    struct tone_state *s = &t->state;
    double n = t->n, total = t->energy / n;
    double tone = fitted_power(t), rest = total - tone;

    s->hz = t->crossings > 1 ? (t->crossings - 1) * t->rate / (t->last - t->first) : 0;
    s->purity_db = rest > 0 ? fmin(fmax(decibel(tone) - decibel(rest), -MOST_DB), MOST_DB) : MOST_DB;
    s->level_dbfs = decibel(s->purity_db >= TONE_PURITY_DB ? tone : total);
    s->verdict = judge(t, tone);
    if (s->verdict != TONE_GOOD && s->verdict != TONE_UNSTEADY)
        t->stretch = 0;
    s->steady_s = (double)t->stretch / FRAMES_PER_S;
    if (s->hz > 0 && s->hz < 0.45 * t->rate)
        tune(t, s->hz);
    begin_frame(t);
}

static void take(struct tonecheck *t, double x)
{
    double before = t->y;
    t->y = (x - t->x) * (1 + t->pole) / 2 + t->pole * t->y;
    t->x = x;
    if (before < 0 && t->y >= 0 && t->n > 0) { /* upwards, where the line between the two cuts zero */
        double at = t->n - t->y / (t->y - before);
        if (t->crossings++ == 0)
            t->first = at;
        t->last = at;
    }
    t->sum_re += t->y * t->re;
    t->sum_im += t->y * t->im;
    t->re_re += t->re * t->re;
    t->re_im += t->re * t->im;
    double re = t->re * t->turn_re - t->im * t->turn_im;
    t->im = t->re * t->turn_im + t->im * t->turn_re;
    t->re = re;
    t->energy += t->y * t->y;
    t->peak = fmax(t->peak, fabs(x));
    if (++t->n == t->frame)
        end_frame(t);
}

void tonecheck_do(struct tonecheck *t, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        take(t, isfinite(x[i]) ? (double)x[i] : 0.0);
}

void tone_text(const struct tone_state *s, char *out, size_t size)
{
    switch (s->verdict) {
    case TONE_NONE:
        snprintf(out, size, "nothing was heard yet");
        return;
    case TONE_QUIET:
        snprintf(out, size, "%.1f dBFS: too quiet for a calibrator", s->level_dbfs);
        return;
    case TONE_CLIPPED:
        snprintf(out, size, "the input clips: turn its gain down, or use the calibrator's lower level");
        return;
    case TONE_NOISE:
        snprintf(out, size, "%.1f dBFS, but no clean tone: it has to be %.0f dB above all other sound", s->level_dbfs,
                 TONE_PURITY_DB);
        return;
    case TONE_FREQUENCY:
        snprintf(out, size, "a tone of %.1f Hz: %.0f Hz +- %.0f %% is wanted", s->hz, TONE_HZ, 100 * TONE_HZ_OFF);
        return;
    case TONE_UNSTEADY:
        snprintf(out, size, "the tone's level moved by %.2f dB: it has to stay within %.1f dB for %.0f s", s->span_db,
                 TONE_SPAN_DB, TONE_SECONDS);
        return;
    case TONE_GOOD:
        snprintf(out, size, "a tone of %.1f Hz at %.2f dBFS, steady for %.1f s", s->hz, s->level_dbfs, s->steady_s);
        return;
    }
}
