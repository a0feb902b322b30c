#include "daemon/outputs/mqtt_queue.h"
#include "model/policy.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define NONE SIZE_MAX

struct slot {
    struct event event;
    uint64_t number; /* of the put, rising */
    size_t label;    /* NONE: the model has no such label (`unknown`) */
    int state;       /* as in mqtt_item */
    bool message;
    size_t prev, next; /* in order of age; `next` also links free slots */
};

struct label {
    char name[LABEL_SIZE];
    bool heard, tested;
    bool due;           /* its present state is to be published */
    uint64_t published; /* number of the last put when the present state was published: older events say nothing new */
};

struct mqtt_queue {
    pthread_mutex_t lock;
    struct slot *slots;
    size_t capacity;
    size_t oldest, newest; /* of all */
    size_t waiting;        /* the oldest that is not with the broker; younger ones are not either */
    size_t free;
    bool online;
    size_t updates; /* waiting ones: saves a search where there is none */
    uint64_t number;
    struct label *labels;
    size_t n_labels;
    struct mqtt_figures figures;
};

struct mqtt_queue *mqtt_queue_new(size_t capacity, const char *const *labels, size_t n_labels)
{
    struct mqtt_queue *q = calloc(1, sizeof *q);
    if (!q)
        return NULL;
    pthread_mutex_init(&q->lock, NULL);
    q->capacity = capacity > MQTT_QUEUE_MIN ? capacity : MQTT_QUEUE_MIN;
    q->slots = calloc(q->capacity, sizeof *q->slots);
    q->labels = calloc(n_labels + 1, sizeof *q->labels);
    if (!q->slots || !q->labels) {
        mqtt_queue_free(q);
        return NULL;
    }
    /* slots are linked into the free list when first used, so that an idle queue's pages stay untouched */
    q->oldest = q->newest = q->waiting = NONE;
    for (size_t i = 0; i < n_labels; i++)
        if (!label_is_silence(labels[i])) /* never on */
            strncpy(q->labels[q->n_labels++].name, labels[i], LABEL_SIZE - 1);
    return q;
}

void mqtt_queue_free(struct mqtt_queue *q)
{
    if (!q)
        return;
    pthread_mutex_destroy(&q->lock);
    free(q->labels);
    free(q->slots);
    free(q);
}

static size_t find_label(const struct mqtt_queue *q, const char *name)
{
    for (size_t i = 0; i < q->n_labels; i++)
        if (strcmp(q->labels[i].name, name) == 0)
            return i;
    return NONE;
}

static void set_due(struct mqtt_queue *q, size_t label)
{
    q->figures.due += !q->labels[label].due;
    q->labels[label].due = true;
}

static void remove_slot(struct mqtt_queue *q, size_t i)
{
    struct slot *s = &q->slots[i];

    *(s->prev == NONE ? &q->oldest : &q->slots[s->prev].next) = s->next;
    *(s->next == NONE ? &q->newest : &q->slots[s->next].prev) = s->prev;
    if (q->waiting == i)
        q->waiting = s->next;
    s->next = q->free;
    q->free = i + 1; /* 0: the list is empty */
    q->figures.queued--;
}

/* Makes room: see the header for who goes first. */
static void drop_one(struct mqtt_queue *q)
{
    size_t i = q->waiting;

    if (q->updates)
        while (q->slots[i].event.type != EVENT_UPDATE)
            i = q->slots[i].next;

    struct slot *s = &q->slots[i];
    if (s->event.type == EVENT_UPDATE) {
        q->updates--;
        q->figures.dropped_updates++;
    } else if (s->message) {
        q->figures.dropped_events++;
    }
    if (s->state >= 0) /* the change that it would have told is told by the state itself */
        set_due(q, s->label);
    remove_slot(q, i);
}

static size_t take_slot(struct mqtt_queue *q)
{
    if (q->figures.queued == q->capacity)
        drop_one(q);
    if (!q->free)
        return q->figures.queued; /* never used before: slots are first handed out in order */
    size_t i = q->free - 1;
    q->free = q->slots[i].next;
    return i;
}

