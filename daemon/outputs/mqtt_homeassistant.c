/* Announces the box to Home Assistant, and takes back what an earlier configuration announced.
 *
 * The broker keeps what was announced before: under our own topic, and under another one where the node was renamed since. Both are read
 * for a second at each connection, then the present is announced: entities that moved to another topic keep their settings in Home
 * Assistant (migrate_discovery), those that are gone are taken away by an update with nothing but their platform. */
#include "base/json.h"
#include "base/log.h"
#include "daemon/outputs/discovery.h"
#include "daemon/outputs/mqtt_session.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define LOOK_S   1.0 /* for what is retained to come in */
#define SETTLE_S 0.5 /* a change may come in two steps */
#define LEAST_S  0.5 /* after Home Assistant came up: many boxes do not answer at once */
#define SPREAD_S 4.5

static void config_topic(const struct mqtt *m, char out[MQTT_TOPIC], const char *node)
{
    snprintf(out, MQTT_TOPIC, "%.200s/device/%.64s/config", m->config.homeassistant.prefix, node);
}

static const char *node(const struct mqtt *m)
{
    const char *slash = strrchr(m->names.base, '/');
    return slash ? slash + 1 : m->names.base;
}

void mqtt_homeassistant_begin(struct mqtt *m)
{
    struct mqtt_session *s = &m->session;
    char topic[MQTT_TOPIC];

    config_topic(m, topic, "+");
    s->looking = mqtt_link_subscribe(s->link, topic, LINK_NOT_OWN,
                                     "what an earlier configuration announced to Home Assistant is not removed") == 0;
    snprintf(topic, sizeof topic, "%.200s/status", m->config.homeassistant.prefix);
    if (m->config.homeassistant.enabled)
        mqtt_link_subscribe(s->link, topic, LINK_NOT_OWN, "a restart of Home Assistant is not noticed");
    s->announce_at = mqtt_now() + LOOK_S;
}

void mqtt_homeassistant_end(struct mqtt *m)
{
    struct mqtt_session *s = &m->session;

    json_decref(s->announced);
    for (size_t i = 0; i < s->n_moved; i++)
        free(s->moved[i]);
    for (size_t i = 0; i < s->n_posts; i++) {
        free(s->posts[i].topic);
        free(s->posts[i].payload);
    }
}

void mqtt_labels(struct output *o, const struct output_label *labels, size_t n)
{
    struct mqtt *m = (struct mqtt *)o;
    struct output_label *copy = calloc(n ? n : 1, sizeof *copy);

    const char **names = calloc(n ? n : 1, sizeof *names);

    if (!copy || !names) {
        free(copy);
        free(names);
        return;
    }
    memcpy(copy, labels, n * sizeof *copy);
    for (size_t i = 0; i < n; i++)
        names[i] = copy[i].label;
    mqtt_queue_relabel(m->queue, names, n);
    free(names);
    pthread_mutex_lock(&m->lock);
    struct output_label *old = m->labels;
    m->announce |= !old || n != m->n_labels || memcmp(old, copy, n * sizeof *copy) != 0;
    m->labels = copy;
    m->n_labels = n;
    pthread_mutex_unlock(&m->lock);
    free(old);
    mqtt_wake(m);
}

/* --- what comes in ---------------------------------------------------------------------------------------------------- */

static void on_config(struct mqtt *m, const struct mosquitto_message *message)
{
    struct mqtt_session *s = &m->session;
    const char *payload = message->payload;
    char own[MQTT_TOPIC], mine[DISCOVERY_ID + 16];

    config_topic(m, own, node(m));
    snprintf(mine, sizeof mine, "\"earshot_%s\"", m->id);
    if (!message->retain || message->payloadlen <= 0 || message->payloadlen > 2 * DISCOVERY_MOST ||
        !memmem(payload, (size_t)message->payloadlen, mine, strlen(mine)))
        return;
    if (strcmp(message->topic, own) == 0) {
        json_decref(s->announced);
        s->announced = json_loadb(payload, (size_t)message->payloadlen, 0, NULL);
    } else if (s->n_moved < MQTT_MOVED && (s->moved[s->n_moved] = strdup(message->topic))) {
        s->n_moved++;
    }
}

static void on_status(struct mqtt *m, const struct mosquitto_message *message)
{
    uint16_t r = 0;

    /* a retained one is from before our connection, at which we announce ourselves anyway */
    if (message->retain || message->payloadlen != 6 || memcmp(message->payload, "online", 6) != 0)
        return;
    if (getrandom(&r, sizeof r, GRND_NONBLOCK) < 0)
        r = 0;
    m->session.announce_at = mqtt_now() + LEAST_S + SPREAD_S * r / 65536;
}

