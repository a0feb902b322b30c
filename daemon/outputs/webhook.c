#include "daemon/outputs/webhook.h"

#include "base/clock.h"
#include "base/log.h"
#include "daemon/outputs/mqtt_topics.h"
#include "daemon/outputs/webhook_helper.h"
#include "daemon/outputs/webhook_secret.h"
#include "event/event_text.h"
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BODY      4096 /* of a message */
#define PATIENCE  0.2  /* s that the outbox's disk is waited for, which holds up the other webhooks */
#define AGAIN_S   1.0  /* where it did not answer */
#define GRACE_S   5.0  /* beyond the time limit that the helper itself keeps */
#define LOG_EVERY 600.0
#define STEP_MS   3600000 /* a clock that was set by more says nothing about age for ... */
#define TRUST_S   86400.0

struct webhook {
    struct webhook_config config;
    struct event_filter *filter;
    char channel[STORE_CHANNEL], node[MQTT_NODE], place[CONFIG_TEXT];
    double late_after_s;
    struct store *store;
    struct acks *acks;

    struct webhook_helper helper;
    double idle_since;

    struct store_message message; /* under way where payload is not NULL */
    struct event event;           /* that it tells */
    double deadline;              /* for its answer */

    int64_t ahead_ms;     /* UTC less CLOCK_BOOTTIME, as last seen */
    double clock_trusted; /* from when on the wall clock decides what is too old */

    double look;       /* when the outbox is to be looked at again */
    bool failing;      /* the latest attempt was in vain */
    double complained; /* when that was last logged */
    struct webhook_figures figures;
};

struct webhook *webhook_new(const struct webhook_config *config, const char *const *labels, size_t n_labels,
                            const char *node, double late_after_s, const char *helper, struct store *store,
                            struct acks *acks, struct err *err)
{
    struct webhook *w = calloc(1, sizeof *w);
    struct webhook_secret secret;
    char owner[LABEL_SIZE + 16];

    snprintf(owner, sizeof owner, "webhook %s", config->name);
    if (!w) {
        err_set(err, "%s: no memory", owner);
        return NULL;
    }
    w->config = *config;
    w->late_after_s = late_after_s;
    w->store = store;
    w->acks = acks;
    webhook_helper_init(&w->helper, helper);
    w->ahead_ms = clock_ms(CLOCK_REALTIME) - clock_ms(CLOCK_BOOTTIME);
    w->complained = -LOG_EVERY;
    snprintf(w->channel, sizeof w->channel, "webhook:%s", config->name);
    snprintf(w->node, sizeof w->node, "%s", node);
    if (webhook_secret_read(&secret, config, err) < 0) {
        err_prefix(err, "[webhook %s] ", config->name);
        goto fail;
    }
    webhook_secret_place(secret.url, w->place, sizeof w->place);
    webhook_secret_wipe(&secret);
    if (config->ca_file[0] && access(config->ca_file, R_OK) < 0) {
        err_set(err, "[webhook %s] ca_file %s: %s", config->name, config->ca_file, strerror(errno));
        goto fail;
    }
    w->filter = event_filter_new(&config->when, owner, labels, n_labels, err);
    if (!w->filter)
        goto fail;
    return w;
fail:
    webhook_free(w);
    return NULL;
}

static void forget_message(struct webhook *w)
{
    free(w->message.payload);
    w->message = (struct store_message){0};
}

void webhook_free(struct webhook *w)
{
    if (!w)
        return;
    webhook_helper_end(&w->helper);
    forget_message(w);
    event_filter_free(w->filter);
    free(w);
}

bool webhook_wants(const struct webhook *w, const struct event *event)
{
    return event_filter_wants(w->filter, event);
}

static void answer_test(struct webhook *w, const struct event *e, int result, const char *text)
{
    char line[ERR_TEXT + LABEL_SIZE + 4];

    if (!e->test || !w->acks)
        return;
    snprintf(line, sizeof line, "%s: %s", w->config.name, text);
    acks_put(w->acks, e->id, result, line);
}

static bool may_complain(struct webhook *w, double now)
{
    if (now - w->complained < LOG_EVERY)
        return false;
    w->complained = now;
    return true;
}

