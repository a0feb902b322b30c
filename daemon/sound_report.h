/* The sound level meter's figures as they are told: with the calibration, and as text and JSON. All outputs and sub-commands say them by
 * these functions, so that none calls dBFS decibels. */
#ifndef EARSHOT_SOUND_REPORT_H
#define EARSHOT_SOUND_REPORT_H

#include "audio/soundlevel.h"
#include "daemon/calibration.h"
#include <jansson.h>
#include <stdint.h>

struct sound_report {
    bool on;
    uint64_t number;                /* of the last finished period; 0: none yet */
    struct soundlevel_figures last; /* dBFS */
    struct soundlevel_now now;      /* dBFS */
    struct calibration calibration;
};

/* Adds to an object, with the calibration's offset: laf, las (now), calibrated (true, false), unit ("dB" re 20 uPa; "dBFS" where not
 * calibrated). */
void sound_json_now(json_t *o, const struct sound_report *r);

/* The same, and of the last period: start, interval_s (what was measured of it), lost_s, laeq, lceq, lzeq, lafmax, lafmin, lasmax,
 * lcpeak, l10, l50, l90, overloads, class1_to_hz, and with a spectrum third_octave
 * ({hz: [...], leq: [...]}); null where nothing was measured. */
void sound_json_period(json_t *o, const struct sound_report *r);

/* "dB(A)", or "dBFS(A), uncalibrated". weighting: 'A', 'C', 'Z'. */
const char *sound_unit(const struct calibration *c, char weighting);

/* Some lines for a person: all figures of the period with their names and units. */
void sound_text(const struct soundlevel_figures *f, const struct calibration *c, char *out, size_t size);

/* "The filters hold class 1 of IEC 61672-1 up to 6.3 kHz at 16000 Hz": where the input's rate leaves something out; else "". */
void sound_class1_text(const struct soundlevel_figures *f, char *out, size_t size);

#endif
