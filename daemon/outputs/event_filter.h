/* Which events an action or a webhook is for: by label and group, type and score; then cooldown and rate. */
#ifndef EARSHOT_EVENT_FILTER_H
#define EARSHOT_EVENT_FILTER_H

#include "base/config.h"
#include "event/event.h"

struct event_filter;

/* Copies `when`. labels: the model's (n may be 0), which groups are looked up for, and which a label that is not among them is warned
 * of. owner: "action flash", for messages. NULL with err: a group is asked for and there is no labels.csv; no memory. */
struct event_filter *event_filter_new(const struct event_choice *when, const char *owner, const char *const *labels,
                                      size_t n_labels, struct err *err);
void event_filter_free(struct event_filter *f);

/* Is it for events like this one at all? Changes nothing: any thread. Held-back events never pass, updates neither. */
bool event_filter_wants(const struct event_filter *f, const struct event *event);

/* Of one that is wanted: may it go now? now_s: any monotonic clock. An end goes if its start did, whatever the rate, so that what a
 * start switched on is switched off. One thread. */
enum event_verdict { EVENT_GO, EVENT_COOLING, EVENT_TOO_MANY };
enum event_verdict event_filter_pass(struct event_filter *f, const struct event *event, double now_s);

#endif
