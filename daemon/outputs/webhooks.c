/* Webhooks: events sent by HTTP. One thread puts them into the outbox and looks after the helper programs that send them; it never waits
 * for a server, and for the outbox's disk a fraction of a second at most. */
#include "base/clock.h"
#include "base/log.h"
#include "daemon/outputs/event_inbox.h"
#include "daemon/outputs/mqtt_topics.h"
#include "daemon/outputs/output.h"
#include "daemon/outputs/output_thread.h"
#include "daemon/outputs/webhook.h"
#include "daemon/outputs/webhook_helper.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QUEUE   64 /* events on their way to the thread */
#define LONGEST 60 /* s that it sleeps */

struct webhooks {
    struct output output; /* first: what the daemon holds */
    struct webhook **list;
    size_t n;
    struct acks *acks;
    struct event_inbox *inbox;
    struct output_thread thread;
    double flush_s; /* written before `stopping`, which releases it */
    atomic_bool stopping;
    /* Figures: each stands for itself: relaxed. */
    atomic_uint_fast64_t lost, queued, dropped, sent;
};

static void webhooks_free(struct webhooks *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n; i++)
        webhook_free(s->list[i]);
    free(s->list);
    acks_free(s->acks);
    event_inbox_free(s->inbox);
    free(s);
}

static void webhooks_event(struct output *o, const struct event *event)
{
    struct webhooks *s = (struct webhooks *)o;
    bool wanted = false;

    for (size_t i = 0; i < s->n && !wanted; i++)
        wanted = webhook_wants(s->list[i], event);
    if (!wanted) {
        if (event->test)
            acks_put(s->acks, event->id, 1, "none is for a test of this sound (test = on asks for it)");
        return;
    }
    if (!event_inbox_put(s->inbox, event))
        atomic_fetch_add_explicit(&s->lost, 1, memory_order_relaxed);
}

static void take_events(struct webhooks *s)
{
    double now = clock_s(CLOCK_MONOTONIC);

    for (const struct event *e; (e = event_inbox_peek(s->inbox)); event_inbox_release(s->inbox))
        for (size_t i = 0; i < s->n; i++)
            if (webhook_wants(s->list[i], e))
                webhook_put(s->list[i], e, now);
}

static void publish(struct webhooks *s)
{
    struct webhook_figures sum = {0};

    for (size_t i = 0; i < s->n; i++) {
        struct webhook_figures f;
        webhook_get_figures(s->list[i], &f);
        sum.queued += f.queued;
        sum.dropped += f.dropped;
        sum.sent += f.sent;
    }
    atomic_store_explicit(&s->queued, sum.queued, memory_order_relaxed);
    atomic_store_explicit(&s->dropped, sum.dropped, memory_order_relaxed);
    atomic_store_explicit(&s->sent, sum.sent, memory_order_relaxed);
}

/* One round: waits until something happens or `until`, then lets each webhook do its part. */
static void turn(struct webhooks *s, struct pollfd *fds, double until)
{

    fds[0] = (struct pollfd){event_inbox_fd(s->inbox), POLLIN, 0};
    for (size_t i = 0; i < s->n; i++)
        fds[1 + i] = (struct pollfd){webhook_poll(s->list[i], &until), POLLIN, 0}; /* poll leaves a -1 out */
    double ms = ceil(fmax(until - clock_s(CLOCK_MONOTONIC), 0) * 1e3);
    if (poll(fds, 1 + s->n, (int)fmin(ms, LONGEST * 1e3)) < 0 && errno != EINTR)
        log_error("webhooks: poll: %s", strerror(errno));
    if (fds[0].revents)
        event_inbox_calm(s->inbox);
    take_events(s);
    for (size_t i = 0; i < s->n; i++)
        webhook_turn(s->list[i], clock_s(CLOCK_MONOTONIC));
    publish(s);
}

static bool busy(const struct webhooks *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (webhook_busy(s->list[i]))
            return true;
    return false;
}

