#include "daemon/noise/print.h"

#include "base/json.h"
#include "base/when.h"
#include <math.h>
#include <string.h>

#define HOUR_S 3600.0

/* One line of JSON or CSV. */
struct entry {
    const char *kind;
    char start[WHEN_TEXT];
    const struct noise_sum *sum; /* NULL: no such figures */
    double measured_s, length_s, exceeded[3], part[NOISE_PARTS], lden;
};

static double seconds(const struct noise_day *d, bool measured)
{
    double sum = 0;
    for (int i = 0; i < NOISE_PARTS; i++)
        sum += measured ? d->part[i].measured_s : d->length_s[i];
    return sum;
}

static struct entry of_period(const struct noise_report *r, const struct noise_period *p)
{
    struct entry e = {.kind = "period",
                      .sum = &r->total,
                      .measured_s = r->total.measured_s,
                      .length_s = (double)(p->until_ms - p->since_ms) / 1000,
                      .exceeded = {noise_exceeded(r, 0.1), noise_exceeded(r, 0.5), noise_exceeded(r, 0.9)},
                      .lden = noise_lden(&r->hours, r->part)};
    when_utc(p->since_ms, e.start);
    for (int i = 0; i < NOISE_PARTS; i++)
        e.part[i] = noise_laeq(&r->part[i]);
    return e;
}

static struct entry of_day(const struct noise_report *r, const struct noise_day *d)
{
    struct entry e = {.kind = "day",
                      .measured_s = seconds(d, true),
                      .length_s = seconds(d, false),
                      .exceeded = {NAN, NAN, NAN},
                      .lden = noise_lden(&r->hours, d->part)};
    snprintf(e.start, sizeof e.start, "%04d-%02d-%02d", d->year % 10000, d->month % 100, d->day % 100);
    for (int i = 0; i < NOISE_PARTS; i++)
        e.part[i] = noise_laeq(&d->part[i]);
    return e;
}

static struct entry of_hour(const struct noise_hour *h)
{
    struct entry e = {.kind = "hour",
                      .sum = &h->sum,
                      .measured_s = h->sum.measured_s,
                      .length_s = HOUR_S,
                      .exceeded = {NAN, NAN, NAN},
                      .part = {NAN, NAN, NAN},
                      .lden = NAN};
    when_utc(h->start_ms, e.start);
    return e;
}

static void each(FILE *out, const struct noise_report *r, const struct noise_period *p,
                 void (*fn)(FILE *out, const struct noise_report *r, const struct entry *e))
{
    struct entry e = of_period(r, p);
    fn(out, r, &e);
    for (size_t i = 0; i < r->n_days; i++) {
        e = of_day(r, &r->day[i]);
        fn(out, r, &e);
    }
    for (size_t i = 0; i < r->n_hours; i++) {
        e = of_hour(&r->hour[i]);
        fn(out, r, &e);
    }
}

static const char *const exceeded_names[] = {"l10", "l50", "l90"};
static const char *const part_names[] = {"lday", "levening", "lnight"};

static void json_entry(FILE *out, const struct noise_report *r, const struct entry *e)
{
    json_t *o = json_pack("{s:s, s:s, s:o, s:o}", "kind", e->kind, "start", e->start, "measured_s",
                          json_decimal(e->measured_s, 1), "length_s", json_decimal(e->length_s, 1));
    if (e->sum) {
        json_object_set_new(o, "laeq", json_decimal(noise_laeq(e->sum), 2));
        json_object_set_new(o, "lafmax", json_decimal((double)e->sum->lafmax, 2));
        json_object_set_new(o, "lcpeak", json_decimal((double)e->sum->lcpeak, 2));
    }
    for (int i = 0; i < 3 && strcmp(e->kind, "period") == 0; i++)
        json_object_set_new(o, exceeded_names[i], json_decimal(e->exceeded[i], 2));
    for (int i = 0; i < NOISE_PARTS && strcmp(e->kind, "hour") != 0; i++)
        json_object_set_new(o, part_names[i], json_decimal(e->part[i], 2));
    if (strcmp(e->kind, "hour") != 0)
        json_object_set_new(o, "lden", json_decimal(e->lden, 2));
    if (strcmp(e->kind, "period") == 0)
        json_object_set_new(o, "left_out_s", json_decimal(r->left_out_s, 1));
    json_object_set_new(o, "calibrated", json_boolean(r->calibrated));
    json_object_set_new(o, "unit", json_string(r->calibrated ? "dB" : "dBFS"));
    json_dumpf(o, out, JSON_LINE | JSON_PRESERVE_ORDER);
    fputc('\n', out);
    json_decref(o);
}

void noise_print_json(FILE *out, const struct noise_report *r, const struct noise_period *p)
{
    each(out, r, p, json_entry);
}

