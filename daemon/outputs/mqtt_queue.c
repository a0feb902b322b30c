#include "base/clock.h"
#include "daemon/outputs/mqtt_queue_internal.h"
#include "model/policy.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct mqtt_queue *mqtt_queue_new(size_t capacity, const char *const *labels, size_t n_labels)
{
    struct mqtt_queue *q = calloc(1, sizeof *q);
    if (!q)
        return NULL;
    pthread_mutex_init(&q->lock, NULL);
    q->capacity = capacity > MQTT_QUEUE_MIN ? capacity : MQTT_QUEUE_MIN;
    q->slots = calloc(q->capacity, sizeof *q->slots);
    q->labels = calloc(MQTT_LABELS_MOST, sizeof *q->labels);
    if (!q->slots || !q->labels) {
        mqtt_queue_free(q);
        return NULL;
    }
    /* slots are linked into the free list when first used, so that an idle queue's pages stay untouched */
    q->oldest = q->newest = q->waiting = NONE;
    mqtt_queue_relabel(q, labels, n_labels);
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

void mqtt_queue_set_due(struct mqtt_queue *q, size_t label)
{
    q->figures.due += !q->labels[label].due;
    q->labels[label].due = true;
}

static bool among(const char *name, const char *const *labels, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(labels[i], name) == 0)
            return true;
    return false;
}

void mqtt_queue_relabel(struct mqtt_queue *q, const char *const *labels, size_t n)
{
    pthread_mutex_lock(&q->lock);
    for (size_t i = 0; i < q->n_labels; i++) {
        struct label *l = &q->labels[i];
        bool gone = !among(l->name, labels, n);
        if (gone != l->gone)
            mqtt_queue_set_due(q, i);
        if (gone)
            l->heard = l->tested = false;
        l->gone = gone;
    }
    for (size_t i = 0; i < n && q->n_labels < MQTT_LABELS_MOST; i++) {
        if (label_is_silence(labels[i]) || find_label(q, labels[i]) != NONE) /* the former is never on */
            continue;
        strncpy(q->labels[q->n_labels++].name, labels[i], LABEL_SIZE - 1);
        if (q->online)
            mqtt_queue_set_due(q, q->n_labels - 1);
    }
    pthread_mutex_unlock(&q->lock);
}

static void unlink_slot(struct mqtt_queue *q, size_t i)
{
    struct slot *s = &q->slots[i];

    *(s->prev == NONE ? &q->oldest : &q->slots[s->prev].next) = s->next;
    *(s->next == NONE ? &q->newest : &q->slots[s->next].prev) = s->prev;
    if (q->waiting == i)
        q->waiting = s->next;
}

void mqtt_queue_remove(struct mqtt_queue *q, size_t i)
{
    struct slot *s = &q->slots[i];

    unlink_slot(q, i);
    s->next = q->free;
    q->free = i + 1; /* 0: the list is empty */
    q->figures.queued--;
    q->figures.saved -= s->seq > 0;
}

/* Who is to make room: see the header. There is always one that waits (MQTT_QUEUE_MIN). */
static size_t least(const struct mqtt_queue *q)
{
    size_t unsaved = NONE;

    for (size_t i = q->waiting; i != NONE; i = q->slots[i].next) {
        const struct slot *s = &q->slots[i];
        if (s->seq)
            continue;
        if (s->event.type == EVENT_UPDATE)
            return i;
        if (unsaved == NONE)
            unsaved = i;
        if (!q->updates)
            break;
    }
    return unsaved != NONE ? unsaved : q->waiting;
}

