/* The questions of `earshot history` to the database. What prints reads a page at a time: between two pages no lock is held, so that a
 * reader that is slow (a pager) keeps nothing from the daemon that writes. */
#ifndef EARSHOT_HISTORY_QUERY_H
#define EARSHOT_HISTORY_QUERY_H

#include "daemon/store/store_read.h"

enum { HISTORY_LABELS = 64, HISTORY_PAGE = 256 };

typedef void history_row_fn(void *ctx, const struct store_row *row);
typedef void history_level_fn(void *ctx, const struct store_level *level);

/* A walk through events, oldest first by their start. filter: since, until (never 0 here), labels and min_score count. */
struct history_walk {
    struct store_reader *reader;
    struct store_filter filter;
    size_t limit; /* the newest so many; 0: all */

    bool begun; /* private from here; start with 0 */
    int64_t last_start, last_id;
    history_row_fn *fn;
    void *ctx;
    int64_t rows;
};

/* Calls fn for the next events, about HISTORY_PAGE. Returns how many, 0: that was all, -1: err. */
int64_t history_walk_page(struct history_walk *w, history_row_fn *fn, void *ctx, struct err *err);

/* The same through level rows: since <= end of the interval < until. */
struct history_level_walk {
    struct store_reader *reader;
    int64_t since_ms, until_ms;
    size_t limit;

    bool begun;
    history_level_fn *fn;
    void *ctx;
    int64_t rows, last_ms;
};
int64_t history_level_page(struct history_level_walk *w, history_level_fn *fn, void *ctx, struct err *err);

/* How many events; tests: with those of `earshot test`. -1: err. */
int64_t history_count(sqlite3 *db, const struct store_filter *f, bool tests, struct err *err);
int64_t history_count_levels(sqlite3 *db, int64_t since_ms, int64_t until_ms, struct err *err);

/* Events by local time: fn gets how many began in each hour or day of the clock on the wall that has any, in their order, without
 * test events. -1: err. */
typedef void history_bucket_fn(void *ctx, int64_t begin_ms, int64_t end_ms, int64_t count);
int history_buckets(sqlite3 *db, const struct store_filter *f, bool days, history_bucket_fn *fn, void *ctx,
                    struct err *err);

/* The start and label of each, oldest first unless a single label is asked for, without test events. -1: err. */
typedef void history_start_fn(void *ctx, int64_t start_ms, const char *label);
int history_starts(sqlite3 *db, const struct store_filter *f, history_start_fn *fn, void *ctx, struct err *err);

/* By label, most frequent first, without test events; free, also after an error. -1: err. */
struct history_label {
    char label[LABEL_SIZE];
    int64_t count, first_ms, last_ms;
    double best; /* score */
};
int history_labels(sqlite3 *db, const struct store_filter *f, struct history_label **out, size_t *n, struct err *err);

/* All labels that occur, for a mistyped one: fn each. */
void history_known_labels(sqlite3 *db, void (*fn)(void *ctx, const char *label), void *ctx);

/* Moments of the oldest and the newest event that the filter lets through. false: there is none. */
bool history_span(sqlite3 *db, const struct store_filter *f, int64_t *first_ms, int64_t *last_ms);
bool history_level_span(sqlite3 *db, int64_t since_ms, int64_t until_ms, int64_t *first_ms, int64_t *last_ms);

/* "PATH: what SQLite says". Returns -1. */
int history_trouble(sqlite3 *db, struct err *err);

#endif
