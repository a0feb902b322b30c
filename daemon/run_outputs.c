#include "daemon/run_outputs.h"

#include "base/clock.h"
#include "base/log.h"
#include <math.h>
#include <string.h>

#define HEALTH_EVERY  2    /* ticks */
#define LOSS_EVERY    120  /* ticks: a machine that is too slow must not fill the log as well */
#define STORE_CLOSE_S 0.2  /* for a last write to a slow disk */
#define FLUSH_LEAST_S 0.05 /* what one that has nothing left to do needs at most */

static int add(struct run_outputs *o, struct output *output)
{
    if (!output)
        return -1;
    o->list[o->n++] = output;
    return 0;
}

static int open_store(struct run_outputs *o, const struct config *c, const struct run_state *state, struct err *err)
{
    struct store_params params = {.dir = state->dir,
                                  .ready = state->ready,
                                  .ready_ctx = state->ctx,
                                  .history = c->history.enabled,
                                  .keep_days = c->history.keep,
                                  .max_mb = c->history.max_size,
                                  .outbox_max = c->history.outbox,
                                  .outbox_days = c->history.outbox_age};

    o->store = store_new(&params, err);
    return o->store ? 0 : -1;
}

/* They are stopped from the last to the first: history hands its last events on to MQTT, which is stopped after it. */
int run_outputs_open(struct run_outputs *o, const struct config *config, bool json, const struct run_state *state,
                     const struct daemon_control *control, struct err *err)
{
    if ((state->dir || config->n_webhooks) && open_store(o, config, state, err) < 0)
        return -1;
    if (!state->dir && config->n_webhooks)
        log_warn("webhooks: what is not delivered yet does not survive the daemon's end: there is no state directory");
    if (add(o, output_journal_new(json ? "json" : config->log.format, err)) < 0)
        return -1;
    if (config->mqtt.enabled && add(o, output_mqtt_new(config, control, o->store, err)) < 0)
        return -1;
    if (config->n_actions && add(o, output_actions_new(config, control, err)) < 0)
        return -1;
    if (config->n_webhooks && add(o, output_webhooks_new(config, control, o->store, err)) < 0)
        return -1;
    if (config->web.enabled && add(o, output_web_new(config, control, o->store, err)) < 0)
        return -1;
    return o->store ? add(o, output_history_new(o->store, err)) : 0;
}

static double left(double deadline)
{
    return fmax(deadline - clock_s(CLOCK_MONOTONIC), FLUSH_LEAST_S);
}

void run_outputs_close(struct run_outputs *o, double flush_s)
{
    double deadline = clock_s(CLOCK_MONOTONIC) + flush_s;

    while (o->n > 0) {
        struct output *last = o->list[--o->n];
        last->stop(last, left(deadline));
    }
    store_free(o->store, left(deadline) + STORE_CLOSE_S); /* what was delivered just now is to be noted */
    o->store = NULL;
}

static void tell_status(struct service *s, const struct health *h)
{
    if (!h->listening)
        service_status(s, "listening is OFF; model %s", h->model);
    else if (strcmp(h->input_state, "ok") != 0)
        service_status(s, "input %s: %s", h->input_state, h->input_problem);
    else
        service_status(s, "listening to %s at %u Hz, model %s, %llu events", h->input, h->rate, h->model,
                       (unsigned long long)h->events);
}

static void count(struct run_outputs *o, struct health *h)
{
    h->has_store = o->store != NULL;
    if (o->store)
        store_get_figures(o->store, &h->store);
    for (size_t i = 0; i < o->n; i++) {
        struct output *output = o->list[i];
        struct output_counters *c = &h->outputs[h->n_outputs];
        c->name = output->name;
        c->links = output->connected;
        c->connected = c->links && output->connected(output, c->problem, sizeof c->problem);
        if (output->counters && h->n_outputs < HEALTH_OUTPUTS) {
            output->counters(output, &c->queued, &c->dropped, &c->sent);
            h->n_outputs++;
        }
    }
}

void run_outputs_tell_losses(struct run_outputs *o, const struct health *h, unsigned n)
{
    uint64_t losses = h->overruns + h->lost_frames + h->windows_dropped;

    if (losses == o->losses || n < o->loss_tick)
        return;
    log_warn("audio was lost, in all since the start: %llu overruns, %llu frames without room, %llu windows that "
             "nobody could "
             "look at in time; is this machine too slow or too busy?",
             (unsigned long long)h->overruns, (unsigned long long)h->lost_frames,
             (unsigned long long)h->windows_dropped);
    o->losses = losses;
    o->loss_tick = n + LOSS_EVERY;
}

void run_outputs_tick(struct run_outputs *o, struct pipeline *p, struct service *s, unsigned n)
{
    struct health h;

    pipeline_health(p, &h);
    /* a lost microphone is told at once, and so are levels */
    bool changed = strcmp(h.input_state, o->input_state) != 0 || h.sound.number != o->sound_number;
    if (n % HEALTH_EVERY != 0 && !changed)
        return;
    o->sound_number = h.sound.number;
    memcpy(o->input_state, h.input_state, sizeof o->input_state);
    count(o, &h);
    tell_status(s, &h);
    run_outputs_tell_losses(o, &h, n);
    for (size_t i = 0; i < o->n; i++)
        if (o->list[i]->health)
            o->list[i]->health(o->list[i], &h);
}
