/* What is known so far of a class in a sound: what its event will say. */
#ifndef EARSHOT_TALLY_H
#define EARSHOT_TALLY_H

#include "audio/window.h"
#include "event/event.h"
#include <stddef.h>
#include <stdint.h>

/* The event that a class is in, or that its run of votes may become. */
struct tally {
    float score, peak_dbfs;
    struct {
        unsigned label;
        float score;
    } top[EVENT_TOP]; /* of the window with the highest score */
    unsigned n_top;
    int64_t start_ns, end_ns;
    uint64_t start_position, end_position;
    double energy, weight; /* rms_dbfs = energy mean over valid samples */
    uint32_t segments;
    uint64_t lost_frames;
};

/* Begins with the onset in a window; lost_frames: audio that was lost before it. */
void tally_begin(struct tally *t, const struct window_info *info, uint64_t lost_frames);

/* A window in which the class had that score; scores: [n], of all classes. */
void tally_add(struct tally *t, const struct window_info *info, float score, const float *scores, size_t n);

/* Within 0..1; NaN is no score. */
float score_sane(float score);

#endif
