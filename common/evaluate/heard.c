#include "evaluate/heard.h"

#include "evaluate/event_match.h"

#include <math.h>

static bool within(const struct timed *ref, const struct timed *det, double collar)
{
    return det->onset >= ref->onset - collar - MATCH_SLACK_S && det->onset <= ref->offset + collar + MATCH_SLACK_S;
}

static struct heard hear(const struct timed *ref, const struct timed *det, size_t n_det, double collar)
{
    struct heard h = {.delay_s = NAN, .start_error = NAN};
    double earliest = INFINITY;

    for (size_t d = 0; d < n_det && det[d].onset <= ref->offset + collar + MATCH_SLACK_S; d++) {
        if (within(ref, &det[d], collar) && det[d].known < earliest) {
            earliest = det[d].known;
            h.heard = true;
            h.delay_s = earliest - ref->onset;
            h.start_error = det[d].onset - ref->onset;
        }
        h.under_way |= det[d].onset < ref->onset && det[d].offset > ref->onset;
    }
    h.under_way &= !h.heard;
    return h;
}

size_t heard_find(const struct timed *ref, size_t n_ref, const struct timed *det, size_t n_det, double collar,
                  struct heard *out, bool *false_alarm)
{
    size_t false_ones = 0;

    for (size_t r = 0; r < n_ref; r++)
        out[r] = hear(&ref[r], det, n_det, collar);
    for (size_t d = 0; d < n_det; d++) {
        bool found = false;
        for (size_t r = 0; r < n_ref && ref[r].onset <= det[d].onset + collar + MATCH_SLACK_S && !found; r++)
            found = within(&ref[r], &det[d], collar);
        false_ones += !found;
        if (false_alarm)
            false_alarm[d] = !found;
    }
    return false_ones;
}
