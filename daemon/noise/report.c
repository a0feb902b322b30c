#include "daemon/noise/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY_MINUTES 1440
#define EVENING_DB  5.0
#define NIGHT_DB    10.0
#define BIN_LOW     (-150.0)
#define BINS_PER_DB 10
#define BINS        3500 /* up to 200 dB */

struct noise_report *noise_report_new(const struct noise_hours *hours, bool calibrated)
{
    struct noise_report *r = calloc(1, sizeof *r);
    if (!r || !(r->bin = calloc(BINS, sizeof *r->bin))) {
        free(r);
        return NULL;
    }
    static const struct noise_sum none = {.lafmax = NAN, .lcpeak = NAN};
    r->hours = *hours;
    r->calibrated = calibrated;
    r->total = none;
    for (int i = 0; i < NOISE_PARTS; i++)
        r->part[i] = none;
    return r;
}

void noise_report_free(struct noise_report *r)
{
    if (!r)
        return;
    free(r->hour);
    free(r->day);
    free(r->bin);
    free(r);
}

/* Minutes from a to b, forward over midnight. */
static int forward(int a, int b)
{
    return (b - a + DAY_MINUTES) % DAY_MINUTES;
}

enum noise_part noise_part_of(const struct noise_hours *h, int minute)
{
    int since = forward(h->day_from, minute), day = forward(h->day_from, h->day_to);
    if (since < day)
        return NOISE_DAY;
    return since < day + forward(h->day_to, h->evening_to) ? NOISE_EVENING : NOISE_NIGHT;
}

static void sum_add(struct noise_sum *s, const struct store_level *l)
{
    s->measured_s += l->interval_s;
    s->energy += l->interval_s * pow(10, (double)l->laeq / 10);
    if (!(s->lafmax >= l->lafmax) && isfinite(l->lafmax)) {
        s->lafmax = l->lafmax;
        s->lafmax_ms = l->time_ms;
    }
    if (!(s->lcpeak >= l->lcpeak) && isfinite(l->lcpeak))
        s->lcpeak = l->lcpeak;
}

double noise_laeq(const struct noise_sum *s)
{
    return s->measured_s > 0 ? 10 * log10(s->energy / s->measured_s) : NAN;
}

double noise_lden(const struct noise_hours *h, const struct noise_sum *p)
{
    int day = forward(h->day_from, h->day_to), evening = forward(h->day_to, h->evening_to);
    double minutes[NOISE_PARTS] = {day, evening, DAY_MINUTES - day - evening}, more[] = {0, EVENING_DB, NIGHT_DB};
    double power = 0;
    for (int i = 0; i < NOISE_PARTS; i++)
        power += minutes[i] * pow(10, (noise_laeq(&p[i]) + more[i]) / 10);
    return 10 * log10(power / DAY_MINUTES);
}

/* Seconds of a row spread evenly between two levels. */
static void spread(struct noise_report *r, double from, double to, double seconds)
{
    double low = (fmin(from, to) - BIN_LOW) * BINS_PER_DB, high = (fmax(from, to) - BIN_LOW) * BINS_PER_DB;
    low = fmin(fmax(low, 0), BINS - 1);
    high = fmin(fmax(high, low + 1e-6), BINS);
    for (int i = (int)low; i < BINS && i < high; i++)
        r->bin[i] += seconds * (fmin(high, i + 1) - fmax(low, i)) / (high - low);
}

static void add_percentiles(struct noise_report *r, const struct store_level *l)
{
    double l10 = (double)l->l10, l50 = (double)l->l50, l90 = (double)l->l90, s = l->interval_s;
    if (!isfinite(l10 + l50 + l90))
        return;
    double top = isfinite(l->lafmax) ? fmax((double)l->lafmax, l10) : l10;
    spread(r, l10, top, 0.1 * s);
    spread(r, l50, l10, 0.4 * s);
    spread(r, l90, l50, 0.4 * s);
    spread(r, 2 * l90 - l50, l90, 0.1 * s);
    r->binned_s += s;
}

