#include "daemon/outputs/discovery.h"

#include "base/json.h"
#include "model/model.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-id128.h>
#include <unistd.h>

/* Of its own, as for the client ids: systemd-id128 new */
#define APP_ID SD_ID128_MAKE(b2, 7e, 44, 19, 0c, 5d, 4e, 83, 9f, 6a, 21, d8, 70, e4, 35, 9b)

/* A start that is neither late nor a test: what rings. */
#define RINGS "value_json.event_type == 'start' and not value_json.late and not value_json.test"

static uint64_t hash(uint64_t h, const void *bytes, size_t n)
{
    for (const unsigned char *p = bytes; n--; p++) /* FNV-1a, 64 bit */
        h = (h ^ *p) * UINT64_C(1099511628211);
    return h;
}

void discovery_id(char out[DISCOVERY_ID], const char *state_dir)
{
    uint64_t h = UINT64_C(14695981039346656037);
    char host[256] = "";
    sd_id128_t id;

    if (sd_id128_get_machine_app_specific(APP_ID, &id) >= 0)
        h = hash(h, &id, sizeof id);
    else if (gethostname(host, sizeof host - 1) == 0) /* the best there is */
        h = hash(h, host, strlen(host));
    h = hash(h, state_dir, strlen(state_dir));
    snprintf(out, DISCOVERY_ID, "%016" PRIx64, h);
}

/* --- components ----------------------------------------------------------------------------------------------------- */

struct made {
    const struct discovery_facts *f;
    json_t *components;
};

/* One entity; more is added to what it returns. Topics may be NULL. */
static json_t *add(struct made *m, const char *key, const char *platform, const char *name, const char *state_kind,
                   const char *state_name)
{
    char text[MQTT_TOPIC + 64];
    json_t *c = json_object();

    json_object_set_new(c, "platform", json_string(platform));
    snprintf(text, sizeof text, "earshot_%s_%s", m->f->id, key);
    json_object_set_new(c, "unique_id", json_string(text));
    json_object_set_new(c, "name", json_text(name));
    if (state_kind) {
        mqtt_topic(text, m->f->names, state_kind, state_name);
        json_object_set_new(c, "state_topic", json_text(text));
    }
    json_object_set_new(m->components, key, c);
    return c;
}

static void set(json_t *c, const char *key, const char *value)
{
    json_object_set_new(c, key, json_text(value));
}

static void command(struct made *m, json_t *c, const char *name)
{
    char topic[MQTT_TOPIC];

    mqtt_topic(topic, m->f->names, "set", name);
    set(c, "command_topic", topic);
}

static const char *device_class(const char *label)
{
    static const char *const classes[][2] = {
        {"smoke_alarm", "smoke"},
        {"fire_alarm", "smoke"},
        {"smoke_detector_smoke_alarm", "smoke"},
        {"co_alarm", "carbon_monoxide"},
    };

    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strcmp(label, classes[i][0]) == 0)
            return classes[i][1];
    return "sound";
}

static void add_label(struct made *m, const struct output_label *l)
{
    char key[LABEL_SIZE + 8];

    snprintf(key, sizeof key, "sound_%s", l->label);
    json_t *c = add(m, key, "binary_sensor", l->name, "state", l->label);
    set(c, "device_class", device_class(l->label));
    if (!l->alarm)
        json_object_set_new(c, "enabled_by_default", json_false());
}

static json_t *event_types(const struct discovery_facts *f)
{
    json_t *list = json_array();

    for (size_t i = 0; i < f->n_labels; i++)
        if (f->labels[i].enabled)
            json_array_append_new(list, json_string(f->labels[i].label));
    return list;
}

