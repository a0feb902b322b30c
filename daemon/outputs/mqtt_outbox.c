/* Events between the store, the queue and the broker: what is published, what is taken out of the outbox, and what is to be done about
 * what the broker refuses. */
#include "base/log.h"
#include "daemon/outputs/mqtt_session.h"
#include <mqtt_protocol.h>
#include <stdio.h>
#include <string.h>

#define HOLD_MIN     2.0 /* s until a message that was refused for now is sent again, doubled up to ... */
#define HOLD_MAX     60.0
#define REFUSALS_MAX 12 /* in a row: it is given up; some ten minutes */

static bool take_event(void *ctx, const struct event *event, int64_t seq)
{
    struct mqtt *m = ctx;
    bool taken = mqtt_queue_put(m->queue, event, seq);

    mqtt_wake(m);
    return taken;
}

static bool take_replay(void *ctx, const struct event *event, int64_t seq)
{
    struct mqtt *m = ctx;
    bool taken = mqtt_queue_replay(m->queue, event, seq);

    mqtt_wake(m);
    return taken;
}

static bool is_pending(void *ctx, const char *id)
{
    return mqtt_queue_pending(((struct mqtt *)ctx)->queue, id);
}

static bool take_number(void *ctx, const char *id, int64_t seq)
{
    return mqtt_queue_saved(((struct mqtt *)ctx)->queue, id, seq);
}

static void forget(void *ctx, int64_t seq)
{
    mqtt_queue_forget(((struct mqtt *)ctx)->queue, seq);
}

const struct store_taker mqtt_taker = {
    .event = take_event, .replay = take_replay, .pending = is_pending, .saved = take_number, .forget = forget};

static void count(struct mqtt *m, uint64_t *counter)
{
    pthread_mutex_lock(&m->lock);
    ++*counter;
    pthread_mutex_unlock(&m->lock);
}

/* It leaves the queue, and the outbox. */
static void done(struct mqtt *m, size_t slot)
{
    int64_t seq = mqtt_queue_done(m->queue, slot);

    if (m->store && output_thread_hold(&m->thread)) {
        store_outbox_done(m->store, seq);
        output_thread_release(&m->thread);
    }
}

static void refused(struct mqtt *m, size_t slot, const char *id, bool test, int code, const char *reason)
{
    char text[160];

    done(m, slot);
    count(m, &m->own.refused);
    snprintf(text, sizeof text, "refused by broker %.80s: %.50s", m->broker, reason);
    if (test)
        acks_put(m->acks, id, -1, text);
    if (m->refusal != code)
        log_warn("mqtt: an event was %s; it and further ones are lost%s and counted", text,
                 m->store ? " to its subscribers" : "");
    m->refusal = code;
}

void mqtt_event_unfit(struct mqtt *m, const struct mqtt_item *item)
{
    refused(m, item->slot, item->event.id, item->event.test, -1, "too large");
}

/* Reasons that may pass without anybody doing anything. All others (not authorized, topic or payload not accepted) stay as they are
 * however often it is sent, and what comes behind must not wait for it. */
static bool may_pass(int reason)
{
    return reason == MQTT_RC_QUOTA_EXCEEDED || reason == MQTT_RC_UNSPECIFIED ||
           reason == MQTT_RC_IMPLEMENTATION_SPECIFIC || reason == MQTT_RC_PACKET_ID_IN_USE;
}

static void hold(struct mqtt *m, int reason)
{
    double wait = HOLD_MIN * (double)(1u << (m->refusals < 6 ? m->refusals : 6));

    wait = wait < HOLD_MAX ? wait : HOLD_MAX;
    if (!m->hold_until) { /* of those that were under way together, one counts */
        m->refusals++;
        log_warn("mqtt: broker %s does not take an event now: %s; sent again in %.0f s", m->broker,
                 mosquitto_reason_string(reason), wait);
    }
    m->hold_until = mqtt_now() + wait;
}

void mqtt_event_acked(struct mqtt *m, const struct mqtt_pending *p, int reason)
{
    char text[160];

    if (reason >= 128 && may_pass(reason) && m->refusals < REFUSALS_MAX && !p->test) {
        hold(m, reason);
        return;
    }
    if (reason >= 128) {
        refused(m, p->slot, p->id, p->test, reason, mosquitto_reason_string(reason));
        return;
    }
    m->refusal = 0;
    m->refusals = 0;
    done(m, p->slot);
    count(m, &m->own.sent);
    snprintf(text, sizeof text, "acknowledged by broker %.80s%s", m->broker,
             reason == MQTT_RC_NO_MATCHING_SUBSCRIBERS ? " (nobody is subscribed to it)" : "");
    if (p->test)
        acks_put(m->acks, p->id, 1, text);
}

bool mqtt_events_held(struct mqtt *m)
{
    if (!m->hold_until)
        return false;
    for (size_t i = 0; i < m->session.n_pending; i++)
        if (m->session.pending[i].event)
            return true; /* what is under way is heard first: then all that was refused goes in its order */
    if (mqtt_now() < m->hold_until)
        return true;
    m->hold_until = 0;
    mqtt_queue_rewind(m->queue);
    return false;
}

void mqtt_outbox_tend(struct mqtt *m)
{
    if (!m->store || !output_thread_hold(&m->thread))
        return;
    store_overdue(m->store);
    if (mqtt_queue_wants(m->queue))
        store_outbox_more(m->store);
    output_thread_release(&m->thread);
}
