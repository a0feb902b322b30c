/* History and outbox: one SQLite file, STATE/history.db, that holds what was heard and what is not yet delivered.
 *
 * One thread of the store's own writes; all others hand it records through bounded queues and never wait for the disk. An event and
 * its unsent message are stored by one transaction, which is on the disk (synchronous=FULL) before the message is handed on to be
 * published; a PUBACK deletes the message. What that costs is one fsync for each event, and several events that wait share one.
 *
 * Nothing that happens to the disk stops the daemon. Where the file cannot be opened or written (no room, read-only, another's), or
 * where a commit takes longer than STORE_PATIENCE_S, events are handed on from memory, and that is said loudly; they stay queued here
 * and are stored once the disk takes them again, which is tried every few seconds. A file that is damaged, foreign or of a newer
 * earshot is set aside as history.db.WHY-DATE, and a new one begun.
 *
 * Tables (schema.h has the SQL): events (a row is one event_id: start, updates and end fill the same one), embeddings, levels, outbox.
 * Times are UTC in milliseconds. Order of arrival is the order of the row numbers, whatever the clock does. */
#ifndef EARSHOT_STORE_H
#define EARSHOT_STORE_H

#include "base/err.h"
#include "event/event.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_FILE       "history.db"
#define STORE_QUEUE      256 /* events that wait for the disk; beyond it the oldest is not stored, and counted */
#define STORE_LEVELS     64  /* level rows that wait */
#define STORE_BANDS      40  /* of a third-octave spectrum, at most */
#define STORE_CHANNEL    64  /* with its NUL: "mqtt", "webhook:NAME" */
#define STORE_PATIENCE_S 2.0 /* that an event waits for its commit before it is handed on from memory */
#define STORE_MQTT       "mqtt"

struct store_params {
    const char *dir; /* state directory, copied; NULL: there is none, and all stays in memory */
    /* Before each attempt to open the file, on the store's thread: may the directory be used (now)? -1: err says why not. NULL: it may. */
    int (*ready)(void *ctx, struct err *err);
    void *ready_ctx;
    bool history;        /* keep events and levels; false: unsent messages only */
    double keep_days;    /* events and levels older than that go; 0: never */
    double max_mb;       /* MB (10^6) that the file may hold: beyond it the oldest events and levels go; 0: any */
    int outbox_max;      /* messages of one channel that may be unsent: beyond it the oldest go, counted */
    double outbox_days;  /* age beyond which an unsent message goes, counted; 0: never */
    double late_retry_s; /* s between attempts while the disk does not take anything; 0: 5 */
};

/* One row of the level meter. NaN: not measured; it is NULL in the table. */
struct store_level {
    int64_t time_ms;                           /* UTC, end of the interval */
    double interval_s;                         /* that the figures stand for */
    float laeq, lafmax, lcpeak, l10, l50, l90; /* dB */
    bool calibrated;                           /* dB SPL; false: dB re full scale */
    unsigned n_bands;                          /* 0: no spectrum */
    float bands[STORE_BANDS]; /* dB, of third octaves from the lowest up; which one is the lowest: the level meter's */
};

struct store;

/* Who publishes events. Called in the order of the events, by one thread at a time and with the store's lock held: these return at once
 * and call no function of the store. */
struct store_taker {
    void *ctx;
    /* An event, each once. seq > 0: it is notified, and its message is in the outbox under that number until store_outbox_done. 0: it
     * is not there (not notified, or the disk did not take it). -1: it is there, behind others: `replay` brings it. false: there is
     * no room for the message now (seq > 0 only): `replay` brings it after store_outbox_more. What the event says of the present
     * is to be taken in any case. */
    bool (*event)(void *ctx, const struct event *event, int64_t seq);
    /* A message of the outbox that waited there, oldest first: of an earlier run, or for room. Nothing but the message is to be
     * published. Taking one that is there already changes nothing. false: no room. */
    bool (*replay)(void *ctx, const struct event *event, int64_t seq);
    /* Is the message of that id not delivered yet? Asked of those that were handed on with 0. */
    bool (*pending)(void *ctx, const char *id);
    /* It is in the outbox now, under seq. false: delivered meanwhile. */
    bool (*saved)(void *ctx, const char *id, int64_t seq);
    /* The messages up to seq are too old or too many: those that are not with the receiver are to be left out. */
    void (*forget)(void *ctx, int64_t seq);
};

