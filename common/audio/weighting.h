/* Frequency weightings A, C and Z of a sound level meter (IEC 61672-1:2013) as digital filters for any sample rate.
 *
 * What is approximated, the standard's Annex E:  C(f) = C1 f^2 / ((f^2 + f1^2) (f^2 + f4^2)) twice over in poles and zeros, and
 * A(f) = C(f) with two more zeros at 0 Hz and poles at f2 and f3; f1 .. f4 follow from the formulas of that annex (weighting.c).
 *
 * How: the poles at the low end (f1, f2, f3) go through the bilinear transform, each pre-warped, which is exact there. The double
 * pole at f4 = 12.2 kHz is where the bilinear transform fails: its zeros fall on the Nyquist frequency. At a rate of 48 kHz it is
 * 6.4 dB too low at 16 kHz (class 1 just allows that), at 16 kHz it leaves class 1 above 4 kHz. So that pole is placed by the
 * matched-z transform,
 * p = exp(-2 pi f4 / rate), and the numerator of that section is fitted, by least squares of the relative error of the power
 * response, to what is left of C(f) over 20 Hz .. Nyquist (22.4 kHz at most). The power of a second-order numerator is linear in three
 * numbers, from which its coefficients follow (M. Vicanek, "Matched Second Order Digital Filters", 2016, section 3). What is left
 * of the deviation is told by weighting_response, and tests/test_weighting.c prints it.
 *
 * Z is flat, but for a pole at 2 Hz that takes the converter's offset away. */
#ifndef EARSHOT_WEIGHTING_H
#define EARSHOT_WEIGHTING_H

#include "base/err.h"

#define WEIGHTING_MIN_RATE 4000u
#define WEIGHTING_MAX_RATE 768000u

/* y = b0 x + b1 x' + b2 x'' - a1 y' - a2 y'' */
struct biquad {
    double b0, b1, b2, a1, a2;
};

/* C is `low` then `high`; A is C and then `extra`. All three are 0 dB at 1 kHz. */
struct weighting {
    unsigned rate;
    struct biquad low, high, extra;
    double z_pole; /* y = x - x' + z_pole y' */
};

/* -1: a rate out of WEIGHTING_MIN_RATE..WEIGHTING_MAX_RATE. */
int weighting_init(struct weighting *w, unsigned rate, struct err *err);

/* Response in dB at f Hz, of the filters as they are, and by the standard's formula. kind: 'A', 'C', 'Z'. */
double weighting_response(const struct weighting *w, char kind, double f);
double weighting_ideal(char kind, double f);

/* The standard's Table 3: nominal frequencies in thirds of octaves, what A and C are there, and class 1's acceptance limits. The
 * exact frequency is 1000 Hz * 10^(n/10). */
struct weighting_row {
    int n;
    double nominal, a, c, above, below; /* Hz; dB; the limits as positive dB, below INFINITY: none */
};
#define WEIGHTING_ROWS 34
extern const struct weighting_row weighting_table[WEIGHTING_ROWS];

/* The nominal frequency up to which A, C and Z hold class 1's limits at every row from 20 Hz on, as computed from the response;
 * no further than 0.46 of the rate, since no converter passes what is nearer to half of it. 0: not even the first. Filters
 * alone: microphone and converter have their own. */
double weighting_class1(const struct weighting *w);

#endif
