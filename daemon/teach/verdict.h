/* Verdicts: what people said of events that were heard ("right", "wrong", or what it was instead). They stand in history.db, table
 * verdicts, with a copy of the event's embedding, so that what is learned of them outlives the events themselves. What is made of them
 * is taught.h's.
 *
 * Any thread, any process, while the daemon writes or not: each call opens the database for itself and waits up to 2 s for a lock. */
#ifndef EARSHOT_VERDICT_H
#define EARSHOT_VERDICT_H

#include "base/err.h"
#include "event/event.h"
#include <sqlite3.h>
#include <stdbool.h>

#define VERDICT_RIGHT "right"
#define VERDICT_WRONG "wrong"
#define VERDICT_SIZE  LABEL_SIZE

struct verdict_row {
    char event_id[UUID_SIZE];
    char label[LABEL_SIZE];     /* what the event was told as */
    char verdict[VERDICT_SIZE]; /* "right", "wrong", or a label: what it was */
    char model[64];             /* that heard it */
    uint64_t model_hash;        /* of its file; 0: nothing was learned of it yet */
    int64_t given_ms, start_ms; /* UTC: of the verdict, of the event */
    double score;               /* of the event */
    unsigned n_embedding;       /* 0: none was stored, nothing can be learned of it */
    uint16_t embedding[EVENT_EMBEDDING];
};

/* STATE/taught.due: made by every verdict; there is something to learn (taught_relearn takes it away). The daemon watches for it. While
 * it is being learned it is called STATE/taught.taken, which a daemon that was killed over it finds at its next start. */
#define VERDICT_DUE   "taught.due"
#define VERDICT_TAKEN "taught.taken"

/* Is it "right", "wrong" or a label ([a-z0-9_]+)? -1: err says what is allowed. */
int verdict_check(const char *verdict, struct err *err);

/* Can it be an event's id, or the beginning of one? -1: err says what is allowed. */
int verdict_check_id(const char *event_id, struct err *err);

/* dir: the state directory. event_id: whole, or its first 8 characters and more where no other begins like that. A verdict that was
 * there is replaced. out (may be NULL): the row as it stands now. -1: no such event, a test event, a database that cannot be written. */
int verdict_set(const char *dir, const char *event_id, const char *verdict, struct verdict_row *out, struct err *err);

/* Takes the verdict back; out (may be NULL): as it was. -1: none was given of that event. */
int verdict_undo(const char *dir, const char *event_id, struct verdict_row *out, struct err *err);

/* All of them, oldest first, until fn returns false; row lives until it returns. Returns how many; 0 where there is no history yet. -1: err. */
int verdict_each(const char *dir, bool (*fn)(void *ctx, const struct verdict_row *row), void *ctx, struct err *err);

/* Verdicts of which nothing was learned yet, on what that model heard, are of its file as it is now: from then on they are tied to it. */
int verdict_tie(const char *dir, const char *model, uint64_t hash, struct err *err);

/* The verdict of one event, for who has the database open (store_read_db); false: none. */
bool verdict_of(sqlite3 *db, const char *event_id, char out[VERDICT_SIZE]);

#endif