struct store_figures {
    bool on_disk;             /* false: the disk takes nothing at the moment */
    char problem[200];        /* why, "" where on_disk */
    uint64_t waiting;         /* events that the disk has not taken yet */
    uint64_t stored;          /* events told (starts, updates, ends) that were stored since the start */
    uint64_t unstored;        /* that could not be, and are not in history */
    uint64_t unsent;          /* messages in the outbox, of all channels */
    uint64_t outbox_dropped;  /* messages that went for their age or number, since the start */
    uint64_t levels_unstored; /* level rows that were lost */
    uint64_t set_aside;       /* databases set aside since the start */
    uint64_t bytes;           /* of the file, without its write-ahead log */
    double commit_ms;         /* ms that the latest commit with an event took ... */
    double slowest_commit_ms; /* ... and the slowest since the start */
};

/* Copies params. Starts the thread, which opens the file: nothing of the disk makes this fail. NULL: no memory, no thread. */
struct store *store_new(const struct store_params *params, struct err *err);

/* Who is to be handed the events, and with them the messages of channel STORE_MQTT; NULL: nobody any more. Once this returned, the former
 * one is not called any more. Messages of earlier runs are replayed to it from the beginning. */
void store_set_taker(struct store *s, const struct store_taker *taker);

/* Any thread; neither waits nor allocates. */
void store_put_event(struct store *s, const struct event *event);
void store_put_level(struct store *s, const struct store_level *level);

/* Has the event with this message id been stored? 1 yes, 0 not yet, -1 it will not be. Of the latest 16 test events. */
int store_acknowledged(struct store *s, const char *id, char *text, size_t size);

/* Hands on what has waited longer than STORE_PATIENCE_S for a disk that hangs. To be called about once a second by whoever publishes. */
void store_overdue(struct store *s);

/* Stores and hands on all events (and messages) that wait, for at most that time; what is left then is handed on from memory. false: some was left. */
bool store_flush(struct store *s, double seconds);

/* The message was delivered, or will never be: it leaves the outbox (within a second). Never waits; allocates. 0 is ignored. */
void store_outbox_done(struct store *s, int64_t key);

/* There is room for more messages. */
void store_outbox_more(struct store *s);

/* --- messages of other channels, such as "webhook:NAME": kept until they are done, in the order of the puts --------------------- */

struct store_message {
    int64_t key; /* for done and later; above 0: it is on the disk */
    char id[UUID_SIZE];
    int64_t created_ms; /* UTC */
    unsigned attempts;  /* that failed so far */
    void *payload;      /* malloc'ed, the caller's; a NUL behind its end */
    size_t size;
};

/* Queues a message; copies. Allocates and may wait for a moment: not for the hot path. -1: the payload is larger than 1 MB, or so many
 * wait for the disk already that it is not taken (counted). */
int store_outbox_put(struct store *s, const char *channel, const char *id, const void *payload, size_t size,
                     struct err *err);

/* The oldest message of the channel, if it is due; it stays the oldest until done. Waits for the disk, for at most wait_s. 1: out is
 * filled. 0: none is due; *due_s is how long until the oldest is (-1: none waits). -1: the disk did not answer in time. */
int store_outbox_next(struct store *s, const char *channel, double wait_s, struct store_message *out, double *due_s);

/* It failed: not to be tried again for `seconds` (counts as an attempt). */
void store_outbox_later(struct store *s, int64_t key, double seconds);

/* Delivered (or given up by the caller): store_outbox_done(s, key) takes these keys too. */

void store_get_figures(struct store *s, struct store_figures *out);

/* Stores what waits, closes and frees, within about that time: where the disk hangs, the thread is left behind with its memory. */
void store_free(struct store *s, double seconds);

#endif
