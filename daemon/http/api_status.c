/* How things stand: one object with all that a page shows at first. */
#include "base/clock.h"
#include "base/json.h"
#include "daemon/history/query.h"
#include "daemon/http/live.h"
#include "daemon/pipeline.h"
#include "model/policy.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_MS 10000 /* how old the number of events kept may be */

struct seen {
    struct web *web;
    struct live *live;
    struct health health;
    struct config config;
};

static json_t *decimal(float value, int decimals)
{
    return json_decimal((double)value, decimals);
}

static json_t *input_json(const struct health *h)
{
    return json_pack("{s:o, s:s, s:o, s:i, s:i, s:I, s:I}", "device", json_text(h->input), "state", h->input_state,
                     "problem", *h->input_problem ? json_text(h->input_problem) : json_null(), "rate", (int)h->rate,
                     "channels", (int)h->channels, "overruns", (json_int_t)h->overruns, "lost_frames",
                     (json_int_t)h->lost_frames);
}

static json_t *gate_json(const struct health *h)
{
    const struct analysis_levels *l = &h->levels;

    return json_pack("{s:s, s:o, s:o, s:o, s:b}", "threshold", h->threshold, "threshold_dbfs",
                     decimal(l->threshold_dbfs, 1), "floor_dbfs", decimal(l->floor_dbfs, 1), "rms_dbfs",
                     decimal(l->rms_dbfs, 1), "open", l->open);
}

static json_t *broker_json(struct seen *s)
{
    const struct output_counters none = {.name = "mqtt"}, *c = &none;
    struct health told; /* has the outputs' figures, which the pipeline's own does not */

    web_health(s->web, &told);
    for (unsigned i = 0; i < told.n_outputs; i++)
        if (strcmp(told.outputs[i].name, "mqtt") == 0)
            c = &told.outputs[i];
    return json_pack("{s:b, s:o, s:i, s:b, s:I, s:I, s:I, s:o}", "enabled", s->config.mqtt.enabled, "host",
                     json_text(s->config.mqtt.host), "port", s->config.mqtt.port, "connected", c->connected, "queued",
                     (json_int_t)c->queued, "dropped", (json_int_t)c->dropped, "sent", (json_int_t)c->sent, "problem",
                     *c->problem ? json_text(c->problem) : json_null());
}

/* Counting a million rows takes a while: not for every request. */
static json_t *history_json(struct seen *s)
{
    struct live *l = s->live;
    const struct store_filter all = {.since_ms = INT64_MIN, .until_ms = INT64_MAX};
    int64_t now = clock_ms(CLOCK_MONOTONIC);

    pthread_mutex_lock(&l->lock);
    bool due = !l->counted_ms || now - l->counted_ms > COUNT_MS;
    if (due)
        l->counted_ms = now; /* by this one alone */
    int64_t n = l->events_kept;
    pthread_mutex_unlock(&l->lock);
    struct store_reader *r = due ? live_history(s->web, NULL) : NULL;
    if (r) {
        n = history_count(store_read_db(r), &all, true, NULL);
        n = n < 0 ? 0 : n;
        pthread_mutex_lock(&l->lock);
        l->events_kept = n;
        pthread_mutex_unlock(&l->lock);
        store_read_close(r);
    }
    return json_pack("{s:b, s:I}", "enabled", s->config.history.enabled && *web_state_dir(s->web), "events",
                     (json_int_t)n);
}

/* What each sound must reach, by the model and the rules in force. */
static json_t *threshold_json(struct seen *s, const char *label, const struct decision_params *params)
{
    float own = pipeline_threshold_of(web_pipeline(s->web), label);
    struct policy policy;
    struct err err;

    if (own < 0 || policy_make(&policy, label, own, params, false, &err) < 0)
        return json_null();
    return decimal(policy.threshold, 4);
}