void webhook_put(struct webhook *w, const struct event *event, double now)
{
    char json[BODY];
    struct err err = {"it is too long"};

    switch (event_filter_pass(w->filter, event, now)) {
    case EVENT_COOLING:
        answer_test(w, event, 1, "within its cooldown");
        return;
    case EVENT_TOO_MANY:
        w->figures.dropped++;
        answer_test(w, event, -1, "more than its rate allows");
        if (may_complain(w, now))
            log_warn("webhook %s: %s left out: more than %d a minute", w->config.name, event->label,
                     w->config.when.rate);
        return;
    case EVENT_GO:
        break;
    }
    int n = event_json(event, json, sizeof json);
    if (n < 0 || store_outbox_put(w->store, w->channel, event->id, json, (size_t)n, &err) < 0) {
        w->figures.dropped++;
        answer_test(w, event, -1, err.text);
        log_error("webhook %s: %s is lost: %s", w->config.name, event->label, err.text);
        return;
    }
    w->figures.queued++;
    w->look = fmin(w->look, now);
}

/* --- attempts ----------------------------------------------------------------------------------------------------------- */

/* The message's body, by the configuration as it is now. Returns its length, -1. */
static int compose(struct webhook *w, char body[BODY])
{
    const char *type = w->config.content_type;
    enum event_text_escape escape = strncasecmp(type, "application/json", 16) == 0 ? EVENT_TEXT_JSON
                                    : strncasecmp(type, "application/x-www-form-urlencoded", 33) == 0
                                        ? EVENT_TEXT_FORM
                                        : EVENT_TEXT_PLAIN;

    w->event.late = mqtt_event_late(&w->event, clock_ns(CLOCK_REALTIME), w->late_after_s);
    if (!w->config.body[0])
        return event_json(&w->event, body, BODY);
    return event_text(w->config.body, &w->event, w->node, escape, body, BODY);
}

static json_t *headers(const struct webhook *w, const struct webhook_secret *secret)
{
    json_t *list = json_array();

    json_array_append_new(list, json_sprintf("Content-Type: %s", w->config.content_type));
    json_array_append_new(list, json_sprintf("Idempotency-Key: %s", w->message.id));
    json_array_append_new(list, json_sprintf("X-Earshot-Node: %s", w->node));
    for (size_t i = 0; i < secret->n; i++)
        json_array_append_new(list, json_string(secret->headers[i]));
    return list;
}

/* A line for the helper; malloc'ed. NULL with err. */
static char *request(struct webhook *w, struct err *err)
{
    struct webhook_secret secret;
    char body[BODY], *line = NULL;

    if (compose(w, body) < 0) {
        err_set(err, "its text is longer than %d bytes", BODY - 1);
        return NULL;
    }
    if (webhook_secret_read(&secret, &w->config, err) < 0) /* each time: it may have been changed */
        return NULL;
    json_t *o = json_pack("{s:s, s:o, s:s, s:f, s:s}", "url", secret.url, "headers", headers(w, &secret), "body", body,
                          "timeout_s", w->config.timeout, "ca_file", w->config.ca_file);
    line = o ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    webhook_secret_wipe(&secret);
    if (!line)
        err_set(err, "no memory, or a header that is not UTF-8");
    return line;
}

static void done(struct webhook *w)
{
    store_outbox_done(w->store, w->message.key);
    w->figures.queued -= w->figures.queued > 0;
    forget_message(w);
    w->look = 0;
}

static void give_up(struct webhook *w, const char *why)
{
    log_error("webhook %s: %s of %s is given up: %s", w->config.name, w->event.label, w->place, why);
    answer_test(w, &w->event, -1, why);
    w->figures.dropped++;
    done(w);
}

static double age_s(const struct webhook *w)
{
    return (double)(clock_ms(CLOCK_REALTIME) - w->message.created_ms) * 1e-3;
}

/* Will it be too old by then? A box without a clock of its own learns the time when its network comes up: what it could not send until
 * then did not grow days older by that. */
static bool too_old(struct webhook *w, double wait, double now)
{
    int64_t ahead = clock_ms(CLOCK_REALTIME) - clock_ms(CLOCK_BOOTTIME);

    if (llabs(ahead - w->ahead_ms) > STEP_MS)
        w->clock_trusted = now + TRUST_S;
    w->ahead_ms = ahead;
    return now >= w->clock_trusted && age_s(w) + wait > w->config.max_age;
}

/* 1, 2, 4 ... s, a fifth more or less, so that many boxes do not come back at once. */
static double backoff(unsigned attempts)
{
    double s = fmin(ldexp(1, (int)(attempts < 20 ? attempts : 20)), WEBHOOK_BACKOFF_S);
    return s * (0.8 + 0.4 * ((double)(clock_ns(CLOCK_MONOTONIC) / 1000 % 1000) / 1000));
}

