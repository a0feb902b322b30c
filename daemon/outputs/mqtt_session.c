#include "daemon/outputs/mqtt_session.h"

#include "base/clock.h"
#include "base/log.h"
#include <mqtt_protocol.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const states[] = {[MQTT_OFF] = "OFF", [MQTT_ON] = "ON", [MQTT_TEST] = "TEST", [MQTT_GONE] = ""};

#define CLEAR_S 3.0 /* s that retained states of old labels may take to come in */
#define PAYLOAD 2048
#define RESERVED                                                                                                       \
    3 /* of MQTT_INFLIGHT, kept for settings and health, so that a backlog of events does not starve them */

struct mqtt_pending *mqtt_session_publish_topic(struct mqtt *m, const char *kind, const char *topic,
                                                const char *payload, bool retain)
{
    struct mqtt_session *s = &m->session;

    if (s->n_pending == MQTT_INFLIGHT)
        return NULL;
    int mid = mqtt_link_publish(s->link, topic, payload, strlen(payload), 1, retain);
    if (mid < 0)
        return NULL;
    if (!s->n_pending)
        s->heard = mqtt_now();
    struct mqtt_pending *p = &s->pending[s->n_pending++];
    *p = (struct mqtt_pending){.mid = mid, .kind = kind};
    return p;
}

struct mqtt_pending *mqtt_session_publish(struct mqtt *m, const char *kind, const char *name, const char *payload,
                                          bool retain)
{
    char topic[MQTT_TOPIC];

    mqtt_topic(topic, &m->names, kind, name);
    return mqtt_session_publish_topic(m, kind, topic, payload, retain);
}

/* For the log: the topics of a kind. */
static const char *topic_of(const struct mqtt *m, const char *kind, char *out, size_t size)
{
    if (strcmp(kind, "homeassistant") == 0)
        snprintf(out, size, "%.200s/device/...", m->config.homeassistant.prefix);
    else
        snprintf(out, size, "%.320s/%s%s", m->names.base, kind,
                 strcmp(kind, "status") == 0 || strcmp(kind, "health") == 0 ? ""
                 : strcmp(kind, "set") == 0                                 ? "/.../result"
                                                                            : "/...");
    return out;
}

/* Whether the broker takes a kind of topic: said when that changes. What tells the present is not sent again until it has changed, or
 * at the next connection; nothing of it is lost that would matter then. */
static void told(struct mqtt *m, const char *kind, int reason)
{
    static const char *const kinds[] = {"status", "state", "health", "setting", "set", "homeassistant"};
    char topic[MQTT_TOPIC];
    unsigned bit = 1;

    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds && strcmp(kind, kinds[i]) != 0; i++)
        bit <<= 1;
    if (reason >= 128 && !(m->denied & bit)) {
        m->denied |= bit;
        log_warn("mqtt: the broker refuses our messages to %s: %s (said once; see its access rules)",
                 topic_of(m, kind, topic, sizeof topic), mosquitto_reason_string(reason));
    } else if (reason < 128 && m->denied & bit) {
        m->denied &= ~bit;
        log_info("mqtt: the broker takes our messages to %s again", topic_of(m, kind, topic, sizeof topic));
    }
}

static void on_acked(void *ctx, int mid, int reason)
{
    struct mqtt *m = ctx;
    struct mqtt_session *s = &m->session;

    if (s->goodbye && mid == s->goodbye)
        s->goodbye = 0;
    for (size_t i = 0; i < s->n_pending; i++) {
        struct mqtt_pending p = s->pending[i];
        if (p.mid != mid)
            continue;
        s->heard = mqtt_now();
        s->pending[i] = s->pending[--s->n_pending];
        if (p.event)
            mqtt_event_acked(m, &p, reason);
        else
            told(m, p.kind, reason);
        return;
    }
}

