/* What is kept, and for how long. */
#include "base/clock.h"
#include "base/log.h"
#include "daemon/store/store_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORTION   500 /* rows that go in one transaction: events wait for no more */
#define STEP_MS   3600000
#define TRUST_S   86400.0
#define FREE_MANY 1000 /* pages: what is empty beyond them is given back to the file system */
#define DAY_MS    86400000.0

/* A clock that was set says nothing about age for a day: a box that woke up in 2035 must not clear its history before somebody has put
 * that right. true: its time may be used. */
static bool clock_is_good(struct store *s, double now)
{
    /* BOOTTIME goes on while the machine is suspended: a laptop that sleeps every night must not count as set every morning */
    int64_t ahead = store_utc() - clock_ms(CLOCK_BOOTTIME), before = s->clock_ahead_ms;
    int64_t newest = sql_number(&s->sql, "SELECT max(start_ms) FROM events", NULL);
    bool first = before == 0;

    s->clock_ahead_ms = ahead;
    /* at the start there is only what was heard last to compare with */
    bool jumped = first ? newest && store_utc() - newest > 30 * (int64_t)DAY_MS : llabs(ahead - before) > STEP_MS;
    if (jumped) {
        s->clock_trusted = now + TRUST_S;
        if (s->params.keep_days > 0 || s->params.outbox_days > 0)
            log_warn("history: the clock %s; nothing is taken away for its age within the next day",
                     first ? "is more than 30 days ahead of what was stored last" : "was set by more than an hour");
    }
    return now >= s->clock_trusted;
}

static int delete_events(struct store *s, const char *which, int64_t a, int64_t *gone)
{
    char embeddings[256], events[256];

    snprintf(embeddings, sizeof embeddings, "DELETE FROM embeddings WHERE event IN (SELECT id FROM events %s LIMIT ?2)",
             which);
    snprintf(events, sizeof events, "DELETE FROM events WHERE id IN (SELECT id FROM events %s LIMIT ?2)", which);
    int rc = sql_begin(&s->sql, false);
    if (!rc)
        rc = sql_run(&s->sql, embeddings, a, PORTION);
    if (!rc)
        rc = sql_run(&s->sql, events, a, PORTION);
    *gone = rc ? 0 : sqlite3_changes(s->sql.db);
    return rc ? rc : sql_commit(&s->sql);
}

static int delete_levels(struct store *s, const char *which, int64_t a, int64_t *gone)
{
    char levels[256];

    snprintf(levels, sizeof levels, "DELETE FROM levels WHERE id IN (SELECT id FROM levels %s LIMIT ?2)", which);
    int rc = sql_begin(&s->sql, false);
    if (!rc)
        rc = sql_run(&s->sql, levels, a, PORTION);
    *gone = rc ? 0 : sqlite3_changes(s->sql.db);
    return rc ? rc : sql_commit(&s->sql);
}

static int by_age(struct store *s)
{
    int64_t events = 0, levels = 0, limit = store_utc() - (int64_t)(s->params.keep_days * DAY_MS);
    int rc = delete_events(s, "WHERE start_ms < ?1 ORDER BY start_ms", limit, &events);

    if (!rc)
        rc = delete_levels(s, "WHERE time_ms < ?1 ORDER BY time_ms", limit, &levels);
    s->keep_more |= !rc && (events == PORTION || levels == PORTION);
    return rc;
}

/* Bytes in use: pages of the file that hold something. */
static int64_t bytes(struct store *s, int *rc)
{
    int64_t pages = sql_number(&s->sql, "PRAGMA page_count", rc), empty = 0, size = 0;

    if (!*rc)
        empty = sql_number(&s->sql, "PRAGMA freelist_count", rc);
    if (!*rc)
        size = sql_number(&s->sql, "PRAGMA page_size", rc);
    return (pages - empty) * size;
}

/* The oldest of what there is more of, by rows: both become fewer together. */
static int by_size(struct store *s)
{
    int rc;
    int64_t used = bytes(s, &rc), gone = 0;

    pthread_mutex_lock(&s->lock);
    s->figures.bytes = (uint64_t)used;
    pthread_mutex_unlock(&s->lock);
    if (rc || s->params.max_mb <= 0 || (double)used <= s->params.max_mb * 1e6)
        return rc;
    int64_t oldest_event = sql_number(&s->sql, "SELECT start_ms FROM events ORDER BY id LIMIT 1", &rc);
    int64_t oldest_level = rc ? 0 : sql_number(&s->sql, "SELECT time_ms FROM levels ORDER BY id LIMIT 1", &rc);
    if (rc)
        return rc;
    if (oldest_event && (!oldest_level || oldest_event <= oldest_level))
        rc = delete_events(s, "WHERE id > ?1 ORDER BY id", 0, &gone);
    else if (oldest_level)
        rc = delete_levels(s, "WHERE id > ?1 ORDER BY id", 0, &gone);
    s->keep_more |= !rc && gone > 0;
    return rc;
}

