/* A sound level meter after IEC 61672-1:2013: A, C and Z weighting (audio/weighting.h), Fast and Slow exponential time weighting,
 * time-averaged levels, maxima, C-weighted peak, and the levels exceeded for 10, 50 and 90 % of the time.
 *
 * All levels are in dBFS, RMS 1.0 being 0 dB (a full-scale sine is -3.01 dBFS, as everywhere here); what turns them into dB re 20 uPa
 * is one number that is added (daemon/calibration.h). Nothing is below SOUNDLEVEL_MIN_DB.
 *
 * Time weighting: y' = y + (1 - exp(-1 / (rate tau))) (x^2 - y) for every sample, tau 0.125 s (F) and 1 s (S). The peak is
 * interpolated between samples by a parabola through the three at each maximum, as a tone of 8 kHz has only six to a cycle at 48 kHz.
 * L10, L50 and L90 come from a histogram of LAF, read every 10 ms, in bins of 0.1 dB.
 *
 * Two periods run side by side (a short one that is published, a long one that is kept); each ends when the owner takes it. Lost
 * audio is not measured: it is counted, and averages are over what was measured.
 *
 * Allocates in soundlevel_new only. One thread. */
#ifndef EARSHOT_SOUNDLEVEL_H
#define EARSHOT_SOUNDLEVEL_H

#include "audio/thirdoctave.h"
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SOUNDLEVEL_MIN_DB (-140.0f)

enum soundlevel_period { SOUNDLEVEL_SHORT, SOUNDLEVEL_LONG, SOUNDLEVEL_PERIODS };

struct soundlevel_params {
    unsigned rate;     /* Hz */
    double full_scale; /* linear value at which the converter clips: 1, or the gain that was applied to what it gave */
    bool third_octave; /* measure the spectrum, too */
};

/* What was measured in a period. Levels are NAN where nothing was measured. */
struct soundlevel_figures {
    int64_t start_ns, end_ns; /* UTC; for the owner to fill in */
    double measured_s;        /* audio that the figures are of */
    double lost_s;            /* audio that was lost within the period */
    unsigned rate;            /* Hz, of the input */
    float class1_hz;          /* see weighting_class1 */
    float laeq, lceq, lzeq;   /* averages over measured_s */
    float lafmax, lafmin, lasmax;
    float lcpeak;
    float l10, l50, l90;           /* LAF exceeded for so many per cent of the time; NAN under 0.1 s */
    uint32_t overloads;            /* 10 ms blocks with a sample at full scale: the figures are too low there */
    uint32_t blocks;               /* 10 ms blocks measured */
    unsigned n_bands;              /* of the spectrum, from 20 Hz up; 0: none was asked for */
    float band[THIRDOCTAVE_BANDS]; /* averages, unweighted; audio/thirdoctave.h */
};

/* What a meter's needle shows. */
struct soundlevel_now {
    float laf, las; /* -INFINITY before the first sample */
};

struct soundlevel;

/* NULL: a rate out of range (4 to 768 kHz), or no memory. */
struct soundlevel *soundlevel_new(const struct soundlevel_params *params, struct err *err);
void soundlevel_free(struct soundlevel *m);

/* n mono samples, any n, unclipped and before any filter. A block of 10 ms with a NaN or an infinity counts as lost. */
void soundlevel_do(struct soundlevel *m, const float *x, size_t n);

/* `frames` were lost here. The needle stays where it is. */
void soundlevel_lost(struct soundlevel *m, uint64_t frames);

/* `frames` passed that nobody was to listen to: neither measured nor lost. */
void soundlevel_skip(struct soundlevel *m);

/* Ends the period: gives its figures and begins the next. Up to 10 ms of the newest audio count in the next one; with `flush`
 * they count here (the input has ended). */
void soundlevel_take(struct soundlevel *m, enum soundlevel_period period, bool flush, struct soundlevel_figures *out);

/* The figures of a period in which nothing was heard. */
void soundlevel_nothing(struct soundlevel_figures *out);

void soundlevel_get_now(const struct soundlevel *m, struct soundlevel_now *out);
float soundlevel_class1(const struct soundlevel *m); /* Hz, see weighting_class1 */

#endif
