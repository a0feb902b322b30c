#include "daemon/run_control.h"

#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/control.h"
#include "daemon/level_json.h"
#include "daemon/teach/tape_json.h"
#include "daemon/tone_json.h"
#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define TEST_TIMEOUT_S 3
#define MAX_REPORTS    8
#define MAX_INTERNAL   2

struct run_control {
    struct pipeline *pipeline;
    struct commands *commands;
    struct output *outputs[MAX_REPORTS + MAX_INTERNAL]; /* those that tell somebody, then internal ones */
    size_t n_outputs, n_internal;
    struct control *control;

    pthread_mutex_t lock;
    pthread_t tester;
    bool made, busy; /* tester is to be joined; its test is under way */
    unsigned tests;  /* number of the test under way or last made */
    atomic_bool cancel;
    char label[LABEL_SIZE], model[64];
    struct output_report reports[MAX_REPORTS];
    json_int_t recordings;   /* the control thread's: how many there were */
    float tape[TAPE_FRAMES]; /* likewise */
};

/* --- test events ---------------------------------------------------------------------------------------------------- */

static void *tester_main(void *arg)
{
    struct run_control *r = arg;
    struct output_report reports[MAX_REPORTS];

    output_test(r->outputs, r->n_outputs, r->n_internal, r->label, r->model, TEST_TIMEOUT_S, &r->cancel, reports);
    for (size_t i = 0; i < r->n_outputs; i++)
        log_info("test of %s: %s: %s", r->label, reports[i].name, *reports[i].text ? reports[i].text : "no answer");
    pthread_mutex_lock(&r->lock);
    memcpy(r->reports, reports, sizeof reports);
    r->busy = false;
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

static int known_label(struct run_control *r, const char *label, struct err *err)
{
    size_t n;
    const char *const *labels = pipeline_labels(r->pipeline, &n);

    for (size_t i = 0; i < n; i++)
        if (strcmp(labels[i], label) == 0)
            return 0;
    struct text_nearest near = {.word = label};
    for (size_t i = 0; i < n; i++)
        text_nearest_try(&near, labels[i]);
    err_set(err, "the model has no label \"%.48s\"%s%s%s; it has", label, near.best ? ", did you mean " : "",
            near.best ? near.best : "", near.best ? "?" : "");
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(err->text);
        if (len + strlen(labels[i]) + 40 >= sizeof err->text) { /* only whole ones */
            snprintf(err->text + len, sizeof err->text - len, ", ... (earshot model show lists all)");
            break;
        }
        snprintf(err->text + len, sizeof err->text - len, "%s %s", i ? "," : "", labels[i]);
    }
    return -1;
}

int run_control_test(struct run_control *r, const char *label, struct err *err)
{
    struct health h;
    int rc = 0;

    if (known_label(r, label, err) < 0)
        return -1;
    pipeline_health(r->pipeline, &h);
    pthread_mutex_lock(&r->lock);
    if (atomic_load_explicit(&r->cancel, memory_order_relaxed)) { /* set under the lock; relaxed is for output_test */
        rc = err_set(err, "the daemon is stopping");
    } else if (r->busy) {
        rc = err_set(err, "a test of %s is under way", r->label);
    } else {
        if (r->made)
            pthread_join(r->tester, NULL);
        snprintf(r->label, sizeof r->label, "%s", label);
        snprintf(r->model, sizeof r->model, "%s", h.model);
        r->made = r->busy = pthread_create(&r->tester, NULL, tester_main, r) == 0;
        r->tests++;
        if (!r->made)
            rc = err_set(err, "no thread can be made for the test");
    }
    pthread_mutex_unlock(&r->lock);
    return rc;
}

/* --- the socket's commands ------------------------------------------------------------------------------------------ */

static int answer_levels(void *ctx, struct control_call *call, struct err *err)
{
    struct run_control *r = ctx;
    struct health h;
    struct level_report l = {.input_state = "off", .input_problem = "listening is switched OFF"};

    (void)err;
    pipeline_health(r->pipeline, &h);
    l.levels = h.levels; /* where it is switched off, those of before */
    l.sound = h.sound;
    if (h.listening) {
        snprintf(l.input_state, sizeof l.input_state, "%s", h.input_state);
        snprintf(l.input_problem, sizeof l.input_problem, "%s", h.input_problem);
    }
    call->reply = level_json(&l);
    call->again_ms = 100;
    return 0;
}

static json_t *report_json(const struct run_control *r)
{
    json_t *list = json_array();

    for (size_t i = 0; i < r->n_outputs; i++) {
        const struct output_report *o = &r->reports[i];
        json_array_append_new(list, json_pack("{s:s, s:b, s:o, s:s}", "name", o->name, "ok", o->ok, "ms",
                                              json_decimal(o->ms, 3), "text", *o->text ? o->text : "no answer"));
    }
    return json_pack("{s:s, s:o}", "label", r->label, "outputs", list);
}

static int answer_test(void *ctx, struct control_call *call, struct err *err)
{
    struct run_control *r = ctx;

    if (call->n == 0) {
        const char *label = json_string_value(json_object_get(call->request, "label"));
        if (!label)
            return err_set(err, "\"label\" is missing");
        if (run_control_test(r, label, err) < 0)
            return -1;
        pthread_mutex_lock(&r->lock);
        json_object_set_new(call->memo, "test", json_integer(r->tests));
        pthread_mutex_unlock(&r->lock);
        call->again_ms = 20;
        return 0;
    }
    pthread_mutex_lock(&r->lock);
    bool mine = json_integer_value(json_object_get(call->memo, "test")) == (json_int_t)r->tests;
    if (!mine)
        err_set(err, "another test began before this one's report was read");
    else if (r->busy)
        call->again_ms = 20;
    else
        call->reply = report_json(r);
    pthread_mutex_unlock(&r->lock);
    return mine ? 0 : -1;
}

