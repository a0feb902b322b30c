/* The worker thread: features, model and decisions of each window, and the outputs told. It sleeps on an eventfd; how the threads
 * hand over to each other stands in pipeline_analysis.c. */
#include "daemon/pipeline_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static void on_event(void *ctx, const struct event *event)
{
    struct pipeline *p = ctx;
    struct event with_clip;

    atomic_fetch_add_explicit(&p->events, 1, memory_order_relaxed);
    if (p->clips) {
        with_clip = *event;
        clips_event(p->clips, &with_clip);
        event = &with_clip;
    }
    for (size_t i = 0; i < p->n_outputs; i++)
        p->outputs[i]->event(p->outputs[i], event);
}

static void hear(struct pipeline *p)
{
    const struct window *w;

    while ((w = ring_peek(p->hearing))) {
        if (p->clips)
            clips_window(p->clips, &w->info);
        const float *scores = recogniser_do(p->recogniser, w, on_event, p);
        if (p->clips)
            clips_scores(p->clips, &w->info, scores);
        ring_release(p->hearing);
        atomic_store_explicit(&p->busy, decision_busy(recogniser_decision(p->recogniser)), memory_order_relaxed);
        /* release: see await_worker */
        atomic_fetch_add_explicit(&p->windows_done, 1, memory_order_release);
    }
}

static void change_recogniser(struct pipeline *p, struct recogniser *r)
{
    recogniser_finish(p->recogniser, on_event, p);
    recogniser_free(p->recogniser);
    pipeline_set_recogniser(p, r);
}

/* last: there will be no other occasion. */
static void take_worker_requests(struct pipeline *p, bool last)
{
    if (last)
        pthread_mutex_lock(&p->request.lock);
    else if (pthread_mutex_trylock(&p->request.lock) != 0)
        return;
    if (p->request.recogniser)
        change_recogniser(p, p->request.recogniser);
    p->request.recogniser = NULL;
    if (p->request.swap.windows && p->request.swap.analysed) {
        hear(p); /* what the model before has not heard yet */
        change_recogniser(p, p->request.swap.recogniser);
        p->hearing = p->request.swap.windows;
        memset(&p->request.swap, 0, sizeof p->request.swap);
    }
    if (p->request.rules) {
        decision_take_rules(recogniser_decision(p->recogniser), p->request.rules);
        decision_free(p->request.rules);
        p->request.rules = NULL;
    }
    pthread_mutex_unlock(&p->request.lock);
}

void *worker_main(void *arg)
{
    struct pipeline *p = arg;
    bool ended = false;

    prctl(PR_SET_NAME, "worker");
    while (!ended) {
        uint64_t n;
        if (read(p->wake_worker, &n, sizeof n) < 0 && errno != EINTR)
            break;
        /* acquire pairs with end_of_input: whatever was queued before it is visible below */
        ended = atomic_load_explicit(&p->ended, memory_order_acquire);
        take_worker_requests(p, ended);
        hear(p);
    }
    recogniser_finish(p->recogniser, on_event, p);
    eventfd_wake(p->end_fd);
    return NULL;
}
