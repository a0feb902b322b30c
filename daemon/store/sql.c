#include "daemon/store/sql.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "blobs are little endian, as memory is");

static const char *const text[SQL_STATEMENTS] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    /* start, updates and end of one event_id fill one row */
    [SQL_EVENT] = "INSERT INTO events (event_id, sound_id, label, score, start_ms, end_ms, ended, peak_dbfs, rms_dbfs,"
                  " segments, lost_frames, source, model, notify, test, clip, top)"
                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, nullif(?16, ''), ?17)"
                  " ON CONFLICT (event_id) DO UPDATE SET score = excluded.score, start_ms = excluded.start_ms,"
                  " end_ms = excluded.end_ms, ended = excluded.ended, peak_dbfs = excluded.peak_dbfs,"
                  " rms_dbfs = excluded.rms_dbfs, segments = excluded.segments, lost_frames = excluded.lost_frames,"
                  " notify = max(notify, excluded.notify), clip = coalesce(excluded.clip, clip), top = excluded.top"
                  " RETURNING id",
    [SQL_EMBEDDING] = "INSERT OR IGNORE INTO embeddings (event, data) VALUES (?1, ?2)",
    [SQL_LEVEL] = "INSERT INTO levels (time_ms, interval_s, laeq, lafmax, lcpeak, l10, l50, l90, calibrated, bands)"
                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    [SQL_MESSAGE] = "INSERT INTO outbox (seq, channel, id, created_ms, attempts, due_ms, payload)"
                    " VALUES (?1, ?2, ?3, ?4, 0, 0, ?5)",
    [SQL_DONE] = "DELETE FROM outbox WHERE seq = ?1",
    [SQL_LATER] = "UPDATE outbox SET attempts = attempts + 1, due_ms = ?2 WHERE seq = ?1",
    [SQL_LOAD] = "SELECT seq, id, created_ms, attempts, due_ms, payload FROM outbox"
                 " WHERE channel = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
};

int sql_open(struct sql *q, sqlite3 *db)
{
    int rc = SQLITE_OK;

    *q = (struct sql){.db = db, .full = true};
    for (unsigned i = 0; i < SQL_STATEMENTS && !rc; i++)
        rc = sqlite3_prepare_v3(db, text[i], -1, SQLITE_PREPARE_PERSISTENT, &q->statement[i], NULL);
    return rc;
}

void sql_close(struct sql *q)
{
    for (unsigned i = 0; i < SQL_STATEMENTS; i++)
        sqlite3_finalize(q->statement[i]);
    sqlite3_close(q->db);
    *q = (struct sql){0};
}

/* Runs a bound statement to its end. */
static int run(sqlite3_stmt *s)
{
    int rc;

    while ((rc = sqlite3_step(s)) == SQLITE_ROW)
        ;
    int reset = sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    return rc == SQLITE_DONE ? reset : rc;
}

