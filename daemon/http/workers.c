/* The workers: a few threads for handlers that read SQLite and files. */
#include "daemon/http/internal.h"

#include <stdlib.h>

#define STACK 524288 /* SQLite and Jansson are content with less */

struct workers {
    struct web *web;
    pthread_mutex_t lock;
    pthread_cond_t change;
    struct request *first, **end;
    size_t n;
    bool stop;
    pthread_t threads[WEB_WORKERS];
    size_t n_threads;
};

static void run(struct request *r)
{
    struct web *w = r->web;

    if (atomic_load(&w->stopping))
        reply_problem(r, 503, "the daemon is stopping");
    else
        server_run_handler(r);
    request_resume(r);
}

static void *worker(void *arg)
{
    struct workers *p = arg;

    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (!p->first && !p->stop)
            pthread_cond_wait(&p->change, &p->lock);
        struct request *r = p->first;
        if (!r)
            break;
        p->first = r->next;
        p->n--;
        if (!p->first)
            p->end = &p->first;
        pthread_mutex_unlock(&p->lock);
        run(r);
        pthread_mutex_lock(&p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

struct workers *workers_new(struct web *w)
{
    struct workers *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    p->web = w;
    p->end = &p->first;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->change, NULL);
    return p;
}

void workers_free(struct workers *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_broadcast(&p->change);
    pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < p->n_threads; i++)
        pthread_join(p->threads[i], NULL);
    pthread_cond_destroy(&p->change);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* As they are needed: a daemon whose page nobody looks at has none. They inherit a mask that blocks all signals. */
static bool start_one(struct workers *p)
{
    pthread_attr_t attr;

    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    bool made = pthread_create(&p->threads[p->n_threads], &attr, worker, p) == 0;
    pthread_attr_destroy(&attr);
    p->n_threads += made;
    return made;
}

bool workers_put(struct workers *p, struct request *r)
{
    pthread_mutex_lock(&p->lock);
    bool room = p->n < WEB_QUEUE && !p->stop;
    if (room && p->n_threads < WEB_WORKERS && !start_one(p) && !p->n_threads)
        room = false;
    if (room) {
        r->next = NULL;
        *p->end = r;
        p->end = &r->next;
        p->n++;
        pthread_cond_signal(&p->change);
    }
    pthread_mutex_unlock(&p->lock);
    return room;
}