/* A retained state of a label that this model does not have, left behind by another model. Others' payloads are left alone. */
static void on_state(struct mqtt *m, const struct mosquitto_message *message, const char *label)
{
    struct mqtt_session *s = &m->session;
    bool ours = false;

    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        ours |= (size_t)message->payloadlen == strlen(states[i]) &&
                memcmp(message->payload, states[i], strlen(states[i])) == 0;
    if (!message->retain || !ours || strlen(label) >= LABEL_SIZE || mqtt_queue_has_label(m->queue, label))
        return;
    if (s->n_old == MQTT_CLEAR_MOST)
        return;
    strcpy(s->old[s->n_old++], label);
}

static void on_message(void *ctx, const struct mosquitto_message *message)
{
    struct mqtt *m = ctx;
    const char *label = mqtt_topic_name(&m->names, "state", message->topic);

    if (label)
        on_state(m, message, label);
    else if (mqtt_topic_name(&m->names, "set", message->topic) || !mqtt_homeassistant_message(m, message))
        mqtt_on_command(m, message);
}

static void on_not_subscribed(void *ctx, const char *loss, int reason)
{
    struct mqtt *m = ctx;

    for (size_t i = 0; i < sizeof m->losses / sizeof *m->losses; i++) {
        if (m->losses[i] == loss)
            return;
        if (m->losses[i])
            continue;
        m->losses[i] = loss;
        log_warn("mqtt: the broker does not let us subscribe: %s: %s (said once)", mosquitto_reason_string(reason),
                 loss);
        return;
    }
}

const struct mqtt_link_handler mqtt_session_handler = {
    .acked = on_acked, .message = on_message, .not_subscribed = on_not_subscribed};

void mqtt_session_begin(struct mqtt *m)
{
    struct mqtt_session *s = &m->session;
    char topic[MQTT_TOPIC];

    s->begun = true;
    s->began = s->heard = mqtt_now();
    mqtt_session_publish(m, "status", NULL, "online", true);
    mqtt_topic(topic, &m->names, "set", "+");
    mqtt_link_subscribe(s->link, topic, LINK_AS_RETAINED, "commands are not heard");
    mqtt_topic(topic, &m->names, "state", "+");
    s->clearing =
        mqtt_link_subscribe(s->link, topic, LINK_NOT_OWN, "states of sounds that are no more are not cleared") == 0;
    mqtt_queue_online(m->queue);
    mqtt_commands_begin(m);
    mqtt_homeassistant_begin(m);
    pthread_mutex_lock(&m->lock);
    m->own.connects++;
    m->health_waiting = m->have_health;
    if (m->n_sound > 1) { /* of levels the latest alone is the present */
        m->sound[0] = m->sound[m->n_sound - 1];
        m->n_sound = 1;
    }
    m->trouble[0] = '\0';
    pthread_mutex_unlock(&m->lock);
}

static bool send_state(struct mqtt *m)
{
    size_t label;
    enum mqtt_state state;

    return mqtt_queue_next_state(m->queue, &label, &state) &&
           mqtt_session_publish(m, "state", mqtt_queue_label(m->queue, label), states[state], true);
}

static bool send_clear(struct mqtt *m)
{
    struct mqtt_session *s = &m->session;

    if (!s->n_old || !mqtt_session_publish(m, "state", s->old[s->n_old - 1], "", true))
        return false;
    s->n_old--;
    s->cleared++;
    return true;
}

static bool send_event(struct mqtt *m)
{
    struct mqtt_item item;
    char payload[PAYLOAD];

    /* an event and its state are two messages */
    if (m->session.n_pending + 2 > MQTT_INFLIGHT - RESERVED || mqtt_events_held(m) || !mqtt_queue_next(m->queue, &item))
        return false;
    if (item.message) {
        item.event.late = mqtt_event_late(&item.event, item.utc_ns, m->config.decision.late_after);
        struct mqtt_pending *p = NULL;
        if (event_json(&item.event, payload, sizeof payload) > 0)
            p = mqtt_session_publish(m, "event", NULL, payload, false);
        if (!p && !mqtt_link_clear(m->session.link))
            return false; /* the connection broke: it waits for the next one */
        if (!p) {
            mqtt_event_unfit(m, &item);
        } else {
            p->event = true;
            p->slot = item.slot;
            p->test = item.event.test;
            memcpy(p->id, item.event.id, sizeof p->id);
        }
    }
    if (item.state >= 0)
        mqtt_session_publish(m, "state", mqtt_queue_label(m->queue, item.label), states[item.state], true);
    return true;
}

