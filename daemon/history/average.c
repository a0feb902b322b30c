#include "base/when.h"
#include "daemon/history/history.h"

#include <math.h>

#define DAY_MS INT64_C(86400000)

void history_average_end(struct history_average *a)
{
    if (a->sum.interval_s <= 0)
        return;
    a->sum.time_ms = a->end_ms;
    a->sum.laeq = a->power_s > 0 ? (float)(10 * log10(a->power / a->power_s)) : NAN;
    a->fn(a->ctx, &a->sum);
    a->sum.interval_s = 0;
}

static void begin(struct history_average *a, int64_t at_ms, bool calibrated)
{
    struct when_range day = when_day_of(at_ms);

    bool whole = a->every_ms >= DAY_MS; /* it may have 23 or 25 hours */

    a->begin_ms = whole ? day.begin_ms : day.begin_ms + (at_ms - day.begin_ms) / a->every_ms * a->every_ms;
    a->end_ms = whole || a->begin_ms + a->every_ms > day.end_ms ? day.end_ms : a->begin_ms + a->every_ms;
    a->sum = (struct store_level){
        .lafmax = NAN, .lcpeak = NAN, .l10 = NAN, .l50 = NAN, .l90 = NAN, .calibrated = calibrated};
    a->power = a->power_s = 0;
}

void history_average_add(struct history_average *a, const struct store_level *l)
{
    int64_t at_ms = l->time_ms - (int64_t)(l->interval_s * 1e3); /* its beginning says where it belongs */

    if (a->sum.interval_s <= 0 || at_ms < a->begin_ms || at_ms >= a->end_ms || l->calibrated != a->sum.calibrated) {
        history_average_end(a);
        begin(a, at_ms, l->calibrated);
    }
    a->sum.interval_s += l->interval_s;
    if (isfinite(l->laeq)) {
        a->power += l->interval_s * pow(10, (double)l->laeq / 10);
        a->power_s += l->interval_s;
    }
    a->sum.lafmax = fmaxf(a->sum.lafmax, l->lafmax); /* a number wins over NaN */
    a->sum.lcpeak = fmaxf(a->sum.lcpeak, l->lcpeak);
}