bool mqtt_homeassistant_message(struct mqtt *m, const struct mosquitto_message *message)
{
    const char *prefix = m->config.homeassistant.prefix, *rest = message->topic + strlen(prefix);

    if (strncmp(message->topic, prefix, strlen(prefix)) != 0)
        return false;
    if (strcmp(rest, "/status") == 0)
        on_status(m, message);
    else if (strncmp(rest, "/device/", 8) == 0)
        on_config(m, message);
    else
        return false;
    return true;
}

/* --- what goes out ---------------------------------------------------------------------------------------------------- */

/* Takes the payload. */
static void post(struct mqtt *m, const char *topic, char *payload, bool retain)
{
    struct mqtt_session *s = &m->session;
    char *copy = strdup(topic);

    if (!payload || !copy || s->n_posts == MQTT_POSTS) {
        free(payload);
        free(copy);
        return;
    }
    s->posts[s->n_posts++] = (struct mqtt_post){.topic = copy, .payload = payload, .retain = retain};
}

static json_t *compose(struct mqtt *m)
{
    struct discovery_facts f = {.names = &m->names, .id = m->id, .version = EARSHOT_VERSION, .model = ""};

    pthread_mutex_lock(&m->lock);
    f.labels = m->labels;
    f.n_labels = m->n_labels;
    f.levels = m->config.level.enabled;
    f.calibrated = m->health.sound.calibration.calibrated;
    for (size_t i = 0; i < m->n_settings; i++)
        if (strcmp(m->settings[i].name, "model") == 0)
            f.model = m->settings[i].value;
    json_t *o = discovery_config(&f); /* reads a folder: rare, and nobody waits for this lock but for health */
    pthread_mutex_unlock(&m->lock);
    return o;
}

static void announce(struct mqtt *m)
{
    struct mqtt_session *s = &m->session;
    char own[MQTT_TOPIC];
    bool enabled = m->config.homeassistant.enabled;
    json_t *fresh = enabled ? compose(m) : NULL;

    config_topic(m, own, node(m));
    for (size_t i = 0; enabled && i < s->n_moved; i++)
        post(m, s->moved[i], strdup("{\"migrate_discovery\": true}"), false);
    json_t *removal = enabled ? discovery_removal(s->announced, fresh) : NULL;
    if (removal)
        post(m, own, json_dumps(removal, JSON_LINE), true);
    if (fresh)
        post(m, own, json_dumps(fresh, JSON_LINE), true);
    else if (!enabled && s->announced)
        post(m, own, strdup(""), true);
    for (size_t i = 0; i < s->n_moved; i++) {
        post(m, s->moved[i], strdup(""), true);
        log_info("mqtt: what was announced to Home Assistant as %s is moved to %s", s->moved[i],
                 enabled ? own : "nowhere");
        free(s->moved[i]);
    }
    s->n_moved = 0;
    if (removal)
        log_info("mqtt: %zu entities that are no more are taken from Home Assistant",
                 json_object_size(json_object_get(removal, "components")) -
                     json_object_size(json_object_get(fresh, "components")));
    json_decref(removal);
    json_decref(s->announced);
    s->announced = fresh;
}

static void stop_looking(struct mqtt *m)
{
    char topic[MQTT_TOPIC];

    config_topic(m, topic, "+");
    mqtt_link_unsubscribe(m->session.link, topic);
    m->session.looking = false;
}

bool mqtt_send_homeassistant(struct mqtt *m)
{
    struct mqtt_session *s = &m->session;

    pthread_mutex_lock(&m->lock);
    bool ready = m->labels != NULL, again = m->announce;
    m->announce = false;
    pthread_mutex_unlock(&m->lock);
    if (again && !s->announce_at)
        s->announce_at = mqtt_now() + SETTLE_S;
    if (s->announce_at && ready && mqtt_now() >= s->announce_at) {
        s->announce_at = 0;
        if (s->looking)
            stop_looking(m);
        announce(m);
    }
    if (!s->n_posts)
        return false;
    struct mqtt_post p = s->posts[0];
    if (!mqtt_session_publish_topic(m, "homeassistant", p.topic, p.payload, p.retain) && mqtt_link_clear(s->link))
        log_warn("mqtt: the broker takes no message of %zu bytes: Home Assistant is not told of this box",
                 strlen(p.payload));
    memmove(&s->posts[0], &s->posts[1], --s->n_posts * sizeof s->posts[0]);
    free(p.topic);
    free(p.payload);
    return true;
}