static void drop_one(struct mqtt_queue *q)
{
    size_t i = least(q);
    struct slot *s = &q->slots[i];

    if (s->event.type == EVENT_UPDATE)
        q->updates--;
    if (s->message && !s->seq) /* else it is still on the disk, or says nothing */
        ++*(s->event.type == EVENT_UPDATE ? &q->figures.dropped_updates : &q->figures.dropped_events);
    if (s->state >= 0) /* the change that it would have told is told by the state itself */
        mqtt_queue_set_due(q, s->label);
    mqtt_queue_remove(q, i);
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

/* Fills a slot and puts it before slot `next`, which waits (NONE: at the end). */
void mqtt_queue_insert(struct mqtt_queue *q, size_t i, size_t next)
{
    struct slot *s = &q->slots[i];

    s->next = next;
    s->prev = next == NONE ? q->newest : q->slots[next].prev;
    *(s->prev == NONE ? &q->oldest : &q->slots[s->prev].next) = i;
    *(next == NONE ? &q->newest : &q->slots[next].prev) = i;
    if (q->waiting == next)
        q->waiting = i;
}

size_t mqtt_queue_fill(struct mqtt_queue *q, const struct event *event, bool message, int64_t seq)
{
    size_t i = take_slot(q);
    struct slot *s = &q->slots[i];

    s->event = *event;
    s->number = q->number;
    s->label = NONE;
    s->state = -1;
    s->message = message;
    s->seq = seq;
    s->put_ns = clock_ns(CLOCK_MONOTONIC);
    s->utc_ns = clock_ns(CLOCK_REALTIME);
    q->updates += event->type == EVENT_UPDATE;
    q->figures.queued++;
    q->figures.saved += seq > 0;
    return i;
}

static enum mqtt_state state_of(const struct label *l)
{
    return l->gone ? MQTT_GONE : l->heard ? MQTT_ON : l->tested ? MQTT_TEST : MQTT_OFF;
}

/* What the event makes of its label's state, or -1 for no change. */
static int apply(struct label *l, const struct event *event)
{
    enum mqtt_state before = state_of(l);

    *(event->test ? &l->tested : &l->heard) = event->type != EVENT_END;
    enum mqtt_state after = state_of(l);
    return before == after ? -1 : (int)after;
}

bool mqtt_queue_put(struct mqtt_queue *q, const struct event *event, int64_t seq)
{
    pthread_mutex_lock(&q->lock);
    q->number++;
    size_t label = find_label(q, event->label);
    int state = label == NONE || q->labels[label].gone ? -1 : apply(&q->labels[label], event);
    bool room = seq <= 0 || q->figures.saved < WINDOW_OF(q->capacity);
    bool message = event->notify && seq >= 0 && room;
    if (message || (state >= 0 && q->online && !event->notify)) {
        size_t i = mqtt_queue_fill(q, event, message, message ? seq : 0);
        q->slots[i].label = label;
        q->slots[i].state = state;
        mqtt_queue_insert(q, i, NONE);
    } else if (state >= 0 && q->online) { /* its message comes later: the present does not wait for it */
        mqtt_queue_set_due(q, label);
    }
    pthread_mutex_unlock(&q->lock);
    return room || !event->notify;
}

void mqtt_queue_online(struct mqtt_queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->online = true;
    for (size_t i = 0; i < q->n_labels; i++)
        if (!q->labels[i].gone)
            mqtt_queue_set_due(q, i);
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
            mqtt_queue_remove(q, i); /* its state is told by the next connection */
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
        bool stale = s->state >= 0 && (q->labels[s->label].gone || s->number <= q->labels[s->label].published);
        item->event = s->event;
        item->message = s->message;
        item->state = stale ? -1 : s->state;
        item->label = s->label;
        item->slot = i;
        item->utc_ns = s->utc_ns + clock_ns(CLOCK_MONOTONIC) - s->put_ns;
        q->waiting = s->next;
        q->updates -= s->event.type == EVENT_UPDATE;
        if (!s->message)
            mqtt_queue_remove(q, i);
    }
    pthread_mutex_unlock(&q->lock);
    return i != NONE;
}

int64_t mqtt_queue_done(struct mqtt_queue *q, size_t slot)
{
    pthread_mutex_lock(&q->lock);
    int64_t seq = q->slots[slot].seq;
    mqtt_queue_remove(q, slot);
    pthread_mutex_unlock(&q->lock);
    return seq;
}

void mqtt_queue_rewind(struct mqtt_queue *q)
{
    pthread_mutex_lock(&q->lock);
    for (size_t i = q->oldest; i != q->waiting; i = q->slots[i].next) {
        q->slots[i].state = -1; /* was told */
        q->updates += q->slots[i].event.type == EVENT_UPDATE;
    }
    q->waiting = q->oldest;
    pthread_mutex_unlock(&q->lock);
}

const char *mqtt_queue_label(const struct mqtt_queue *q, size_t label)
{
    return q->labels[label].name;
}

bool mqtt_queue_has_label(struct mqtt_queue *q, const char *name)
{
    pthread_mutex_lock(&q->lock);
    size_t i = find_label(q, name);
    bool has = i != NONE && !q->labels[i].gone;
    pthread_mutex_unlock(&q->lock);
    return has;
}

void mqtt_queue_figures(struct mqtt_queue *q, struct mqtt_figures *out)
{
    pthread_mutex_lock(&q->lock);
    *out = q->figures;
    pthread_mutex_unlock(&q->lock);
}
