#include "daemon/history/query.h"
#include "base/when.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SQL = 1536 };

/* Parameters: since, until, least score, one of the query's own, labels. */
enum { P_SINCE = 1, P_UNTIL, P_SCORE, P_OWN, P_LABELS };

int history_trouble(sqlite3 *db, struct err *err)
{
    const char *path = sqlite3_db_filename(db, "main");

    return err_set(err, "%s: %s", path && *path ? path : "history", sqlite3_errmsg(db));
}

static sqlite3_stmt *prepare(sqlite3 *db, struct err *err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static sqlite3_stmt *prepare(sqlite3 *db, struct err *err, const char *fmt, ...)
{
    sqlite3_stmt *s = NULL;
    char sql[SQL];
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(sql, sizeof sql, fmt, ap);
    va_end(ap);
    if (n < 0 || n >= SQL)
        err_set(err, "too long a query");
    else if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
        history_trouble(db, err);
    return s;
}

/* What begins a query of events: the part behind FROM, into `out`. The index is named, as nobody ran ANALYZE and SQLite would have to
 * guess; both hold all that is looked at, so that no row of the table itself is read. */
static const char *from_events(const struct store_filter *f, bool tests, char out[SQL / 2])
{
    int n = snprintf(out, SQL / 2, "events INDEXED BY %s WHERE start_ms >= ?%d AND start_ms < ?%d%s",
                     f->n_labels == 1 ? "events_label" : "events_time", P_SINCE, P_UNTIL, tests ? "" : " AND test = 0");

    if (f->min_score > 0)
        n += snprintf(out + n, (size_t)(SQL / 2 - n), " AND score >= ?%d", P_SCORE);
    for (size_t i = 0; i < f->n_labels && i < HISTORY_LABELS; i++)
        n += snprintf(out + n, (size_t)(SQL / 2 - n), "%s?%d%s", i ? "," : " AND label IN (", P_LABELS + (int)i,
                      i + 1 == f->n_labels ? ")" : "");
    return out;
}

static void bind(sqlite3_stmt *s, const struct store_filter *f)
{
    sqlite3_bind_int64(s, P_SINCE, f->since_ms);
    sqlite3_bind_int64(s, P_UNTIL, f->until_ms);
    if (f->min_score > 0)
        sqlite3_bind_double(s, P_SCORE, f->min_score);
    for (size_t i = 0; i < f->n_labels && i < HISTORY_LABELS; i++)
        sqlite3_bind_text(s, P_LABELS + (int)i, f->labels[i], -1, SQLITE_STATIC);
}

/* Steps to the only row, if there is one. Returns its code. */
static int only_row(sqlite3 *db, sqlite3_stmt *s, int64_t *out, struct err *err)
{
    int rc = s ? sqlite3_step(s) : SQLITE_ERROR;

    *out = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    if (s && rc != SQLITE_ROW && rc != SQLITE_DONE)
        history_trouble(db, err);
    sqlite3_finalize(s);
    return rc;
}

/* --- walks ----------------------------------------------------------------------------------------------------------------------- */

/* The start of the newest `limit`. Events of the very same millisecond come along. */
static int find_begin(struct history_walk *w, struct err *err)
{
    sqlite3 *db = store_read_db(w->reader);
    char from[SQL / 2];
    int64_t begin;
    sqlite3_stmt *s = prepare(db, err, "SELECT start_ms FROM %s ORDER BY start_ms DESC LIMIT 1 OFFSET ?%d",
                              from_events(&w->filter, true, from), P_OWN);

    if (!s)
        return -1;
    bind(s, &w->filter);
    sqlite3_bind_int64(s, P_OWN, (sqlite3_int64)w->limit - 1);
    int rc = only_row(db, s, &begin, err);
    if (rc == SQLITE_ROW)
        w->filter.since_ms = begin;
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : -1;
}

/* Ends the page where a new millisecond begins: the next page begins there. */
static bool walk_row(void *ctx, const struct store_row *row)
{
    struct history_walk *w = ctx;

    if (w->rows >= HISTORY_PAGE && row->start_ms != w->last_start)
        return false;
    w->rows++;
    w->last_start = row->start_ms;
    w->fn(w->ctx, row);
    return true;
}

int64_t history_walk_page(struct history_walk *w, history_row_fn *fn, void *ctx, struct err *err)
{
    if (!w->begun && w->limit && find_begin(w, err) < 0)
        return -1;
    w->begun = true;
    w->fn = fn;
    w->ctx = ctx;
    w->rows = 0;
    w->last_start = INT64_MIN;
    if (store_read_events(w->reader, &w->filter, walk_row, w, err) < 0)
        return -1;
    if (w->rows)
        w->filter.since_ms = w->last_start + 1;
    return w->rows;
}

static bool level_row(void *ctx, const struct store_level *level)
{
    struct history_level_walk *w = ctx;

    if (w->rows >= HISTORY_PAGE && level->time_ms != w->last_ms)
        return false;
    w->rows++;
    w->last_ms = level->time_ms;
    w->fn(w->ctx, level);
    return true;
}

static int find_level_begin(struct history_level_walk *w, struct err *err)
{
    sqlite3 *db = store_read_db(w->reader);
    int64_t begin;
    sqlite3_stmt *s = prepare(db, err,
                              "SELECT time_ms FROM levels INDEXED BY levels_time WHERE time_ms >= ?%d AND "
                              "time_ms < ?%d ORDER BY time_ms DESC LIMIT 1 OFFSET ?%d",
                              P_SINCE, P_UNTIL, P_OWN);

    if (!s)
        return -1;
    sqlite3_bind_int64(s, P_SINCE, w->since_ms);
    sqlite3_bind_int64(s, P_UNTIL, w->until_ms);
    sqlite3_bind_int64(s, P_OWN, (sqlite3_int64)w->limit - 1);
    int rc = only_row(db, s, &begin, err);
    if (rc == SQLITE_ROW)
        w->since_ms = begin;
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : -1;
}

int64_t history_level_page(struct history_level_walk *w, history_level_fn *fn, void *ctx, struct err *err)
{
    if (!w->begun && w->limit && find_level_begin(w, err) < 0)
        return -1;
    w->begun = true;
    w->fn = fn;
    w->ctx = ctx;
    w->rows = 0;
    if (store_read_levels(w->reader, w->since_ms, w->until_ms, level_row, w, err) < 0)
        return -1;
    if (w->rows)
        w->since_ms = w->last_ms + 1;
    return w->rows;
}

/* --- counts ---------------------------------------------------------------------------------------------------------------------- */

int64_t history_count(sqlite3 *db, const struct store_filter *f, bool tests, struct err *err)
{
    char from[SQL / 2];
    int64_t n;
    sqlite3_stmt *s = prepare(db, err, "SELECT count(*) FROM %s", from_events(f, tests, from));

    if (s)
        bind(s, f);
    return only_row(db, s, &n, err) == SQLITE_ROW ? n : -1;
}

int64_t history_count_levels(sqlite3 *db, int64_t since_ms, int64_t until_ms, struct err *err)
{
    int64_t n;
    sqlite3_stmt *s =
        prepare(db, err, "SELECT count(*) FROM levels WHERE time_ms >= ?%d AND time_ms < ?%d", P_SINCE, P_UNTIL);

    if (s) {
        sqlite3_bind_int64(s, P_SINCE, since_ms);
        sqlite3_bind_int64(s, P_UNTIL, until_ms);
    }
    return only_row(db, s, &n, err) == SQLITE_ROW ? n : -1;
}

/* A single number of events between two moments. 1: *out; 0: there is none; -1: err. */
static int step_number(sqlite3 *db, sqlite3_stmt *s, const struct store_filter *f, int64_t since, int64_t until,
                       int64_t *out, struct err *err)
{
    struct store_filter part = *f;

    part.since_ms = since > f->since_ms ? since : f->since_ms;
    part.until_ms = until < f->until_ms ? until : f->until_ms;
    bind(s, &part);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        *out = sqlite3_column_int64(s, 0);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        history_trouble(db, err);
    sqlite3_reset(s);
    return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : -1;
}

/* SQLite counts within an index much faster than it hands rows over, and local time is asked once a bucket only. */
int history_buckets(sqlite3 *db, const struct store_filter *f, bool days, history_bucket_fn *fn, void *ctx,
                    struct err *err)
{
    char from[SQL / 2];
    int64_t at = f->since_ms, count = 0;
    int rc = -1;

    from_events(f, false, from);
    sqlite3_stmt *next = prepare(db, err, "SELECT start_ms FROM %s ORDER BY start_ms LIMIT 1", from);
    sqlite3_stmt *all = next ? prepare(db, err, "SELECT count(*) FROM %s", from) : NULL;
    while (all && (rc = step_number(db, next, f, at, INT64_MAX, &at, err)) > 0) {
        struct when_range r = days ? when_day_of(at) : when_hour_of(at);
        rc = step_number(db, all, f, at, r.end_ms, &count, err);
        if (rc < 0)
            break;
        fn(ctx, r.begin_ms, r.end_ms, count);
        at = r.end_ms;
    }
    sqlite3_finalize(next);
    sqlite3_finalize(all);
    return rc;
}

int history_starts(sqlite3 *db, const struct store_filter *f, history_start_fn *fn, void *ctx, struct err *err)
{
    char from[SQL / 2];
    sqlite3_stmt *s = prepare(db, err, "SELECT start_ms, label FROM %s", from_events(f, false, from));
    int rc;

    if (!s)
        return -1;
    bind(s, f);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        const char *label = (const char *)sqlite3_column_text(s, 1);
        fn(ctx, sqlite3_column_int64(s, 0), label ? label : "");
    }
    if (rc != SQLITE_DONE)
        history_trouble(db, err);
    sqlite3_finalize(s);
    return rc == SQLITE_DONE ? 0 : -1;
}