/* Health and level tell the present: of each only the latest copy exists. */
static void send_present(struct mqtt *m)
{
    struct mqtt_session *s = &m->session;
    struct mqtt_health own;
    char topic[MQTT_TOPIC];

    pthread_mutex_lock(&m->lock);
    struct health health = m->health;
    bool have = m->have_health, health_waiting = m->health_waiting;
    struct sound_report sound[MQTT_SOUNDS];
    unsigned n_sound = m->n_sound;
    memcpy(sound, m->sound, n_sound * sizeof *sound);
    m->health_waiting = false;
    m->n_sound = 0;
    own = m->own;
    pthread_mutex_unlock(&m->lock);
    if (!have)
        return;

    if (health_waiting) {
        mqtt_queue_figures(m->queue, &own.queue);
        char *text = mqtt_health_json(&health, &own, clock_ns(CLOCK_REALTIME));
        if (text)
            mqtt_session_publish(m, "health", NULL, text, true);
        free(text);
    }
    for (unsigned i = 0; i < n_sound; i++) {
        health.sound = sound[i];
        char *text = mqtt_level_json(&health, clock_ns(CLOCK_REALTIME));
        mqtt_topic(topic, &m->names, "level", NULL);
        if (text)
            mqtt_link_publish(s->link, topic, text, strlen(text), 0, false);
        free(text);
    }
}

void mqtt_session_send(struct mqtt *m)
{
    struct mqtt_session *s = &m->session;

    mqtt_outbox_tend(m);
    while (mqtt_link_clear(s->link) && s->n_pending < MQTT_INFLIGHT &&
           (mqtt_send_setting(m) || mqtt_send_answer(m) || mqtt_send_homeassistant(m)))
        ;
    if (mqtt_link_clear(s->link) && s->n_pending < MQTT_INFLIGHT)
        send_present(m);
    while (mqtt_link_clear(s->link) && s->n_pending < MQTT_INFLIGHT - RESERVED)
        if (!send_state(m) && !send_event(m) && !send_clear(m))
            break;
    if (s->clearing && mqtt_now() - s->began > CLEAR_S) {
        char topic[MQTT_TOPIC];
        mqtt_topic(topic, &m->names, "state", "+");
        mqtt_link_unsubscribe(s->link, topic);
        s->clearing = false;
        if (s->cleared)
            log_info("mqtt: cleared the states of %u labels that are no more", s->cleared);
    }
}

bool mqtt_session_idle(struct mqtt *m)
{
    struct mqtt_figures f;

    mqtt_queue_figures(m->queue, &f);
    return f.queued == 0 && f.due == 0 && m->session.n_pending == 0;
}

double mqtt_session_silence(const struct mqtt *m)
{
    return m->session.n_pending ? mqtt_now() - m->session.heard : 0;
}

void mqtt_session_goodbye(struct mqtt *m, double deadline)
{
    struct mqtt_session *s = &m->session;
    char topic[MQTT_TOPIC];

    mqtt_topic(topic, &m->names, "status", NULL);
    s->goodbye = mqtt_link_publish(s->link, topic, "offline", 7, 1, true);
    for (double left; s->goodbye > 0 && (left = deadline - mqtt_now()) > 0;)
        if (mqtt_link_poll(s->link, m->wake, (int)(left * 1000) + 1) != LINK_UP)
            return;
    /* unacknowledged: without DISCONNECT the will says the same, whenever the broker gets to it */
    if (!s->goodbye)
        mqtt_link_goodbye(s->link);
}

void mqtt_session_end(struct mqtt *m)
{
    mqtt_link_close(m->session.link);
    mqtt_homeassistant_end(m);
    m->session = (struct mqtt_session){0};
    mqtt_queue_offline(m->queue);
}
