#include "daemon/outputs/mqtt_queue_internal.h"

#include <string.h>

static size_t find_id(const struct mqtt_queue *q, const char *id)
{
    for (size_t i = q->oldest; i != NONE; i = q->slots[i].next)
        if (q->slots[i].message && strcmp(q->slots[i].event.id, id) == 0)
            return i;
    return NONE;
}

static void set_seq(struct mqtt_queue *q, size_t i, int64_t seq)
{
    q->figures.saved += q->slots[i].seq == 0;
    q->slots[i].seq = seq;
}

/* The first that waits and is not in the outbox: it is younger than all that is. */
static size_t first_unsaved(const struct mqtt_queue *q)
{
    size_t i = q->waiting;

    while (i != NONE && (q->slots[i].seq || !q->slots[i].message))
        i = q->slots[i].next;
    return i;
}

bool mqtt_queue_replay(struct mqtt_queue *q, const struct event *event, int64_t seq)
{
    pthread_mutex_lock(&q->lock);
    size_t known = find_id(q, event->id);
    bool room = known != NONE || q->figures.saved < WINDOW_OF(q->capacity);
    if (known != NONE) {
        set_seq(q, known, seq);
    } else if (room) {
        size_t i = mqtt_queue_fill(q, event, true, seq);
        mqtt_queue_insert(q, i, first_unsaved(q));
    }
    pthread_mutex_unlock(&q->lock);
    return room;
}

bool mqtt_queue_wants(struct mqtt_queue *q)
{
    pthread_mutex_lock(&q->lock);
    bool wants = q->figures.saved <= WINDOW_OF(q->capacity) / 2;
    pthread_mutex_unlock(&q->lock);
    return wants;
}

bool mqtt_queue_pending(struct mqtt_queue *q, const char *id)
{
    pthread_mutex_lock(&q->lock);
    bool pending = find_id(q, id) != NONE;
    pthread_mutex_unlock(&q->lock);
    return pending;
}

bool mqtt_queue_saved(struct mqtt_queue *q, const char *id, int64_t seq)
{
    pthread_mutex_lock(&q->lock);
    size_t i = find_id(q, id);
    if (i != NONE)
        set_seq(q, i, seq);
    pthread_mutex_unlock(&q->lock);
    return i != NONE;
}

void mqtt_queue_forget(struct mqtt_queue *q, int64_t seq)
{
    pthread_mutex_lock(&q->lock);
    for (size_t i = q->waiting, next; i != NONE; i = next) {
        const struct slot *s = &q->slots[i];
        next = s->next;
        if (!s->seq || s->seq > seq)
            continue;
        q->updates -= s->event.type == EVENT_UPDATE;
        if (s->state >= 0)
            mqtt_queue_set_due(q, s->label);
        mqtt_queue_remove(q, i);
    }
    pthread_mutex_unlock(&q->lock);
}
