#include "daemon/evaluate_hear.h"
#include "base/log.h"

#include "base/clock.h"
#include "daemon/classify_print.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct work {
    struct hearing *hearing;
    const struct manifest *manifest;
    char **complaints; /* [clips], NULL: it went well */

    pthread_mutex_t lock; /* guards what follows; scores, heard and complaints belong to whoever took the clip */
    pthread_cond_t done_one;
    size_t next, done, running;
    double seconds;
};

struct worker {
    struct work *work;
    struct classifier *classifier;
    pthread_t thread;
    bool started;
};

int hearing_open(struct hearing *h, const struct evaluate *e)
{
    struct err err;

    *h = (struct hearing){.classifiers = calloc(e->jobs, sizeof *h->classifiers)};
    if (!h->classifiers)
        return cmd_fail(EXIT_FAILED, EVALUATE, "no memory");
    for (; h->n_jobs < e->jobs; h->n_jobs++) {
        h->classifiers[h->n_jobs] = classifier_new(&e->params, &e->model, 1, &err);
        if (!h->classifiers[h->n_jobs])
            return cmd_fail(EXIT_USAGE, EVALUATE, "%s", err.text);
    }
    if (*classifier_note(h->classifiers[0], 0))
        log_warn("%s", classifier_note(h->classifiers[0], 0));
    h->model = classifier_model(h->classifiers[0], 0);
    return EXIT_GOOD;
}

void hearing_close(struct hearing *h)
{
    for (size_t i = 0; i < h->n_jobs; i++)
        classifier_free(h->classifiers[i]);
    free(h->classifiers);
    free(h->scores);
    free(h->heard);
    *h = (struct hearing){0};
}

static void note_progress(void *ctx, double seconds)
{
    struct work *w = ctx;

    pthread_mutex_lock(&w->lock);
    w->seconds += seconds;
    pthread_mutex_unlock(&w->lock);
}

static void hear_one(struct worker *worker, size_t i)
{
    struct work *w = worker->work;
    struct hearing *h = w->hearing;
    const struct clip *clip = &w->manifest->clips[i];
    struct err err = {""};
    const struct classification *c = classifier_do(worker->classifier, clip->path, note_progress, w, &err);

    h->heard[i] = c && !c->broken;
    if (h->heard[i])
        memcpy(h->scores + i * h->model->n_labels, c->verdicts[0].scores, h->model->n_labels * sizeof *h->scores);
    else if (asprintf(&w->complaints[i], "%s:%u: %s", w->manifest->path, clip->line, err.text) < 0)
        w->complaints[i] = NULL;
}

static void *run_worker(void *arg)
{
    struct worker *worker = arg;
    struct work *w = worker->work;

    pthread_mutex_lock(&w->lock);
    while (w->next < w->manifest->n) {
        size_t i = w->next++;
        pthread_mutex_unlock(&w->lock);
        hear_one(worker, i);
        pthread_mutex_lock(&w->lock);
        w->done++;
    }
    w->running--;
    pthread_cond_signal(&w->done_one);
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* Until all threads are through, with a line of progress where somebody watches. */
static void wait_for_all(struct work *w, double begun_s)
{
    bool watched = isatty(STDERR_FILENO);

    pthread_mutex_lock(&w->lock);
    while (w->running) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += 200000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&w->done_one, &w->lock, &until);
        double spent = clock_s(CLOCK_MONOTONIC) - begun_s;
        if (watched)
            fprintf(stderr, "\r\033[K%zu of %zu clips, %.0f s of sound, %.0f times real time", w->done, w->manifest->n,
                    w->seconds, spent > 0 ? w->seconds / spent : 0);
    }
    pthread_mutex_unlock(&w->lock);
    if (watched)
        fputs("\r\033[K", stderr);
}

/* -1: not one thread. */
static int run_workers(struct work *w, struct worker *workers)
{
    size_t started = 0;

    w->running = w->hearing->n_jobs;
    for (size_t i = 0; i < w->hearing->n_jobs; i++) {
        workers[i] = (struct worker){.work = w, .classifier = w->hearing->classifiers[i]};
        int rc = pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]);
        workers[i].started = rc == 0; /* fewer do it as well, only later */
        started += rc == 0;
        if (rc != 0) {
            pthread_mutex_lock(&w->lock);
            w->running--;
            pthread_mutex_unlock(&w->lock);
        }
    }
    wait_for_all(w, clock_s(CLOCK_MONOTONIC));
    for (size_t i = 0; i < w->hearing->n_jobs; i++)
        if (workers[i].started)
            pthread_join(workers[i].thread, NULL);
    return started ? 0 : cmd_fail(-1, EVALUATE, "cannot start a thread");
}

/* Names what could not be heard. Returns how many. */
static long complain(const struct work *w)
{
    long n = 0;

    for (size_t i = 0; i < w->manifest->n; i++) {
        if (w->hearing->heard[i])
            continue;
        n++;
        fputs("earshot " EVALUATE ": ", stderr);
        print_name(stderr, w->complaints[i] ? w->complaints[i] : w->manifest->clips[i].path);
        fputc('\n', stderr);
    }
    return n;
}

long hearing_do(struct hearing *h, const struct manifest *m)
{
    struct work w = {.hearing = h, .manifest = m, .complaints = calloc(m->n, sizeof *w.complaints)};
    struct worker *workers = calloc(h->n_jobs, sizeof *workers);
    double begun_s = clock_s(CLOCK_MONOTONIC);
    pthread_condattr_t attr;
    long failed = -1;

    h->scores = calloc(m->n * h->model->n_labels, sizeof *h->scores);
    h->heard = calloc(m->n, sizeof *h->heard);
    pthread_mutex_init(&w.lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w.done_one, &attr);
    pthread_condattr_destroy(&attr);
    if (!w.complaints || !workers || !h->scores || !h->heard)
        cmd_fail(EXIT_FAILED, EVALUATE, "no memory");
    else if (run_workers(&w, workers) == 0)
        failed = complain(&w);
    h->seconds = w.seconds;
    h->elapsed_s = clock_s(CLOCK_MONOTONIC) - begun_s;
    for (size_t i = 0; w.complaints && i < m->n; i++)
        free(w.complaints[i]);
    pthread_cond_destroy(&w.done_one);
    pthread_mutex_destroy(&w.lock);
    free(w.complaints);
    free(workers);
    return failed;
}
