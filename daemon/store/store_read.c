#include "daemon/store/store_read.h"

#include "daemon/store/schema.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LABELS_MOST 64
#define FIRST_LABEL ((size_t)9) /* parameter of a query */

struct store_reader {
    sqlite3 *db;
};

struct store_reader *store_read_open(const char *dir, struct err *err)
{
    struct store_reader *r = calloc(1, sizeof *r);

    if (!r) {
        err_set(err, "no memory");
        return NULL;
    }
    r->db = schema_open_read(dir, err);
    if (!r->db) {
        free(r);
        return NULL;
    }
    return r;
}

void store_read_close(struct store_reader *r)
{
    if (r)
        sqlite3_close(r->db);
    free(r);
}

sqlite3 *store_read_db(struct store_reader *r)
{
    return r->db;
}

static const char *column_text(sqlite3_stmt *s, int i)
{
    const char *text = (const char *)sqlite3_column_text(s, i);
    return text ? text : "";
}

static double column_number(sqlite3_stmt *s, int i)
{
    return sqlite3_column_type(s, i) == SQLITE_NULL ? NAN : sqlite3_column_double(s, i);
}

static void fill(sqlite3_stmt *s, struct store_row *row)
{
    *row = (struct store_row){.id = sqlite3_column_int64(s, 0),
                              .event_id = column_text(s, 1),
                              .sound_id = column_text(s, 2),
                              .label = column_text(s, 3),
                              .score = sqlite3_column_double(s, 4),
                              .start_ms = sqlite3_column_int64(s, 5),
                              .end_ms = sqlite3_column_int64(s, 6),
                              .ended = sqlite3_column_int(s, 7),
                              .peak_dbfs = column_number(s, 8),
                              .rms_dbfs = column_number(s, 9),
                              .segments = sqlite3_column_int64(s, 10),
                              .lost_frames = sqlite3_column_int64(s, 11),
                              .source = column_text(s, 12),
                              .model = column_text(s, 13),
                              .notify = sqlite3_column_int(s, 14) != 0,
                              .test = sqlite3_column_int(s, 15) != 0,
                              .clip = (const char *)sqlite3_column_text(s, 16),
                              .top = column_text(s, 17)};
}

/* Each condition only where it is asked for. The index is named: SQLite, which has no statistics here, would sort all events of several
 * labels where the walk by time has them in order. */
static void compose(const struct store_filter *f, char *sql, size_t size)
{
    size_t n =
        (size_t)snprintf(sql, size,
                         "SELECT id, event_id, sound_id, label, score, start_ms, end_ms, ended, peak_dbfs,"
                         " rms_dbfs, segments, lost_frames, source, model, notify, test, clip, top FROM events"
                         " %s WHERE start_ms >= ?1 AND start_ms < ?2%s%s%s%s",
                         f->event_id        ? "" /* its own */
                         : f->after_id      ? "NOT INDEXED"
                         : f->n_labels == 1 ? "INDEXED BY events_label"
                                            : "INDEXED BY events_time",
                         f->after_id ? " AND id > ?3" : "", f->min_score > 0 ? " AND score >= ?4" : "",
                         f->before_id ? " AND (start_ms, id) < (?6, ?7)" : "", f->event_id ? " AND event_id = ?8" : "");
    for (size_t i = 0; i < f->n_labels; i++)
        n += (size_t)snprintf(sql + n, size - n, "%s?%zu", i ? ", " : " AND label IN (", FIRST_LABEL + i);
    snprintf(sql + n, size - n, "%s ORDER BY %s LIMIT ?5", f->n_labels ? ")" : "",
             f->after_id       ? (f->newest_first ? "id DESC" : "id")
             : f->newest_first ? "start_ms DESC, id DESC"
                               : "start_ms, id");
}

static int64_t failed(struct store_reader *r, struct err *err)
{
    return err_set(err, "history: %s", sqlite3_errmsg(r->db));
}

