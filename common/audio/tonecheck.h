/* Is that the steady tone of a sound calibrator (IEC 60942: 1 kHz, 94 or 114 dB), and how loud is it in dBFS?
 *
 * Every 0.1 s: the frequency, from the zero crossings; the tone's own power, by a least-squares fit of a sine of the frequency that
 * the frame before had; what is left is noise, hum and distortion. A frame is good where the tone is within 2 % of the frequency, 20 dB above the
 * rest, above -80 dBFS, and nothing clips. What counts is a stretch of good frames whose levels stay within 0.2 dB.
 *
 * No allocation; one thread. */
#ifndef EARSHOT_TONECHECK_H
#define EARSHOT_TONECHECK_H

#include <stdbool.h>
#include <stddef.h>

#define TONE_HZ        1000.0
#define TONE_HZ_OFF    0.02    /* relative */
#define TONE_PURITY_DB 20.0    /* the tone over all else */
#define TONE_LEAST     (-80.0) /* dBFS */
#define TONE_SPAN_DB   0.2
#define TONE_SECONDS   3.0 /* that it has to stand still for */

enum tone_verdict {
    TONE_NONE,      /* no frame yet */
    TONE_QUIET,     /* under TONE_LEAST */
    TONE_CLIPPED,   /* full scale is reached */
    TONE_NOISE,     /* no tone, or too much else */
    TONE_FREQUENCY, /* a tone, but of another frequency */
    TONE_UNSTEADY,  /* its level moved by more than TONE_SPAN_DB since the stretch began: a new one begins */
    TONE_GOOD,
};

struct tone_state {
    enum tone_verdict verdict; /* of the last frame */
    double level_dbfs;         /* RMS of the tone alone; of all where there is none */
    double hz, purity_db;
    double steady_s;  /* length of the stretch; from TONE_SECONDS on the next two count */
    double mean_dbfs; /* of the stretch */
    double span_db;   /* its highest minus its lowest frame */
};

struct tonecheck {
    unsigned rate, frame;
    double full_scale;
    double x, y, pole;                            /* of the high-pass before it */
    double expected_hz, re, im, turn_re, turn_im; /* the sine that is correlated with */
    double sum_re, sum_im, energy, peak;
    double re_re, re_im; /* the sine with itself: the normal equations of the fit */
    double first, last;  /* zero crossings, samples within the frame */
    unsigned n, crossings;
    double stretch_power, low_dbfs, high_dbfs;
    unsigned stretch;
    struct tone_state state;
};

/* full_scale: as in soundlevel_params. */
void tonecheck_init(struct tonecheck *t, unsigned rate, double full_scale);
void tonecheck_do(struct tonecheck *t, const float *x, size_t n);
void tonecheck_lost(struct tonecheck *t); /* audio was lost: the stretch begins anew */

/* What to tell a person: "a tone of 250.1 Hz: 1000 Hz +- 2 % is wanted". */
void tone_text(const struct tone_state *s, char *out, size_t size);

#endif