int sql_begin(struct sql *q, bool full)
{
    if (full != q->full) {
        int rc =
            sqlite3_exec(q->db, full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL", NULL, NULL, NULL);
        if (rc)
            return rc;
        q->full = full;
    }
    return run(q->statement[SQL_BEGIN]);
}

int sql_commit(struct sql *q)
{
    return run(q->statement[SQL_COMMIT]);
}

void sql_rollback(struct sql *q)
{
    if (q->db && !sqlite3_get_autocommit(q->db))
        run(q->statement[SQL_ROLLBACK]);
}

static void bind_text(sqlite3_stmt *s, int i, const char *value)
{
    sqlite3_bind_text(s, i, value, -1, SQLITE_STATIC);
}

/* NaN becomes NULL. Decibels and scores need no more digits than they are told with. */
static void bind_decimal(sqlite3_stmt *s, int i, double value, double places)
{
    if (isfinite(value))
        sqlite3_bind_double(s, i, round(value * places) / places);
    else
        sqlite3_bind_null(s, i);
}

static int64_t ms(int64_t ns)
{
    return ns / 1000000 - (ns % 1000000 < 0);
}

/* Labels are slugs: nothing in them is to be escaped. */
static void top_text(const struct event *e, char *out, size_t size)
{
    size_t n = (size_t)snprintf(out, size, "[");

    for (unsigned i = 0; i < e->n_top && i < EVENT_TOP && n < size; i++)
        if (strspn(e->top[i].label, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(e->top[i].label))
            n += (size_t)snprintf(out + n, size - n, "%s[\"%s\",%.4f]", n > 1 ? "," : "", e->top[i].label,
                                  (double)e->top[i].score);
    if (n < size)
        snprintf(out + n, size - n, "]");
}

int sql_put_event(struct sql *q, const struct event *e)
{
    sqlite3_stmt *s = q->statement[SQL_EVENT];
    char top[EVENT_TOP * (LABEL_SIZE + 24) + 8];

    top_text(e, top, sizeof top);
    bind_text(s, 1, e->event_id);
    bind_text(s, 2, e->sound_id);
    bind_text(s, 3, e->label);
    bind_decimal(s, 4, (double)e->score, 1e4);
    sqlite3_bind_int64(s, 5, ms(e->start_ns));
    sqlite3_bind_int64(s, 6, ms(e->end_ns));
    sqlite3_bind_int(s, 7, e->type == EVENT_END);
    bind_decimal(s, 8, (double)e->peak_dbfs, 10);
    bind_decimal(s, 9, (double)e->rms_dbfs, 10);
    sqlite3_bind_int64(s, 10, e->segments);
    sqlite3_bind_int64(s, 11, (sqlite3_int64)e->lost_frames);
    bind_text(s, 12, e->source);
    bind_text(s, 13, e->model);
    sqlite3_bind_int(s, 14, e->notify);
    sqlite3_bind_int(s, 15, e->test);
    bind_text(s, 16, e->clip);
    bind_text(s, 17, top);
    int rc = sqlite3_step(s);
    int64_t id = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    if (rc == SQLITE_ROW)
        rc = run(s);
    else
        sqlite3_reset(s);
    if (rc || !e->n_embedding)
        return rc;
    s = q->statement[SQL_EMBEDDING];
    sqlite3_bind_int64(s, 1, id);
    sqlite3_bind_blob(s, 2, e->embedding, (int)(e->n_embedding * sizeof *e->embedding), SQLITE_STATIC);
    return run(s);
}

int sql_put_level(struct sql *q, const struct store_level *l)
{
    sqlite3_stmt *s = q->statement[SQL_LEVEL];
    const float figures[] = {l->laeq, l->lafmax, l->lcpeak, l->l10, l->l50, l->l90};

    sqlite3_bind_int64(s, 1, l->time_ms);
    sqlite3_bind_double(s, 2, l->interval_s);
    for (int i = 0; i < 6; i++)
        bind_decimal(s, 3 + i, (double)figures[i], 100);
    sqlite3_bind_int(s, 9, l->calibrated);
    if (l->n_bands && l->n_bands <= STORE_BANDS)
        sqlite3_bind_blob(s, 10, l->bands, (int)(l->n_bands * sizeof *l->bands), SQLITE_STATIC);
    return run(s);
}

int sql_put_message(struct sql *q, int64_t seq, const char *channel, const char *id, int64_t created_ms,
                    const void *payload, size_t size)
{
    sqlite3_stmt *s = q->statement[SQL_MESSAGE];

    sqlite3_bind_int64(s, 1, seq);
    bind_text(s, 2, channel);
    bind_text(s, 3, id);
    sqlite3_bind_int64(s, 4, created_ms);
    sqlite3_bind_blob(s, 5, payload, (int)size, SQLITE_STATIC);
    return run(s);
}

int sql_done(struct sql *q, int64_t seq)
{
    sqlite3_bind_int64(q->statement[SQL_DONE], 1, seq);
    return run(q->statement[SQL_DONE]);
}

int sql_later(struct sql *q, int64_t seq, int64_t due_ms)
{
    sqlite3_bind_int64(q->statement[SQL_LATER], 1, seq);
    sqlite3_bind_int64(q->statement[SQL_LATER], 2, due_ms);
    return run(q->statement[SQL_LATER]);
}

int sql_load(struct sql *q, const char *channel, int64_t after, int limit,
             bool (*fn)(void *ctx, const struct sql_message *m), void *ctx, int *rc)
{
    sqlite3_stmt *s = q->statement[SQL_LOAD];
    int n = 0;
    bool more = true;

    bind_text(s, 1, channel);
    sqlite3_bind_int64(s, 2, after);
    sqlite3_bind_int(s, 3, limit);
    while (more && (*rc = sqlite3_step(s)) == SQLITE_ROW) {
        const char *id = (const char *)sqlite3_column_text(s, 1);
        const void *payload = sqlite3_column_blob(s, 5);
        struct sql_message m = {.seq = sqlite3_column_int64(s, 0),
                                .id = id ? id : "",
                                .created_ms = sqlite3_column_int64(s, 2),
                                .attempts = (unsigned)sqlite3_column_int(s, 3),
                                .due_ms = sqlite3_column_int64(s, 4),
                                .payload = payload ? payload : "",
                                .size = (size_t)sqlite3_column_bytes(s, 5)};
        more = fn(ctx, &m);
        n++;
    }
    *rc = *rc == SQLITE_ROW || *rc == SQLITE_DONE ? SQLITE_OK : *rc;
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    return *rc ? -1 : n;
}

int64_t sql_number(struct sql *q, const char *statement, int *rc)
{
    sqlite3_stmt *s = NULL;
    int64_t value = 0;
    int code = sqlite3_prepare_v2(q->db, statement, -1, &s, NULL);

    if (!code && (code = sqlite3_step(s)) == SQLITE_ROW)
        value = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    if (rc)
        *rc = code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
    return value;
}

int sql_run(struct sql *q, const char *statement, int64_t a, int64_t b)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(q->db, statement, -1, &s, NULL);

    if (rc)
        return rc;
    if (sqlite3_bind_parameter_count(s) > 0)
        sqlite3_bind_int64(s, 1, a);
    if (sqlite3_bind_parameter_count(s) > 1)
        sqlite3_bind_int64(s, 2, b);
    rc = run(s);
    sqlite3_finalize(s);
    return rc;
}