/* At the end, what is due gets the time that there is; the rest stays in the outbox. */
static void *run(void *arg)
{
    struct webhooks *s = arg;
    struct pollfd *fds = calloc(1 + s->n, sizeof *fds);

    if (!fds)
        log_error("webhooks: no memory: nothing will be sent");
    while (fds && !atomic_load_explicit(&s->stopping, memory_order_acquire))
        turn(s, fds, clock_s(CLOCK_MONOTONIC) + LONGEST);
    double end = clock_s(CLOCK_MONOTONIC) + 0.8 * s->flush_s;
    if (fds)
        turn(s, fds, 0); /* what was heard last */
    while (fds && busy(s) && clock_s(CLOCK_MONOTONIC) < end && !output_thread_abandoned(&s->thread))
        turn(s, fds, end);
    free(fds);
    if (output_thread_end(&s->thread)) {
        output_thread_clear(&s->thread);
        webhooks_free(s);
    }
    return NULL;
}

static void webhooks_counters(struct output *o, uint64_t *queued, uint64_t *dropped, uint64_t *sent)
{
    struct webhooks *s = (struct webhooks *)o;

    *queued = event_inbox_used(s->inbox) + atomic_load_explicit(&s->queued, memory_order_relaxed);
    *dropped =
        atomic_load_explicit(&s->lost, memory_order_relaxed) + atomic_load_explicit(&s->dropped, memory_order_relaxed);
    *sent = atomic_load_explicit(&s->sent, memory_order_relaxed);
}

static int webhooks_acknowledged(struct output *o, const char *id, char *text, size_t size)
{
    struct webhooks *s = (struct webhooks *)o;
    int result = acks_find(s->acks, id, text, size);

    if (!result)
        snprintf(text, size, "no answer yet");
    return result;
}

static void webhooks_stop(struct output *o, double flush_s)
{
    struct webhooks *s = (struct webhooks *)o;

    s->flush_s = flush_s;
    atomic_store_explicit(&s->stopping, true, memory_order_release);
    event_inbox_wake(s->inbox);
    if (!output_thread_join(&s->thread, flush_s)) {
        log_warn("webhooks: still busy at the end: left behind");
        return;
    }
    output_thread_clear(&s->thread);
    webhooks_free(s);
}

static int add_all(struct webhooks *s, const struct config *config, const struct daemon_control *control,
                   struct store *store, struct err *err)
{
    struct mqtt_names names;
    char helper[PATH_MAX];

    if (webhook_helper_find(helper, sizeof helper, err) < 0 ||
        mqtt_names_init(&names, config->mqtt.base, config->mqtt.node, err) < 0)
        return -1;
    const char *node = strrchr(names.base, '/') + 1;
    for (size_t i = 0; i < config->n_webhooks; i++) {
        s->list[s->n] =
            webhook_new(&config->webhooks[i], control ? control->labels : NULL, control ? control->n_labels : 0, node,
                        config->decision.late_after, helper, store, s->acks, err);
        if (!s->list[s->n])
            return -1;
        s->n++;
    }
    return 0;
}

struct output *output_webhooks_new(const struct config *config, const struct daemon_control *control,
                                   struct store *store, struct err *err)
{
    struct webhooks *s = calloc(1, sizeof *s);

    if (!s) {
        err_set(err, "webhooks: no memory");
        return NULL;
    }
    s->output = (struct output){.name = "webhooks",
                                .event = webhooks_event,
                                .counters = webhooks_counters,
                                .acknowledged = webhooks_acknowledged,
                                .stop = webhooks_stop};
    s->list = calloc(config->n_webhooks + 1, sizeof(struct webhook *));
    s->acks = acks_new();
    s->inbox = event_inbox_new(QUEUE);
    if (!s->list || !s->acks || !s->inbox) {
        err_set(err, "webhooks: no memory or no file descriptor left");
        goto fail;
    }
    if (add_all(s, config, control, store, err) < 0)
        goto fail;
    signal(SIGCHLD, SIG_DFL); /* whoever started us may have had it ignored: then nobody could be waited for */
    int rc = output_thread_start(&s->thread, run, s);
    if (rc) {
        err_set(err, "webhooks: %s", strerror(rc));
        goto fail;
    }
    return &s->output;
fail:
    webhooks_free(s);
    return NULL;
}
