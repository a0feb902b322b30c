/* The analysis stages in one object: level -> gate -> resample -> segment. Device-rate mono samples in, windows at the
 * model's rate out. The daemon's analysis thread and `earshot classify` both feed this one object: one path.
 *
 * Allocates in analysis_new only. One thread. */
#ifndef EARSHOT_ANALYSIS_H
#define EARSHOT_ANALYSIS_H

#include "audio/window.h"
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum threshold_kind {
    THRESHOLD_AUTO /* db above the noise floor */,
    THRESHOLD_FIXED /* dBFS */,
    THRESHOLD_OFF /* always open */
};

struct gate_threshold {
    enum threshold_kind kind;
    double db;
};

/* "auto+12 dB", "auto", "-40 dBFS", "-40", "0.03" (linear RMS, 0 < x <= 1), "off". */
int gate_threshold_parse(const char *text, struct gate_threshold *out, struct err *err);
void gate_threshold_text(const struct gate_threshold *t, char *out, size_t size);

struct gate_params {
    struct gate_threshold threshold;
    double hysteresis_db;  /* closes this far below the opening threshold */
    double hold_s;         /* ... once it has been below for this long */
    double preroll_s;      /* audio kept from before the opening */
    double min_duration_s; /* shorter sounds are dropped and counted */
    double highpass_hz;    /* 0: off. For the gate's level only; the model hears the unfiltered sound */
    double floor_dbfs;     /* the noise floor to start from (-60, or the saved one) */
};

struct analysis_params {
    unsigned device_rate, model_rate; /* Hz */
    double window_s, hop_s;
    struct gate_params gate;
    bool no_gate; /* like threshold off, and no sound is too short */
};

/* Maps device frames to UTC; see base/timebase.h. NULL: frame 0 is UTC 0. */
struct timebase;

/* Live figures, for levels and health. Written by the analysis thread; analysis_levels copies them for its own thread. */
struct analysis_levels {
    float rms_dbfs, peak_dbfs; /* of the last 10 ms block; rms after the high-pass */
    float floor_dbfs;          /* tracked noise floor */
    float threshold_dbfs;      /* opening threshold in force; -inf when off */
    bool open;
    uint64_t position;               /* device frames so far, lost ones included */
    uint64_t blocks, clipped_blocks; /* 10 ms blocks seen; those with a sample at full scale */
    uint64_t sounds, dropped_short;  /* gate openings; those under min_duration */
    uint64_t lost_frames;
    uint64_t zero_run;     /* blocks in a row of digital silence */
    uint64_t constant_run; /* blocks in a row whose level did not move by 0.01 dB though not zero: a stuck input */
};

struct analysis;
typedef void window_sink(void *ctx, const struct window *window);

/* The sink is called from within analysis_do, in order; the window belongs to the analysis and is valid during the call.
 * `timebase` is borrowed and may be NULL. */
struct analysis *analysis_new(const struct analysis_params *params, const struct timebase *timebase, window_sink *sink,
                              void *ctx, struct err *err);
void analysis_free(struct analysis *a);

/* n mono samples, any n. NaN and infinity are taken as 0 and counted as clipped. */
void analysis_do(struct analysis *a, const float *x, size_t n);

/* `frames` were lost here: an open sound goes on over the gap (zeros of that length, at most one window), and the next
 * window says so. */
void analysis_lost(struct analysis *a, uint64_t frames);

/* `frames` passed that nobody was to listen to: positions go on, nothing is heard, and nothing counts as lost. Flush first. */
void analysis_skip(struct analysis *a, uint64_t frames);

/* The input ended or stopped: closes an open gate, so that the last window comes out. Audio may follow afterwards. */
void analysis_flush(struct analysis *a);

/* Frames that have to come before a window can (or a sound's end): a reader may sleep for so long. UINT64_MAX while the gate is
 * closed. */
uint64_t analysis_due(const struct analysis *a);

/* Changes the gate's parameters (SIGHUP, set/threshold), losing no audio. The noise floor stays what it is; times out of range
 * are brought into it (preroll 0 to 5 s, min_duration 0 to 10 s, hold 0 to 60 s; analysis_new refuses them). */
void analysis_set_gate(struct analysis *a, const struct gate_params *gate);

/* A class other than background is on: the noise floor must not rise, and the gate stays open for at least 2 s after the last
 * block above its closing threshold, so that the rests of an alarm do not end it. */
void analysis_set_busy(struct analysis *a, bool busy);

void analysis_get_levels(const struct analysis *a, struct analysis_levels *out);
size_t analysis_window_samples(const struct analysis *a); /* of every window, at the model's rate */

#endif
