/* One action: a program and the events that wait for it. One run at a time. All but action_new is the actions' thread's. */
#ifndef EARSHOT_ACTION_H
#define EARSHOT_ACTION_H

#include "daemon/outputs/acks.h"
#include "daemon/outputs/event_filter.h"

#include <poll.h>
#include <stdint.h>

#define ACTION_QUEUE      16  /* events that wait while the program runs; beyond it the oldest is left out */
#define ACTION_LINES      100 /* of one run's output that are logged */
#define ACTION_LINE_BYTES 900 /* of a line; with what stands before it less than the log takes */
#define ACTION_TERM_S     2.0 /* from SIGTERM to SIGKILL */
#define ACTION_POLL       2   /* descriptors of one action, at most */

struct action;

struct action_figures {
    uint64_t queued, dropped,
        ran; /* wait now; left out: rate, late, queue full, could not be started; ended in whatever way */
};

/* Copies config. labels: the model's. node: of the topics. late_after_s: [decision]'s. acks (may be NULL): where test events are
 * answered for. NULL with err: the program is absent or cannot be executed, ... */
struct action *action_new(const struct action_config *config, const char *const *labels, size_t n_labels,
                          const char *node, double late_after_s, struct acks *acks, struct err *err);
/* Kills what runs. */
void action_free(struct action *a);

/* Any thread: is it for such an event? */
bool action_wants(const struct action *a, const struct event *event);

/* now_s: CLOCK_MONOTONIC here and below. */
void action_put(struct action *a, const struct event *event, double now_s);

/* Its descriptors to wait for: how many (up to ACTION_POLL); lowers *wake_s to when it has to be looked at, whatever they say. */
size_t action_poll(const struct action *a, struct pollfd *fds, double *wake_s);

/* Reads output, ends what takes too long, starts what waits. */
void action_turn(struct action *a, double now_s);

/* SIGTERM to what runs; forgets what waits. Returns how many waited. */
size_t action_stop(struct action *a, double now_s);

bool action_busy(const struct action *a); /* runs, or has something to run */
void action_get_figures(const struct action *a, struct action_figures *out);

#endif
