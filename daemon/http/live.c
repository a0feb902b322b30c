/* The module that hears of events, health and settings, and tells those who watch. */
#include "daemon/http/live.h"

#include "base/json.h"
#include "base/log.h"
#include <stdlib.h>
#include <string.h>

#define QUEUE_EVENTS 64 /* messages that a client may be behind */
#define QUEUE_LEVELS 30 /* 3 s */

struct live *live_of(struct web *w)
{
    return web_state(w, WEB_LIVE);
}

/* --- names ----------------------------------------------------------------------------------------------------------- */

static struct vocabulary *load_names(void)
{
    char path[4096];
    struct err err;
    struct vocabulary *v = vocabulary_find(path, sizeof path, &err) == 0 ? vocabulary_load(path, &err) : NULL;

    if (!v)
        log_debug("web: names of sounds are made of their labels: %s", err.text);
    return v;
}

static void on_labels(struct web *w)
{
    struct live *l = live_of(w);
    struct output_label none;
    size_t room = web_labels(w, &none, 0);
    struct output_label *fresh = calloc(room ? room : 1, sizeof *fresh);

    if (!fresh)
        return;
    size_t n = web_labels(w, fresh, room); /* more by now: another call follows */
    pthread_mutex_lock(&l->lock);
    struct output_label *old = l->labels;
    l->labels = fresh;
    l->n_labels = n < room ? n : room;
    pthread_mutex_unlock(&l->lock);
    free(old);
}

/* A sound of the history may be one that the model in use does not know. */
void live_describe(struct live *l, const char *label, struct output_label *out)
{
    bool found = false;

    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < l->n_labels && !found; i++)
        if (strcmp(l->labels[i].label, label) == 0) {
            *out = l->labels[i];
            found = true;
        }
    pthread_mutex_unlock(&l->lock);
    if (!found)
        run_labels_describe(l->vocabulary, label, out);
}

void live_add_names(struct live *l, json_t *o, const char *label)
{
    struct output_label d;

    live_describe(l, label, &d);
    json_object_set_new(o, "name", json_text(d.name));
    json_object_set_new(o, "group", *d.group ? json_string(d.group) : json_null());
    json_object_set_new(o, "alarm", json_boolean(d.alarm));
}

/* --- telling --------------------------------------------------------------------------------------------------------- */

static void publish(void *ctx, const char *kind, const char *id, const char *data)
{
    struct live *l = ctx;

    sse_publish(l->events, kind, id, data);
}

static void put(struct live *l, const char *kind, json_t *steals, const struct event *event)
{
    char *text = steals ? json_dumps(steals, JSON_LINE | JSON_PRESERVE_ORDER) : NULL;

    json_decref(steals);
    if (!text || live_ring_put(l->ring, kind, text, event, publish, l) < 0)
        log_warn("web: no memory for a message to those who watch");
    free(text);
}

void live_tell(struct live *l, const char *kind, json_t *steals)
{
    put(l, kind, steals, NULL);
}

static void on_event(struct web *w, const struct event *e)
{
    struct live *l = live_of(w);
    char payload[2048];

    if (event_json(e, payload, sizeof payload) < 0)
        return;
    json_t *o = json_loads(payload, 0, NULL);
    json_object_set_new(o, "notified", json_boolean(e->notify));
    live_add_names(l, o, e->label);
    put(l, "event", o, e);
}

/* --- the state ------------------------------------------------------------------------------------------------------- */

static json_t *state_json(const struct live_state *s)
{
    return json_pack("{s:b, s:s, s:b, s:o}", "listening", s->listening, "input_state", s->input_state,
                     "broker_connected", s->connected, "model", json_text(s->model));
}

json_t *live_state_json(struct live *l)
{
    pthread_mutex_lock(&l->lock);
    struct live_state s = l->state;
    pthread_mutex_unlock(&l->lock);
    return state_json(&s);
}

static void tell_state(struct live *l, const struct live_state *now)
{
    pthread_mutex_lock(&l->lock);
    const struct live_state *old = &l->state;
    bool news = !old->told || old->listening != now->listening || old->connected != now->connected ||
                strcmp(old->input_state, now->input_state) != 0 || strcmp(old->model, now->model) != 0;
    l->state = *now;
    pthread_mutex_unlock(&l->lock);
    if (news)
        live_tell(l, "status", state_json(now));
}