/* Unsent messages that are too many or too old: the oldest go, and whoever holds them is told. */
static int drop_messages(struct store *s, const char *channel, int64_t seq)
{
    sqlite3_stmt *st = NULL;
    int rc = sql_begin(&s->sql, false);

    if (!rc)
        rc = sqlite3_prepare_v2(s->sql.db, "DELETE FROM outbox WHERE channel = ?1 AND seq <= ?2", -1, &st, NULL);
    if (!rc) {
        sqlite3_bind_text(st, 1, channel, -1, SQLITE_STATIC);
        sqlite3_bind_int64(st, 2, seq);
        rc = sqlite3_step(st) == SQLITE_DONE ? SQLITE_OK : sqlite3_errcode(s->sql.db);
    }
    int64_t gone = rc ? 0 : sqlite3_changes(s->sql.db);
    sqlite3_finalize(st);
    if (!rc)
        rc = sql_commit(&s->sql);
    if (rc || !gone)
        return rc;
    pthread_mutex_lock(&s->lock);
    s->figures.outbox_dropped += (uint64_t)gone;
    s->figures.unsent -= (uint64_t)gone < s->figures.unsent ? (uint64_t)gone : s->figures.unsent;
    if (s->has_taker && strcmp(channel, STORE_MQTT) == 0)
        s->taker.forget(s->taker.ctx, seq);
    pthread_mutex_unlock(&s->lock);
    log_warn("history: %" PRId64 " unsent messages of %s were too many or too old and are lost, the oldest first", gone,
             channel);
    return SQLITE_OK;
}

struct limit {
    char channel[STORE_CHANNEL];
    int64_t seq;
};

/* For each channel the seq up to which its messages go. Returns how many channels. */
static int find_limits(struct store *s, bool by_clock, struct limit *limits, int most, int *rc)
{
    static const char text[] =
        "SELECT channel, max(coalesce((SELECT seq FROM outbox b WHERE b.channel = a.channel ORDER BY seq DESC"
        " LIMIT 1 OFFSET ?1), 0), coalesce((SELECT max(seq) FROM outbox c WHERE c.channel = a.channel AND"
        " c.created_ms < ?2), 0)) AS upto FROM (SELECT DISTINCT channel FROM outbox) a WHERE upto > 0";
    bool aged = by_clock && s->params.outbox_days > 0;
    sqlite3_stmt *st = NULL;
    int n = 0;

    *rc = sqlite3_prepare_v2(s->sql.db, text, -1, &st, NULL);
    if (*rc)
        return 0;
    sqlite3_bind_int(st, 1, s->params.outbox_max);
    sqlite3_bind_int64(st, 2, aged ? store_utc() - (int64_t)(s->params.outbox_days * DAY_MS) : INT64_MIN);
    while (n < most && sqlite3_step(st) == SQLITE_ROW) {
        snprintf(limits[n].channel, sizeof limits[n].channel, "%s", (const char *)sqlite3_column_text(st, 0));
        limits[n++].seq = sqlite3_column_int64(st, 1);
    }
    sqlite3_finalize(st);
    return n;
}

static int trim_outbox(struct store *s, bool by_clock)
{
    struct limit limits[16];
    int rc, n = find_limits(s, by_clock, limits, 16, &rc);

    for (int i = 0; i < n && !rc; i++)
        rc = drop_messages(s, limits[i].channel, limits[i].seq);
    return rc;
}

void store_keep(struct store *s)
{
    double now = store_now();
    bool good = clock_is_good(s, now);
    int rc = trim_outbox(s, good);

    s->keep_more = false;
    s->keep_due = now + KEEP_S;
    if (!rc && good && s->params.keep_days > 0)
        rc = by_age(s);
    if (!rc)
        rc = by_size(s);
    if (!rc && !s->keep_more && sql_number(&s->sql, "PRAGMA freelist_count", &rc) > FREE_MANY && !rc)
        rc = sql_run(&s->sql, "PRAGMA incremental_vacuum(1000)", 0, 0);
    if (rc)
        store_trouble(s, rc);
}
