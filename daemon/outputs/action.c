#include "daemon/outputs/action.h"

#include "base/argv.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/outputs/child.h"
#include "daemon/outputs/mqtt_topics.h"
#include "event/event_text.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EVENT_JSON 4096
#define VARIABLE   (EVENT_TEXT_VALUE + 32) /* "EARSHOT_NAME=value" */
#define LOG_EVERY  60.0                    /* s between two lines about what was left out */
#define POLL_S     0.05                    /* where the kernel gives no descriptor of a process */

struct action {
    struct action_config config;
    struct argv argv;
    struct event_filter *filter;
    char node[MQTT_NODE];
    double late_after_s;
    struct acks *acks;

    struct event waiting[ACTION_QUEUE]; /* a ring */
    size_t first, n;
    struct action_figures figures;
    double told; /* when it was last said that events were left out */
    uint64_t dropped_told;

    /* the run under way, where child.pid is not 0 */
    struct child child;
    struct event event;
    int output; /* -1: closed */
    double began, deadline;
    int signals; /* 0, 1: SIGTERM was sent, 2: SIGKILL */
    char line[ACTION_LINE_BYTES + 1];
    size_t line_n, lines, left_out; /* bytes of output left out */
};

struct action *action_new(const struct action_config *config, const char *const *labels, size_t n_labels,
                          const char *node, double late_after_s, struct acks *acks, struct err *err)
{
    struct action *a = calloc(1, sizeof *a);
    char owner[LABEL_SIZE + 16];

    snprintf(owner, sizeof owner, "action %s", config->name);
    if (!a) {
        err_set(err, "%s: no memory", owner);
        return NULL;
    }
    a->config = *config;
    a->output = a->child.fd = -1;
    a->late_after_s = late_after_s;
    a->acks = acks;
    a->told = -LOG_EVERY;
    snprintf(a->node, sizeof a->node, "%s", node);
    if (argv_split(&a->argv, config->exec, err) < 0 || child_check(a->argv.arg[0], err) < 0) {
        err_prefix(err, "[action %s] exec: ", config->name);
        goto fail;
    }
    a->filter = event_filter_new(&config->when, owner, labels, n_labels, err);
    if (!a->filter)
        goto fail;
    return a;
fail:
    action_free(a);
    return NULL;
}

void action_free(struct action *a)
{
    if (!a)
        return;
    child_finish(&a->child);
    if (a->output >= 0)
        close(a->output);
    event_filter_free(a->filter);
    free(a);
}

bool action_wants(const struct action *a, const struct event *event)
{
    return event_filter_wants(a->filter, event);
}

static void answer_test(struct action *a, const struct event *e, int result, const char *text)
{
    char line[ERR_TEXT + LABEL_SIZE + 4];

    if (!e->test || !a->acks)
        return;
    snprintf(line, sizeof line, "%s: %s", a->config.name, text);
    acks_put(a->acks, e->id, result, line);
}

static void leave_out(struct action *a, const struct event *e, const char *why, double now)
{
    a->figures.dropped++;
    answer_test(a, e, -1, why);
    if (now - a->told < LOG_EVERY)
        return;
    uint64_t more = a->figures.dropped - a->dropped_told - 1;
    if (more)
        log_warn("action %s: %s %s left out: %s (and %llu before it)", a->config.name, e->label,
                 event_type_name(e->type), why, (unsigned long long)more);
    else
        log_warn("action %s: %s %s left out: %s", a->config.name, e->label, event_type_name(e->type), why);
    a->told = now;
    a->dropped_told = a->figures.dropped;
}

void action_put(struct action *a, const struct event *event, double now)
{
    switch (event_filter_pass(a->filter, event, now)) {
    case EVENT_COOLING:
        answer_test(a, event, 1, "within its cooldown");
        return;
    case EVENT_TOO_MANY:
        leave_out(a, event, "more than its rate allows", now);
        return;
    case EVENT_GO:
        break;
    }
    if (a->n == ACTION_QUEUE) {
        leave_out(a, &a->waiting[a->first], "too many wait for the one that runs", now);
        a->first = (a->first + 1) % ACTION_QUEUE;
        a->n--;
    }
    a->waiting[(a->first + a->n++) % ACTION_QUEUE] = *event;
}