int64_t store_read_events(struct store_reader *r, const struct store_filter *f,
                          bool (*fn)(void *ctx, const struct store_row *row), void *ctx, struct err *err)
{
    char sql[1024];
    sqlite3_stmt *s = NULL;
    struct store_row row;
    int64_t n = 0;
    bool more = true;
    int rc;

    if (f->n_labels > LABELS_MOST)
        return err_set(err, "%zu labels to look for (at most %d)", f->n_labels, LABELS_MOST);
    compose(f, sql, sizeof sql);
    if (sqlite3_prepare_v2(r->db, sql, -1, &s, NULL))
        return failed(r, err);
    sqlite3_bind_int64(s, 1, f->since_ms);
    sqlite3_bind_int64(s, 2, f->until_ms ? f->until_ms : INT64_MAX);
    if (f->after_id)
        sqlite3_bind_int64(s, 3, f->after_id);
    if (f->min_score > 0)
        sqlite3_bind_double(s, 4, f->min_score);
    sqlite3_bind_int64(s, 5, f->limit ? f->limit : -1);
    if (f->before_id) {
        sqlite3_bind_int64(s, 6, f->before_ms);
        sqlite3_bind_int64(s, 7, f->before_id);
    }
    if (f->event_id)
        sqlite3_bind_text(s, 8, f->event_id, -1, SQLITE_STATIC);
    for (size_t i = 0; i < f->n_labels; i++)
        sqlite3_bind_text(s, (int)(FIRST_LABEL + i), f->labels[i], -1, SQLITE_STATIC);
    while (more && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        fill(s, &row);
        more = fn(ctx, &row);
        n++;
    }
    if (more && rc != SQLITE_DONE)
        n = failed(r, err);
    sqlite3_finalize(s);
    return n;
}

static void fill_level(sqlite3_stmt *s, struct store_level *l)
{
    float *const figures[] = {&l->laeq, &l->lafmax, &l->lcpeak, &l->l10, &l->l50, &l->l90};
    const void *bands = sqlite3_column_blob(s, 9);
    size_t n = (size_t)sqlite3_column_bytes(s, 9) / sizeof *l->bands;

    *l = (struct store_level){.time_ms = sqlite3_column_int64(s, 0), .interval_s = sqlite3_column_double(s, 1)};
    for (int i = 0; i < 6; i++)
        *figures[i] = (float)column_number(s, 2 + i);
    l->calibrated = sqlite3_column_int(s, 8) != 0;
    if (bands && n <= STORE_BANDS) {
        l->n_bands = (unsigned)n;
        memcpy(l->bands, bands, n * sizeof *l->bands);
    }
}

int64_t store_read_levels(struct store_reader *r, int64_t since_ms, int64_t until_ms,
                          bool (*fn)(void *ctx, const struct store_level *level), void *ctx, struct err *err)
{
    static const char sql[] = "SELECT time_ms, interval_s, laeq, lafmax, lcpeak, l10, l50, l90, calibrated, bands"
                              " FROM levels WHERE time_ms >= ?1 AND time_ms < ?2 ORDER BY time_ms, id";
    sqlite3_stmt *s = NULL;
    struct store_level level;
    int64_t n = 0;
    bool more = true;
    int rc;

    if (sqlite3_prepare_v2(r->db, sql, -1, &s, NULL))
        return failed(r, err);
    sqlite3_bind_int64(s, 1, since_ms);
    sqlite3_bind_int64(s, 2, until_ms ? until_ms : INT64_MAX);
    while (more && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        fill_level(s, &level);
        more = fn(ctx, &level);
        n++;
    }
    if (more && rc != SQLITE_DONE)
        n = failed(r, err);
    sqlite3_finalize(s);
    return n;
}

unsigned store_read_embedding(struct store_reader *r, int64_t id, uint16_t *out, unsigned most)
{
    sqlite3_stmt *s = NULL;
    size_t n = 0;

    if (sqlite3_prepare_v2(r->db, "SELECT data FROM embeddings WHERE event = ?1", -1, &s, NULL))
        return 0;
    sqlite3_bind_int64(s, 1, id);
    if (sqlite3_step(s) == SQLITE_ROW) {
        const void *data = sqlite3_column_blob(s, 0);
        n = (size_t)sqlite3_column_bytes(s, 0) / sizeof *out;
        n = data && n <= most ? n : 0;
        if (n)
            memcpy(out, data, n * sizeof *out);
    }
    sqlite3_finalize(s);
    return (unsigned)n;
}
