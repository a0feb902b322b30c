/* The thread that has the database: writes what waits, hands it on, and lives through all that a disk can do. */
#include "base/log.h"
#include "daemon/store/schema.h"
#include "daemon/store/store_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SET_ASIDE_S 60.0 /* not more often: a disk that spoils every file must not be filled with them */

/* --- the file --------------------------------------------------------------------------------------------------------- */

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
static void open_store(struct store *s)
{
    char aside[PATH_MAX + 96] = "";
    struct err err;
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
        open_store(s); /* looks closer, and sets aside what is damaged */
}

/* Somebody took the file away, or put another in its place: what is written now would be lost with it. */
static bool moved(struct store *s)
{
    int changed = 0;
    return sqlite3_file_control(s->sql.db, "main", SQLITE_FCNTL_HAS_MOVED, &changed) == SQLITE_OK && changed;
}

/* --- writing ---------------------------------------------------------------------------------------------------------- */

/* What one transaction takes along besides events; copies, since others go on putting. */
struct load {
    struct store_level levels[STORE_LEVELS];
    unsigned n_levels;
    struct outcome *done;
    size_t n_done;
    uint64_t deleted; /* of those, from the outbox */
    bool messages;
};

static void take_batch(struct store *s, struct load *l)
{
    pthread_mutex_lock(&s->lock);
    while (s->oldest != ENTRY_NONE && s->n_batch < BATCH) {
        struct entry *e = &s->entries[s->oldest];
        s->batch[s->n_batch++] = s->oldest;
        s->oldest = e->next;
        s->n_waiting--;
        /* what was handed on from memory and delivered since needs no message any more */
        e->seq = s->has_taker && e->event.notify && (!e->forwarded || s->taker.pending(s->taker.ctx, e->event.id));
    }
    if (s->oldest == ENTRY_NONE)
        s->newest = ENTRY_NONE;
    l->n_levels = s->n_levels;
    for (unsigned i = 0; i < s->n_levels; i++)
        l->levels[i] = s->levels[(s->first_level + i) % STORE_LEVELS];
    l->done = s->done;
    l->n_done = s->n_done;
    s->done = NULL;
    s->n_done = s->done_size = 0;
    l->deleted = 0;
    l->messages = s->n_messages > 0;
    pthread_mutex_unlock(&s->lock);
}

static int put_event(struct store *s, struct entry *e)
{
    int rc = s->params.history ? sql_put_event(&s->sql, &e->event) : SQLITE_OK;

    if (rc || !e->seq)
        return rc;
    int n = event_json(&e->event, s->json, sizeof s->json);
    e->seq = n > 0 ? s->next_seq++ : 0;
    return n > 0 ? sql_put_message(&s->sql, e->seq, STORE_MQTT, e->event.id, e->created_ms, s->json, (size_t)n)
                 : SQLITE_OK;
}

static int write_load(struct store *s, struct load *l)
{
    int rc = sql_begin(&s->sql, s->n_batch > 0 || l->messages);

    for (unsigned i = 0; i < s->n_batch && !rc; i++)
        rc = put_event(s, &s->entries[s->batch[i]]);
    for (unsigned i = 0; i < l->n_levels && !rc; i++)
        rc = sql_put_level(&s->sql, &l->levels[i]);
    for (size_t i = 0; i < l->n_done && !rc; i++) {
        const struct outcome *o = &l->done[i];
        rc = o->due_ms ? sql_later(&s->sql, o->seq, o->due_ms) : sql_done(&s->sql, o->seq);
        l->deleted += o->due_ms ? 0 : (uint64_t)sqlite3_changes(s->sql.db);
    }
    if (!rc && l->messages)
        rc = store_outbox_write(s);
    return rc ? rc : sql_commit(&s->sql);
}

/* Committed: hands the events on, in their order. */
static void written(struct store *s, const struct load *l, double ms)
{
    pthread_mutex_lock(&s->lock);
    for (unsigned i = 0; i < s->n_batch; i++) {
        struct entry *e = &s->entries[s->batch[i]];
        s->figures.unsent += e->seq > 0;
        if (e->forwarded && e->seq && s->has_taker && !s->taker.saved(s->taker.ctx, e->event.id, e->seq))
            store_note_done(s, e->seq, 0);
        store_forward(s, e, e->seq);
        if (e->event.test)
            acks_put(s->acks, e->event.id, 1, "stored");
        e->next = s->free;
        s->free = s->batch[i];
    }
    if (s->n_batch) {
        s->figures.commit_ms = ms;
        s->figures.slowest_commit_ms = fmax(ms, s->figures.slowest_commit_ms);
    }
    if (s->figures.unsent > (uint64_t)s->params.outbox_max * 101 / 100)
        s->keep_due = store_now();
    s->figures.stored += s->n_batch;
    s->n_batch = 0;
    s->first_level = (s->first_level + l->n_levels) % STORE_LEVELS;
    s->n_levels -= l->n_levels;
    s->figures.unsent -= l->deleted < s->figures.unsent ? l->deleted : s->figures.unsent;
    if (l->messages)
        store_outbox_written(s);
    pthread_cond_broadcast(&s->calm);
    pthread_mutex_unlock(&s->lock);
    free(l->done);
}