static void add_events(struct made *m)
{
    json_t *c = add(m, "event", "event", "Sound", "event", NULL);

    set(c, "value_template",
        "{% if " RINGS " %}{{ dict(value_json, event_type=value_json.label) | to_json }}{% endif %}");
    json_object_set_new(c, "event_types", event_types(m->f));
    set(c, "icon", "mdi:ear-hearing");
    c = add(m, "test_event", "event", "Test sound", "event", NULL);
    set(c, "value_template",
        "{% if value_json.event_type == 'start' and value_json.test and not value_json.late %}"
        "{{ dict(value_json, event_type=value_json.label) | to_json }}{% endif %}");
    json_object_set_new(c, "event_types", event_types(m->f));
    set(c, "entity_category", "diagnostic");

    c = add(m, "last_sound", "sensor", "Last sound", "event", NULL);
    set(c, "value_template", "{{ value_json.label if " RINGS " else this.state }}");
    set(c, "icon", "mdi:ear-hearing");
    c = add(m, "score", "sensor", "Score", "event", NULL);
    set(c, "value_template", "{% if " RINGS " %}{{ (value_json.score * 100) | round(1) }}{% endif %}");
    set(c, "unit_of_measurement", "%");
    set(c, "state_class", "measurement");
    json_object_set_new(c, "suggested_display_precision", json_integer(0));
}

static void add_level(struct made *m, const char *key, const char *name, const char *template, const char *unit)
{
    json_t *c = add(m, key, "sensor", name, "level", NULL);

    set(c, "value_template", template);
    if (m->f->calibrated) /* dBFS is no unit of sound pressure */
        set(c, "device_class", "sound_pressure");
    set(c, "unit_of_measurement", m->f->calibrated ? unit : "dBFS");
    set(c, "state_class", "measurement");
    json_object_set_new(c, "suggested_display_precision", json_integer(1));
}

static void add_diagnostics(struct made *m)
{
    json_t *c = add(m, "uptime", "sensor", "Uptime", "health", NULL);

    set(c, "value_template", "{{ value_json.uptime_s | int }}");
    set(c, "device_class", "duration");
    set(c, "unit_of_measurement", "s");
    set(c, "entity_category", "diagnostic");
    c = add(m, "dropped", "sensor", "Dropped", "health", NULL);
    set(c, "value_template",
        "{{ value_json.windows_dropped + (value_json.outputs.values() | map(attribute='dropped') | sum) }}");
    set(c, "state_class", "total_increasing");
    set(c, "entity_category", "diagnostic");
    c = add(m, "microphone", "binary_sensor", "Microphone problem", "health", NULL);
    set(c, "value_template",
        "{{ 'OFF' if value_json.input.state == 'ok' and not value_json.input.problem else 'ON' }}");
    set(c, "device_class", "problem");
    set(c, "entity_category", "diagnostic");
}

/* --- what can be set ------------------------------------------------------------------------------------------------ */

static void add_threshold(struct made *m)
{
    json_t *c = add(m, "threshold", "number", "Gate threshold", "setting", "threshold");

    /* one number for both kinds: below zero a level in dBFS, else dB above the noise floor */
    set(c, "value_template",
        "{{ 'None' if value == 'off' else value | replace('auto+', '') | replace(' dBFS', '') | replace(' dB', '') }}");
    set(c, "command_template", "{{ value ~ ' dBFS' if value < 0 else 'auto+' ~ value ~ ' dB' }}");
    json_object_set_new(c, "min", json_integer(-120));
    json_object_set_new(c, "max", json_integer(60));
    json_object_set_new(c, "step", json_real(0.5));
    set(c, "mode", "box");
    set(c, "unit_of_measurement", "dB");
    set(c, "entity_category", "config");
    set(c, "icon", "mdi:gate");
    command(m, c, "threshold");
}

static void add_model_name(void *ctx, const char *name, const char *path)
{
    json_t *options = ctx, *one;
    size_t i;

    (void)path;
    json_array_foreach(options, i, one) if (strcmp(json_string_value(one), name) == 0) return;
    json_array_append_new(options, json_text(name));
}

