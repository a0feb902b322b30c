/* Takes events and levels out for good, a few at a time, so that the daemon goes on writing meanwhile. */
#include "base/when.h"
#include "daemon/cmd.h"
#include "daemon/history/history.h"
#include "daemon/store/schema.h"

#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* Of one transaction; the daemon waits for at most one of them. */
enum { ROWS = 2000, PAGES = 500, BUSY_MS = 10000, PAUSE_MS = 20 };

struct purge {
    const struct history_request *q;
    sqlite3 *db;
    struct store_filter events; /* what goes */
    bool with_events, with_levels;
    int64_t n_events, n_levels; /* expected, then done */
};

static int run(sqlite3 *db, const char *sql, struct err *err)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : history_trouble(db, err);
}

/* One part: "DELETE ... LIMIT" of the rows that `select` (with ?1, ?2 and the labels) finds. Returns how many went. */
static int64_t delete_part(struct purge *p, const char *table, const char *select, struct err *err)
{
    char sql[1024];
    sqlite3_stmt *s = NULL;

    snprintf(sql, sizeof sql, "DELETE FROM %s WHERE id IN (%s LIMIT %d)", table, select, ROWS);
    if (sqlite3_prepare_v2(p->db, sql, -1, &s, NULL) != SQLITE_OK)
        return history_trouble(p->db, err);
    sqlite3_bind_int64(s, 1, p->events.since_ms);
    sqlite3_bind_int64(s, 2, p->events.until_ms);
    for (size_t i = 0; i < p->events.n_labels; i++)
        sqlite3_bind_text(s, 3 + (int)i, p->events.labels[i], -1, SQLITE_STATIC);
    int rc = sqlite3_step(s);
    if (rc != SQLITE_DONE)
        history_trouble(p->db, err);
    sqlite3_finalize(s);
    return rc == SQLITE_DONE ? sqlite3_changes64(p->db) : -1;
}

/* Embeddings go with their events, in the same transaction. */
static int64_t delete_events(struct purge *p, const char *select, struct err *err)
{
    static const char orphans[] = "CREATE TEMP TRIGGER IF NOT EXISTS with_embedding AFTER DELETE ON main.events BEGIN "
                                  "DELETE FROM embeddings WHERE event = old.id; END";
    if (run(p->db, orphans, err) < 0)
        return -1;
    return delete_part(p, "events", select, err);
}

static int delete_all(struct purge *p, bool levels, struct err *err)
{
    char select[512];
    int64_t n = 1, *done = levels ? &p->n_levels : &p->n_events;
    int k = 0;

    if (levels)
        snprintf(select, sizeof select, "SELECT id FROM levels WHERE time_ms >= ?1 AND time_ms < ?2");
    else
        k = snprintf(select, sizeof select,
                     "SELECT id FROM events INDEXED BY %s WHERE start_ms >= ?1 AND start_ms < ?2",
                     p->events.n_labels == 1 ? "events_label" : "events_time");
    for (size_t i = 0; !levels && i < p->events.n_labels; i++)
        k += snprintf(select + k, sizeof select - (size_t)k, "%s?%zu%s", i ? "," : " AND label IN (", 3 + i,
                      i + 1 == p->events.n_labels ? ")" : "");
    for (*done = 0; n > 0; *done += n) {
        n = levels ? delete_part(p, "levels", select, err) : delete_events(p, select, err);
        if (n < 0)
            return -1;
        if (n > 0)
            poll(NULL, 0, PAUSE_MS); /* the daemon's turn */
    }
    return 0;
}

