#include "daemon/history/print.h"
#include "base/csv.h"
#include "base/json.h"
#include "base/when.h"
#include "daemon/classify_print.h"
#include "daemon/store/schema.h"

#include <math.h>
#include <string.h>

const char *history_state(int ended)
{
    return ended == EVENT_GOES_ON ? "going_on" : ended == EVENT_CUT_OFF ? "cut_off" : "ended";
}

double history_half(uint16_t bits)
{
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double sign = bits & 0x8000 ? -1 : 1;

    if (exponent == 31)
        return fraction ? NAN : sign * INFINITY;
    return sign * (exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24));
}

static double duration_s(const struct store_row *r)
{
    return (double)(r->end_ms - r->start_ms) / 1e3;
}

/* --- events ---------------------------------------------------------------------------------------------------------------------- */

void history_event_header(FILE *out, enum history_format format, bool embedding)
{
    if (format == HISTORY_CSV)
        fprintf(out,
                "event_id,sound_id,label,score,top,source,start,end,duration_s,state,peak_dbfs,rms_dbfs,segments,"
                "lost_frames,model,clip,notified,test%s\n",
                embedding ? ",embedding" : "");
}

/* The stored [[label, score], ...] as the payload has it; an empty array where it is none. */
static json_t *top_array(const char *text)
{
    json_t *stored = json_loads(text, 0, NULL), *top = json_array(), *pair;
    size_t i;

    json_array_foreach(stored, i, pair)
    {
        const char *label = json_string_value(json_array_get(pair, 0));
        if (label)
            json_array_append_new(top, json_pack("{s:s, s:o}", "label", label, "score",
                                                 json_decimal(json_number_value(json_array_get(pair, 1)), 4)));
    }
    json_decref(stored);
    return top;
}

static json_t *embedding_array(const uint16_t *embedding, unsigned n)
{
    json_t *a = json_array();

    for (unsigned i = 0; i < n; i++)
        json_array_append_new(a, json_decimal(history_half(embedding[i]), 6));
    return a;
}

static json_t *time_json(int64_t ms)
{
    char text[WHEN_TEXT];

    when_utc(ms, text);
    return json_string(text);
}

json_t *history_event_json(const struct store_row *r)
{
    json_t *o = json_object();

    json_object_set_new(o, "event_id", json_text(r->event_id));
    json_object_set_new(o, "sound_id", json_text(r->sound_id));
    json_object_set_new(o, "label", json_text(r->label));
    json_object_set_new(o, "score", json_decimal(r->score, 4));
    json_object_set_new(o, "top", top_array(r->top));
    json_object_set_new(o, "source", json_text(r->source));
    json_object_set_new(o, "start", time_json(r->start_ms));
    json_object_set_new(o, "end", time_json(r->end_ms));
    json_object_set_new(o, "duration_s", json_decimal(duration_s(r), 3));
    json_object_set_new(o, "state", json_string(history_state(r->ended)));
    json_object_set_new(o, "peak_dbfs", json_decimal(r->peak_dbfs, 1));
    json_object_set_new(o, "rms_dbfs", json_decimal(r->rms_dbfs, 1));
    json_object_set_new(o, "segments", json_integer(r->segments));
    json_object_set_new(o, "lost_frames", json_integer(r->lost_frames));
    json_object_set_new(o, "model", json_text(r->model));
    json_object_set_new(o, "clip", json_text(r->clip));
    json_object_set_new(o, "notified", json_boolean(r->notify));
    json_object_set_new(o, "test", json_boolean(r->test));
    return o;
}

static void event_json_line(FILE *out, const struct store_row *r, const uint16_t *embedding, unsigned n)
{
    json_t *o = history_event_json(r);

    if (embedding)
        json_object_set_new(o, "embedding", embedding_array(embedding, n));
    json_dumpf(o, out, JSON_LINE);
    json_decref(o);
    fputc('\n', out);
}

static void csv_text(FILE *out, const char *text)
{
    fputc(',', out);
    if (text)
        csv_write(out, text);
}

static void csv_number(FILE *out, double value, int decimals)
{
    fputc(',', out);
    if (isfinite(value))
        fprintf(out, "%.*f", decimals, value);
}

static void csv_time(FILE *out, int64_t ms)
{
    char text[WHEN_TEXT];

    when_utc(ms, text);
    csv_text(out, text);
}

/* "dog_bark:0.9100 cat:0.0500" */
static void csv_top(FILE *out, const char *text)
{
    json_t *top = top_array(text), *entry;
    size_t i;

    fputc(',', out);
    json_array_foreach(top, i, entry)
    {
        const char *label = json_string_value(json_object_get(entry, "label"));
        fprintf(out, "%s%.47s:%.4f", i ? " " : "", label ? label : "",
                json_number_value(json_object_get(entry, "score")));
    }
    json_decref(top);
}

