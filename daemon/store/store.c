/* What other threads call: they take the lock, copy, and leave. */
#include "base/clock.h"
#include "base/log.h"
#include "daemon/store/store_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

double store_now(void)
{
    return clock_s(CLOCK_MONOTONIC);
}

int64_t store_utc(void)
{
    return clock_ms(CLOCK_REALTIME);
}

double store_retry_s(const struct store *s)
{
    return s->params.late_retry_s > 0 ? s->params.late_retry_s : RETRY_S;
}

void store_destroy(struct store *s)
{
    if (!s)
        return;
    for (struct message *m = s->messages, *next; m; m = next) {
        next = m->next;
        free(m);
    }
    pthread_cond_destroy(&s->work);
    pthread_cond_destroy(&s->calm);
    pthread_mutex_destroy(&s->lock);
    acks_free(s->acks);
    free(s->done);
    free(s);
}

static void init_conds(struct store *s)
{
    pthread_condattr_t attr;

    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->work, &attr);
    pthread_cond_init(&s->calm, &attr);
    pthread_condattr_destroy(&attr);
}

struct store *store_new(const struct store_params *params, struct err *err)
{
    struct store *s = calloc(1, sizeof *s);

    if (!s) {
        err_set(err, "history: no memory");
        return NULL;
    }
    init_conds(s);
    s->params = *params;
    snprintf(s->dir, sizeof s->dir, "%s", params->dir ? params->dir : "");
    s->params.dir = s->dir;
    s->last_message = &s->messages;
    s->free = s->oldest = s->newest = ENTRY_NONE;
    s->next_seq = 1;
    s->acks = acks_new();
    if (!s->acks || output_thread_start(&s->thread, store_main, s)) {
        err_set(err, "history: no memory or no thread left");
        store_destroy(s);
        return NULL;
    }
    return s;
}

/* --- events ----------------------------------------------------------------------------------------------------------- */

void store_forward(struct store *s, struct entry *e, int64_t seq)
{
    if (e->forwarded)
        return;
    e->forwarded = true;
    if (seq && s->behind)
        seq = -1;
    if (s->has_taker && !s->taker.event(s->taker.ctx, &e->event, seq) && seq > 0)
        s->behind = true;
    else if (seq > 0)
        s->loaded = seq;
}

/* Makes room where all places are taken: the oldest that waits is handed on as it is, and will not be found in history. */
static unsigned drop_oldest(struct store *s)
{
    unsigned i = s->oldest; /* there is one: a transaction has BATCH of them at most */
    struct entry *e = &s->entries[i];

    store_forward(s, e, 0);
    s->figures.unstored++;
    if (e->event.test)
        acks_put(s->acks, e->event.id, -1, "the disk takes nothing");
    s->oldest = e->next;
    if (s->oldest == ENTRY_NONE)
        s->newest = ENTRY_NONE;
    s->n_waiting--;
    return i;
}

/* The list of free ones is last in, first out: as few pages are used as there were ever events waiting. */
static unsigned take_entry(struct store *s)
{
    unsigned i = s->free;

    if (i != ENTRY_NONE) {
        s->free = s->entries[i].next;
        return i;
    }
    return s->used < STORE_QUEUE ? s->used++ : drop_oldest(s);
}

void store_put_event(struct store *s, const struct event *event)
{
    int64_t now = clock_ns(CLOCK_MONOTONIC), utc = store_utc();

    pthread_mutex_lock(&s->lock);
    unsigned i = take_entry(s);
    struct entry *e = &s->entries[i];
    e->event = *event;
    e->put_ns = now;
    e->created_ms = utc;
    e->forwarded = e->delivered = false;
    e->next = ENTRY_NONE;
    *(s->newest == ENTRY_NONE ? &s->oldest : &s->entries[s->newest].next) = i;
    s->newest = i;
    s->n_waiting++;
    pthread_cond_signal(&s->work);
    pthread_mutex_unlock(&s->lock);
}

void store_put_level(struct store *s, const struct store_level *level)
{
    pthread_mutex_lock(&s->lock);
    if (s->params.history) {
        if (s->n_levels == STORE_LEVELS) {
            s->first_level = (s->first_level + 1) % STORE_LEVELS;
            s->n_levels--;
            s->figures.levels_unstored++;
        }
        s->levels[(s->first_level + s->n_levels++) % STORE_LEVELS] = *level;
        if (s->n_levels == 1 || s->n_levels == LEVEL_ROWS)
            pthread_cond_signal(&s->work);
    }
    pthread_mutex_unlock(&s->lock);
}

