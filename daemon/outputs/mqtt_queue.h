/* What waits for the broker: events in their order, and the present state of each label. In memory, bounded. An outbox on disk may
 * stand behind it (store.h): then it holds the oldest messages of that one, each with its number there, and those that the disk
 * did not take.
 *
 * Two kinds of truth meet here. An event is history: it waits until the broker has acknowledged it, however late. A label's state is
 * the present: on a new connection each label is published as it is now, and what the waiting events would have said of it is left
 * out, so that yesterday's alarm does not ring today.
 *
 * A label is ON while it is heard, and TEST while it is only tested. Real and test events are kept apart, so that the end of a test
 * leaves a sound ON that is really there.
 *
 * When full, the oldest waiting update that is not on the disk goes; where there is none, the oldest waiting start or end of those. Both
 * are counted. What is with the broker (taken, not acknowledged) never goes. Messages of the outbox take only a part of the room
 * (mqtt_queue_wants): the others wait on the disk.
 *
 * Any thread: one lock inside, held for no system call. Allocates in mqtt_queue_new only. */
#ifndef EARSHOT_MQTT_QUEUE_H
#define EARSHOT_MQTT_QUEUE_H

#include "event/event.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MQTT_QUEUE_MIN 32 /* above MQTT_INFLIGHT: there is always one that may go */
#define MQTT_INFLIGHT  20 /* messages with the broker at a time */

enum mqtt_state {
    MQTT_OFF,
    MQTT_ON,
    MQTT_TEST,
    MQTT_GONE /* no such label any more: the retained state is to be cleared */
};

#define MQTT_LABELS_MOST 4096 /* that there ever were; more have no state */

struct mqtt_queue;

struct mqtt_item {
    struct event event;
    bool message; /* publish the event; false: only the state that it brings */
    int state;    /* of the event's label: enum mqtt_state, -1 nothing to publish */
    size_t label; /* its index, where state is not -1 */
    size_t slot;  /* for mqtt_queue_done; where message is true */
    int64_t
        utc_ns; /* what time it is now by the clock of when it was put: a step of the clock since then changes no event's age */
};

struct mqtt_figures {
    size_t queued;            /* events that wait or are with the broker */
    size_t saved;             /* of these, in the outbox on the disk */
    size_t due;               /* labels whose state is to be published */
    uint64_t dropped_updates; /* lost because the queue was full */
    uint64_t dropped_events;  /* starts and ends among the lost */
};

/* capacity: events, at least MQTT_QUEUE_MIN is taken. Labels are copied, less those that no event is made of (background).
 * NULL: no memory. */
struct mqtt_queue *mqtt_queue_new(size_t capacity, const char *const *labels, size_t n_labels);
void mqtt_queue_free(struct mqtt_queue *q);

/* seq: as store_taker's event. false: no room for a message of the outbox; the state was taken all the same. */
bool mqtt_queue_put(struct mqtt_queue *q, const struct event *event, int64_t seq);

/* A message that waited in the outbox: before those that are not there, without any state. One that is here already only takes the
 * number. false: no room. */
bool mqtt_queue_replay(struct mqtt_queue *q, const struct event *event, int64_t seq);

/* Is there room for many messages of the outbox? */
bool mqtt_queue_wants(struct mqtt_queue *q);

/* Is the message of that id here? */
bool mqtt_queue_pending(struct mqtt_queue *q, const char *id);
/* It is in the outbox now. false: it is not here any more. */
bool mqtt_queue_saved(struct mqtt_queue *q, const char *id, int64_t seq);
/* Those of the outbox up to seq were given up: what waits of them goes. */
void mqtt_queue_forget(struct mqtt_queue *q, int64_t seq);

/* The labels that there are from now on. What is not among them is MQTT_GONE; what is new is to be published. */
void mqtt_queue_relabel(struct mqtt_queue *q, const char *const *labels, size_t n);

/* A connection begins: every label's state is to be published. It ended: what was taken waits again, in its old place. */
void mqtt_queue_online(struct mqtt_queue *q);
void mqtt_queue_offline(struct mqtt_queue *q);

/* The next label whose present state is to be published; false: none. */
bool mqtt_queue_next_state(struct mqtt_queue *q, size_t *label, enum mqtt_state *state);

/* The next waiting event; it counts as with the broker from now on (or, with message false, is gone). false: none. */
bool mqtt_queue_next(struct mqtt_queue *q, struct mqtt_item *item);
/* Acknowledged, or refused for good. Returns its number in the outbox, 0: it is not there. */
int64_t mqtt_queue_done(struct mqtt_queue *q, size_t slot);
/* What is with the broker waits again, in its old place: for messages that it refused for now. None may be under way. */
void mqtt_queue_rewind(struct mqtt_queue *q);

const char *mqtt_queue_label(const struct mqtt_queue *q, size_t label);
bool mqtt_queue_has_label(struct mqtt_queue *q, const char *name);

void mqtt_queue_figures(struct mqtt_queue *q, struct mqtt_figures *out);

#endif
