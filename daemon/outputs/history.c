/* The way of events into the store. The store has the queue and the thread: this only hands over. */
#include "base/log.h"
#include "daemon/outputs/output.h"
#include <stdlib.h>

struct history {
    struct output output; /* first: what the daemon holds */
    struct store *store;
};

static void history_event(struct output *o, const struct event *event)
{
    store_put_event(((struct history *)o)->store, event);
}

static void history_counters(struct output *o, uint64_t *queued, uint64_t *dropped, uint64_t *sent)
{
    struct store_figures f;

    store_get_figures(((struct history *)o)->store, &f);
    *queued = f.waiting;
    *dropped = f.unstored;
    *sent = f.stored;
}

static int history_acknowledged(struct output *o, const char *id, char *text, size_t size)
{
    return store_acknowledged(((struct history *)o)->store, id, text, size);
}

static void history_stop(struct output *o, double flush_s)
{
    struct history *h = (struct history *)o;
    struct store_figures f;

    if (!store_flush(h->store, flush_s)) {
        store_get_figures(h->store, &f);
        log_warn("history: %llu events were not stored: %s", (unsigned long long)f.waiting,
                 f.problem[0] ? f.problem : "the disk does not answer");
    }
    free(h);
}

struct output *output_history_new(struct store *store, struct err *err)
{
    struct history *h = calloc(1, sizeof *h);

    if (!h) {
        err_set(err, "history: no memory");
        return NULL;
    }
    h->store = store;
    h->output = (struct output){.name = "history",
                                .event = history_event,
                                .counters = history_counters,
                                .acknowledged = history_acknowledged,
                                .stop = history_stop};
    return &h->output;
}
