/* Commands that a request asks for: handed over at once, answered when the main thread has carried them out. */
#include "daemon/http/live.h"

#include "base/clock.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_MS 10000 /* a model of the largest kind is loaded within that */

struct live_batch *live_batch_new(struct request *r, bool (*reply)(struct live *l, struct live_batch *b))
{
    struct live_batch *b = calloc(1, sizeof *b);

    if (!b) {
        reply_problem(r, 503, "out of memory");
        return NULL;
    }
    b->request = r;
    b->reply = reply;
    return b;
}

static struct live_command *add(struct live_batch *b, const char *key)
{
    if (b->n == LIVE_COMMANDS)
        return NULL;
    struct live_command *c = &b->commands[b->n++];
    snprintf(c->key, sizeof c->key, "%s", key);
    return c;
}

void live_batch_refuse(struct live_batch *b, const char *key, const char *fmt, ...)
{
    struct live_command *c = add(b, key);
    va_list ap;

    if (!c)
        return;
    va_start(ap, fmt);
    vsnprintf(c->result.error, sizeof c->result.error, fmt, ap);
    va_end(ap);
    c->done = true;
}

/* What becomes of it may be told before commands_put returns here: it is looked up by its ticket under the lock, which is held
 * meanwhile. */
void live_batch_add(struct live *l, struct live_batch *b, const char *key, const char *name, const char *payload)
{
    struct live_command *c = add(b, key);
    struct err err = {""};

    if (!c)
        return;
    pthread_mutex_lock(&l->lock);
    if (l->over)
        err_set(&err, "the daemon is stopping");
    else if (commands_put(web_commands(l->web), COMMAND_WEB, name, payload, strlen(payload), &c->ticket, &err) == 0)
        err.text[0] = '\0';
    pthread_mutex_unlock(&l->lock);
    if (err.text[0]) {
        memcpy(c->result.error, err.text, sizeof c->result.error);
        c->done = true;
    }
}

static bool all_done(const struct live_batch *b)
{
    for (size_t i = 0; i < b->n; i++)
        if (!b->commands[i].done)
            return false;
    return true;
}

/* Results that are there already. */
static void look(struct live *l, struct live_batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        struct live_command *c = &b->commands[i];
        if (!c->done && commands_result(web_commands(l->web), c->ticket, &c->result) == 1)
            c->done = true;
    }
}

static void answer(struct live *l, struct live_batch *b)
{
    struct request *r = b->request;

    if (!b->reply(l, b))
        request_resume(r);
    free(b);
}

void live_batch_go(struct live *l, struct live_batch *b)
{
    request_defer(b->request);
    pthread_mutex_lock(&l->lock);
    look(l, b);
    bool wait = !all_done(b) && !l->over;
    if (wait) {
        b->since_ms = clock_ms(CLOCK_MONOTONIC);
        b->next = l->batches;
        l->batches = b;
    }
    pthread_mutex_unlock(&l->lock);
    if (!wait)
        answer(l, b);
}

/* Takes those out that are done, and answers them. */
static void answer_done(struct live *l)
{
    struct live_batch *done = NULL;

    pthread_mutex_lock(&l->lock);
    for (struct live_batch **p = &l->batches; *p;) {
        struct live_batch *b = *p;
        if (!all_done(b)) {
            p = &b->next;
            continue;
        }
        *p = b->next;
        b->next = done;
        done = b;
    }
    pthread_mutex_unlock(&l->lock);
    while (done) {
        struct live_batch *b = done;
        done = b->next;
        answer(l, b);
    }
}

void live_batches_result(struct live *l, const struct command_result *result)
{
    pthread_mutex_lock(&l->lock);
    for (struct live_batch *b = l->batches; b; b = b->next)
        for (size_t i = 0; i < b->n; i++)
            if (!b->commands[i].done && b->commands[i].ticket == result->ticket) {
                b->commands[i].result = *result;
                b->commands[i].done = true;
            }
    pthread_mutex_unlock(&l->lock);
    answer_done(l);
}

static void give_up(struct live *l, int64_t before_ms, const char *why)
{
    pthread_mutex_lock(&l->lock);
    for (struct live_batch *b = l->batches; b; b = b->next) {
        look(l, b);
        for (size_t i = 0; i < b->n; i++) {
            struct live_command *c = &b->commands[i];
            if (c->done || b->since_ms > before_ms)
                continue;
            snprintf(c->result.error, sizeof c->result.error, "%s", why);
            c->done = true;
        }
    }
    pthread_mutex_unlock(&l->lock);
    answer_done(l);
}

void live_batches_tick(struct live *l)
{
    give_up(l, clock_ms(CLOCK_MONOTONIC) - PATIENCE_MS, "not carried out within 10 s; it may still be");
}

void live_batches_end(struct live *l)
{
    pthread_mutex_lock(&l->lock);
    l->over = true;
    pthread_mutex_unlock(&l->lock);
    give_up(l, INT64_MAX, "the daemon is stopping");
}