static void add_model(struct made *m)
{
    json_t *c = add(m, "model", "select", "Model", "setting", "model"), *options = json_array();

    model_each(add_model_name, options);
    add_model_name(options, m->f->model, NULL); /* one that was given by its path */
    json_object_set_new(c, "options", options);
    set(c, "entity_category", "config");
    set(c, "icon", "mdi:brain");
    command(m, c, "model");
}

static const char *test_label(const struct discovery_facts *f)
{
    const char *best = NULL;

    for (size_t i = 0; i < f->n_labels; i++) {
        const struct output_label *l = &f->labels[i];
        if (l->enabled && strcmp(l->label, "smoke_alarm") == 0)
            return l->label;
        if (l->enabled && (!best || (l->alarm && !strcmp(best, f->labels[0].label))))
            best = l->label;
    }
    return best;
}

static void add_settings(struct made *m)
{
    const char *label = test_label(m->f);

    add_threshold(m);
    json_t *c = add(m, "listening", "switch", "Listening", "setting", "listening");
    set(c, "icon", "mdi:microphone");
    command(m, c, "listening");
    add_model(m);
    c = add(m, "acknowledge", "button", "Acknowledge", NULL, NULL);
    set(c, "payload_press", "all");
    set(c, "icon", "mdi:bell-check");
    command(m, c, "ack");
    if (!label)
        return;
    c = add(m, "test", "button", "Test", NULL, NULL);
    set(c, "payload_press", label);
    set(c, "entity_category", "diagnostic");
    set(c, "icon", "mdi:bell-ring");
    command(m, c, "test");
}

/* --- the message ------------------------------------------------------------------------------------------------------ */

static json_t *device(const struct discovery_facts *f)
{
    const char *slash = strrchr(f->names->base, '/'), *node = slash ? slash + 1 : f->names->base;
    char id[32], name[MQTT_NODE + 16];

    snprintf(id, sizeof id, "earshot_%s", f->id);
    snprintf(name, sizeof name, "earshot %.*s", MQTT_NODE - 1, node);
    return json_pack("{s:[s], s:s, s:s, s:s, s:s}", "identifiers", id, "name", name, "manufacturer", "earshot", "model",
                     "Sound recognition", "sw_version", f->version);
}

static json_t *compose(const struct discovery_facts *f, bool alarms_only)
{
    struct made m = {.f = f, .components = json_object()};
    char status[MQTT_TOPIC];

    for (size_t i = 0; i < f->n_labels; i++)
        if (f->labels[i].enabled && (f->labels[i].alarm || !alarms_only))
            add_label(&m, &f->labels[i]);
    add_events(&m);
    if (f->levels) {
        add_level(&m, "laeq", "Sound level", "{{ value_json.laeq }}", "dBA");
        add_level(&m, "peak", "Peak level", "{{ value_json.lcpeak }}", "dB");
    }
    add_diagnostics(&m);
    add_settings(&m);
    mqtt_topic(status, f->names, "status", NULL);
    return json_pack("{s:o, s:{s:s, s:s}, s:[{s:o}], s:i, s:o}", "device", device(f), "origin", "name", "earshot",
                     "sw_version", f->version, "availability", "topic", json_text(status), "qos", 1, "components",
                     m.components);
}

json_t *discovery_config(const struct discovery_facts *f)
{
    json_t *o = compose(f, false);

    if (o && json_dumpb(o, NULL, 0, JSON_LINE) > DISCOVERY_MOST) {
        json_decref(o);
        o = compose(f, true);
    }
    return o;
}

json_t *discovery_removal(const json_t *old, const json_t *fresh)
{
    json_t *all = NULL, *there = json_object_get(fresh, "components");
    const char *key;
    json_t *component;

    /* const away: iterating only reads */
    json_object_foreach((json_t *)json_object_get(old, "components"), key, component)
    {
        const char *platform = json_string_value(json_object_get(component, "platform"));
        if (!platform || json_object_get(there, key))
            continue;
        if (!all)
            all = json_deep_copy(fresh);
        json_object_set_new(json_object_get(all, "components"), key, json_pack("{s:s}", "platform", platform));
    }
    return all;
}
