#include "daemon/outputs/mqtt_topics.h"

#include "base/json.h"
#include "base/text.h"
#include <inttypes.h>
#include <mosquitto.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

/* earshot's own, so that client ids do not give the machine id away: systemd-id128 new */
#define APP_ID SD_ID128_MAKE(5e, 1c, 0a, 7d, 93, 4b, 4f, 60, 8a, 22, d7, 6e, 31, b9, c8, 05)

static bool plain(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

void mqtt_node(char out[MQTT_NODE], const char *name)
{
    size_t n = 0;

    for (; *name && n < MQTT_NODE - 1; name++)
        if (plain(*name))
            out[n++] = *name;
        else if (n && out[n - 1] != '-')
            out[n++] = '-';
    while (n && out[n - 1] == '-')
        n--;
    out[n] = '\0';
    if (!n)
        strcpy(out, "earshot");
}

/* FNV-1a, 64 bit (http://www.isthe.com/chongo/tech/comp/fnv/). */
static uint64_t hash(uint64_t h, const void *bytes, size_t n)
{
    for (const unsigned char *p = bytes; n--; p++)
        h = (h ^ *p) * UINT64_C(1099511628211);
    return h;
}

int mqtt_names_init(struct mqtt_names *names, const char *base, const char *node, struct err *err)
{
    char host[256] = "", reduced[MQTT_NODE];

    if (!*node && gethostname(host, sizeof host - 1) == 0)
        node = host;
    mqtt_node(reduced, node);
    size_t n = strlen(base);
    if (!n || n >= CONFIG_TEXT || base[0] == '$' || base[0] == '/' || base[n - 1] == '/' ||
        mosquitto_pub_topic_check(base) || mosquitto_validate_utf8(base, (int)n))
        return err_set(err,
                       "mqtt.base: \"%s\" cannot be a topic (allowed: words with / between them, without + # and a "
                       "leading $)",
                       base);
    snprintf(names->base, sizeof names->base, "%s/%s", base, reduced);

    sd_id128_t id;
    if (sd_id128_get_machine_app_specific(APP_ID, &id) < 0 && sd_id128_randomize(&id) < 0)
        return err_set(err, "mqtt: neither a machine id (/etc/machine-id) nor random numbers to make a client id of");
    uint64_t h = hash(hash(UINT64_C(14695981039346656037), &id, sizeof id), names->base, strlen(names->base));
    snprintf(names->client_id, sizeof names->client_id, "earshot%016" PRIx64, h);
    return 0;
}

void mqtt_topic(char out[MQTT_TOPIC], const struct mqtt_names *names, const char *kind, const char *name)
{
    snprintf(out, MQTT_TOPIC, "%s/%s%s%s", names->base, kind, name ? "/" : "", name ? name : "");
}

const char *mqtt_topic_name(const struct mqtt_names *names, const char *kind, const char *topic)
{
    size_t base = strlen(names->base), k = strlen(kind);

    if (strncmp(topic, names->base, base) != 0 || topic[base] != '/' || strncmp(topic + base + 1, kind, k) != 0 ||
        topic[base + 1 + k] != '/')
        return NULL;
    const char *name = topic + base + 1 + k + 1;
    return *name && !strchr(name, '/') ? name : NULL;
}

static bool slug(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return n && !name[n] && n < MQTT_NAME;
}

bool mqtt_command(const struct mqtt_names *names, const char *topic, char name[MQTT_NAME])
{
    const char *word = mqtt_topic_name(names, "set", topic);

    if (!word || !slug(word))
        return false;
    strcpy(name, word);
    return true;
}

bool mqtt_event_late(const struct event *event, int64_t utc_ns, double late_after_s)
{
    int64_t told = event->type == EVENT_START ? event->start_ns : event->end_ns;
    return (double)(utc_ns - told) * 1e-9 > late_after_s;
}

/* json_object_set_new takes NULL for an error; so does json_dumps: one check at the end is enough. */
static char *dump(json_t *o)
{
    char *text = o ? json_dumps(o, JSON_LINE) : NULL;
    json_decref(o);
    return text;
}

static void set_uint(json_t *o, const char *key, uint64_t value)
{
    json_object_set_new(o, key, json_integer((json_int_t)value));
}

static void set_time(json_t *o, int64_t utc_ns)
{
    char time[RFC3339_SIZE];

    rfc3339_utc(time, utc_ns);
    json_object_set_new(o, "time", json_string(time));
}

static void set_levels(json_t *o, const struct analysis_levels *l)
{
    json_object_set_new(o, "rms_dbfs", json_decimal(l->rms_dbfs, 1));
    json_object_set_new(o, "peak_dbfs", json_decimal(l->peak_dbfs, 1));
    json_object_set_new(o, "floor_dbfs", json_decimal(l->floor_dbfs, 1));
    json_object_set_new(o, "threshold_dbfs", json_decimal(l->threshold_dbfs, 1));
    json_object_set_new(o, "gate", json_string(l->open ? "open" : "closed"));
}

char *mqtt_level_json(const struct health *health, int64_t utc_ns)
{
    json_t *o = json_object();

    set_time(o, utc_ns);
    set_levels(o, &health->levels);
    if (health->sound.on)
        sound_json_period(o, &health->sound);
    return dump(o);
}

static json_t *input_json(const struct health *h)
{
    json_t *o = json_object();

    json_object_set_new(o, "name", json_text(h->input));
    json_object_set_new(o, "state", json_text(h->input_state));
    json_object_set_new(o, "problem", h->input_problem[0] ? json_text(h->input_problem) : json_null());
    set_uint(o, "rate", h->rate);
    set_uint(o, "channels", h->channels);
    set_uint(o, "recoveries", h->recoveries);
    return o;
}

static json_t *output_json(uint64_t queued, uint64_t dropped, uint64_t sent)
{
    json_t *o = json_object();

    set_uint(o, "queued", queued);
    set_uint(o, "dropped", dropped);
    set_uint(o, "sent", sent);
    return o;
}

static json_t *outputs_json(const struct health *h, const struct mqtt_health *own)
{
    json_t *all = json_object(), *o;

    for (unsigned i = 0; i < h->n_outputs && i < HEALTH_OUTPUTS; i++)
        if (strcmp(h->outputs[i].name, "mqtt") != 0)
            json_object_set_new(all, h->outputs[i].name,
                                output_json(h->outputs[i].queued, h->outputs[i].dropped, h->outputs[i].sent));
    o = output_json(own->queue.queued, own->queue.dropped_events + own->queue.dropped_updates + own->refused,
                    own->sent);
    set_uint(o, "dropped_events", own->queue.dropped_events);
    set_uint(o, "dropped_updates", own->queue.dropped_updates);
    set_uint(o, "refused", own->refused);
    set_uint(o, "replaced", own->replaced);
    set_uint(o, "connects", own->connects);
    set_uint(o, "commands_rejected", own->commands_rejected);
    json_object_set_new(all, "mqtt", o);
    return all;
}

static json_t *clips_json(const struct clip_figures *c)
{
    json_t *o = json_object();

    set_uint(o, "stored", c->stored);
    set_uint(o, "dropped_speech", c->speech);
    set_uint(o, "failed", c->failed);
    set_uint(o, "lost_frames", c->lost_frames);
    set_uint(o, "bytes", c->bytes);
    json_object_set_new(o, "problem", *c->problem ? json_text(c->problem) : json_null());
    return o;
}

static json_t *history_json(const struct store_figures *f)
{
    json_t *o = json_object();

    json_object_set_new(o, "on_disk", json_boolean(f->on_disk));
    json_object_set_new(o, "problem", f->problem[0] ? json_text(f->problem) : json_null());
    set_uint(o, "stored", f->stored);
    set_uint(o, "unstored", f->unstored);
    set_uint(o, "waiting", f->waiting);
    set_uint(o, "unsent", f->unsent);
    set_uint(o, "unsent_dropped", f->outbox_dropped);
    set_uint(o, "levels_unstored", f->levels_unstored);
    set_uint(o, "set_aside", f->set_aside);
    set_uint(o, "bytes", f->bytes);
    json_object_set_new(o, "commit_ms", json_decimal(f->commit_ms, 2));
    json_object_set_new(o, "slowest_commit_ms", json_decimal(f->slowest_commit_ms, 2));
    return o;
}

char *mqtt_health_json(const struct health *h, const struct mqtt_health *own, int64_t utc_ns)
{
    json_t *o = json_object(), *level = json_object();

    set_time(o, utc_ns);
    json_object_set_new(o, "version", json_string(h->version ? h->version : ""));
    json_object_set_new(o, "model", json_text(h->model));
    json_object_set_new(o, "uptime_s", json_decimal(h->uptime_s, 1));
    json_object_set_new(o, "input", input_json(h));
    json_object_set_new(o, "listening", json_boolean(h->listening));
    json_object_set_new(o, "threshold", json_text(h->threshold));
    set_uint(o, "overruns", h->overruns);
    set_uint(o, "lost_frames", h->lost_frames);
    set_uint(o, "windows", h->windows);
    set_uint(o, "windows_dropped", h->windows_dropped);
    set_uint(o, "events", h->events);
    set_uint(o, "sounds", h->levels.sounds);
    set_uint(o, "dropped_short", h->levels.dropped_short);
    set_uint(o, "queue_depth", h->queue_depth);
    set_uint(o, "ring_fill_percent", h->ring_fill_percent);
    set_levels(level, &h->levels);
    if (h->sound.on)
        sound_json_now(level, &h->sound);
    json_object_set_new(o, "level", level);
    json_object_set_new(o, "clips", h->keeps_clips ? clips_json(&h->clips) : json_null());
    json_object_set_new(o, "history", h->has_store ? history_json(&h->store) : json_null());
    json_object_set_new(o, "outputs", outputs_json(h, own));
    return dump(o);
}
