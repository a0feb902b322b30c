/* History for readers: other processes and other threads, while the daemon writes or not. Each call sees one state of the database.
 * schema.c has the tables for whoever wants to ask more (store_read_db). */
#ifndef EARSHOT_STORE_READ_H
#define EARSHOT_STORE_READ_H

#include "base/err.h"
#include "daemon/store/store.h"
#include <sqlite3.h>

struct store_reader;

/* dir: the state directory. NULL: there is no history, or it cannot be read; err says which and why. */
struct store_reader *store_read_open(const char *dir, struct err *err);
void store_read_close(struct store_reader *r);

/* For queries of the caller's own; stays the reader's. Opened read-only; waits up to 2 s for a lock. */
sqlite3 *store_read_db(struct store_reader *r);

/* A row of events; texts live until the callback returns. */
struct store_row {
    int64_t id; /* order of arrival */
    const char *event_id, *sound_id, *label, *source, *model, *clip,
        *top;                          /* clip: NULL where there is none; top: JSON */
    double score, peak_dbfs, rms_dbfs; /* levels: NaN where there is none */
    int64_t start_ms, end_ms;
    int ended; /* EVENT_GOES_ON, EVENT_ENDED, EVENT_CUT_OFF (schema.h) */
    int64_t segments, lost_frames;
    bool notify, test;
};

struct store_filter {
    int64_t since_ms, until_ms; /* start_ms >= since, < until; until 0: no end */
    const char *const *labels;  /* any of them; n_labels 0: all */
    size_t n_labels;
    double min_score;
    int64_t after_id;             /* rows behind that one (to follow); 0: all */
    int64_t before_ms, before_id; /* rows that come after this one with newest_first: the next page; id 0: all */
    const char *event_id;         /* that one alone; NULL: all */
    int64_t limit;                /* rows at most; 0: all */
    bool newest_first;            /* else oldest first; in order of time (with after_id: of arrival) */
};

/* Calls fn for each row until it returns false. Returns how many, -1 with err. */
int64_t store_read_events(struct store_reader *r, const struct store_filter *filter,
                          bool (*fn)(void *ctx, const struct store_row *row), void *ctx, struct err *err);

/* Level rows whose interval ended within since <= time < until (0: no end), oldest first. */
int64_t store_read_levels(struct store_reader *r, int64_t since_ms, int64_t until_ms,
                          bool (*fn)(void *ctx, const struct store_level *level), void *ctx, struct err *err);

/* An event's embedding as it was stored: half precision. Returns how many values (at most `most`), 0: none. */
unsigned store_read_embedding(struct store_reader *r, int64_t id, uint16_t *out, unsigned most);

#endif