static json_t *labels_json(struct seen *s)
{
    struct output_label none;
    size_t room = web_labels(s->web, &none, 0);
    struct output_label *list = calloc(room + 1, sizeof *list);
    size_t n = list ? web_labels(s->web, list, room) : 0;
    struct decision_params params;
    json_t *labels = json_array();

    pipeline_decision_params(&s->config, &params);
    for (size_t i = 0; i < n && i < room; i++) {
        const struct output_label *l = &list[i];
        json_array_append_new(
            labels, json_pack("{s:s, s:o, s:o, s:b, s:b, s:o, s:b}", "label", l->label, "name", json_text(l->name),
                              "group", *l->group ? json_string(l->group) : json_null(), "alarm", l->alarm, "enabled",
                              l->enabled, "threshold", threshold_json(s, l->label, &params), "taught", (int)l->taught));
    }
    free(list);
    return labels;
}

/* Those that ring, and those that nobody has seen yet. */
static json_t *alarms_json(struct seen *s)
{
    struct alarm *list = calloc(ALARMS_KEPT, sizeof *list);
    size_t n = list ? commands_alarms(web_commands(s->web), list) : 0;
    json_t *alarms = json_array();
    char start[RFC3339_SIZE];

    for (size_t i = 0; i < n; i++) {
        const struct alarm *a = &list[i];
        if (!a->alarm || (a->ended && a->acknowledged))
            continue;
        rfc3339_utc(start, a->start_ns);
        json_t *o = json_pack("{s:s, s:s, s:s, s:o, s:b, s:b, s:b}", "label", a->label, "event_id", a->event_id,
                              "start", start, "score", decimal(a->score, 4), "ended", a->ended, "acknowledged",
                              a->acknowledged, "test", a->test);
        live_add_names(s->live, o, a->label);
        json_array_append_new(alarms, o);
    }
    free(list);
    return alarms;
}

static json_t *status_json(struct seen *s, struct request *r)
{
    const struct health *h = &s->health;
    char now[RFC3339_SIZE];
    json_t *o = json_object();

    rfc3339_utc(now, clock_ns(CLOCK_REALTIME));
    json_object_set_new(o, "version", json_string(EARSHOT_VERSION));
    json_object_set_new(o, "node", json_string(s->live->node));
    json_object_set_new(o, "uptime_s", json_decimal(h->uptime_s, 1));
    json_object_set_new(o, "now", json_string(now));
    json_object_set_new(o, "model", json_text(h->model));
    json_object_set_new(o, "window_s", json_decimal(pipeline_window_s(web_pipeline(s->web)), 3));
    json_object_set_new(o, "tls", json_boolean(web_is_tls(s->web)));
    json_object_set_new(o, "signed_in", json_boolean(request_signed_in(r)));
    json_object_set_new(o, "auth", json_string(web_needs_sign_in(s->web) ? "token" : "none"));
    json_object_set_new(o, "listening", json_boolean(s->config.input.listening));
    json_object_set_new(o, "input", input_json(h));
    json_object_set_new(o, "gate", gate_json(h));
    json_object_set_new(o, "broker", broker_json(s));
    json_object_set_new(o, "counters",
                        json_pack("{s:I, s:I, s:I}", "windows", (json_int_t)h->windows, "windows_dropped",
                                  (json_int_t)h->windows_dropped, "events", (json_int_t)h->events));
    json_object_set_new(o, "history", history_json(s));
    json_object_set_new(o, "clips",
                        json_pack("{s:b, s:I, s:I}", "enabled", h->keeps_clips, "files", (json_int_t)h->clips.stored,
                                  "bytes", (json_int_t)h->clips.bytes));
    json_object_set_new(o, "watchers", json_integer((json_int_t)sse_watching(s->live->events)));
    json_object_set_new(o, "labels", labels_json(s));
    json_object_set_new(o, "alarms", alarms_json(s));
    return o;
}

static void get_status(struct web *w, struct request *r)
{
    struct seen *s = calloc(1, sizeof *s);
    struct err err = {"out of memory"};

    if (!s || !web_pipeline(w) || commands_config(web_commands(w), &s->config, &err) < 0) {
        reply_problem(r, 503, "%s", s && !web_pipeline(w) ? "the daemon is starting" : err.text);
        free(s);
        return;
    }
    s->web = w;
    s->live = live_of(w);
    pipeline_health(web_pipeline(w), &s->health);
    reply_json(r, 200, status_json(s, r));
    config_free(&s->config);
    free(s);
}

