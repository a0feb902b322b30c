/* What is asked of the daemon: to listen or not, that an alarm was seen, a test; and the models that it could use. */
#include "base/json.h"
#include "daemon/http/live.h"
#include "model/model.h"
#include <poll.h>
#include <string.h>

#define STACK       ((size_t)256 * 1024)
#define LOOK_MS     20
#define PATIENCE_MS 15000 /* a test takes about a second, and 3 s more where an output does not answer */

/* --- listening, ack -------------------------------------------------------------------------------------------------- */

static void get_listening(struct web *w, struct request *r)
{
    json_t *settings = commands_settings(web_commands(w));
    const char *on = json_string_value(json_object_get(settings, "listening"));

    reply_json(r, 200, json_pack("{s:b}", "listening", on && strcmp(on, "ON") == 0));
    json_decref(settings);
}

static bool reply_listening(struct live *l, struct live_batch *b)
{
    const struct command_result *c = &b->commands[0].result;

    (void)l;
    if (c->ok)
        reply_json(b->request, 200, json_pack("{s:b}", "listening", strcmp(c->value, "ON") == 0));
    else
        reply_problem(b->request, 503, "%s", c->error);
    return false;
}

static void put_listening(struct web *w, struct request *r)
{
    const json_t *on = json_object_get(request_json(r), "listening");

    if (!json_is_boolean(on)) {
        reply_problem(r, 400, "allowed: {\"listening\": true} or {\"listening\": false}");
        return;
    }
    struct live_batch *b = live_batch_new(r, reply_listening);
    if (!b)
        return;
    live_batch_add(live_of(w), b, "input.listening", "listening", json_is_true(on) ? "on" : "off");
    live_batch_go(live_of(w), b);
}

static bool reply_ack(struct live *l, struct live_batch *b)
{
    const struct command_result *c = &b->commands[0].result;

    (void)l;
    if (c->ok)
        reply_json(b->request, 200, json_pack("{s:b}", "ok", 1));
    else
        reply_problem(b->request, strncmp(c->error, "no sound", 8) == 0 ? 404 : 503, "%s", c->error);
    return false;
}

static void post_ack(struct web *w, struct request *r)
{
    struct live_batch *b = live_batch_new(r, reply_ack);

    if (!b)
        return;
    live_batch_add(live_of(w), b, "ack", "ack", request_param(r, "id"));
    live_batch_go(live_of(w), b);
}

/* --- test ------------------------------------------------------------------------------------------------------------ */

/* {"label", "outputs": [{"name", ...}]} as the control socket tells it -> {"reports": [{"output", ...}]} */
static json_t *reports_json(json_t *report)
{
    json_t *list = json_array(), *one;
    size_t i;

    json_array_foreach(json_object_get(report, "outputs"), i, one)
    {
        json_t *copy =
            json_pack("{s:O, s:O, s:O, s:O}", "output", json_object_get(one, "name"), "ok", json_object_get(one, "ok"),
                      "ms", json_object_get(one, "ms"), "text", json_object_get(one, "text"));
        json_array_append_new(list, copy);
    }
    return json_pack("{s:o}", "reports", list);
}

static bool over(struct live *l)
{
    pthread_mutex_lock(&l->lock);
    bool is_over = l->over;
    pthread_mutex_unlock(&l->lock);
    return is_over;
}

static void *await_report(void *arg)
{
    struct live *l = arg;
    json_t *report = NULL;

    for (int waited = 0; !report && !over(l) && waited < PATIENCE_MS; waited += LOOK_MS) {
        poll(NULL, 0, LOOK_MS);
        report = commands_test_report(web_commands(l->web));
    }
    pthread_mutex_lock(&l->lock);
    struct request *r = l->tester.request;
    l->tester.request = NULL;
    pthread_mutex_unlock(&l->lock);
    if (report)
        reply_json(r, 200, reports_json(report));
    else
        reply_problem(r, 503, "the test has not come to an end");
    json_decref(report);
    request_resume(r);
    return NULL;
}

/* A thread waits for the report: one at a time, as there is one test at a time. */
static bool begin_wait(struct live *l, struct request *r)
{
    pthread_attr_t attr;

    pthread_mutex_lock(&l->lock);
    bool free = !l->over && !l->tester.request, made = l->tester.made;
    if (free) {
        l->tester.request = r;
        l->tester.made = false;
    }
    pthread_t before = l->tester.thread;
    pthread_mutex_unlock(&l->lock);
    if (free && made)
        pthread_join(before, NULL); /* it has answered, and ends */
    if (!free)
        return false;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    pthread_mutex_lock(&l->lock);
    l->tester.made = pthread_create(&l->tester.thread, &attr, await_report, l) == 0;
    if (!l->tester.made)
        l->tester.request = NULL;
    made = l->tester.made;
    pthread_mutex_unlock(&l->lock);
    pthread_attr_destroy(&attr);
    return made;
}

