/* What was heard: lists and counts out of the history, and the two streams. */
#include "base/clock.h"
#include "base/json.h"
#include "base/when.h"
#include "daemon/history/print.h"
#include "daemon/history/query.h"
#include "daemon/http/live.h"
#include "daemon/teach/verdict.h"
#include "model/labels.h"
#include <stdlib.h>
#include <string.h>

#define HOUR_MS   3600000
#define HOURS_MAX 744

struct store_reader *live_history(struct web *w, struct request *r)
{
    const char *dir = web_state_dir(w);
    struct err err = {"there is no state directory, and so no history"};
    struct store_reader *reader = dir && *dir ? store_read_open(dir, &err) : NULL;

    if (!reader && r)
        reply_problem(r, 503, "%s", err.text);
    return reader;
}

/* --- events ---------------------------------------------------------------------------------------------------------- */

struct label_list {
    char text[64 * LABEL_SIZE];
    const char *list[64];
    size_t n;
};

/* "siren,dog_bark". -1: a problem was replied. */
static int read_labels(struct request *r, struct label_list *l)
{
    const char *given = request_query(r, "label");

    l->n = 0;
    snprintf(l->text, sizeof l->text, "%s", given ? given : "");
    char *rest = l->text, *word;
    while ((word = strsep(&rest, ",")) && given) {
        if (!label_valid(word) || l->n == 64) {
            reply_problem(r, 400, "label = \"%.60s\": allowed: up to 64 sounds, [a-z0-9_], with commas between them",
                          given);
            return -1;
        }
        l->list[l->n++] = word;
    }
    return 0;
}

/* A cursor is where the page before ended: "START_MS-ROW". */
static int read_cursor(struct request *r, struct store_filter *f)
{
    const char *text = request_query(r, "before");
    char *end;

    if (!text)
        return 0;
    f->before_ms = strtoll(text, &end, 10);
    f->before_id = *end == '-' ? strtoll(end + 1, &end, 10) : 0;
    if (f->before_id > 0 && !*end && f->before_ms > 0 && f->before_ms < INT64_MAX)
        return 0;
    reply_problem(r, 400, "before = \"%.40s\": allowed: \"next\" of an answer before", text);
    return -1;
}

struct page {
    struct live *live;
    sqlite3 *db;
    json_t *events;
    int64_t last_ms, last_id, n;
};

static bool add_event(void *ctx, const struct store_row *row)
{
    struct page *p = ctx;
    json_t *o = history_event_json(row);
    char verdict[VERDICT_SIZE];

    live_add_names(p->live, o, row->label);
    json_object_set_new(o, "verdict", verdict_of(p->db, row->event_id, verdict) ? json_string(verdict) : json_null());
    json_array_append_new(p->events, o);
    p->last_ms = row->start_ms;
    p->last_id = row->id;
    p->n++;
    return true;
}

static void reply_page(struct request *r, struct page *p, bool more)
{
    char next[48];

    snprintf(next, sizeof next, "%lld-%lld", (long long)p->last_ms, (long long)p->last_id);
    reply_json(r, 200, json_pack("{s:O, s:o}", "events", p->events, "next", more ? json_string(next) : json_null()));
}

static void get_events(struct web *w, struct request *r)
{
    struct store_filter f = {.since_ms = INT64_MIN, .newest_first = true};
    struct page p = {.live = live_of(w), .events = json_array()};
    struct label_list *labels = calloc(1, sizeof *labels);
    int64_t until = 0, limit = 0;
    struct store_reader *reader = NULL;
    struct err err;

    if (!labels || read_labels(r, labels) < 0 || read_cursor(r, &f) < 0 || !(reader = live_history(w, r)))
        goto out;
    request_time(r, "since", &f.since_ms);
    if (request_time(r, "until", &until))
        f.until_ms = until > 0 ? until : 1;
    if (f.before_id && (!f.until_ms || f.before_ms < f.until_ms))
        f.until_ms = f.before_ms + 1;
    request_number(r, "min_score", &f.min_score);
    request_int(r, "limit", &limit);
    f.limit = limit;
    f.labels = labels->list;
    f.n_labels = labels->n;
    p.db = store_read_db(reader);
    if (store_read_events(reader, &f, add_event, &p, &err) < 0)
        reply_problem(r, 503, "%s", err.text);
    else
        reply_page(r, &p, p.n == limit);
out:
    store_read_close(reader);
    json_decref(p.events);
    free(labels);
}

