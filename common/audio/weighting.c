#include "audio/weighting.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#define PI           3.14159265358979323846
#define FIT_LOW      20.0
#define FIT_HIGH     22400.0 /* the upper edge of the 20 kHz third */
#define FIT_POINTS   160
#define Z_POLE_HZ    2.0
#define CLASS1_FROM  20.0
#define USABLE_SHARE 0.46

const struct weighting_row weighting_table[WEIGHTING_ROWS] = {
    {-20, 10, -70.4, -14.3, 3.0, INFINITY}, {-19, 12.5, -63.4, -11.2, 2.5, INFINITY},
    {-18, 16, -56.7, -8.5, 2.0, 4.0},       {-17, 20, -50.5, -6.2, 2.0, 2.0},
    {-16, 25, -44.7, -4.4, 2.0, 1.5},       {-15, 31.5, -39.4, -3.0, 1.5, 1.5},
    {-14, 40, -34.6, -2.0, 1.0, 1.0},       {-13, 50, -30.2, -1.3, 1.0, 1.0},
    {-12, 63, -26.2, -0.8, 1.0, 1.0},       {-11, 80, -22.5, -0.5, 1.0, 1.0},
    {-10, 100, -19.1, -0.3, 1.0, 1.0},      {-9, 125, -16.1, -0.2, 1.0, 1.0},
    {-8, 160, -13.4, -0.1, 1.0, 1.0},       {-7, 200, -10.9, 0.0, 1.0, 1.0},
    {-6, 250, -8.6, 0.0, 1.0, 1.0},         {-5, 315, -6.6, 0.0, 1.0, 1.0},
    {-4, 400, -4.8, 0.0, 1.0, 1.0},         {-3, 500, -3.2, 0.0, 1.0, 1.0},
    {-2, 630, -1.9, 0.0, 1.0, 1.0},         {-1, 800, -0.8, 0.0, 1.0, 1.0},
    {0, 1000, 0.0, 0.0, 0.7, 0.7},          {1, 1250, 0.6, 0.0, 1.0, 1.0},
    {2, 1600, 1.0, -0.1, 1.0, 1.0},         {3, 2000, 1.2, -0.2, 1.0, 1.0},
    {4, 2500, 1.3, -0.3, 1.0, 1.0},         {5, 3150, 1.2, -0.5, 1.0, 1.0},
    {6, 4000, 1.0, -0.8, 1.0, 1.0},         {7, 5000, 0.5, -1.3, 1.5, 1.5},
    {8, 6300, -0.1, -2.0, 1.5, 2.0},        {9, 8000, -1.1, -3.0, 1.5, 2.5},
    {10, 10000, -2.5, -4.4, 2.0, 3.0},      {11, 12500, -4.3, -6.2, 2.0, 5.0},
    {12, 16000, -6.6, -8.5, 2.5, 16.0},     {13, 20000, -9.3, -11.2, 3.0, INFINITY},
};

/* Annex E: C is 3 dB down at fL = 10^1.5 Hz and fH = 10^3.9 Hz, and the first-order high-passes that A adds are 3 dB down,
 * together with each other, at fA = 10^2.45 Hz. */
struct poles {
    double f1, f2, f3, f4;
};

static struct poles poles(void)
{
    double fr2 = 1e6, l2 = pow(10, 3.0), h2 = pow(10, 7.8), fa = pow(10, 2.45), d = sqrt(0.5);
    double b = (fr2 + l2 * h2 / fr2 - d * (l2 + h2)) / (1 - d), c = l2 * h2, root = sqrt(b * b - 4 * c);
    return (struct poles){.f1 = sqrt((-b - root) / 2),
                          .f2 = (3 - sqrt(5)) / 2 * fa,
                          .f3 = (3 + sqrt(5)) / 2 * fa,
                          .f4 = sqrt((-b + root) / 2)};
}

/* Power of first-order sections at f, analogue. */
static double highpass(double f, double pole)
{
    return f * f / (f * f + pole * pole);
}

static double c_power(const struct poles *p, double f)
{
    double low = p->f4 * p->f4 / (f * f + p->f4 * p->f4), high = highpass(f, p->f1);
    return low * low * high * high;
}

static double ideal_power(char kind, double f)
{
    struct poles p = poles();
    if (kind == 'Z')
        return 1;
    double c = c_power(&p, f);
    return kind == 'A' ? c * highpass(f, p.f2) * highpass(f, p.f3) : c;
}

double weighting_ideal(char kind, double f)
{
    return 10 * log10(ideal_power(kind, f) / ideal_power(kind, 1000));
}

/* Power of a second-order polynomial in 1/z at the angle w. */
static double polynomial_power(double c0, double c1, double c2, double w)
{
    double re = c0 + c1 * cos(w) + c2 * cos(2 * w), im = c1 * sin(w) + c2 * sin(2 * w);
    return re * re + im * im;
}

static double biquad_power(const struct biquad *s, double w)
{
    return polynomial_power(s->b0, s->b1, s->b2, w) / polynomial_power(1, s->a1, s->a2, w);
}

