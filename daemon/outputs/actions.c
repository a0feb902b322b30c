/* Actions: programs that events start. One thread for all of them: it waits for events, for the programs' output and for their end, and
 * never longer than the next time limit. */
#include "base/clock.h"
#include "base/log.h"
#include "daemon/outputs/action.h"
#include "daemon/outputs/event_inbox.h"
#include "daemon/outputs/mqtt_topics.h"
#include "daemon/outputs/output.h"
#include "daemon/outputs/output_thread.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QUEUE   64  /* events on their way to the thread */
#define TERM_S  0.1 /* at a stop: from SIGTERM to SIGKILL */
#define LONGEST 60  /* s that it sleeps */

struct actions {
    struct output output; /* first: what the daemon holds */
    struct action **list;
    size_t n;
    struct acks *acks;
    struct event_inbox *inbox;
    struct output_thread thread;
    double flush_s; /* written before `stopping`, which releases it */
    atomic_bool stopping;
    /* Figures: each stands for itself: relaxed. */
    atomic_uint_fast64_t dropped, queued, left_out, ran;
};

static void actions_free(struct actions *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n; i++)
        action_free(s->list[i]);
    free(s->list);
    acks_free(s->acks);
    event_inbox_free(s->inbox);
    free(s);
}

static void actions_event(struct output *o, const struct event *event)
{
    struct actions *s = (struct actions *)o;
    bool wanted = false;

    for (size_t i = 0; i < s->n && !wanted; i++)
        wanted = action_wants(s->list[i], event);
    if (!wanted) {
        if (event->test)
            acks_put(s->acks, event->id, 1, "none is for a test of this sound (test = on asks for it)");
        return;
    }
    if (!event_inbox_put(s->inbox, event))
        atomic_fetch_add_explicit(&s->dropped, 1, memory_order_relaxed);
}

static void take_events(struct actions *s, double now)
{
    for (const struct event *e; (e = event_inbox_peek(s->inbox)); event_inbox_release(s->inbox))
        for (size_t i = 0; i < s->n; i++)
            if (action_wants(s->list[i], e))
                action_put(s->list[i], e, now);
}

static void publish(struct actions *s)
{
    struct action_figures sum = {0};

    for (size_t i = 0; i < s->n; i++) {
        struct action_figures f;
        action_get_figures(s->list[i], &f);
        sum.queued += f.queued;
        sum.dropped += f.dropped;
        sum.ran += f.ran;
    }
    atomic_store_explicit(&s->queued, sum.queued, memory_order_relaxed);
    atomic_store_explicit(&s->left_out, sum.dropped, memory_order_relaxed);
    atomic_store_explicit(&s->ran, sum.ran, memory_order_relaxed);
}

static bool busy(const struct actions *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (action_busy(s->list[i]))
            return true;
    return false;
}

/* One round: waits until something happens or `until`, then lets each action do its part. */
static void turn(struct actions *s, struct pollfd *fds, double until)
{
    size_t n = 1;

    fds[0] = (struct pollfd){event_inbox_fd(s->inbox), POLLIN, 0};
    for (size_t i = 0; i < s->n; i++)
        n += action_poll(s->list[i], fds + n, &until);
    double ms = ceil(fmax(until - clock_s(CLOCK_MONOTONIC), 0) * 1e3);
    if (poll(fds, n, (int)fmin(ms, LONGEST * 1e3)) < 0 && errno != EINTR)
        log_error("actions: poll: %s", strerror(errno));
    if (fds[0].revents)
        event_inbox_calm(s->inbox);
    double now = clock_s(CLOCK_MONOTONIC);
    take_events(s, now);
    for (size_t i = 0; i < s->n; i++)
        action_turn(s->list[i], now);
    publish(s);
}