/* {"name", "value", "persist"}: the last two as in a payload of MQTT. */
static int ask(struct run_control *r, struct control_call *call, struct err *err)
{
    const char *name = json_string_value(json_object_get(call->request, "name"));
    json_t *payload = json_object(), *value = json_object_get(call->request, "value"),
           *persist = json_object_get(call->request, "persist");
    unsigned ticket;

    json_object_set(payload, "value", value);
    if (persist)
        json_object_set(payload, "persist", persist);
    char *text = json_dumps(payload, JSON_LINE);
    json_decref(payload);
    int rc = name && text ? commands_put(r->commands, COMMAND_CONTROL, name, text, strlen(text), &ticket, err)
                          : err_set(err, "\"name\" is missing");
    free(text);
    if (rc == 0)
        json_object_set_new(call->memo, "ticket", json_integer(ticket));
    return rc;
}

static int answer_set(void *ctx, struct control_call *call, struct err *err)
{
    struct run_control *r = ctx;
    struct command_result result;

    call->again_ms = 5;
    if (call->n == 0)
        return ask(r, call, err);
    int known =
        commands_result(r->commands, (unsigned)json_integer_value(json_object_get(call->memo, "ticket")), &result);
    if (known == 0)
        return 0;
    call->again_ms = 0;
    if (known < 0)
        return err_set(err, "so many commands followed that what became of this one is forgotten");
    if (!result.ok)
        return err_set(err, "set/%s: %.900s", result.name, result.error);
    call->reply = json_pack("{s:s, s:s, s:b}", "name", result.name, "value", result.value, "persist", result.persist);
    return 0;
}

static int answer_settings(void *ctx, struct control_call *call, struct err *err)
{
    struct run_control *r = ctx;

    (void)err;
    call->reply = json_pack("{s:o}", "settings", commands_settings(r->commands));
    return 0;
}

static int begin_test(void *ctx, const char *label, struct err *err)
{
    return run_control_test(ctx, label, err);
}

static json_t *last_report(void *ctx)
{
    struct run_control *r = ctx;

    pthread_mutex_lock(&r->lock);
    json_t *report = r->busy || !r->tests ? NULL : report_json(r);
    pthread_mutex_unlock(&r->lock);
    return report;
}

/* What the analysis thread hears of a calibrator's tone, and of which input: `earshot calibrate` judges and keeps it. */
static int answer_tone(void *ctx, struct control_call *call, struct err *err)
{
    struct run_control *r = ctx;
    struct tone_state t;
    struct health h;

    pipeline_health(r->pipeline, &h);
    if (!h.listening)
        return err_set(err, "listening is switched OFF");
    pipeline_watch_tone(r->pipeline, &t);
    call->reply = tone_json(&t, &h, pipeline_input(r->pipeline));
    call->again_ms = 100;
    return 0;
}

/* What the microphone gives, as long as the client reads. One at a time, the newest: nobody tells us of a client that went away. */
static int answer_record(void *ctx, struct control_call *call, struct err *err)
{
    struct run_control *r = ctx;
    struct health h;
    unsigned rate = 0;

    if (call->n == 0)
        json_object_set_new(call->memo, "recording", json_integer(++r->recordings));
    if (json_integer_value(json_object_get(call->memo, "recording")) != r->recordings)
        return err_set(err, "somebody else is recording now");
    pipeline_health(r->pipeline, &h);
    if (!h.listening)
        return err_set(err, "listening is switched OFF");
    int n = pipeline_take_tape(r->pipeline, r->tape, TAPE_FRAMES, &rate, err);
    if (n < 0)
        return -1;
    call->reply = tape_json(r->tape, (size_t)n, rate);
    call->again_ms = 50;
    return 0;
}

static const struct control_command commands[] = {
    {"record", answer_record}, {"levels", answer_levels}, {"set", answer_set}, {"settings", answer_settings},
    {"test", answer_test},     {"tone", answer_tone},     {NULL, NULL},
};

struct run_control *run_control_new(struct pipeline *p, const struct run_outputs *outputs, struct commands *on,
                                    const char *state_dir)
{
    struct run_control *r = calloc(1, sizeof *r);
    char path[512];
    struct err err;

    if (!r)
        return NULL;
    r->pipeline = p;
    r->commands = on;
    for (size_t i = 0; i < outputs->n && r->n_outputs < MAX_REPORTS; i++)
        if (!outputs->list[i]->internal)
            r->outputs[r->n_outputs++] = outputs->list[i];
    for (size_t i = 0; i < outputs->n && r->n_internal < MAX_INTERNAL; i++)
        if (outputs->list[i]->internal)
            r->outputs[r->n_outputs + r->n_internal++] = outputs->list[i];
    pthread_mutex_init(&r->lock, NULL);
    commands_set_test(on, &(struct commands_tester){begin_test, last_report, r});
    if (control_path(state_dir, path, sizeof path, &err) == 0)
        r->control = control_new(path, commands, r, &err);
    if (!r->control)
        log_warn("no control socket: %s; earshot levels and earshot test cannot reach this daemon", err.text);
    return r;
}

void run_control_stop(struct run_control *r)
{
    if (!r)
        return;
    control_free(r->control);
    r->control = NULL;
    pthread_mutex_lock(&r->lock);
    atomic_store_explicit(&r->cancel, true, memory_order_relaxed);
    bool made = r->made;
    r->made = false;
    pthread_mutex_unlock(&r->lock);
    if (made)
        pthread_join(r->tester, NULL);
}

void run_control_free(struct run_control *r)
{
    if (!r)
        return;
    run_control_stop(r);
    pthread_mutex_destroy(&r->lock);
    free(r);
}