/* --- counts ---------------------------------------------------------------------------------------------------------- */

struct counting {
    json_t *labels;
    int64_t from_ms;
    size_t hours;
};

static void count_start(void *ctx, int64_t start_ms, const char *label)
{
    struct counting *c = ctx;
    int64_t at = (start_ms - c->from_ms) / HOUR_MS;
    json_t *list = json_object_get(c->labels, label);

    if (start_ms < c->from_ms || at >= (int64_t)c->hours)
        return;
    if (!list) {
        list = json_array();
        for (size_t i = 0; i < c->hours; i++)
            json_array_append_new(list, json_integer(0));
        json_object_set_new(c->labels, label, list);
    }
    json_t *n = json_array_get(list, (size_t)at);
    json_integer_set(n, json_integer_value(n) + 1);
}

/* The last bucket is the hour that the clock on the wall shows. */
static void get_counts(struct web *w, struct request *r)
{
    struct label_list *labels = calloc(1, sizeof *labels);
    struct counting c = {.labels = json_object()};
    struct store_reader *reader = NULL;
    struct store_filter f = {.min_score = 0};
    int64_t hours = 24;
    char from[WHEN_TEXT];
    struct err err;

    if (!labels || read_labels(r, labels) < 0 || !(reader = live_history(w, r)))
        goto out;
    request_int(r, "hours", &hours);
    c.hours = (size_t)hours;
    f.until_ms = when_hour_of(clock_ms(CLOCK_REALTIME)).end_ms;
    f.since_ms = c.from_ms = f.until_ms - hours * HOUR_MS;
    f.labels = labels->list;
    f.n_labels = labels->n;
    when_utc(c.from_ms, from);
    if (history_starts(store_read_db(reader), &f, count_start, &c, &err) < 0)
        reply_problem(r, 503, "%s", err.text);
    else
        reply_json(r, 200, json_pack("{s:s, s:i, s:O}", "from", from, "step_s", HOUR_MS / 1000, "labels", c.labels));
out:
    store_read_close(reader);
    json_decref(c.labels);
    free(labels);
}

/* --- streams --------------------------------------------------------------------------------------------------------- */

static void stream_events(struct web *w, struct request *r)
{
    live_resume(live_of(w), r);
}

static void stream_levels(struct web *w, struct request *r)
{
    struct live *l = live_of(w);
    struct err err;

    if (live_levels_wake(l->meter, &err) < 0) {
        reply_problem(r, 503, "%s", err.text);
        return;
    }
    if (sse_open(r, l->levels))
        live_levels_wake(l->meter, &err);
}

/* --- routes ---------------------------------------------------------------------------------------------------------- */

static const struct query_param events_params[] = {
    {"since", PARAM_TIME, 0, 0, NULL, NULL, "Sounds that began then or later: RFC 3339, 2h, today, ..."},
    {"until", PARAM_TIME, 0, 0, NULL, NULL, "... and before that moment."},
    {"label", PARAM_TEXT, 0, 0, NULL, NULL, "These sounds alone, with commas between them."},
    {"min_score", PARAM_NUMBER, 0, 1, NULL, NULL, "Scores from that on."},
    {"limit", PARAM_INT, 1, 500, NULL, "50", "Events in one answer."},
    {"before", PARAM_TEXT, 0, 0, NULL, NULL, "\"next\" of the answer before: what is older."},
    {.name = NULL},
};

static const struct query_param counts_params[] = {
    {"by", PARAM_WORD, 0, 0, "hour", "hour", "Length of a step."},
    {"hours", PARAM_INT, 1, HOURS_MAX, NULL, "24", "So many, the last being that of the present."},
    {"label", PARAM_TEXT, 0, 0, NULL, NULL, "These sounds alone, with commas between them."},
    {.name = NULL},
};