/* Two first-order high-passes in one section: bilinear, each pole pre-warped, so that zeros lie at 0 Hz. Power 1 at Nyquist. */
static struct biquad highpass_pair(double f, double g, double rate)
{
    double k = tan(PI * f / rate), l = tan(PI * g / rate);
    double p = (1 - k) / (1 + k), q = (1 - l) / (1 + l), gain = (1 + p) * (1 + q) / 4;
    return (struct biquad){.b0 = gain, .b1 = -2 * gain, .b2 = gain, .a1 = -(p + q), .a2 = p * q};
}

/* Solves the 3x3 normal equations by Cramer's rule. */
static bool solve3(double m[3][3], const double v[3], double x[3])
{
    double d[4];
    for (int k = 0; k < 4; k++) {
        double a[3][3];
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 3; j++)
                a[i][j] = k == j + 1 ? v[i] : m[i][j];
        d[k] = a[0][0] * (a[1][1] * a[2][2] - a[1][2] * a[2][1]) - a[0][1] * (a[1][0] * a[2][2] - a[1][2] * a[2][0]) +
               a[0][2] * (a[1][0] * a[2][1] - a[1][1] * a[2][0]);
    }
    for (int k = 0; k < 3; k++)
        x[k] = d[k + 1] / d[0];
    return isfinite(x[0]) && isfinite(x[1]) && isfinite(x[2]);
}

/* The power of b0 + b1/z + b2/zz at the angle w is  B0 (1 - s) + B1 s + B2 4 s (1 - s)  with s = sin^2(w / 2),
 * B0 = (b0 + b1 + b2)^2, B1 = (b0 - b1 + b2)^2, B2 = -4 b0 b2. */
static bool fit_numerator(struct biquad *high, const struct biquad *low, double rate)
{
    struct poles p = poles();
    double m[3][3] = {{0}}, v[3] = {0}, b[3], top = fmin(FIT_HIGH, rate / 2);

    for (int i = 0; i < FIT_POINTS; i++) {
        double f = FIT_LOW * pow(top / FIT_LOW, (i + 0.5) / FIT_POINTS), w = 2 * PI * f / rate;
        double s = sin(w / 2) * sin(w / 2);
        double want = c_power(&p, f) / biquad_power(low, w) * polynomial_power(1, high->a1, high->a2, w);
        double basis[3] = {(1 - s) / want, s / want, 4 * s * (1 - s) / want};
        for (int j = 0; j < 3; j++) {
            v[j] += basis[j];
            for (int k = 0; k < 3; k++)
                m[j][k] += basis[j] * basis[k];
        }
    }
    if (!solve3(m, v, b) || b[0] <= 0 || b[1] < 0)
        return false;
    double half = (sqrt(b[0]) + sqrt(b[1])) / 2, under = half * half + b[2];
    if (under < 0)
        return false;
    high->b0 = (half + sqrt(under)) / 2;
    high->b1 = (sqrt(b[0]) - sqrt(b[1])) / 2;
    high->b2 = -b[2] / (4 * high->b0);
    return true;
}

static void scale(struct biquad *s, double gain)
{
    s->b0 *= gain;
    s->b1 *= gain;
    s->b2 *= gain;
}

int weighting_init(struct weighting *w, unsigned rate, struct err *err)
{
    struct poles p = poles();
    if (rate < WEIGHTING_MIN_RATE || rate > WEIGHTING_MAX_RATE)
        return err_set(err, "a sample rate of %u Hz: the level meter takes %u to %u Hz", rate, WEIGHTING_MIN_RATE,
                       WEIGHTING_MAX_RATE);
    double pole = exp(-2 * PI * p.f4 / rate);
    w->rate = rate;
    w->low = highpass_pair(p.f1, p.f1, rate);
    w->extra = highpass_pair(p.f2, p.f3, rate);
    w->high = (struct biquad){.a1 = -2 * pole, .a2 = pole * pole};
    if (!fit_numerator(&w->high, &w->low, rate))
        return err_set(err, "no weighting filters can be made for a sample rate of %u Hz", rate);
    w->z_pole = exp(-2 * PI * Z_POLE_HZ / rate);
    double at = 2 * PI * 1000 / rate;
    scale(&w->high, 1 / sqrt(biquad_power(&w->low, at) * biquad_power(&w->high, at)));
    scale(&w->extra, 1 / sqrt(biquad_power(&w->extra, at)));
    return 0;
}

double weighting_response(const struct weighting *w, char kind, double f)
{
    double at = 2 * PI * f / w->rate;
    if (kind == 'Z')
        return 10 * log10(polynomial_power(1, -1, 0, at) / polynomial_power(1, -w->z_pole, 0, at));
    double power = biquad_power(&w->low, at) * biquad_power(&w->high, at);
    return 10 * log10(kind == 'A' ? power * biquad_power(&w->extra, at) : power);
}

static bool within(const struct weighting *w, char kind, const struct weighting_row *row, double f)
{
    double off = weighting_response(w, kind, f) - weighting_ideal(kind, f);
    return off <= row->above && off >= -row->below;
}

double weighting_class1(const struct weighting *w)
{
    double held = 0;
    for (size_t i = 0; i < WEIGHTING_ROWS; i++) {
        const struct weighting_row *row = &weighting_table[i];
        double f = 1000 * pow(10, row->n / 10.0);
        if (row->nominal < CLASS1_FROM)
            continue;
        if (f > USABLE_SHARE * w->rate || !within(w, 'A', row, f) || !within(w, 'C', row, f) || !within(w, 'Z', row, f))
            break;
        held = row->nominal;
    }
    return held;
}