static int by_count(const void *a, const void *b)
{
    const struct history_label *x = a, *y = b;

    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return strcmp(x->label, y->label);
}

/* By one step of the index to the next label, not by all of its rows. false: there is none behind. */
static bool next_label(sqlite3_stmt *s, char label[LABEL_SIZE])
{
    sqlite3_bind_text(s, 1, label, -1, SQLITE_TRANSIENT);
    const char *found = sqlite3_step(s) == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : NULL;
    if (found)
        snprintf(label, LABEL_SIZE, "%s", found);
    sqlite3_reset(s);
    return found != NULL;
}

void history_known_labels(sqlite3 *db, void (*fn)(void *ctx, const char *label), void *ctx)
{
    sqlite3_stmt *s =
        prepare(db, NULL, "SELECT label FROM events INDEXED BY events_label WHERE label > ?1 ORDER BY label LIMIT 1");
    char label[LABEL_SIZE] = "";

    while (s && next_label(s, label))
        fn(ctx, label);
    sqlite3_finalize(s);
}

static bool wanted(const struct store_filter *f, const char *label)
{
    for (size_t i = 0; i < f->n_labels; i++)
        if (strcmp(f->labels[i], label) == 0)
            return true;
    return f->n_labels == 0;
}

/* One label's line. 1: it has events; -1: err. */
static int count_label(sqlite3 *db, sqlite3_stmt *s, const struct store_filter *f, struct history_label *l,
                       struct err *err)
{
    const char *labels[] = {l->label};
    struct store_filter one = *f;

