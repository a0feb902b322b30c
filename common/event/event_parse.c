#include "base/json.h"
#include "event/event.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MS 1000000

static bool text(const json_t *o, const char *key, char *out, size_t size)
{
    const char *value = json_string_value(json_object_get(o, key));

    if (!value || strlen(value) >= size)
        return false;
    strcpy(out, value);
    return true;
}

/* "2026-11-21T09:25:00.123Z" */
static bool when(const json_t *o, const char *key, int64_t *ns)
{
    const char *value = json_string_value(json_object_get(o, key)), *end;
    struct tm tm = {0};
    int ms, n = 0;

    if (!value || !(end = strptime(value, "%Y-%m-%dT%H:%M:%S", &tm)) || sscanf(end, ".%3dZ%n", &ms, &n) != 1 ||
        n != 5 || ms < 0)
        return false;
    *ns = ((int64_t)timegm(&tm) * 1000 + ms) * MS;
    return true;
}

static float decimal(const json_t *o, const char *key)
{
    const json_t *value = json_object_get(o, key);
    return json_is_number(value) ? (float)json_number_value(value) : NAN;
}

static bool type(const json_t *o, enum event_type *out)
{
    const char *value = json_string_value(json_object_get(o, "event_type"));

    for (enum event_type t = EVENT_START; t <= EVENT_END; t++)
        if (value && strcmp(value, event_type_name(t)) == 0) {
            *out = t;
            return true;
        }
    return false;
}

static bool top(const json_t *o, struct event *e)
{
    json_t *list = json_object_get(o, "top");

    e->n_top = (unsigned)json_array_size(list);
    for (unsigned i = 0; i < e->n_top && i < EVENT_TOP; i++) {
        const json_t *entry = json_array_get(list, i);
        if (!text(entry, "label", e->top[i].label, sizeof e->top[i].label))
            return false;
        e->top[i].score = decimal(entry, "score");
    }
    return json_is_array(list) && e->n_top <= EVENT_TOP;
}

static bool fill(const json_t *o, struct event *e)
{
    json_int_t segments = json_integer_value(json_object_get(o, "segments"));

    if (json_integer_value(json_object_get(o, "schema")) != 1 || !type(o, &e->type) ||
        !text(o, "id", e->id, sizeof e->id) || !text(o, "event_id", e->event_id, sizeof e->event_id) ||
        !text(o, "sound_id", e->sound_id, sizeof e->sound_id) || !text(o, "label", e->label, sizeof e->label) ||
        !text(o, "source", e->source, sizeof e->source) || !text(o, "model", e->model, sizeof e->model) ||
        !when(o, "start", &e->start_ns) || !top(o, e) || segments < 0 || segments > UINT32_MAX)
        return false;
    if (e->type != EVENT_START && !when(o, "end", &e->end_ns))
        return false;
    if (e->type == EVENT_START)
        e->end_ns = e->start_ns;
    if (!json_is_null(json_object_get(o, "clip")) && !text(o, "clip", e->clip, sizeof e->clip))
        return false;
    e->score = decimal(o, "score");
    e->peak_dbfs = decimal(o, "peak_dbfs");
    e->rms_dbfs = decimal(o, "rms_dbfs");
    e->segments = (uint32_t)segments;
    e->lost_frames = (uint64_t)json_integer_value(json_object_get(o, "lost_frames"));
    e->late = json_is_true(json_object_get(o, "late"));
    e->test = json_is_true(json_object_get(o, "test"));
    e->notify = true;
    return true;
}

int event_parse(const char *payload, size_t size, struct event *out)
{
    json_t *o = json_loadb(payload, size, 0, NULL);

    *out = (struct event){0};
    bool good = json_is_object(o) && fill(o, out);
    json_decref(o);
    return good ? 0 : -1;
}