static void on_health(struct web *w, const struct health *h)
{
    struct live *l = live_of(w);
    struct live_state now = {.told = true};

    pthread_mutex_lock(&l->lock);
    now.listening = l->state.listening; /* as set: the input follows a moment later */
    pthread_mutex_unlock(&l->lock);

    snprintf(now.input_state, sizeof now.input_state, "%s", h->input_state);
    snprintf(now.model, sizeof now.model, "%s", h->model);
    for (unsigned i = 0; i < h->n_outputs; i++)
        if (strcmp(h->outputs[i].name, "mqtt") == 0)
            now.connected = h->outputs[i].connected;
    tell_state(l, &now);
    live_batches_tick(l);
}

/* "ack" is no setting, but told the same way: its value is what viewers get. */
static void tell_ack(struct live *l, const char *text)
{
    json_t *o = json_loads(text, 0, NULL);
    const char *what = json_string_value(json_object_get(o, "value"));
    bool id = what && strlen(what) == UUID_SIZE - 1 && what[8] == '-';

    if (what)
        json_object_set_new(o, id ? "event_id" : "label", json_string(what));
    live_tell(l, "ack", o);
}

static void on_setting(struct web *w, const char *name, const char *value)
{
    struct live *l = live_of(w);

    if (strcmp(name, "ack") == 0) {
        tell_ack(l, value);
        return;
    }
    live_tell(l, "setting", json_pack("{s:s, s:o}", "name", name, "value", json_text(value)));
    if (strcmp(name, "listening") != 0)
        return;
    pthread_mutex_lock(&l->lock);
    l->state.listening = strcmp(value, "ON") == 0;
    struct live_state now = l->state;
    pthread_mutex_unlock(&l->lock);
    if (now.told)
        live_tell(l, "status", state_json(&now));
}

/* A verdict by MQTT or earshot label: "EVENT_ID VERDICT". One that names the event by its first digits is seen when the list is read
 * again. */
static void tell_verdict(struct live *l, const char *value)
{
    char id[UUID_SIZE], verdict[LABEL_SIZE];

    if (sscanf(value, "%36s %47s", id, verdict) != 2 || strlen(id) != UUID_SIZE - 1)
        return;
    bool undo = strcmp(verdict, "undo") == 0;
    live_tell(l, "verdict",
              json_pack("{s:o, s:o}", "event_id", json_text(id), "verdict", undo ? json_null() : json_text(verdict)));
}

static void on_result(struct web *w, const struct command_result *result)
{
    if (result->origin == COMMAND_WEB)
        live_batches_result(live_of(w), result);
    else if (result->ok && strcmp(result->name, "label") == 0)
        tell_verdict(live_of(w), result->value);
}

/* As MQTT's topics have it. */
static void find_node(struct live *l)
{
    const char *base = "x";
    struct mqtt_names names;
    struct err err;

    if (mqtt_names_init(&names, base, web_config(l->web)->mqtt.node, &err) == 0)
        snprintf(l->node, sizeof l->node, "%.*s", MQTT_NODE - 1, names.base + strlen(base) + 1);
}

/* --- the module ------------------------------------------------------------------------------------------------------ */

static void close_live(struct web *w)
{
    struct live *l = live_of(w);

    if (!l)
        return;
    live_levels_free(l->meter);
    sse_hub_free(l->events);
    sse_hub_free(l->levels);
    live_ring_free(l->ring);
    vocabulary_free(l->vocabulary);
    free(l->labels);
    pthread_mutex_destroy(&l->lock);
    free(l);
    web_set_state(w, WEB_LIVE, NULL);
}

static int open_live(struct web *w, struct err *err)
{
    struct live *l = calloc(1, sizeof *l);

    if (!l)
        return err_set(err, "web: out of memory");
    web_set_state(w, WEB_LIVE, l);
    l->web = w;
    pthread_mutex_init(&l->lock, NULL);
    l->ring = live_ring_new();
    l->events = sse_hub_new(w, QUEUE_EVENTS, LIVE_WATCHERS);
    l->levels = sse_hub_new(w, QUEUE_LEVELS, LIVE_WATCHERS);
    l->meter = live_levels_new(w, l->levels);
    l->vocabulary = load_names();
    find_node(l);
    if (l->ring && l->events && l->levels && l->meter)
        return 0;
    close_live(w);
    return err_set(err, "web: out of memory");
}

static void end_live(struct web *w)
{
    struct live *l = live_of(w);

    live_levels_stop(l->meter);
    live_batches_end(l);
    live_test_end(l);
}

const struct web_module module_live = {.id = WEB_LIVE,
                                       .open = open_live,
                                       .event = on_event,
                                       .health = on_health,
                                       .setting = on_setting,
                                       .labels = on_labels,
                                       .result = on_result,
                                       .end = end_live,
                                       .close = close_live};