    one.labels = labels;
    one.n_labels = 1;
    bind(s, &one);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        l->count = sqlite3_column_int64(s, 0);
        l->first_ms = sqlite3_column_int64(s, 1);
        l->last_ms = sqlite3_column_int64(s, 2);
        l->best = sqlite3_column_double(s, 3);
    } else {
        history_trouble(db, err);
    }
    sqlite3_reset(s);
    return rc != SQLITE_ROW ? -1 : l->count > 0;
}

struct labels {
    struct history_label *all;
    size_t n, room;
    const struct store_filter *filter;
    bool no_memory;
};

static void keep_label(void *ctx, const char *label)
{
    struct labels *l = ctx;

    if (l->no_memory || !wanted(l->filter, label))
        return;
    if (l->n == l->room) {
        size_t room = l->room ? 2 * l->room : 64;
        struct history_label *more = realloc(l->all, room * sizeof *more);
        l->no_memory = !more;
        if (!more)
            return;
        l->all = more;
        l->room = room;
    }
    l->all[l->n] = (struct history_label){{0}, 0, 0, 0, 0};
    snprintf(l->all[l->n++].label, LABEL_SIZE, "%s", label);
}

int history_labels(sqlite3 *db, const struct store_filter *f, struct history_label **out, size_t *n, struct err *err)
{
    struct labels l = {.filter = f};
    struct store_filter one = *f;
    char from[SQL / 2];
    int rc = 0;

    *n = 0;
    history_known_labels(db, keep_label, &l);
    one.n_labels = 1;
    sqlite3_stmt *s = prepare(db, err, "SELECT count(*), min(start_ms), max(start_ms), max(score) FROM %s",
                              from_events(&one, false, from));
    if (!s || l.no_memory)
        rc = s ? err_set(err, "no memory") : -1;
    for (size_t i = 0; rc >= 0 && i < l.n; i++) {
        rc = count_label(db, s, f, &l.all[i], err);
        if (rc > 0)
            l.all[(*n)++] = l.all[i];
    }
    sqlite3_finalize(s);
    if (*n)
        qsort(l.all, *n, sizeof *l.all, by_count);
    *out = l.all;
    return rc < 0 ? -1 : 0;
}

/* --- spans ----------------------------------------------------------------------------------------------------------------------- */

bool history_span(sqlite3 *db, const struct store_filter *f, int64_t *first_ms, int64_t *last_ms)
{
    char from[SQL / 2];
    bool found = false;

    from_events(f, false, from);
    for (int newest = 0; newest < 2; newest++) {
        sqlite3_stmt *s =
            prepare(db, NULL, "SELECT start_ms FROM %s ORDER BY start_ms%s LIMIT 1", from, newest ? " DESC" : "");
        if (s)
            bind(s, f);
        found = only_row(db, s, newest ? last_ms : first_ms, NULL) == SQLITE_ROW;
    }
    return found;
}

bool history_level_span(sqlite3 *db, int64_t since_ms, int64_t until_ms, int64_t *first_ms, int64_t *last_ms)
{
    bool found = false;

    for (int newest = 0; newest < 2; newest++) {
        sqlite3_stmt *s = prepare(db, NULL,
                                  "SELECT time_ms FROM levels WHERE time_ms >= ?%d AND time_ms < ?%d ORDER BY "
                                  "time_ms%s LIMIT 1",
                                  P_SINCE, P_UNTIL, newest ? " DESC" : "");
        if (s) {
            sqlite3_bind_int64(s, P_SINCE, since_ms);
            sqlite3_bind_int64(s, P_UNTIL, until_ms);
        }
        found = only_row(db, s, newest ? last_ms : first_ms, NULL) == SQLITE_ROW;
    }
    return found;
}
