#include "daemon/alarms.h"

#include "base/clock.h"
#include "base/json.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct alarms {
    struct output output; /* first: what the daemon holds */
    pthread_mutex_t
        lock; /* held for a few comparisons and copies, never for a system call: the worker may wait for it */
    struct alarm kept[ALARMS_KEPT]; /* oldest first */
    size_t n;
    uint64_t changes, written;   /* of what is to be kept over a restart */
    char (*calling)[LABEL_SIZE]; /* [n_calling]: labels of alarms */
    size_t n_calling;
};

static bool calls(const struct alarms *a, const char *label)
{
    for (size_t i = 0; i < a->n_calling; i++)
        if (strcmp(a->calling[i], label) == 0)
            return true;
    return false;
}

/* Makes room: the oldest that nobody has to see any more (tests are none that one has to), or the oldest of all. */
static void forget_one(struct alarms *a)
{
    size_t i = 0;

    while (i < a->n && a->kept[i].alarm && !a->kept[i].acknowledged && !a->kept[i].test)
        i++;
    i = i < a->n ? i : 0;
    memmove(&a->kept[i], &a->kept[i + 1], (a->n - i - 1) * sizeof *a->kept);
    a->n--;
}

static void begin(struct alarms *a, const struct event *event)
{
    if (a->n == ALARMS_KEPT)
        forget_one(a);
    struct alarm *place = &a->kept[a->n++];
    *place = (struct alarm){.start_ns = event->start_ns, .score = event->score, .test = event->test};
    memcpy(place->event_id, event->event_id, sizeof place->event_id);
    memcpy(place->label, event->label, sizeof place->label);
    place->alarm = event->notify && calls(a, event->label); /* what is held back calls nobody */
    a->changes += place->alarm && !place->test;
}

static void on_event(struct output *o, const struct event *event)
{
    struct alarms *a = (struct alarms *)o;

    pthread_mutex_lock(&a->lock);
    if (event->type == EVENT_START)
        begin(a, event);
    for (size_t i = a->n; i-- > 0 && event->type != EVENT_START;)
        if (strcmp(a->kept[i].event_id, event->event_id) == 0) {
            a->kept[i].score = event->score;
            a->kept[i].ended = event->type == EVENT_END;
            break;
        }
    pthread_mutex_unlock(&a->lock);
}

static void on_labels(struct output *o, const struct output_label *labels, size_t n)
{
    struct alarms *a = (struct alarms *)o;
    char(*fresh)[LABEL_SIZE] = calloc(n ? n : 1, sizeof *fresh);
    size_t used = 0;

    if (!fresh)
        return;
    for (size_t i = 0; i < n; i++)
        if (labels[i].alarm)
            memcpy(fresh[used++], labels[i].label, sizeof *fresh);
    pthread_mutex_lock(&a->lock);
    char(*old)[LABEL_SIZE] = a->calling;
    a->calling = fresh;
    a->n_calling = used;
    pthread_mutex_unlock(&a->lock);
    free(old);
}

static void stop(struct output *o, double flush_s)
{
    struct alarms *a = (struct alarms *)o;

    (void)flush_s;
    pthread_mutex_destroy(&a->lock);
    free(a->calling);
    free(a);
}

struct output *output_alarms_new(void)
{
    struct alarms *a = calloc(1, sizeof *a);

    if (!a)
        return NULL;
    pthread_mutex_init(&a->lock, NULL);
    a->output =
        (struct output){.name = "alarms", .internal = true, .event = on_event, .labels = on_labels, .stop = stop};
    return &a->output;
}

size_t alarms_list(struct output *alarms, struct alarm out[ALARMS_KEPT])
{
    struct alarms *a = (struct alarms *)alarms;

    pthread_mutex_lock(&a->lock);
    size_t n = a->n;
    for (size_t i = 0; i < n; i++)
        out[i] = a->kept[n - 1 - i];
    pthread_mutex_unlock(&a->lock);
    return n;
}

void alarms_put(struct output *alarms, const struct alarm *one)
{
    struct alarms *a = (struct alarms *)alarms;

    pthread_mutex_lock(&a->lock);
    if (a->n == ALARMS_KEPT)
        forget_one(a);
    a->kept[a->n++] = *one;
    a->changes++;
    pthread_mutex_unlock(&a->lock);
}

uint64_t alarms_changes(struct output *alarms)
{
    struct alarms *a = (struct alarms *)alarms;

    pthread_mutex_lock(&a->lock);
    uint64_t changes = a->changes;
    pthread_mutex_unlock(&a->lock);
    return changes;
}

void alarms_written(struct output *alarms, uint64_t changes)
{
    struct alarms *a = (struct alarms *)alarms;

    a->written = changes; /* the thread that saves alone looks at it */
}

bool alarms_is_written(struct output *alarms, uint64_t changes)
{
    return ((struct alarms *)alarms)->written == changes;
}

/* i = 0: the newest. */
static struct alarm *nth(struct alarms *a, size_t i)
{
    return &a->kept[a->n - 1 - i];
}

static size_t mark(struct alarms *a, const char *what)
{
    bool all = strcmp(what, "all") == 0;
    size_t found = 0;

    for (size_t i = 0; i < a->n; i++) {
        struct alarm *one = nth(a, i);
        if (all || strcmp(one->label, what) == 0 || strcmp(one->event_id, what) == 0) {
            a->changes += one->alarm && !one->acknowledged && !one->test;
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
