#include "daemon/alarms.h"

#include "base/clock.h"
#include "base/json.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct alarm {
    char event_id[UUID_SIZE], label[LABEL_SIZE];
    int64_t start_ns;
    bool acknowledged;
};

struct alarms {
    struct output output; /* first: what the daemon holds */
    pthread_mutex_t
        lock; /* held for a few comparisons and copies, never for a system call: the worker may wait for it */
    struct alarm kept[ALARMS_KEPT];
    size_t next, n; /* a ring: `next` is written next */
};

static void on_event(struct output *o, const struct event *event)
{
    struct alarms *a = (struct alarms *)o;

    if (event->type != EVENT_START || event->test)
        return;
    pthread_mutex_lock(&a->lock);
    struct alarm *place = &a->kept[a->next];
    memcpy(place->event_id, event->event_id, sizeof place->event_id);
    memcpy(place->label, event->label, sizeof place->label);
    place->start_ns = event->start_ns;
    place->acknowledged = false;
    a->next = (a->next + 1) % ALARMS_KEPT;
    a->n += a->n < ALARMS_KEPT;
    pthread_mutex_unlock(&a->lock);
}

static void stop(struct output *o, double flush_s)
{
    struct alarms *a = (struct alarms *)o;

    (void)flush_s;
    pthread_mutex_destroy(&a->lock);
    free(a);
}

struct output *output_alarms_new(void)
{
    struct alarms *a = calloc(1, sizeof *a);

    if (!a)
        return NULL;
    pthread_mutex_init(&a->lock, NULL);
    a->output = (struct output){.name = "alarms", .internal = true, .event = on_event, .stop = stop};
    return &a->output;
}

/* i = 0: the newest. */
static struct alarm *nth(struct alarms *a, size_t i)
{
    return &a->kept[(a->next + ALARMS_KEPT - 1 - i) % ALARMS_KEPT];
}

static size_t mark(struct alarms *a, const char *what)
{
    bool all = strcmp(what, "all") == 0;
    size_t found = 0;

    for (size_t i = 0; i < a->n; i++) {
        struct alarm *one = nth(a, i);
        if (all || strcmp(one->label, what) == 0 || strcmp(one->event_id, what) == 0) {
            one->acknowledged = true;
            found++;
        }
    }
    return all ? 1 : found;
}

char *alarms_acknowledge(struct output *alarms, const char *what, struct err *err)
{
    struct alarms *a = (struct alarms *)alarms;
    char time[RFC3339_SIZE];
    json_t *o = json_object(), *events = json_array();

    pthread_mutex_lock(&a->lock);
    size_t found = mark(a, what);
    for (size_t i = 0; found && i < a->n; i++) {
        const struct alarm *one = nth(a, i);
        if (!one->acknowledged)
            continue;
        rfc3339_utc(time, one->start_ns);
        json_array_append_new(
            events, json_pack("{s:s, s:s, s:s}", "event_id", one->event_id, "label", one->label, "start", time));
    }
    pthread_mutex_unlock(&a->lock);
    rfc3339_utc(time, clock_ns(CLOCK_REALTIME));
    json_object_set_new(o, "time", json_string(time));
    json_object_set_new(o, "value", json_text(what));
    json_object_set_new(o, "events", events);
    char *text = found ? json_dumps(o, JSON_LINE) : NULL;
    json_decref(o);
    if (!found)
        err_set(err,
                "no sound \"%.48s\" started lately; allowed: all, a label, or an event_id of one of the last %d sounds",
                what, ALARMS_KEPT);
    else if (!text)
        err_set(err, "no memory");
    return text;
}