static void event_csv_line(FILE *out, const struct store_row *r, const uint16_t *embedding, unsigned n)
{
    csv_write(out, r->event_id);
    csv_text(out, r->sound_id);
    csv_text(out, r->label);
    csv_number(out, r->score, 4);
    csv_top(out, r->top);
    csv_text(out, r->source);
    csv_time(out, r->start_ms);
    csv_time(out, r->end_ms);
    csv_number(out, duration_s(r), 3);
    csv_text(out, history_state(r->ended));
    csv_number(out, r->peak_dbfs, 1);
    csv_number(out, r->rms_dbfs, 1);
    fprintf(out, ",%lld,%lld", (long long)r->segments, (long long)r->lost_frames);
    csv_text(out, r->model);
    csv_text(out, r->clip);
    fprintf(out, ",%d,%d", r->notify, r->test);
    if (embedding) {
        fputc(',', out);
        for (unsigned i = 0; i < n; i++)
            fprintf(out, "%s%.6g", i ? " " : "", history_half(embedding[i]));
    }
    fputc('\n', out);
}

static void event_text_line(FILE *out, const struct store_row *r)
{
    char start[WHEN_TEXT];

    when_text(r->start_ms, start);
    fprintf(out, "%s  ", start);
    print_name(out, r->label);
    fprintf(out, "%*s %4.2f %8.1f s", (int)(strlen(r->label) < 24 ? 24 - strlen(r->label) : 0), "", r->score,
            duration_s(r));
    if (isfinite(r->rms_dbfs))
        fprintf(out, " %4.0f dBFS", r->rms_dbfs);
    if (r->test)
        fputs("  test", out);
    if (r->ended == EVENT_GOES_ON)
        fputs("  goes on", out);
    if (r->ended == EVENT_CUT_OFF)
        fputs("  cut off", out);
    if (r->clip) {
        fputs("  ", out);
        print_name(out, r->clip);
    }
    fputc('\n', out);
}

void history_print_event(FILE *out, enum history_format format, const struct store_row *row, const uint16_t *embedding,
                         unsigned n)
{
    if (format == HISTORY_JSON)
        event_json_line(out, row, embedding, n);
    else if (format == HISTORY_CSV)
        event_csv_line(out, row, embedding, n);
    else
        event_text_line(out, row);
}

/* --- levels ---------------------------------------------------------------------------------------------------------------------- */

void history_level_header(FILE *out, enum history_format format)
{
    if (format == HISTORY_CSV)
        fputs("time,interval_s,laeq,lafmax,lcpeak,l10,l50,l90,calibrated,bands\n", out);
    if (format == HISTORY_TEXT)
        fprintf(out, "%-19s %8s %7s %7s %7s %7s %7s %7s\n", "until", "for", "LAeq", "LAFmax", "LCpeak", "L10", "L50",
                "L90");
}

static void level_json_line(FILE *out, const struct store_level *l)
{
    json_t *bands = json_array();

    for (unsigned i = 0; i < l->n_bands; i++)
        json_array_append_new(bands, json_decimal((double)l->bands[i], 2));
    json_t *o = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o}", "time", time_json(l->time_ms),
                          "interval_s", json_decimal(l->interval_s, 3), "laeq", json_decimal((double)l->laeq, 2),
                          "lafmax", json_decimal((double)l->lafmax, 2), "lcpeak", json_decimal((double)l->lcpeak, 2),
                          "l10", json_decimal((double)l->l10, 2), "l50", json_decimal((double)l->l50, 2), "l90",
                          json_decimal((double)l->l90, 2), "calibrated", l->calibrated, "bands",
                          l->n_bands ? json_incref(bands) : json_null());
    json_decref(bands);
    json_dumpf(o, out, JSON_LINE);
    json_decref(o);
    fputc('\n', out);
}

static void level_csv_line(FILE *out, const struct store_level *l)
{
    const float figures[] = {l->laeq, l->lafmax, l->lcpeak, l->l10, l->l50, l->l90};
    char time[WHEN_TEXT];

    when_utc(l->time_ms, time);
    fputs(time, out);
    csv_number(out, l->interval_s, 3);
    for (int i = 0; i < 6; i++)
        csv_number(out, (double)figures[i], 2);
    fprintf(out, ",%d,", l->calibrated);
    for (unsigned i = 0; i < l->n_bands; i++)
        fprintf(out, "%s%.2f", i ? " " : "", (double)l->bands[i]);
    fputc('\n', out);
}

static void level_text_line(FILE *out, const struct store_level *l)
{
    const float figures[] = {l->laeq, l->lafmax, l->lcpeak, l->l10, l->l50, l->l90};
    char time[WHEN_TEXT];

    when_text(l->time_ms, time);
    fprintf(out, "%s %6.0f s", time, l->interval_s);
    for (int i = 0; i < 6; i++)
        if (isfinite(figures[i]))
            fprintf(out, " %7.1f", (double)figures[i]);
        else
            fprintf(out, " %7s", "-");
    fprintf(out, "  %s\n", l->calibrated ? "dB" : "dB re full scale");
}

void history_print_level(FILE *out, enum history_format format, const struct store_level *level)
{
    if (format == HISTORY_JSON)
        level_json_line(out, level);
    else if (format == HISTORY_CSV)
        level_csv_line(out, level);
    else
        level_text_line(out, level);
}