static void csv_level(FILE *out, double level)
{
    if (isfinite(level))
        fprintf(out, ",%.2f", level);
    else
        fputc(',', out);
}

static void csv_entry(FILE *out, const struct noise_report *r, const struct entry *e)
{
    fprintf(out, "%s,%s,%.1f,%.1f", e->kind, e->start, e->measured_s, e->length_s);
    csv_level(out, e->sum ? noise_laeq(e->sum) : NAN);
    csv_level(out, e->sum ? (double)e->sum->lafmax : NAN);
    csv_level(out, e->sum ? (double)e->sum->lcpeak : NAN);
    for (int i = 0; i < 3; i++)
        csv_level(out, e->exceeded[i]);
    for (int i = 0; i < NOISE_PARTS; i++)
        csv_level(out, e->part[i]);
    csv_level(out, e->lden);
    fprintf(out, ",%s\n", r->calibrated ? "dB" : "dBFS uncalibrated");
}

void noise_print_csv(FILE *out, const struct noise_report *r, const struct noise_period *p)
{
    fputs("kind,start,measured_s,length_s,laeq,lafmax,lcpeak,l10,l50,l90,lday,levening,lnight,lden,unit\n", out);
    each(out, r, p, csv_entry);
}

/* " 45.2", or "    -" where nothing was measured. */
static void level(FILE *out, double level)
{
    if (isfinite(level))
        fprintf(out, "%7.1f", level);
    else
        fputs("      -", out);
}

/* Never 100 % where a second is missing. */
static int percent(double measured_s, double length_s)
{
    double share = length_s > 0 ? 100 * measured_s / length_s : 0;
    return (int)fmin(floor(share + 0.05), 100);
}

static void text_period(FILE *out, const struct noise_report *r, const struct noise_period *p)
{
    char since[WHEN_TEXT], until[WHEN_TEXT], loudest[WHEN_TEXT] = "";
    struct entry e = of_period(r, p);
    when_text(p->since_ms, since);
    when_text(p->until_ms, until);
    if (isfinite(r->total.lafmax))
        when_text(r->total.lafmax_ms, loudest);
    fprintf(out, "%s to %s, measured: %d %% of it (%.1f h)\n", since, until, percent(e.measured_s, e.length_s),
            e.measured_s / HOUR_S);
    fprintf(out, "Levels in %s.\n",
            r->calibrated ? "dB re 20 uPa" : "dBFS, uncalibrated: no decibels of the room (see earshot calibrate)");
    if (r->left_out_s > 0)
        fprintf(out, "%.1f h that were measured %s calibration are left out.\n", r->left_out_s / HOUR_S,
                r->calibrated ? "without" : "with");
    fputs("\nLAeq", out);
    level(out, noise_laeq(e.sum));
    for (int i = 0; i < 3; i++) {
        static const char *const names[] = {"L10", "L50", "L90"};
        fprintf(out, "   %s", names[i]);
        level(out, e.exceeded[i]);
    }
    fputs("   LCpeak", out);
    level(out, (double)r->total.lcpeak);
    fputs("\nLAFmax", out);
    level(out, (double)r->total.lafmax);
    fprintf(out, "%s%s\n", *loudest ? " at " : "", loudest);
    fputs("Lday", out);
    level(out, e.part[NOISE_DAY]);
    fputs("   Levening", out);
    level(out, e.part[NOISE_EVENING]);
    fputs("   Lnight", out);
    level(out, e.part[NOISE_NIGHT]);
    fputs("   Lden", out);
    level(out, e.lden);
    fputc('\n', out);
}

void noise_print_text(FILE *out, const struct noise_report *r, const struct noise_period *p)
{
    text_period(out, r, p);
    fputs("\nday           Lday         Levening     Lnight          Lden   (measured)\n", out);
    for (size_t i = 0; i < r->n_days; i++) {
        const struct noise_day *d = &r->day[i];
        fprintf(out, "%04d-%02d-%02d", d->year, d->month, d->day);
        for (int k = 0; k < NOISE_PARTS; k++) {
            level(out, noise_laeq(&d->part[k]));
            fprintf(out, " %3d %%", percent(d->part[k].measured_s, d->length_s[k]));
        }
        level(out, noise_lden(&r->hours, d->part));
        fputc('\n', out);
    }
    if (p->hours)
        fputs("\nhour                    LAeq LAFmax LCpeak   (measured)\n", out);
    for (size_t i = 0; p->hours && i < r->n_hours; i++) {
        const struct noise_hour *h = &r->hour[i];
        char start[WHEN_TEXT];
        when_text(h->start_ms, start);
        fprintf(out, "%.16s    ", start);
        level(out, noise_laeq(&h->sum));
        level(out, (double)h->sum.lafmax);
        level(out, (double)h->sum.lcpeak);
        fprintf(out, " %3d %%\n", percent(h->sum.measured_s, HOUR_S));
    }
}