void live_test_end(struct live *l)
{
    pthread_mutex_lock(&l->lock);
    bool made = l->tester.made;
    l->tester.made = false;
    pthread_mutex_unlock(&l->lock);
    if (made)
        pthread_join(l->tester.thread, NULL);
}

static bool reply_test(struct live *l, struct live_batch *b)
{
    const struct command_result *c = &b->commands[0].result;

    if (c->ok && begin_wait(l, b->request))
        return true;
    if (c->ok)
        reply_problem(b->request, 503, "the test was begun; nobody is free to wait for what becomes of it");
    else
        reply_problem(b->request, strstr(c->error, "under way") ? 409 : 400, "%s", c->error);
    return false;
}

static void post_test(struct web *w, struct request *r)
{
    const char *label = json_string_value(json_object_get(request_json(r), "label"));

    if (!label) {
        reply_problem(r, 400, "allowed: {\"label\": \"smoke_alarm\"}, a sound of the model");
        return;
    }
    struct live_batch *b = live_batch_new(r, reply_test);
    if (!b)
        return;
    live_batch_add(live_of(w), b, "test", "test", label);
    live_batch_go(live_of(w), b);
}

/* --- models ---------------------------------------------------------------------------------------------------------- */

struct listing {
    json_t *models;
    char in_use[64];
};

static void add_model(void *ctx, const char *name, const char *path)
{
    struct listing *l = ctx;
    struct err err;
    struct model *m = model_load(path, &err);

    if (!m)
        return; /* one that cannot be used cannot be chosen */
    const struct model_info *info = model_info(m);
    const char *description = model_metadata(m, "earshot.description");
    json_array_append_new(l->models,
                          json_pack("{s:o, s:o, s:I, s:o, s:b}", "name", json_text(name), "description",
                                    json_text(description), "labels", (json_int_t)info->n_labels, "window_s",
                                    json_decimal(info->window_s, 3), "in_use", strcmp(name, l->in_use) == 0));
    model_free(m);
}

static void get_models(struct web *w, struct request *r)
{
    struct listing l = {.models = json_array()};
    struct health h;

    web_health(w, &h);
    if (web_pipeline(w))
        pipeline_health(web_pipeline(w), &h);
    memcpy(l.in_use, h.model, sizeof l.in_use);
    model_each(add_model, &l);
    reply_json(r, 200, json_pack("{s:o}", "models", l.models));
}

#define LISTENING "{'type':'object','required':['listening'],'properties':{'listening':{'type':'boolean'}}}"

const struct route routes_control[] = {
    {.method = "GET",
     .path = "/api/v1/listening",
     .handle = get_listening,
     .summary = "Does it listen?",
     .schema = LISTENING},
    {.method = "PUT",
     .path = "/api/v1/listening",
     .handle = put_listening,
     .body = BODY_JSON,
     .summary = "Starts or stops listening.",
     .body_schema = LISTENING,
     .schema = LISTENING,
     .problems = "503"},
    {.method = "POST",
     .path = "/api/v1/events/{id}/ack",
     .handle = post_ack,
     .body = BODY_JSON,
     .summary = "Somebody has seen it: that event, all of a sound, or all (an event_id, a label, the word all). Every "
                "viewer is told.",
     .body_schema = "{'type':'object'}",
     .schema = "{'type':'object','required':['ok'],'properties':{'ok':{'type':'boolean'}}}",
     .problems = "404|503"},
    {.method = "POST",
     .path = "/api/v1/test",
     .handle = post_test,
     .body = BODY_JSON,
     .summary =
         "Sends a test event of that sound through every output and tells what became of it; takes a second or more.",
     .body_schema = "{'type':'object','required':['label'],'properties':{'label':{'type':'string'}}}",
     .schema =
         "{'type':'object','required':['reports'],'properties':{'reports':{'type':'array','items':{'type':'object',"
         "'required':['output','ok','ms','text'],'properties':{'output':{'type':'string'},'ok':{'type':'boolean'},"
         "'ms':{'type':['number','null']},'text':{'type':'string'}}}}}}",
     .problems = "409|503"},
    {.method = "GET",
     .path = "/api/v1/models",
     .flags = ROUTE_WORKER,
     .handle = get_models,
     .summary = "The models that there are by name; PATCH settings with model.file chooses one.",
     .schema = "{'type':'object','required':['models'],'properties':{'models':{'type':'array','items':{'type':'object',"
               "'required':['name','description','labels','window_s','in_use'],'properties':{'name':{'type':'string'},"
               "'description':{'type':['string','null']},'labels':{'type':'integer'},'window_s':{'type':'number'},"
               "'in_use':{'type':'boolean'}}}}}}"},
    {.method = NULL},
};