double noise_exceeded(const struct noise_report *r, double share)
{
    double want = share * r->binned_s, above = 0;
    if (!(r->binned_s > 0))
        return NAN;
    for (int i = BINS - 1; i >= 0; i--) {
        if (r->bin[i] > 0 && above + r->bin[i] >= want)
            return BIN_LOW + (i + 1 - (want - above) / r->bin[i]) / BINS_PER_DB;
        above += r->bin[i];
    }
    return NAN;
}

static void *grow(void *list, size_t n, size_t *room, size_t size)
{
    if (n < *room)
        return list;
    void *more = realloc(list, (*room + 64) * 2 * size);
    if (more)
        *room = (*room + 64) * 2;
    return more;
}

static int add_hour(struct noise_report *r, const struct store_level *l, time_t at, const struct tm *local)
{
    int64_t start = ((int64_t)at - (int64_t)local->tm_min * 60 - local->tm_sec) * 1000;
    if (r->n_hours == 0 || r->hour[r->n_hours - 1].start_ms != start) {
        struct noise_hour *more = grow(r->hour, r->n_hours, &r->hours_room, sizeof *more);
        if (!more)
            return -1;
        r->hour = more;
        r->hour[r->n_hours++] =
            (struct noise_hour){.start_ms = start, .hour = local->tm_hour, .sum = {.lafmax = NAN, .lcpeak = NAN}};
    }
    sum_add(&r->hour[r->n_hours - 1].sum, l);
    return 0;
}

/* UTC of a minute of the local day, which may lie beyond its end. */
static double local_s(int year, int month, int day, int minute)
{
    struct tm t = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_min = minute, .tm_isdst = -1};
    return (double)mktime(&t);
}

static struct noise_day new_day(const struct noise_hours *h, const struct tm *date)
{
    struct noise_day d = {.year = date->tm_year + 1900, .month = date->tm_mon + 1, .day = date->tm_mday};
    int at[NOISE_PARTS + 1] = {h->day_from, h->day_from + forward(h->day_from, h->day_to), 0,
                               h->day_from + DAY_MINUTES};
    at[2] = at[1] + forward(h->day_to, h->evening_to);
    for (int i = 0; i < NOISE_PARTS; i++) {
        d.part[i] = (struct noise_sum){.lafmax = NAN, .lcpeak = NAN};
        d.length_s[i] = local_s(d.year, d.month, d.day, at[i + 1]) - local_s(d.year, d.month, d.day, at[i]);
    }
    return d;
}

static int add_day(struct noise_report *r, const struct store_level *l, const struct tm *local)
{
    int minute = local->tm_hour * 60 + local->tm_min;
    enum noise_part part = noise_part_of(&r->hours, minute);
    struct tm date = *local;
    if (minute < r->hours.day_from)
        date.tm_mday--;
    date.tm_hour = 12;
    date.tm_isdst = -1;
    mktime(&date);
    const struct noise_day *last = r->n_days > 0 ? &r->day[r->n_days - 1] : NULL;
    if (!last || last->year != date.tm_year + 1900 || last->month != date.tm_mon + 1 || last->day != date.tm_mday) {
        struct noise_day *more = grow(r->day, r->n_days, &r->days_room, sizeof *more);
        if (!more)
            return -1;
        r->day = more;
        r->day[r->n_days++] = new_day(&r->hours, &date);
    }
    sum_add(&r->day[r->n_days - 1].part[part], l);
    sum_add(&r->part[part], l);
    return 0;
}

int noise_report_add(struct noise_report *r, const struct store_level *l, struct err *err)
{
    time_t at = (time_t)floor(((double)l->time_ms - l->interval_s * 500) / 1000);
    struct tm local;

    if (!isfinite(l->laeq) || !(l->interval_s > 0))
        return 0;
    if (l->calibrated != r->calibrated) {
        r->left_out_s += l->interval_s;
        return 0;
    }
    if (!localtime_r(&at, &local))
        return err_set(err, "a level's time, %lld ms, is no date", (long long)l->time_ms);
    if (add_hour(r, l, at, &local) < 0 || add_day(r, l, &local) < 0)
        return err_set(err, "no memory for the report");
    sum_add(&r->total, l);
    add_percentiles(r, l);
    return 0;
}
