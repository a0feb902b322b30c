/* One webhook: takes its messages from the outbox, one after the other, and has them sent by a helper program (daemon/helpers/webhook.c),
 * which is started on need and ends when nothing was to be sent for a while.
 *
 * Delivered is what was answered by 2xx or 303. Tried again, after 1 s, 2 s, 4 s ... up to 5 min or what Retry-After says: no answer, 408,
 * 429, 5xx and other redirections than those the helper follows. Given up, and logged: other 4xx, and what is older than max_age. What
 * comes later waits: the order is kept.
 *
 * All but webhook_new and webhook_wants is the webhooks' thread's. */
#ifndef EARSHOT_WEBHOOK_H
#define EARSHOT_WEBHOOK_H

#include "daemon/outputs/acks.h"
#include "daemon/outputs/event_filter.h"
#include "daemon/store/store.h"

#include <poll.h>

#define WEBHOOK_IDLE_S    10.0   /* after which the helper is ended */
#define WEBHOOK_BACKOFF_S 300.0  /* longest time between two attempts, but for Retry-After ... */
#define WEBHOOK_RETRY_S   3600.0 /* ... and the longest that is believed */

struct webhook;

struct webhook_figures {
    uint64_t queued, dropped, sent; /* put and not done, as far as this run knows; given up or left out; delivered */
};

/* helper: path of the helper program. store must live until webhook_free. NULL with err: no address, a secret that cannot be read, ... */
struct webhook *webhook_new(const struct webhook_config *config, const char *const *labels, size_t n_labels,
                            const char *node, double late_after_s, const char *helper, struct store *store,
                            struct acks *acks, struct err *err);
/* Ends the helper. */
void webhook_free(struct webhook *w);

bool webhook_wants(const struct webhook *w, const struct event *event); /* any thread */
void webhook_put(struct webhook *w, const struct event *event, double now_s);

/* Its descriptor to wait for, -1: none; lowers *wake_s to when it has to be looked at. now_s: CLOCK_MONOTONIC. */
int webhook_poll(const struct webhook *w, double *wake_s);

/* Takes answers, sends what is due. */
void webhook_turn(struct webhook *w, double now_s);

bool webhook_busy(const struct webhook *w); /* a request is under way */
void webhook_get_figures(const struct webhook *w, struct webhook_figures *out);

#endif