/* What runs and waits gets the time that there is; then what still runs is ended. */
static void finish(struct actions *s, struct pollfd *fds)
{
    double end = clock_s(CLOCK_MONOTONIC) + fmax(s->flush_s - 2 * TERM_S, s->flush_s / 4);
    size_t waited = 0;

    take_events(s, clock_s(CLOCK_MONOTONIC));
    while (busy(s) && clock_s(CLOCK_MONOTONIC) < end)
        turn(s, fds, end);
    for (size_t i = 0; i < s->n; i++)
        waited += action_stop(s->list[i], end);
    if (waited)
        log_warn("actions: %zu events that waited for a program were left out: earshot ends", waited);
    for (end += TERM_S; busy(s) && clock_s(CLOCK_MONOTONIC) < end;)
        turn(s, fds, end);
    for (size_t i = 0; i < s->n; i++)
        if (action_busy(s->list[i]))
            log_warn("actions: a program that did not end was killed: earshot ends");
}

static void *run(void *arg)
{
    struct actions *s = arg;
    struct pollfd *fds = calloc(1 + ACTION_POLL * s->n, sizeof *fds);

    if (!fds)
        log_error("actions: no memory: no program will be run");
    while (fds && !atomic_load_explicit(&s->stopping, memory_order_acquire))
        turn(s, fds, clock_s(CLOCK_MONOTONIC) + LONGEST);
    if (fds)
        finish(s, fds);
    free(fds);
    if (output_thread_end(&s->thread)) {
        output_thread_clear(&s->thread);
        actions_free(s);
    }
    return NULL;
}

static void actions_counters(struct output *o, uint64_t *queued, uint64_t *dropped, uint64_t *sent)
{
    struct actions *s = (struct actions *)o;

    *queued = event_inbox_used(s->inbox) + atomic_load_explicit(&s->queued, memory_order_relaxed);
    *dropped = atomic_load_explicit(&s->dropped, memory_order_relaxed) +
               atomic_load_explicit(&s->left_out, memory_order_relaxed);
    *sent = atomic_load_explicit(&s->ran, memory_order_relaxed);
}

static int actions_acknowledged(struct output *o, const char *id, char *text, size_t size)
{
    struct actions *s = (struct actions *)o;
    int result = acks_find(s->acks, id, text, size);

    if (!result)
        snprintf(text, size, "the program has not ended yet");
    return result;
}

static void actions_stop(struct output *o, double flush_s)
{
    struct actions *s = (struct actions *)o;

    s->flush_s = flush_s;
    atomic_store_explicit(&s->stopping, true, memory_order_release);
    event_inbox_wake(s->inbox);
    if (!output_thread_join(&s->thread, flush_s + TERM_S)) {
        log_warn("actions: a program cannot be ended: left behind");
        return;
    }
    output_thread_clear(&s->thread);
    actions_free(s);
}

static int add_all(struct actions *s, const struct config *config, const struct daemon_control *control,
                   struct err *err)
{
    struct mqtt_names names;

    if (mqtt_names_init(&names, config->mqtt.base, config->mqtt.node, err) < 0)
        return -1;
    const char *node = strrchr(names.base, '/') + 1;
    for (size_t i = 0; i < config->n_actions; i++) {
        s->list[s->n] = action_new(&config->actions[i], control ? control->labels : NULL,
                                   control ? control->n_labels : 0, node, config->decision.late_after, s->acks, err);
        if (!s->list[s->n])
            return -1;
        s->n++;
    }
    return 0;
}

struct output *output_actions_new(const struct config *config, const struct daemon_control *control, struct err *err)
{
    struct actions *s = calloc(1, sizeof *s);

    if (!s) {
        err_set(err, "actions: no memory");
        return NULL;
    }
    s->output = (struct output){.name = "actions",
                                .event = actions_event,
                                .counters = actions_counters,
                                .acknowledged = actions_acknowledged,
                                .stop = actions_stop};
    s->list = calloc(config->n_actions + 1, sizeof(struct action *));
    s->acks = acks_new();
    s->inbox = event_inbox_new(QUEUE);
    if (!s->list || !s->acks || !s->inbox) {
        err_set(err, "actions: no memory or no file descriptor left");
        goto fail;
    }
    if (add_all(s, config, control, err) < 0)
        goto fail;
    signal(SIGCHLD, SIG_DFL); /* whoever started us may have had it ignored: then nobody could be waited for */
    int rc = output_thread_start(&s->thread, run, s);
    if (rc) {
        err_set(err, "actions: %s", strerror(rc));
        goto fail;
    }
    return &s->output;
fail:
    actions_free(s);
    return NULL;
}