/* Gives the freed pages back to the disk, a few at a time: what VACUUM would do with the file locked. */
static int shrink(struct purge *p, struct err *err)
{
    char sql[64];
    int64_t left = INT64_MAX, before;

    snprintf(sql, sizeof sql, "PRAGMA incremental_vacuum(%d)", PAGES);
    do {
        sqlite3_stmt *s = NULL;
        if (run(p->db, sql, err) < 0)
            return -1;
        if (sqlite3_prepare_v2(p->db, "PRAGMA freelist_count", -1, &s, NULL) != SQLITE_OK)
            return history_trouble(p->db, err);
        before = left;
        left = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
        sqlite3_finalize(s);
    } while (left > 0 && left < before);
    /* the log holds what was deleted, too; a reader in the way keeps it until the daemon's next checkpoint */
    sqlite3_wal_checkpoint_v2(p->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    return 0;
}

/* The reader has looked whose database it is. */
static sqlite3 *open_to_write(const struct history_request *q, struct err *err)
{
    char path[PATH_MAX];
    sqlite3 *db = NULL;

    snprintf(path, sizeof path, "%s/" STORE_FILE, q->dir);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
        err_set(err, "%s: %s", path, db ? sqlite3_errmsg(db) : "no memory");
        sqlite3_close(db);
        return NULL;
    }
    sqlite3_busy_timeout(db, BUSY_MS);
    if (sqlite3_db_readonly(db, "main") == 1) {
        err_set(err, "%s: you may read it, but not change it", path);
        sqlite3_close(db);
        return NULL;
    }
    return db;
}

/* How many there are. 0, -1: err. */
static int look(struct purge *p, struct store_reader *r, struct err *err)
{
    sqlite3 *db = store_read_db(r);

    if (p->with_events && (p->n_events = history_count(db, &p->events, true, err)) < 0)
        return -1;
    if (p->with_levels && (p->n_levels = history_count_levels(db, p->events.since_ms, p->events.until_ms, err)) < 0)
        return -1;
    return 0;
}

/* "12 events and 340 level rows" */
static void amounts(const struct purge *p, char *out, size_t size)
{
    int n = 0;

    out[0] = '\0';
    if (p->with_events)
        n = snprintf(out, size, "%" PRId64 " event%s", p->n_events, p->n_events == 1 ? "" : "s");
    if (p->with_levels)
        snprintf(out + n, size - (size_t)n, "%s%" PRId64 " level row%s", n ? " and " : "", p->n_levels,
                 p->n_levels == 1 ? "" : "s");
}

static bool confirmed(const struct purge *p)
{
    char what[96], before[WHEN_TEXT] = "", answer[16];

    amounts(p, what, sizeof what);
    if (p->q->before_given)
        when_text(p->q->before_ms, before);
    fprintf(stderr, "%s%s%s will be deleted from %s/" STORE_FILE " for good. Go on? [y/N] ", what,
            *before ? " before " : "", before, p->q->dir);
    return fgets(answer, sizeof answer, stdin) && (strcasecmp(answer, "y\n") == 0 || strcasecmp(answer, "yes\n") == 0);
}

static int do_purge(struct purge *p, struct err *err)
{
    p->db = open_to_write(p->q, err);
    if (!p->db)
        return -1;
    /* zeros over what goes: it is not to be found in the file's free places */
    int rc = run(p->db, "PRAGMA secure_delete = ON", err);
    if (rc == 0 && p->with_events)
        rc = delete_all(p, false, err);
    if (rc == 0 && p->with_levels)
        rc = delete_all(p, true, err);
    if (rc == 0)
        rc = shrink(p, err);
    sqlite3_close(p->db);
    return rc;
}

int history_purge(const struct history_request *q)
{
    struct purge p = {.q = q,
                      .events = q->filter,
                      .with_events = q->what != HISTORY_LEVELS,
                      .with_levels = q->what != HISTORY_EVENTS && q->filter.n_labels == 0};
    struct store_reader *r = history_open(q);
    struct err err;
    char what[96];

    if (!r)
        return EXIT_FAILED;
    p.events.since_ms = INT64_MIN;
    p.events.until_ms = q->before_given ? q->before_ms : INT64_MAX;
    int rc = look(&p, r, &err);
    store_read_close(r);
    if (rc < 0)
        return cmd_fail(EXIT_FAILED, "history", "%s", err.text);
    if (!q->yes && !isatty(STDIN_FILENO))
        return cmd_fail(EXIT_USAGE, "history", "purge asks first, and nobody is there to answer; allowed: --yes");
    if (!q->yes && !confirmed(&p))
        return cmd_fail(EXIT_FAILED, "history", "nothing was deleted");
    if (do_purge(&p, &err) < 0)
        return cmd_fail(EXIT_FAILED, "history", "%s", err.text);
    amounts(&p, what, sizeof what);
    printf("deleted: %s\n", what);
    return EXIT_GOOD;
}