/* Not committed: all of it waits again, the events in their old place. */
static void put_back(struct store *s, const struct load *l)
{
    pthread_mutex_lock(&s->lock);
    while (s->n_batch) {
        unsigned i = s->batch[--s->n_batch];
        s->entries[i].next = s->oldest;
        if (s->oldest == ENTRY_NONE)
            s->newest = i;
        s->oldest = i;
        s->n_waiting++;
    }
    s->flushing = false; /* there is no use in waiting */
    pthread_cond_broadcast(&s->calm);
    for (size_t i = 0; i < l->n_done; i++)
        store_note_done(s, l->done[i].seq, l->done[i].due_ms);
    pthread_mutex_unlock(&s->lock);
    free(l->done);
}

static void write_all(struct store *s)
{
    struct load l;
    double began = store_now();
    int64_t seq = s->next_seq;

    if (moved(s)) {
        log_error("history: %s/" STORE_FILE " was taken away or replaced: it is opened anew", s->dir);
        sql_close(&s->sql);
        open_store(s);
        if (!s->sql.db)
            return;
    }
    take_batch(s, &l);
    int rc = write_load(s, &l);
    if (rc) {
        s->next_seq = seq;
        put_back(s, &l);
        store_trouble(s, rc);
        return;
    }
    written(s, &l, (store_now() - began) * 1e3);
    s->levels_due = s->done_due = 0;
    store_recovered(s);
}

/* --- the loop --------------------------------------------------------------------------------------------------------- */

/* While the disk takes nothing: what comes is handed on at once. With the lock held. */
static void forward_all(struct store *s)
{
    for (unsigned i = s->oldest; i != ENTRY_NONE; i = s->entries[i].next)
        store_forward(s, &s->entries[i], 0);
}

enum job { NOTHING, OPEN, WRITE, ANSWER, LOAD_MORE, KEEP };

/* When something that may wait is to be done, at the latest; set when it is first seen. */
static bool is_due(double *due, bool there, double wait_s, double now)
{
    if (there && !*due)
        *due = now + wait_s;
    return there && now >= *due;
}

/* What is to be done now; with the lock held. */
static enum job choose(struct store *s)
{
    double now = store_now();
    bool hurry = s->stopping || s->flushing, retry = !s->failing || now >= s->retry_due || hurry;

    if (!s->sql.db && retry)
        return OPEN;
    if (s->question)
        return ANSWER;
    if (!retry)
        return NOTHING;
    if (s->behind && s->more && !s->n_done) /* what is older goes before */
        return LOAD_MORE;
    if (s->n_waiting || s->n_messages || is_due(&s->levels_due, s->n_levels > 0, LEVEL_S, now) ||
        s->n_levels >= LEVEL_ROWS || (hurry && s->n_levels) || (s->n_done && (hurry || (s->behind && s->more))) ||
        is_due(&s->done_due, s->n_done > 0, DONE_S, now))
        return WRITE;
    return !s->stopping && (s->keep_more || now >= s->keep_due) ? KEEP : NOTHING;
}

/* Sleeps until something is due, or somebody says so; with the lock held. */
static void rest(struct store *s)
{
    double due = INFINITY,
           dues[] = {s->levels_due, s->done_due, s->sql.db ? s->keep_due : 0, s->failing ? s->retry_due : 0};
    struct timespec until;

    for (unsigned i = 0; i < sizeof dues / sizeof *dues; i++)
        if (dues[i] > 0)
            due = fmin(due, s->failing ? s->retry_due : dues[i]);
    if (!isfinite(due)) {
        pthread_cond_wait(&s->work, &s->lock);
        return;
    }
    until.tv_sec = (time_t)due;
    until.tv_nsec = (long)((due - (double)until.tv_sec) * 1e9);
    pthread_cond_timedwait(&s->work, &s->lock, &until);
}

static void work(struct store *s, enum job job)
{
    switch (job) {
    case OPEN:
        open_store(s);
        break;
    case WRITE:
        write_all(s);
        break;
    case ANSWER:
        store_outbox_answer(s);
        break;
    case LOAD_MORE:
        store_outbox_load(s);
        break;
    case KEEP:
        store_keep(s);
        break;
    case NOTHING:
        break;
    }
}

void *store_main(void *arg)
{
    struct store *s = arg;
    bool tried = false; /* once more, at the end */

    pthread_mutex_lock(&s->lock);
    for (;;) {
        enum job job = choose(s);
        if (job == NOTHING || (s->stopping && tried && s->failing)) {
            if (s->failing)
                forward_all(s);
            if (s->stopping)
                break;
            rest(s);
            continue;
        }
        tried = s->stopping;
        pthread_mutex_unlock(&s->lock);
        work(s, job);
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    sql_close(&s->sql);
    if (output_thread_end(&s->thread)) {
        output_thread_clear(&s->thread);
        store_destroy(s);
    }
    return NULL;
}