#define NUMBER_OR_NULL "{'type':['number','null']}"
#define TEXT_OR_NULL   "{'type':['string','null']}"
#define TIME           "{'type':'string','format':'date-time'}"

const struct web_schema schemas_events[] = {
    {"Event",
     "{'type':'object','required':['event_id','sound_id','label','score','top','source','start','end','duration_s','"
     "state',"
     "'peak_dbfs','rms_dbfs','segments','lost_frames','model','clip','notified','test','name','group','alarm','verdict'"
     "],"
     "'properties':{'event_id':{'type':'string'},'sound_id':{'type':'string'},'label':{'type':'string'},"
     "'score':{'type':'number'},'top':{'type':'array','items':{'type':'object','required':['label','score']}},"
     "'source':{'type':'string'},'start':" TIME ",'end':" TIME ",'duration_s':{'type':'number'},"
     "'state':{'enum':['going_on','ended','cut_off']},'peak_dbfs':" NUMBER_OR_NULL ",'rms_dbfs':" NUMBER_OR_NULL
     ",'segments':{'type':'integer'},'lost_frames':{'type':'integer'},'model':{'type':'string'},'clip':" TEXT_OR_NULL
     ",'notified':{'type':'boolean'},'test':{'type':'boolean'},'name':{'type':'string'},'group':" TEXT_OR_NULL
     ",'alarm':{'type':'boolean'},'verdict':" TEXT_OR_NULL "}}"},
    {NULL, NULL},
};

const struct route routes_events[] = {
    {.method = "GET",
     .path = "/api/v1/events",
     .flags = ROUTE_WORKER,
     .handle = get_events,
     .params = events_params,
     .summary = "What was heard, newest first, with what people said of it.",
     .schema = "{'type':'object','required':['events','next'],'properties':{'events':{'type':'array','items':"
               "{'$ref':'#/components/schemas/Event'}},'next':" TEXT_OR_NULL "}}",
     .problems = "503"},
    {.method = "GET",
     .path = "/api/v1/counts",
     .flags = ROUTE_WORKER,
     .handle = get_counts,
     .params = counts_params,
     .summary = "How many sounds of each kind began in each hour; tests do not count.",
     .schema = "{'type':'object','required':['from','step_s','labels'],'properties':{'from':" TIME
               ",'step_s':{'type':'integer'},'labels':{'type':'object','additionalProperties':{'type':'array','items':"
               "{'type':'integer'}}}}}",
     .problems = "503"},
    {.method = "GET",
     .path = "/api/v1/events/stream",
     .flags = ROUTE_WORKER | ROUTE_STREAM,
     .handle = stream_events,
     .type = "text/event-stream",
     .summary =
         "Server-sent events as they happen: event (the payload of MQTT, with name, group, alarm, notified), status, "
         "setting, ack, verdict. Last-Event-ID goes on where a client left off.",
     .schema = "{'type':'object'}",
     .problems = "503"},
    {.method = "GET",
     .path = "/api/v1/levels/stream",
     .flags = ROUTE_STREAM,
     .handle = stream_levels,
     .type = "text/event-stream",
     .summary = "Ten times a second while it listens, as level: the loudest 10 ms of the 100 ms behind the gate's "
                "high-pass, the "
                "peak, noise floor, threshold (null: off), gate, and 64 mel bands from 50 Hz to 8 kHz as base64 of "
                "bytes: 0 is "
                "-100 dBFS or less, 255 is 0 dBFS.",
     .schema =
         "{'type':'object','required':['time','rms_dbfs','peak_dbfs','floor_dbfs','threshold_dbfs','gate','spectrum'],"
         "'properties':{'time':" TIME ",'rms_dbfs':" NUMBER_OR_NULL ",'peak_dbfs':" NUMBER_OR_NULL
         ",'floor_dbfs':" NUMBER_OR_NULL ",'threshold_dbfs':" NUMBER_OR_NULL
         ",'gate':{'enum':['open','closed']},'spectrum':{'type':'string'}}}",
     .problems = "503"},
    {.method = NULL},
};
