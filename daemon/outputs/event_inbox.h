/* Events on their way from the worker, and from tests, to an output's own thread: a bounded queue, and a file descriptor that tells when
 * there is something in it. */
#ifndef EARSHOT_EVENT_INBOX_H
#define EARSHOT_EVENT_INBOX_H

#include "event/event.h"
#include <stdbool.h>
#include <stddef.h>

struct event_inbox;

/* capacity: events, rounded up to a power of two. NULL: no memory or no file descriptor. */
struct event_inbox *event_inbox_new(size_t capacity);
void event_inbox_free(struct event_inbox *b);

/* Any thread; copies the event and wakes the reader. False: full, and the event is not in it. */
bool event_inbox_put(struct event_inbox *b, const struct event *event);
/* Any thread: wakes the reader though there is no event for it. */
void event_inbox_wake(struct event_inbox *b);
size_t event_inbox_used(const struct event_inbox *b); /* any thread; a snapshot */

/* The reader's. fd: readable after a put or a wake, until it is read empty by `calm`. */
int event_inbox_fd(const struct event_inbox *b);
void event_inbox_calm(struct event_inbox *b);
/* The oldest event, NULL when there is none; `release` takes it out. */
const struct event *event_inbox_peek(struct event_inbox *b);
void event_inbox_release(struct event_inbox *b);

#endif