/* --- a run ---------------------------------------------------------------------------------------------------------- */

/* EARSHOT_LABEL=siren ... into one block: the pointers, a NULL, the texts. */
static char **variables(const struct action *a, const struct event *e)
{
    size_t n = 0;

    while (event_text_names[n])
        n++;
    char **list = malloc((n + 2) * (sizeof *list + VARIABLE));
    if (!list)
        return NULL;
    char *text = (char *)(list + n + 2);
    for (size_t i = 0; i <= n; i++, text += VARIABLE) {
        char value[EVENT_TEXT_VALUE];
        list[i] = text;
        if (i == n) {
            snprintf(text, VARIABLE, "EARSHOT_ACTION=%s", a->config.name);
            continue;
        }
        event_text_value(e, a->node, i, value);
        int used = snprintf(text, VARIABLE, "EARSHOT_%s=%s", event_text_names[i], value);
        for (int k = 8; k < used && text[k] != '='; k++)
            text[k] = (char)toupper((unsigned char)text[k]);
    }
    list[n + 1] = NULL;
    return list;
}

/* A pipe that holds the event's JSON and its end: it is far smaller than a pipe, so that nobody has to go on writing. */
static int event_pipe(const struct event *e)
{
    char json[EVENT_JSON];
    int ends[2], n = event_json(e, json, sizeof json - 1);

    if (n < 0) {
        errno = ENOMEM;
        return -1;
    }
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return -1;
    json[n++] = '\n';
    bool whole = write(ends[1], json, (size_t)n) == n;
    close(ends[1]);
    fcntl(ends[0], F_SETFL, 0); /* the program's own end blocks, as it expects */
    if (whole)
        return ends[0];
    close(ends[0]);
    errno = ENOSPC;
    return -1;
}

/* 0 or -1 with err. */
static int start(struct action *a, struct err *err)
{
    int out[2] = {-1, -1}, in = event_pipe(&a->event), rc = -1;
    char **own = variables(a, &a->event), **envp = own ? child_environment(own) : NULL;

    if (!envp)
        err_set(err, "no memory");
    else if (in < 0 || pipe2(out, O_CLOEXEC) < 0)
        err_set(err, "pipe: %s", strerror(errno));
    else
        rc = child_start(&a->child, a->argv.arg, envp, in, out[1], out[1], err);
    free(envp);
    free(own);
    if (in >= 0)
        close(in);
    if (out[1] >= 0)
        close(out[1]);
    a->output = out[0];
    if (a->output >= 0)
        fcntl(a->output, F_SETFL, O_NONBLOCK);
    return rc;
}

static void begin(struct action *a, double now)
{
    struct err err;

    a->event = a->waiting[a->first];
    a->first = (a->first + 1) % ACTION_QUEUE;
    a->n--;
    a->event.late = mqtt_event_late(&a->event, clock_ns(CLOCK_REALTIME), a->late_after_s);
    if (a->event.late && !a->config.late) {
        leave_out(a, &a->event, "late", now);
        return;
    }
    a->began = now;
    a->deadline = now + a->config.timeout;
    a->signals = 0;
    a->line_n = a->lines = a->left_out = 0;
    if (start(a, &err) == 0) {
        log_debug("action %s: %s %s: process %d", a->config.name, a->event.label, event_type_name(a->event.type),
                  a->child.pid);
        return;
    }
    if (a->output >= 0)
        close(a->output);
    a->output = -1;
    a->figures.dropped++;
    a->dropped_told++;
    log_error("action %s: not started: %s", a->config.name, err.text);
    answer_test(a, &a->event, -1, err.text);
}

