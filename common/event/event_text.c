#include "event/event_text.h"
#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum value {
    VALUE_LABEL,
    VALUE_SCORE,
    VALUE_EVENT_TYPE,
    VALUE_START,
    VALUE_END,
    VALUE_TIME,
    VALUE_DURATION,
    VALUE_PEAK,
    VALUE_RMS,
    VALUE_SOURCE,
    VALUE_MODEL,
    VALUE_ID,
    VALUE_EVENT_ID,
    VALUE_SOUND_ID,
    VALUE_LATE,
    VALUE_TEST,
    VALUE_NODE,
    VALUE_CLIP,
    VALUE_COUNT
};

const char *const event_text_names[] = {
    [VALUE_LABEL] = "label",
    [VALUE_SCORE] = "score",
    [VALUE_EVENT_TYPE] = "event_type",
    [VALUE_START] = "start",
    [VALUE_END] = "end",
    [VALUE_TIME] = "time",
    [VALUE_DURATION] = "duration_s",
    [VALUE_PEAK] = "peak_dbfs",
    [VALUE_RMS] = "rms_dbfs",
    [VALUE_SOURCE] = "source",
    [VALUE_MODEL] = "model",
    [VALUE_ID] = "id",
    [VALUE_EVENT_ID] = "event_id",
    [VALUE_SOUND_ID] = "sound_id",
    [VALUE_LATE] = "late",
    [VALUE_TEST] = "test",
    [VALUE_NODE] = "node",
    [VALUE_CLIP] = "clip",
    [VALUE_COUNT] = NULL,
};

static void level(char out[EVENT_TEXT_VALUE], float dbfs)
{
    out[0] = '\0';
    if (isfinite(dbfs))
        snprintf(out, EVENT_TEXT_VALUE, "%.1f", (double)dbfs);
}

/* "17:03:21", the box's own time: for people. */
static void clock_time(char out[EVENT_TEXT_VALUE], int64_t utc_ns)
{
    time_t t = (time_t)(utc_ns / 1000000000);
    struct tm tm;

    localtime_r(&t, &tm);
    strftime(out, EVENT_TEXT_VALUE, "%H:%M:%S", &tm);
}

void event_text_value(const struct event *e, const char *node, size_t i, char out[EVENT_TEXT_VALUE])
{
    bool heard = e->type != EVENT_START;
    const char *value = NULL;

    out[0] = '\0';
    switch ((enum value)i) {
    case VALUE_LABEL:
        value = e->label;
        break;
    case VALUE_SCORE:
        snprintf(out, EVENT_TEXT_VALUE, "%.2f", (double)e->score);
        break;
    case VALUE_EVENT_TYPE:
        value = event_type_name(e->type);
        break;
    case VALUE_START:
        rfc3339_utc(out, e->start_ns);
        break;
    case VALUE_END:
        if (heard)
            rfc3339_utc(out, e->end_ns);
        break;
    case VALUE_TIME:
        clock_time(out, heard ? e->end_ns : e->start_ns);
        break;
    case VALUE_DURATION:
        if (heard)
            snprintf(out, EVENT_TEXT_VALUE, "%.1f", (double)(e->end_ns - e->start_ns) * 1e-9);
        break;
    case VALUE_PEAK:
        level(out, e->peak_dbfs);
        break;
    case VALUE_RMS:
        level(out, e->rms_dbfs);
        break;
    case VALUE_SOURCE:
        value = e->source;
        break;
    case VALUE_MODEL:
        value = e->model;
        break;
    case VALUE_ID:
        value = e->id;
        break;
    case VALUE_EVENT_ID:
        value = e->event_id;
        break;
    case VALUE_SOUND_ID:
        value = e->sound_id;
        break;
    case VALUE_LATE:
        value = e->late ? "true" : "false";
        break;
    case VALUE_TEST:
        value = e->test ? "true" : "false";
        break;
    case VALUE_NODE:
        value = node;
        break;
    case VALUE_CLIP:
        value = e->clip;
        break;
    case VALUE_COUNT:
        break;
    }
    if (value)
        snprintf(out, EVENT_TEXT_VALUE, "%s", value);
}

/* The name that begins at p, behind "${"; its length with the }. -1: none. */
static long find_name(const char *p, size_t *length)
{
    size_t n = strcspn(p, "}");

    for (long i = 0; p[n] && event_text_names[i]; i++)
        if (strlen(event_text_names[i]) == n && memcmp(event_text_names[i], p, n) == 0) {
            *length = n + 1;
            return i;
        }
    return -1;
}

int event_text_check(const char *template, struct err *err)
{
    char list[256] = "";
    size_t n, used = 0;

    for (const char *p = template; (p = strchr(p, '$')); p += n) {
        n = 2;
        if (p[1] == '$' || (p[1] == '{' && find_name(p + 2, &n) >= 0)) {
            n += p[1] == '{' ? 2 : 0;
            continue;
        }
        for (size_t i = 0; event_text_names[i] && used < sizeof list; i++)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", event_text_names[i]);
        return err_set(err, "\"%.24s\" is no value of an event; allowed: ${NAME} with NAME one of %s; $$ for a $", p,
                       list);
    }
    return 0;
}

static void escaped(const char *value, enum event_text_escape escape, char out[3 * EVENT_TEXT_VALUE + 1])
{
    static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    bool utf8 = text_is_utf8(value, strlen(value));
    char *o = out;

    for (; *value; value++) {
        unsigned char c = (unsigned char)*value;
        if (escape == EVENT_TEXT_FORM && !strchr(unreserved, c))
            o += sprintf(o, "%%%02X", c);
        else if (escape == EVENT_TEXT_JSON && (c == '"' || c == '\\'))
            o += sprintf(o, "\\%c", c);
        else if (c < ' ' || c == 0x7f || (c > 0x7f && !utf8)) /* a name of a device may hold anything */
            *o++ = ' ';
        else
            *o++ = (char)c;
    }
    *o = '\0';
}

int event_text(const char *template, const struct event *e, const char *node, enum event_text_escape escape, char *out,
               size_t size)
{
    char value[EVENT_TEXT_VALUE], safe[3 * EVENT_TEXT_VALUE + 1];
    size_t used = 0;

    if (event_text_check(template, NULL) < 0)
        return -1;
    for (const char *p = template; *p;) {
        size_t n = strcspn(p, "$"), m;
        const char *piece = p;
        if (n == 0 && p[1] == '$') {
            n = 1;
            p += 2;
        } else if (n == 0) {
            event_text_value(e, node, (size_t)find_name(p + 2, &m), value);
            escaped(value, escape, safe);
            piece = safe;
            n = strlen(safe);
            p += 2 + m;
        } else {
            p += n;
        }
        if (used + n >= size)
            return -1;
        memcpy(out + used, piece, n);
        used += n;
    }
    out[used] = '\0';
    return (int)used;
}