static void append(struct mqtt_queue *q, const struct event *event, size_t label, int state)
{
    size_t i = take_slot(q);
    struct slot *s = &q->slots[i];

    s->event = *event;
    s->number = q->number;
    s->label = label;
    s->state = state;
    s->message = event->notify;
    s->prev = q->newest;
    s->next = NONE;
    *(q->newest == NONE ? &q->oldest : &q->slots[q->newest].next) = i;
    q->newest = i;
    if (q->waiting == NONE)
        q->waiting = i;
    q->updates += event->type == EVENT_UPDATE;
    q->figures.queued++;
}

static enum mqtt_state state_of(const struct label *l)
{
    return l->heard ? MQTT_ON : l->tested ? MQTT_TEST : MQTT_OFF;
}

/* What the event makes of its label's state, or -1 for no change. */
static int apply(struct label *l, const struct event *event)
{
    enum mqtt_state before = state_of(l);

    *(event->test ? &l->tested : &l->heard) = event->type != EVENT_END;
    enum mqtt_state after = state_of(l);
    return before == after ? -1 : (int)after;
}

void mqtt_queue_put(struct mqtt_queue *q, const struct event *event)
{
    size_t label = find_label(q, event->label);

    pthread_mutex_lock(&q->lock);
    q->number++;
    int state = label == NONE ? -1 : apply(&q->labels[label], event);
    if (event->notify || (state >= 0 && q->online))
        append(q, event, label, state);
    pthread_mutex_unlock(&q->lock);
}

void mqtt_queue_online(struct mqtt_queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->online = true;
    for (size_t i = 0; i < q->n_labels; i++)
        set_due(q, i);
    pthread_mutex_unlock(&q->lock);
}

void mqtt_queue_offline(struct mqtt_queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->online = false;
    q->waiting = q->oldest;
    q->updates = 0;
    for (size_t i = q->oldest, next; i != NONE; i = next) {
        next = q->slots[i].next;
        if (!q->slots[i].message)
            remove_slot(q, i); /* its state is told by the next connection */
        else
            q->updates += q->slots[i].event.type == EVENT_UPDATE;
    }
    pthread_mutex_unlock(&q->lock);
}

bool mqtt_queue_next_state(struct mqtt_queue *q, size_t *label, enum mqtt_state *state)
{
    bool found = false;

    pthread_mutex_lock(&q->lock);
    for (size_t i = 0; q->figures.due && i < q->n_labels && !found; i++) {
        struct label *l = &q->labels[i];
        if (!l->due)
            continue;
        l->due = false;
        q->figures.due--;
        l->published = q->number;
        *label = i;
        *state = state_of(l);
        found = true;
    }
    pthread_mutex_unlock(&q->lock);
    return found;
}

bool mqtt_queue_next(struct mqtt_queue *q, struct mqtt_item *item)
{
    pthread_mutex_lock(&q->lock);
    size_t i = q->waiting;
    if (i != NONE) {
        const struct slot *s = &q->slots[i];
        bool stale = s->state >= 0 && s->number <= q->labels[s->label].published;
        item->event = s->event;
        item->message = s->message;
        item->state = stale ? -1 : s->state;
        item->label = s->label;
        item->slot = i;
        q->waiting = s->next;
        q->updates -= s->event.type == EVENT_UPDATE;
        if (!s->message)
            remove_slot(q, i);
    }
    pthread_mutex_unlock(&q->lock);
    return i != NONE;
}

void mqtt_queue_done(struct mqtt_queue *q, size_t slot)
{
    pthread_mutex_lock(&q->lock);
    remove_slot(q, slot);
    pthread_mutex_unlock(&q->lock);
}

const char *mqtt_queue_label(const struct mqtt_queue *q, size_t label)
{
    return q->labels[label].name;
}

bool mqtt_queue_has_label(const struct mqtt_queue *q, const char *name)
{
    return find_label(q, name) != NONE;
}

void mqtt_queue_figures(struct mqtt_queue *q, struct mqtt_figures *out)
{
    pthread_mutex_lock(&q->lock);
    *out = q->figures;
    pthread_mutex_unlock(&q->lock);
}