static void log_line(struct action *a)
{
    size_t n = a->line_n;

    a->line_n = 0;
    while (n && isspace((unsigned char)a->line[n - 1]))
        n--;
    if (!n)
        return;
    bool utf8 = text_is_utf8(a->line, n);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)a->line[i];
        if (c < ' ' || c == 0x7f || (c > 0x7f && !utf8))
            a->line[i] = c == '\t' ? ' ' : '?';
    }
    a->line[n] = '\0';
    log_info("action %s: %s", a->config.name, a->line);
    if (++a->lines == ACTION_LINES)
        log_info("action %s: (more than %d lines: the rest is left out)", a->config.name, ACTION_LINES);
}

static void take_output(struct action *a, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (a->lines >= ACTION_LINES) {
            a->left_out += n - i;
            return;
        }
        if (bytes[i] == '\n')
            log_line(a);
        else if (a->line_n < ACTION_LINE_BYTES)
            a->line[a->line_n++] = bytes[i];
        else
            a->left_out++;
    }
}

/* At most so much at a time: a program that floods must not keep the others waiting. */
static void read_output(struct action *a, size_t most)
{
    char bytes[4096];

    for (size_t all = 0; a->output >= 0 && all < most;) {
        ssize_t n = read(a->output, bytes, sizeof bytes);
        if (n > 0) {
            take_output(a, bytes, (size_t)n);
            all += (size_t)n;
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            close(a->output);
            a->output = -1;
        } else if (errno == EAGAIN) {
            return;
        }
    }
}

static void end(struct action *a, double now)
{
    char how[64], text[160];

    read_output(a, 1 << 16); /* what a pipe holds */
    int status = child_finish(&a->child);
    log_line(a);
    if (a->output >= 0)
        close(a->output);
    a->output = -1;
    a->figures.ran++;
    if (a->left_out)
        log_info("action %s: %zu bytes of its output are not shown", a->config.name, a->left_out);
    child_status_text(status, how, sizeof how);
    snprintf(text, sizeof text, "%s after %.1f s%s", how, now - a->began,
             a->signals ? ", ended because its time was up" : "");
    log_write(status == 0 ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, "action %s: %s %s: %s", a->config.name, a->event.label,
              event_type_name(a->event.type), text);
    answer_test(a, &a->event, status == 0 ? 1 : -1, text);
}

size_t action_poll(const struct action *a, struct pollfd *fds, double *wake_s)
{
    size_t n = 0;

    if (!a->child.pid) {
        *wake_s = a->n ? 0 : *wake_s;
        return 0;
    }
    if (a->output >= 0)
        fds[n++] = (struct pollfd){a->output, POLLIN, 0};
    if (a->child.fd >= 0)
        fds[n++] = (struct pollfd){a->child.fd, POLLIN, 0};
    *wake_s = fmin(*wake_s, a->child.fd >= 0 ? a->deadline : fmin(a->deadline, clock_s(CLOCK_MONOTONIC) + POLL_S));
    return n;
}

static void out_of_time(struct action *a, double now)
{
    if (now < a->deadline)
        return;
    if (a->signals == 0)
        log_warn("action %s: not done after %.1f s: ended", a->config.name, now - a->began);
    child_signal(&a->child, a->signals ? SIGKILL : SIGTERM);
    a->deadline = now + ACTION_TERM_S;
    a->signals += a->signals < 2;
}

void action_turn(struct action *a, double now)
{
    if (a->child.pid) {
        read_output(a, 1 << 14);
        if (child_ended(&a->child))
            end(a, now);
        else
            out_of_time(a, now);
    }
    while (!a->child.pid && a->n)
        begin(a, now);
}

size_t action_stop(struct action *a, double now)
{
    size_t waited = a->n;

    a->figures.dropped += waited;
    a->n = 0;
    if (a->child.pid && !a->signals) {
        child_signal(&a->child, SIGTERM);
        a->signals = 1;
        a->deadline = now + ACTION_TERM_S;
    }
    return waited;
}

bool action_busy(const struct action *a)
{
    return a->child.pid || a->n;
}

void action_get_figures(const struct action *a, struct action_figures *out)
{
    *out = a->figures;
    out->queued = a->n + (a->child.pid != 0);
}
