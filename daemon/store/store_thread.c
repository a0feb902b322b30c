/* The thread that has the database: writes what waits, and hands it on. */
#include "base/log.h"
#include "daemon/store/store_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

/* What was handed on from memory and delivered since needs none any more. Where the taker is gone already, the daemon ends: what it was
 * handed may not have been delivered, and is sent by the next run. */
static bool needs_message(const struct store *s, const struct entry *e)
{
    if (!s->publishes || !e->event.notify || e->delivered)
        return false;
    return !e->forwarded || !s->has_taker || s->taker.pending(s->taker.ctx, e->event.id);
}

static void take_batch(struct store *s, struct load *l)
{
    pthread_mutex_lock(&s->lock);
    while (s->oldest != ENTRY_NONE && s->n_batch < BATCH) {
        struct entry *e = &s->entries[s->oldest];
        s->batch[s->n_batch++] = s->oldest;
        s->oldest = e->next;
        s->n_waiting--;
        e->seq = needs_message(s, e);
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

    if (store_moved(s)) {
        log_error("history: %s/" STORE_FILE " was taken away or replaced: it is opened anew", s->dir);
        sql_close(&s->sql);
        store_open(s);
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
    /* what cannot be written can often be read: what is older goes before what is handed on from memory */
    if (s->failing && s->sql.db && s->behind && s->more)
        return LOAD_MORE;
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
        store_open(s);
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
