#include "model/tally.h"

#include <math.h>

#define NS 1000000000

float score_sane(float score)
{
    return score >= 0 ? fminf(score, 1) : 0; /* NaN is no score */
}

static void take_top(const float *scores, size_t n, struct tally *t)
{
    t->n_top = 0;
    for (size_t i = 0; i < n; i++) {
        float s = score_sane(scores[i]);
        unsigned at = t->n_top;
        if (at == EVENT_TOP && s <= t->top[EVENT_TOP - 1].score)
            continue;
        if (at == EVENT_TOP)
            at--;
        else
            t->n_top++;
        for (; at > 0 && t->top[at - 1].score < s; at--)
            t->top[at] = t->top[at - 1];
        t->top[at].label = (unsigned)i;
        t->top[at].score = s;
    }
}

void tally_begin(struct tally *t, const struct window_info *info, uint64_t lost_frames)
{
    double onset_s = (double)(info->onset_ns - info->start_ns) / NS;
    uint64_t onset = info->position + (uint64_t)llround(fmax(onset_s, 0) * info->device_rate);

    *t = (struct tally){.score = -1,
                        .peak_dbfs = -120,
                        .start_ns = info->onset_ns,
                        .start_position = info->index == 0 ? info->open_position : onset,
                        .lost_frames = lost_frames};
}

void tally_add(struct tally *t, const struct window_info *info, float score, const float *scores, size_t n)
{
    if (score > t->score) {
        t->score = score;
        take_top(scores, n, t);
    }
    t->peak_dbfs = fmaxf(t->peak_dbfs, info->peak_dbfs);
    t->energy += info->valid * pow(10, info->rms_dbfs / 10);
    t->weight += info->valid;
    t->end_ns = info->end_ns;
    t->end_position = info->end_position;
    t->segments++;
}
