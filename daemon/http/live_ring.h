/* The last messages of the events' stream, kept so that a client which lost its connection gets what it missed: nothing twice, nothing
 * left out.
 *
 * A message's id says all that is needed to go on behind it, also after the ring has moved on or the daemon was started anew:
 *
 *     BOOT.NUMBER.LATEST[.OPEN]...
 *
 * BOOT: 8 hexadecimal digits, this daemon's own; NUMBER: of the message; LATEST: event_id of the sound that was last told of for the first
 * time; OPEN: event_ids of the sounds that have begun and not ended. What began later is found in the history behind LATEST, what ended
 * by OPEN. Test events have a place in the ring alone. */
#ifndef EARSHOT_LIVE_RING_H
#define EARSHOT_LIVE_RING_H

#include "event/event.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIVE_RING 256 /* messages */
#define LIVE_OPEN 24  /* sounds that an id names; further ones that end unseen are missing */
#define LIVE_ID   (8 + 1 + 20 + (1 + LIVE_OPEN) * UUID_SIZE + 1)
#define LIVE_KIND 12

struct live_ring;

struct live_message {
    char kind[LIVE_KIND];     /* "event", "setting", ... */
    char event_id[UUID_SIZE]; /* of an event that is no test; else "" */
    char *id, *data;
};

/* Where a client left off. */
struct live_place {
    bool known; /* false: it said nothing that can be understood: it begins now */
    uint32_t boot;
    uint64_t number;
    char latest[UUID_SIZE];
    size_t n_open;
    char open[LIVE_OPEN][UUID_SIZE];
};

/* What a client is to be told before whatever comes from now on. */
struct live_missed {
    bool
        history; /* the ring does not reach back to where it left off: first what the history has, but for events of `messages` */
    struct live_message *messages; /* in their order */
    size_t n;
    char here[LIVE_ID]; /* the id of the message that was told last */
};

/* NULL: no memory. */
struct live_ring *live_ring_new(void);
void live_ring_free(struct live_ring *r);

/* Adds a message and hands it on, in one step as seen by live_ring_join: `publish` is called with the ring locked. event: NULL for others
 * than events. Any thread. -1: no memory, nothing was handed on. */
int live_ring_put(struct live_ring *r, const char *kind, const char *data, const struct event *event,
                  void (*publish)(void *ctx, const char *kind, const char *id, const char *data), void *ctx);

/* Calls `join`, from which on the client gets what is published, and fills `out` with what it missed before; freed by
 * live_missed_free. Where join returns false, it is left empty. -1: no memory. Any thread. */
int live_ring_join(struct live_ring *r, const struct live_place *from, bool (*join)(void *ctx), void *ctx,
                   struct live_missed *out);
void live_missed_free(struct live_missed *m);

/* Any text may come. */
void live_place_read(const char *id, struct live_place *out);
/* The id of a message that the history gave, not the ring. */
void live_place_write(const struct live_place *p, char out[LIVE_ID]);

#endif
