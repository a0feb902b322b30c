/* The store's own parts: store.c takes records in, store_thread.c writes them, store_file.c has the file, store_outbox.c keeps messages of other channels,
 * store_keep.c takes old ones away. */
#ifndef EARSHOT_STORE_INTERNAL_H
#define EARSHOT_STORE_INTERNAL_H

#include "daemon/outputs/acks.h"
#include "daemon/outputs/output_thread.h"
#include "daemon/store/sql.h"
#include "daemon/store/store.h"
#include <limits.h>
#include <pthread.h>

#define BATCH        64 /* events of one transaction at most */
#define ENTRY_NONE   STORE_QUEUE
#define EVENT_JSON   2048
#define OUTBOX_MOST  256 /* messages of other channels that wait for the disk */
#define PAYLOAD_MOST 1000000
#define LEVEL_ROWS   5     /* level rows that are written together ... */
#define LEVEL_S      300.0 /* ... or after so long: each write costs pages of an SD card's life */
#define DONE_S       1.0   /* deliveries are taken out together, after so long */
#define RETRY_S      5.0   /* between attempts to write */
#define KEEP_S       600.0 /* between two looks at what is too old */
#define LOAD         64    /* messages brought from the outbox at a time */

struct entry {
    struct event event;
    int64_t put_ns;     /* CLOCK_MONOTONIC */
    int64_t created_ms; /* UTC, of the put */
    int64_t seq;        /* of its message in the transaction that is under way; the thread's own */
    bool forwarded;     /* handed on already, from memory */
    bool delivered;     /* ... and with its receiver, as far as the taker knew when it left */
    unsigned next;
};

/* A message of another channel than MQTT that is not in the database yet. */
struct message {
    struct message *next;
    char channel[STORE_CHANNEL], id[UUID_SIZE];
    int64_t key; /* below 0 */
    int64_t created_ms, due_ms;
    unsigned attempts;
    bool taken;   /* somebody tries to deliver it: it stays in memory until done or later */
    bool written; /* in the transaction that is under way */
    size_t size;
    char payload[];
};

/* What became of a message of the outbox. */
struct outcome {
    int64_t seq;
    int64_t due_ms; /* 0: it leaves the outbox; else UTC: it failed, and is to be tried again then */
};

/* A question to the thread: the next message of a channel. The asker's to free, and the thread's where he did not wait. */
struct question {
    char channel[STORE_CHANNEL];
    struct store_message message;
    double due_s;
    int answer; /* as store_outbox_next returns; -1 so far */
    bool answered, abandoned;
};

struct store {
    struct output_thread thread;
    char dir[PATH_MAX];
    struct store_params params;

    pthread_mutex_t lock;      /* guards from here ... */
    pthread_cond_t work, calm; /* something to do; something was done */
    struct entry entries[STORE_QUEUE];
    unsigned used;                            /* entries from there on were never used: their pages stay untouched */
    unsigned free, oldest, newest, n_waiting; /* lists by `next`; waiting ones only */
    unsigned batch[BATCH], n_batch;           /* in the transaction that is under way */
    struct store_level levels[STORE_LEVELS];
    unsigned first_level, n_levels;
    struct outcome *done;
    size_t n_done, done_size;
    int64_t last_done; /* the highest seq that was ever among them */
    struct message *messages, **last_message;
    unsigned n_messages; /* ... that nobody has taken */
    int64_t last_key;
    struct question *question;
    struct store_taker taker;
    bool has_taker;
    bool publishes; /* there was a taker: what it does not get any more is for the one of the next run */
    bool behind;    /* messages wait in the outbox that the taker was not handed (in this run) */
    bool more;      /* it has room for them */
    int64_t loaded; /* seq up to which it was handed all */
    bool failing;   /* the disk takes nothing */
    bool stopping, flushing;
    struct store_figures figures;
    struct acks *acks;
    /* ... to here */

    /* The thread's own */
    struct sql sql;
    int64_t next_seq;
    double levels_due, done_due, keep_due, retry_due; /* s, CLOCK_MONOTONIC; 0: nothing is due */
    int64_t clock_ahead_ms;                           /* UTC less CLOCK_BOOTTIME, as last seen */
    double clock_trusted;   /* s, CLOCK_MONOTONIC: from when on the wall clock decides what is old */
    bool keep_more;         /* the last look left something for the next */
    double set_aside;       /* s, CLOCK_MONOTONIC: when the last one was */
    uint64_t unstored_said; /* figures.unstored when that was last logged */
    struct message *writing[OUTBOX_MOST];
    unsigned n_writing;
    char json[EVENT_JSON];
};

double store_now(void);  /* s, CLOCK_MONOTONIC */
int64_t store_utc(void); /* ms */
double store_retry_s(const struct store *s);

void *store_main(void *s);
void store_destroy(struct store *s);

/* With the lock held: hands an entry on, once. */
void store_forward(struct store *s, struct entry *e, int64_t seq);

/* With the lock held: what became of a message that is in the outbox. */
void store_note_done(struct store *s, int64_t seq, int64_t due_ms);
/* What became of a message and was not written yet; NULL: nothing. With the lock held. */
const struct outcome *store_outcome(const struct store *s, int64_t seq);
/* ... and of one of another channel that the disk has not taken yet. */
void store_outbox_forget(struct store *s, int64_t key);

/* store_file.c, the thread. Opens the file, or begins a new one; what is wrong is said and tried again later. */
void store_open(struct store *s);
/* Was the file taken away, or another put in its place? */
bool store_moved(struct store *s);

/* The thread. What went wrong with the file: sets it aside where it is damaged or foreign, else waits for better times. */
void store_trouble(struct store *s, int rc);
/* ... and that it is over. */
void store_recovered(struct store *s);

/* store_outbox.c: the thread's part. Writes the messages that wait, within the transaction; what they are is forgotten by _written, with
 * the lock held. */
int store_outbox_write(struct store *s);
void store_outbox_written(struct store *s);
void store_outbox_answer(struct store *s);
/* Brings messages to the taker, with the lock not held. */
void store_outbox_load(struct store *s);

/* store_keep.c: takes away what is too old or too much, a part at a time. */
void store_keep(struct store *s);

#endif
