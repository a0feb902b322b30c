/* The file, through all that a disk can do to it: opened, set aside, given up for a while, opened again. The store's thread alone. */
#include "base/log.h"
#include "daemon/store/schema.h"
#include "daemon/store/store_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SET_ASIDE_S 60.0 /* not more often: a disk that spoils every file must not be filled with them */

static void fail(struct store *s, const char *text)
{
    pthread_mutex_lock(&s->lock);
    bool known = s->failing && strncmp(s->figures.problem, text, sizeof s->figures.problem - 1) == 0;
    s->failing = true;
    s->figures.on_disk = false;
    snprintf(s->figures.problem, sizeof s->figures.problem, "%s", text);
    pthread_mutex_unlock(&s->lock);
    s->retry_due = store_now() + store_retry_s(s);
    if (!known)
        log_error("history: %s; earshot goes on listening and publishes from memory, what is unsent does not survive "
                  "its end, and beyond %d events nothing is stored; trying again every %.0f s",
                  text, STORE_QUEUE, store_retry_s(s));
}

void store_recovered(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    bool failed = s->failing;
    uint64_t lost = s->figures.unstored - s->unstored_said;
    s->failing = false;
    s->figures.on_disk = true;
    s->figures.problem[0] = '\0';
    s->unstored_said = s->figures.unstored;
    pthread_mutex_unlock(&s->lock);
    s->retry_due = 0;
    if (failed)
        log_warn("history: %s/" STORE_FILE " takes events again; %" PRIu64 " were not stored meanwhile", s->dir, lost);
}

/* Copies unsent messages out of a file that was set aside, as far as it can be read. */
struct salvage {
    struct store *store;
    const char *channel;
};

static bool salvage_message(void *ctx, const struct sql_message *m)
{
    struct store *s = ((struct salvage *)ctx)->store;
    const char *channel = ((struct salvage *)ctx)->channel;

    if (sql_put_message(&s->sql, s->next_seq, channel, m->id, m->created_ms, m->payload, m->size) == SQLITE_OK)
        s->next_seq++;
    return true;
}

static void salvage_all(struct store *s, struct sql *old)
{
    sqlite3_stmt *channels = NULL;
    int rc = sqlite3_prepare_v2(old->db, "SELECT DISTINCT channel FROM outbox", -1, &channels, NULL);

    while (!rc && sqlite3_step(channels) == SQLITE_ROW) {
        struct salvage ctx = {s, (const char *)sqlite3_column_text(channels, 0)};
        if (ctx.channel)
            sql_load(old, ctx.channel, 0, s->params.outbox_max, salvage_message, &ctx, &rc);
    }
    sqlite3_finalize(channels);
}

static int64_t salvage(struct store *s, const char *aside)
{
    struct sql old = {0};
    sqlite3 *db = NULL;
    int64_t first = s->next_seq;

    if (sqlite3_open_v2(aside, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK &&
        sql_open(&old, db) == SQLITE_OK && sql_begin(&s->sql, true) == SQLITE_OK) {
        salvage_all(s, &old);
        if (sql_commit(&s->sql) != SQLITE_OK) {
            sql_rollback(&s->sql);
            s->next_seq = first;
        }
    }
    old.db = db;
    sql_close(&old);
    pthread_mutex_lock(&s->lock);
    s->figures.unsent += (uint64_t)(s->next_seq - first);
    pthread_mutex_unlock(&s->lock);
    return s->next_seq - first;
}

static enum schema_state open_file(struct store *s, struct err *err)
{
    int64_t last = 0, unsent = 0;
    sqlite3 *db;
    enum schema_state state = schema_open(s->dir, &db, err);

    if (state != SCHEMA_GOOD)
        return state;
    int rc = sql_open(&s->sql, db);
    if (!rc)
        last = sql_number(&s->sql, "SELECT max(seq) FROM outbox", &rc);
    if (!rc)
        unsent = sql_number(&s->sql, "SELECT count(*) FROM outbox", &rc);
    if (rc) {
        schema_explain(s->dir, db, rc, err);
        sql_close(&s->sql);
        return schema_trouble(rc);
    }
    s->next_seq = last >= s->next_seq ? last + 1 : s->next_seq; /* never one that was used in this run */
    pthread_mutex_lock(&s->lock);
    s->figures.unsent = (uint64_t)unsent;
    pthread_mutex_unlock(&s->lock);
    return SCHEMA_GOOD;
}

static const char *why(enum schema_state state)
{
    return state == SCHEMA_DAMAGED ? "damaged" : state == SCHEMA_NEWER ? "newer" : "foreign";
}

/* Sets aside what cannot be used. true: a new one may be begun. */
static bool set_aside(struct store *s, enum schema_state state, const char *text, char *aside, size_t size)
{
    struct err err;
    double now = store_now();

    if (s->set_aside && now - s->set_aside < SET_ASIDE_S) {
        fail(s, text);
        return false;
    }
    s->set_aside = now;
    if (schema_set_aside(s->dir, why(state), aside, size, &err) < 0) {
        fail(s, err.text);
        return false;
    }
    pthread_mutex_lock(&s->lock);
    s->figures.set_aside++;
    pthread_mutex_unlock(&s->lock);
    log_error("history: %s; it was set aside as %s, and a new one is begun", text, aside);
    return true;
}

static void say_left(struct store *s)
{
    if (s->figures.unsent)
        log_info("history: %" PRIu64 " unsent messages of before", s->figures.unsent);
}

/* Opens the file, or begins a new one. What is wrong is said and tried again later. */
void store_open(struct store *s)
{
    char aside[PATH_MAX + 96] = "";
    struct err err = {"there is no state directory"};

    if (!s->dir[0] || (s->params.ready && s->params.ready(s->params.ready_ctx, &err) < 0)) {
        fail(s, err.text);
        return;
    }
    enum schema_state state = open_file(s, &err);

    if (state == SCHEMA_DAMAGED || state == SCHEMA_FOREIGN || state == SCHEMA_NEWER) {
        if (!set_aside(s, state, err.text, aside, sizeof aside))
            return;
        bool damaged = state == SCHEMA_DAMAGED;
        state = open_file(s, &err);
        int64_t kept = state == SCHEMA_GOOD && damaged ? salvage(s, aside) : 0;
        if (kept)
            log_warn("history: %" PRId64 " unsent messages of it were carried over", kept);
    }
    if (state != SCHEMA_GOOD) {
        fail(s, err.text);
        return;
    }
    say_left(s);
    s->keep_due = store_now();
    pthread_mutex_lock(&s->lock);
    s->loaded = 0; /* taking what is there already changes nothing */
    s->behind = s->more = s->has_taker;
    pthread_mutex_unlock(&s->lock);
    store_recovered(s);
}

void store_trouble(struct store *s, int rc)
{
    enum schema_state state = schema_trouble(rc);
    struct err err;

    schema_explain(s->dir, s->sql.db, rc, &err);
    sql_rollback(&s->sql);
    int basic = rc & 0xff;
    if (basic == SQLITE_FULL || basic == SQLITE_BUSY) {
        fail(s, err.text);
        return;
    }
    sql_close(&s->sql); /* opened anew: the file, the folder or its file system may be another by then */
    if (state == SCHEMA_FAILED)
        fail(s, err.text);
    else
        store_open(s); /* looks closer, and sets aside what is damaged */
}

/* Somebody took the file away, or put another in its place: what is written now would be lost with it. */
bool store_moved(struct store *s)
{
    int changed = 0;
    return sqlite3_file_control(s->sql.db, "main", SQLITE_FCNTL_HAS_MOVED, &changed) == SQLITE_OK && changed;
}
