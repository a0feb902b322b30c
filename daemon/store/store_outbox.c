/* Messages on their way out: brought to the taker in portions, and those of other channels one at a time. */
#include "base/clock.h"
#include "base/log.h"
#include "daemon/store/store_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DUE_MOST_MS 86400000 /* a message that is due later than this is due now: the clock was set back */

/* --- to the taker ------------------------------------------------------------------------------------------------------ */

struct load {
    struct store *store;
    int64_t last; /* taken */
    bool full;
    uint64_t unreadable;
};

const struct outcome *store_outcome(const struct store *s, int64_t seq)
{
    const struct outcome *last = NULL;

    for (size_t i = 0; i < s->n_done && seq <= s->last_done; i++)
        if (s->done[i].seq == seq)
            last = &s->done[i];
    return last;
}

static bool bring(void *ctx, const struct sql_message *m)
{
    struct load *l = ctx;
    struct store *s = l->store;
    struct event event;

    if (event_parse(m->payload, m->size, &event) < 0) {
        l->unreadable++;
        l->last = m->seq;
        store_outbox_done(s, m->seq);
        return true;
    }
    pthread_mutex_lock(&s->lock);
    bool done = store_outcome(s, m->seq) != NULL; /* delivered, and the disk does not know yet */
    l->full = !done && s->has_taker && !s->taker.replay(s->taker.ctx, &event, m->seq);
    pthread_mutex_unlock(&s->lock);
    if (!l->full)
        l->last = m->seq;
    return !l->full;
}

void store_outbox_load(struct store *s)
{
    int rc;

    pthread_mutex_lock(&s->lock);
    struct load l = {.store = s, .last = s->loaded};
    pthread_mutex_unlock(&s->lock);
    int n = sql_load(&s->sql, STORE_MQTT, l.last, LOAD, bring, &l, &rc);
    if (n < 0) {
        pthread_mutex_lock(&s->lock);
        s->more = false; /* until the taker asks once more */
        pthread_mutex_unlock(&s->lock);
        store_trouble(s, rc);
        return;
    }
    if (l.unreadable)
        log_error("history: %" PRIu64 " unsent messages cannot be read; they were taken out", l.unreadable);
    pthread_mutex_lock(&s->lock);
    s->figures.outbox_dropped += l.unreadable;
    s->loaded = l.last;
    s->behind = s->has_taker && (l.full || n == LOAD);
    s->more = !l.full;
    pthread_mutex_unlock(&s->lock);
}

/* --- other channels ---------------------------------------------------------------------------------------------------- */

int store_outbox_put(struct store *s, const char *channel, const char *id, const void *payload, size_t size,
                     struct err *err)
{
    struct message *m = size <= PAYLOAD_MOST ? malloc(sizeof *m + size + 1) : NULL;

    if (!m || strlen(channel) >= sizeof m->channel || strlen(id) >= sizeof m->id) {
        free(m);
        return err_set(err,
                       size > PAYLOAD_MOST ? "%s: a message of %zu bytes (at most 1000000)"
                                           : "%s: no memory, or a name that is too long (%zu bytes)",
                       channel, size);
    }
    *m = (struct message){.created_ms = store_utc(), .size = size};
    strcpy(m->channel, channel);
    strcpy(m->id, id);
    memcpy(m->payload, payload, size);
    m->payload[size] = '\0';

    pthread_mutex_lock(&s->lock);
    bool room = s->n_messages < OUTBOX_MOST;
    if (room) {
        m->key = --s->last_key;
        *s->last_message = m;
        s->last_message = &m->next;
        s->n_messages++;
        pthread_cond_signal(&s->work);
    } else {
        s->figures.outbox_dropped++;
    }
    pthread_mutex_unlock(&s->lock);
    if (room)
        return 0;
    free(m);
    return err_set(err, "%s: %d messages wait for the disk already", channel, OUTBOX_MOST);
}

/* Takes a message off the list. */
static void take_off(struct store *s, struct message **link)
{
    struct message *m = *link;

    *link = m->next;
    if (!m->next)
        s->last_message = link;
    s->n_messages -= !m->taken;
    free(m);
}

void store_outbox_forget(struct store *s, int64_t key)
{
    for (struct message **link = &s->messages; *link; link = &(*link)->next)
        if ((*link)->key == key) {
            take_off(s, link);
            return;
        }
}

/* Whoever has taken one may take it off the list, but nobody the others. */
int store_outbox_write(struct store *s)
{
    int rc = SQLITE_OK;

    s->n_writing = 0;
    pthread_mutex_lock(&s->lock);
    for (struct message *m = s->messages; m && s->n_writing < OUTBOX_MOST; m = m->next)
        if (!m->taken)
            s->writing[s->n_writing++] = m;
    pthread_mutex_unlock(&s->lock);
    for (unsigned i = 0; i < s->n_writing && !rc; i++) {
        const struct message *m = s->writing[i];
        int64_t seq = s->next_seq++;
        rc = sql_put_message(&s->sql, seq, m->channel, m->id, m->created_ms, m->payload, m->size);
        if (!rc && m->attempts)
            rc = sql_later(&s->sql, seq, m->due_ms);
    }
    return rc;
}

