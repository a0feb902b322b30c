#include "base/json.h"
#include "event/event.h"

#include <string.h>

#define PAYLOAD_TOP 3
#define MS          1000000

static json_t *time_text(int64_t utc_ns)
{
    char text[RFC3339_SIZE];

    rfc3339_utc(text, utc_ns);
    return json_string(text);
}

static json_t *top_array(const struct event *e)
{
    json_t *top = json_array();

    for (unsigned i = 0; i < e->n_top && i < EVENT_TOP && i < PAYLOAD_TOP; i++)
        json_array_append_new(top, json_pack("{s:o, s:o}", "label", json_text(e->top[i].label), "score",
                                             json_decimal(e->top[i].score, 4)));
    return top;
}

/* Of the times as they are told: end less start, to the millisecond. */
static double duration_s(const struct event *e)
{
    int64_t start = e->start_ns / MS - (e->start_ns % MS < 0), end = e->end_ns / MS - (e->end_ns % MS < 0);
    return (double)(end - start) / 1e3;
}

/* json_object_set_new refuses a NULL value and a NULL object, so that a failed allocation shows as a key that
 * is missing; event_json counts them. */
static json_t *event_object(const struct event *e)
{
    json_t *o = json_object();
    bool heard = e->type != EVENT_START;

    json_object_set_new(o, "schema", json_integer(1));
    json_object_set_new(o, "id", json_text(e->id));
    json_object_set_new(o, "event_type", json_string(event_type_name(e->type)));
    json_object_set_new(o, "event_id", json_text(e->event_id));
    json_object_set_new(o, "sound_id", json_text(e->sound_id));
    json_object_set_new(o, "label", json_text(e->label));
    json_object_set_new(o, "score", json_decimal(e->score, 4));
    json_object_set_new(o, "top", top_array(e));
    json_object_set_new(o, "source", json_text(e->source));
    json_object_set_new(o, "start", time_text(e->start_ns));
    json_object_set_new(o, "end", heard ? time_text(e->end_ns) : json_null());
    json_object_set_new(o, "duration_s", heard ? json_decimal(duration_s(e), 3) : json_null());
    json_object_set_new(o, "peak_dbfs", json_decimal(e->peak_dbfs, 1));
    json_object_set_new(o, "rms_dbfs", json_decimal(e->rms_dbfs, 1));
    json_object_set_new(o, "segments", json_integer(e->segments));
    json_object_set_new(o, "model", json_text(e->model));
    json_object_set_new(o, "clip", *e->clip ? json_text(e->clip) : json_null());
    json_object_set_new(o, "lost_frames", json_integer((json_int_t)e->lost_frames));
    json_object_set_new(o, "late", json_boolean(e->late));
    json_object_set_new(o, "test", json_boolean(e->test));
    return o;
}
#define PAYLOAD_KEYS 20

int event_json(const struct event *event, char *out, size_t size)
{
    json_t *o = event_object(event);
    size_t n = 0;

    if (json_object_size(o) == PAYLOAD_KEYS)
        n = json_dumpb(o, out, size, JSON_LINE); /* the length it needs, even where it did not fit */
    json_decref(o);
    if (n == 0 || n >= size)
        return -1;
    out[n] = '\0';
    return (int)n;
}