void store_overdue(struct store *s)
{
    int64_t limit = clock_ns(CLOCK_MONOTONIC) - (int64_t)(STORE_PATIENCE_S * 1e9);

    pthread_mutex_lock(&s->lock);
    bool due = true;
    for (unsigned i = 0; i < s->n_batch && due; i++) {
        struct entry *e = &s->entries[s->batch[i]];
        due = e->put_ns < limit;
        if (due)
            store_forward(s, e, 0);
    }
    for (unsigned i = s->oldest; i != ENTRY_NONE && due; i = s->entries[i].next) {
        due = s->entries[i].put_ns < limit;
        if (due)
            store_forward(s, &s->entries[i], 0);
    }
    pthread_mutex_unlock(&s->lock);
}

int store_acknowledged(struct store *s, const char *id, char *text, size_t size)
{
    int result = acks_find(s->acks, id, text, size);

    if (result)
        return result;
    pthread_mutex_lock(&s->lock);
    snprintf(text, size, "%s", s->figures.problem[0] ? s->figures.problem : "the disk does not answer");
    pthread_mutex_unlock(&s->lock);
    return 0;
}

static struct timespec in(double seconds)
{
    int64_t ns = clock_ns(CLOCK_MONOTONIC) + (int64_t)(seconds * 1e9);
    return (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
}

bool store_flush(struct store *s, double seconds)
{
    struct timespec until = in(seconds);

    pthread_mutex_lock(&s->lock);
    s->flushing = true; /* no attempt that is due later is waited for, and none is put off */
    pthread_cond_signal(&s->work);
    while ((s->n_waiting || s->n_batch || s->n_messages) && s->flushing &&
           pthread_cond_timedwait(&s->calm, &s->lock, &until) == 0)
        ;
    s->flushing = false;
    bool all = !s->n_waiting && !s->n_batch && !s->n_messages;
    for (unsigned i = 0; i < s->n_batch; i++)
        store_forward(s, &s->entries[s->batch[i]], 0);
    for (unsigned i = s->oldest; i != ENTRY_NONE; i = s->entries[i].next)
        store_forward(s, &s->entries[i], 0);
    pthread_mutex_unlock(&s->lock);
    return all;
}

/* --- deliveries ------------------------------------------------------------------------------------------------------- */

/* Before the taker leaves: which of the events that the disk has not taken need no message any more. */
static void note_delivered(struct store *s)
{
    for (unsigned i = s->oldest; i != ENTRY_NONE; i = s->entries[i].next) {
        struct entry *e = &s->entries[i];
        e->delivered = e->forwarded && !s->taker.pending(s->taker.ctx, e->event.id);
    }
}

void store_set_taker(struct store *s, const struct store_taker *taker)
{
    pthread_mutex_lock(&s->lock);
    if (s->has_taker)
        note_delivered(s);
    s->has_taker = taker != NULL;
    s->publishes |= taker != NULL;
    if (taker)
        s->taker = *taker;
    s->behind = s->more = taker != NULL; /* what earlier runs left */
    s->loaded = 0;
    pthread_cond_signal(&s->work);
    pthread_mutex_unlock(&s->lock);
}

void store_note_done(struct store *s, int64_t seq, int64_t due_ms)
{
    if (s->n_done == s->done_size) {
        size_t size = s->done_size ? s->done_size * 2 : 64;
        struct outcome *more = realloc(s->done, size * sizeof *more);
        if (!more) /* it is delivered again by the next run: at least once */
            return;
        s->done = more;
        s->done_size = size;
    }
    s->done[s->n_done++] = (struct outcome){seq, due_ms};
    s->last_done = seq > s->last_done ? seq : s->last_done;
    if (s->n_done == 1)
        pthread_cond_signal(&s->work);
}

void store_outbox_done(struct store *s, int64_t key)
{
    pthread_mutex_lock(&s->lock);
    if (key < 0)
        store_outbox_forget(s, key);
    if (key > 0)
        store_note_done(s, key, 0);
    pthread_mutex_unlock(&s->lock);
}

void store_outbox_more(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    if (s->behind && !s->more) {
        s->more = true;
        pthread_cond_signal(&s->work);
    }
    pthread_mutex_unlock(&s->lock);
}

void store_get_figures(struct store *s, struct store_figures *out)
{
    pthread_mutex_lock(&s->lock);
    *out = s->figures;
    out->waiting = s->n_waiting + s->n_batch;
    pthread_mutex_unlock(&s->lock);
}

void store_free(struct store *s, double seconds)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    s->has_taker = s->behind = false;
    pthread_cond_signal(&s->work);
    pthread_mutex_unlock(&s->lock);
    if (!output_thread_join(&s->thread, seconds)) {
        log_warn("history: the disk does not answer; what it has not taken by now is not stored");
        return;
    }
    output_thread_clear(&s->thread);
    store_destroy(s);
}