void store_outbox_written(struct store *s)
{
    for (unsigned i = 0; i < s->n_writing; i++) {
        s->figures.unsent++;
        store_outbox_forget(s, s->writing[i]->key);
    }
    s->n_writing = 0;
}

static bool copy(struct store_message *out, int64_t key, const char *id, int64_t created_ms, unsigned attempts,
                 const void *payload, size_t size)
{
    char *text = malloc(size + 1);

    if (!text)
        return false;
    memcpy(text, payload, size);
    text[size] = '\0';
    *out = (struct store_message){
        .key = key, .created_ms = created_ms, .attempts = attempts, .payload = text, .size = size};
    snprintf(out->id, sizeof out->id, "%s", id);
    return true;
}

static double due_in(int64_t due_ms)
{
    int64_t left = due_ms - store_utc();
    return left > 0 && left < DUE_MOST_MS ? (double)left * 1e-3 : 0;
}

struct first {
    struct store *store;
    struct question *question;
};

static bool first_message(void *ctx, const struct sql_message *m)
{
    struct store *s = ((struct first *)ctx)->store;
    struct question *q = ((struct first *)ctx)->question;
    int64_t due_ms = m->due_ms;

    pthread_mutex_lock(&s->lock);
    const struct outcome *o = store_outcome(s, m->seq);
    bool done = o && !o->due_ms;
    unsigned attempts = m->attempts + (o != NULL);
    due_ms = o ? o->due_ms : due_ms;
    pthread_mutex_unlock(&s->lock);
    if (done)
        return true;
    q->due_s = due_in(due_ms);
    q->answer = q->due_s <= 0 && copy(&q->message, m->seq, m->id, m->created_ms, attempts, m->payload, m->size);
    return false;
}

/* What the disk has not taken; with the lock held. */
static void ask_memory(struct store *s, struct question *q)
{
    for (struct message *m = s->messages; m; m = m->next) {
        if (strcmp(m->channel, q->channel) != 0)
            continue;
        q->due_s = due_in(m->due_ms);
        q->answer = q->due_s <= 0 && copy(&q->message, m->key, m->id, m->created_ms, m->attempts, m->payload, m->size);
        s->n_messages -= q->answer == 1 && !m->taken;
        m->taken |= q->answer == 1;
        return;
    }
}

void store_outbox_answer(struct store *s)
{
    int rc = SQLITE_OK;

    pthread_mutex_lock(&s->lock);
    struct question *q = s->question;
    s->question = NULL;
    struct first first = {s, q};
    int limit = (int)(s->n_done < 1000000 ? s->n_done + 1 : 1000000);
    pthread_mutex_unlock(&s->lock);
    q->due_s = -1;
    q->answer = 0;
    if (s->sql.db)
        sql_load(&s->sql, q->channel, 0, limit, first_message, &first, &rc);
    pthread_mutex_lock(&s->lock);
    if (q->due_s < 0)
        ask_memory(s, q);
    q->answered = true;
    bool abandoned = q->abandoned;
    pthread_cond_broadcast(&s->calm);
    pthread_mutex_unlock(&s->lock);
    if (abandoned) {
        if (q->answer == 1 && q->message.key < 0)
            store_outbox_later(s, q->message.key, 0);
        free(q->message.payload);
        free(q);
    }
    if (rc)
        store_trouble(s, rc);
}

int store_outbox_next(struct store *s, const char *channel, double wait_s, struct store_message *out, double *due_s)
{
    int64_t ns = clock_ns(CLOCK_MONOTONIC) + (int64_t)(wait_s * 1e9);
    struct timespec until = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    struct question *q = calloc(1, sizeof *q);
    int answer = -1;

    *due_s = -1;
    if (!q)
        return -1;
    snprintf(q->channel, sizeof q->channel, "%s", channel);
    pthread_mutex_lock(&s->lock);
    while (s->question && pthread_cond_timedwait(&s->calm, &s->lock, &until) == 0)
        ;
    if (!s->question && !s->stopping) {
        s->question = q;
        pthread_cond_signal(&s->work);
        while (!q->answered && pthread_cond_timedwait(&s->calm, &s->lock, &until) == 0)
            ;
        if (s->question == q)
            s->question = NULL; /* not begun */
        else if (!q->answered)
            q->abandoned = true;
    }
    if (q->answered) {
        answer = q->answer;
        *out = q->message;
        *due_s = q->due_s;
    }
    bool mine = !q->abandoned;
    pthread_mutex_unlock(&s->lock);
    if (mine)
        free(q);
    return answer;
}

void store_outbox_later(struct store *s, int64_t key, double seconds)
{
    int64_t due_ms = store_utc() + (int64_t)(seconds * 1e3);

    pthread_mutex_lock(&s->lock);
    if (key > 0)
        store_note_done(s, key, due_ms);
    for (struct message *m = s->messages; m && key < 0; m = m->next)
        if (m->key == key && m->taken) {
            m->taken = false;
            m->attempts++;
            m->due_ms = due_ms;
            s->n_messages++;
            pthread_cond_signal(&s->work);
        }
    pthread_mutex_unlock(&s->lock);
}