#define NUMBER_OR_NULL "{'type':['number','null']}"
#define TEXT_OR_NULL   "{'type':['string','null']}"

const struct web_schema schemas_status[] = {
    {"Status",
     "{'type':'object','required':['version','node','uptime_s','now','model','window_s','tls','signed_in','auth',"
     "'listening','input','gate','broker','counters','history','clips','watchers','labels','alarms'],'properties':{"
     "'version':{'type':'string'},'node':{'type':'string'},'uptime_s':{'type':'number'},"
     "'now':{'type':'string','format':'date-time'},'model':{'type':'string'},'window_s':{'type':'number'},"
     "'tls':{'type':'boolean'},'signed_in':{'type':'boolean'},'auth':{'enum':['none','token']},"
     "'listening':{'type':'boolean'},'input':{'type':'object','required':['device','state','problem','rate','channels',"
     "'overruns','lost_frames'],'properties':{'device':{'type':'string'},'state':{'type':'string'},'problem'"
     ":" TEXT_OR_NULL ",'rate':{'type':'integer'},'channels':{'type':'integer'},'overruns':{'type':'integer'},"
     "'lost_frames':{'type':'integer'}}},'gate':{'type':'object','required':['threshold','threshold_dbfs','floor_dbfs',"
     "'rms_dbfs','open'],'properties':{'threshold':{'type':'string'},'threshold_dbfs':" NUMBER_OR_NULL
     ",'floor_dbfs':" NUMBER_OR_NULL ",'rms_dbfs':" NUMBER_OR_NULL
     ",'open':{'type':'boolean'}}},'broker':{'type':'object','required':['enabled','host','port','connected','queued',"
     "'dropped','sent','problem'],'properties':{'enabled':{'type':'boolean'},'host':{'type':'string'},"
     "'port':{'type':'integer'},'connected':{'type':'boolean'},'queued':{'type':'integer'},'dropped':{'type':'integer'}"
     ","
     "'sent':{'type':'integer'},'problem':" TEXT_OR_NULL
     "}},'counters':{'type':'object','required':['windows','windows_dropped','events']},"
     "'history':{'type':'object','required':['enabled','events']},'clips':{'type':'object','required':['enabled','"
     "files',"
     "'bytes']},'watchers':{'type':'integer'},'labels':{'type':'array','items':{'$ref':'#/components/schemas/Label'}},"
     "'alarms':{'type':'array','items':{'$ref':'#/components/schemas/Alarm'}}}}"},
    {"Label",
     "{'type':'object','required':['label','name','group','alarm','enabled','threshold','taught'],'properties':{"
     "'label':{'type':'string'},'name':{'type':'string'},'group':" TEXT_OR_NULL
     ",'alarm':{'type':'boolean'},'enabled':{'type':'boolean'},'threshold':" NUMBER_OR_NULL
     ",'taught':{'type':'boolean'}}}"},
    {"Alarm", "{'type':'object','required':['label','name','event_id','start','score','ended','acknowledged','test'],'"
              "properties':{"
              "'label':{'type':'string'},'name':{'type':'string'},'event_id':{'type':'string'},"
              "'start':{'type':'string','format':'date-time'},'score':{'type':'number'},'ended':{'type':'boolean'},"
              "'acknowledged':{'type':'boolean'},'test':{'type':'boolean'}}}"},
    {NULL, NULL},
};

const struct route routes_status[] = {
    {.method = "GET",
     .path = "/api/v1/status",
     .flags = ROUTE_WORKER,
     .handle = get_status,
     .summary =
         "Input, gate, broker, model, counters, the sounds that it knows, and the alarms that ring or wait to be seen.",
     .schema = "{'$ref':'#/components/schemas/Status'}",
     .problems = "503"},
    {.method = NULL},
};