static void try_later(struct webhook *w, const char *why, double retry_after, double now)
{
    double wait = fmin(fmax(backoff(w->message.attempts), retry_after), WEBHOOK_RETRY_S);

    answer_test(w, &w->event, -1, why);
    if (too_old(w, wait, now)) {
        char text[512];
        snprintf(text, sizeof text, "%s, and it is %.0f s old", why, age_s(w));
        give_up(w, text);
        return;
    }
    if (!w->failing || may_complain(w, now)) {
        log_warn("webhook %s: %s: %s; %s is tried again in %.0f s", w->config.name, w->place, why, w->event.label,
                 wait);
        w->complained = now;
    }
    w->failing = true;
    store_outbox_later(w->store, w->message.key, wait);
    forget_message(w);
    w->look = now + wait;
}

static void delivered(struct webhook *w, long status)
{
    char text[64];

    if (w->failing)
        log_info("webhook %s: %s takes messages again", w->config.name, w->place);
    log_debug("webhook %s: %s %s: %ld", w->config.name, w->event.label, event_type_name(w->event.type), status);
    snprintf(text, sizeof text, "answered %ld", status);
    answer_test(w, &w->event, 1, text);
    w->failing = false;
    w->figures.sent++;
    done(w);
}

static void judge(struct webhook *w, const json_t *answer, double now)
{
    long status = (long)json_integer_value(json_object_get(answer, "status"));
    double retry = json_number_value(json_object_get(answer, "retry_after_s"));
    const char *error = json_string_value(json_object_get(answer, "error"));
    const char *text = json_string_value(json_object_get(answer, "text"));
    char why[512];

    if (status >= 100)
        snprintf(why, sizeof why, "answered %ld%s%s%s%.200s", status, error && *error ? ", " : "", error ? error : "",
                 text && *text ? ": " : "", text ? text : "");
    else
        snprintf(why, sizeof why, "%s", error && *error ? error : "no answer");
    if ((status >= 200 && status < 300) || status == 303)
        delivered(w, status);
    else if (status >= 400 && status < 500 && status != 408 && status != 429)
        give_up(w, why);
    else
        try_later(w, why, retry, now);
}

static void read_answer(struct webhook *w, double now)
{
    struct err why;
    json_t *answer;
    int got = webhook_helper_read(&w->helper, &answer, &why);

    if (got == 0)
        return;
    w->idle_since = now;
    if (got > 0 && w->message.payload)
        judge(w, answer, now);
    else if (w->message.payload)
        try_later(w, why.text, 0, now);
    json_decref(answer);
}

static void send_message(struct webhook *w, double now)
{
    struct err err;
    char *line = request(w, &err);

    w->deadline = now + w->config.timeout + GRACE_S;
    if (!line || webhook_helper_send(&w->helper, line, &err) < 0)
        try_later(w, err.text, 0, now);
    if (line)
        explicit_bzero(line, strlen(line));
    free(line);
}

/* Takes the oldest message that is due, or notes when there will be one. */
static void look(struct webhook *w, double now)
{
    double due;
    int got = store_outbox_next(w->store, w->channel, PATIENCE, &w->message, &due);

    if (got <= 0) {
        forget_message(w);
        w->look = now + (got < 0 ? AGAIN_S : due < 0 ? INFINITY : fmax(due, 0.01));
        return;
    }
    if (event_parse(w->message.payload, w->message.size, &w->event) < 0) {
        snprintf(w->event.label, sizeof w->event.label, "a message");
        give_up(w, "it cannot be read");
    } else if (too_old(w, 0, now)) {
        char why[64];
        snprintf(why, sizeof why, "it is %.0f s old", age_s(w));
        give_up(w, why);
    } else {
        send_message(w, now);
    }
}

int webhook_poll(const struct webhook *w, double *wake_s)
{
    if (w->message.payload)
        *wake_s = fmin(*wake_s, w->deadline);
    else
        *wake_s = fmin(*wake_s, w->look);
    if (w->helper.child.pid && !w->message.payload)
        *wake_s = fmin(*wake_s, w->idle_since + WEBHOOK_IDLE_S);
    return w->helper.from;
}

void webhook_turn(struct webhook *w, double now)
{
    if (w->helper.from >= 0)
        read_answer(w, now);
    if (w->message.payload && now >= w->deadline) {
        webhook_helper_end(&w->helper);
        try_later(w, "the helper program does not answer", 0, now);
    }
    while (!w->message.payload && now >= w->look)
        look(w, now);
    if (w->helper.child.pid && !w->message.payload && now >= w->idle_since + WEBHOOK_IDLE_S)
        webhook_helper_end(&w->helper);
}

bool webhook_busy(const struct webhook *w)
{
    return w->message.payload != NULL;
}

void webhook_get_figures(const struct webhook *w, struct webhook_figures *out)
{
    *out = w->figures;
}
