#include "daemon/evaluate_stream_hear.h"

#include "base/clock.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct crew {
    const struct stream_work *work;
    struct decision_params sweep_params; /* of the configuration, without any threshold */
    struct class_rule *rules;

    pthread_mutex_t lock; /* guards what follows and work->sweep; a file belongs to whoever took it */
    pthread_cond_t news;
    size_t next, done, running;
    double seconds;
};

struct worker {
    struct crew *crew;
    struct recorder *recorder;
    pthread_t thread;
    bool started;
};

static void note_progress(void *ctx, double seconds)
{
    struct crew *c = ctx;

    pthread_mutex_lock(&c->lock);
    c->seconds += seconds;
    pthread_mutex_unlock(&c->lock);
}

/* Adds a line to what is wrong with a file. */
static void note_complaint(void *ctx, bool wrong, const char *text)
{
    struct stream_file *f = ctx;
    char *more;

    if (!wrong)
        return;
    f->failed = true;
    if (asprintf(&more, "%s%s%s", f->complaint ? f->complaint : "", f->complaint ? "\n" : "", text) < 0)
        return;
    free(f->complaint);
    f->complaint = more;
}

/* All thresholds of the sweep on one recording. */
static int sweep_recording(struct crew *c, const struct recording *rec, const struct model_info *model,
                           const struct stream_file *f, struct err *err)
{
    const struct stream_work *w = c->work;
    struct decision_params params = c->sweep_params;
    struct timed_list told = {0};
    struct sweep sweep = {0};
    struct outcomes outcomes = {0};
    int rc = 0;

    if (sweep_new(&sweep, w->sweep->n_labels) < 0 || outcomes_new(&outcomes, w->sweep->n_labels) < 0)
        rc = err_set(err, "%s: no memory", f->sound);
    for (size_t k = 0; rc == 0 && k < sweep.n_thresholds; k++) {
        params.threshold = sweep.thresholds[k];
        rc = recording_replay(rec, model, &params, &told, err);
        outcomes_clear(&outcomes);
        if (rc == 0 && outcomes_add(&outcomes, stream_rule(METRIC_ONSET), &f->ref, &told, snr_list_find, w->snrs) < 0)
            rc = err_set(err, "%s: no memory", f->sound);
        if (rc == 0)
            sweep_add(&sweep, k, &outcomes, STREAM_SOON_S);
    }
    if (rc == 0) {
        pthread_mutex_lock(&c->lock);
        sweep_merge(w->sweep, &sweep);
        pthread_mutex_unlock(&c->lock);
    }
    timed_free(&told);
    outcomes_free(&outcomes);
    sweep_free(&sweep);
    return rc;
}

static void hear_one(struct worker *worker, struct stream_file *f)
{
    struct crew *c = worker->crew;
    const struct stream_work *w = c->work;
    struct annotation_params p = *w->annotations;
    struct recording rec = {0};
    struct err err = {""};

    p.sound = f->sound;
    if (recorder_do(worker->recorder, f->sound, note_progress, c, &rec, &err) < 0) {
        note_complaint(f, true, err.text);
    } else if (annotations_check(f->annotations, &p, &f->ref, rec.duration_s, note_complaint, f) == 0) {
        f->rate = rec.rate;
        for (size_t i = 0; i < f->ref.n; i++)
            f->ref.item[i].listened = recording_listened(&rec, f->ref.item[i].onset, f->ref.item[i].offset);
        if (stream_figures_new(&f->figures, w->sweep->n_labels) < 0)
            note_complaint(f, true, "no memory");
        else if (stream_figures_add(&f->figures, rec.duration_s, &f->ref, &rec.told, w->snrs, &err) < 0 ||
                 sweep_recording(c, &rec, recorder_model(worker->recorder), f, &err) < 0)
            note_complaint(f, true, err.text);
    }
    recording_free(&rec);
}

static void *run_worker(void *arg)
{
    struct worker *worker = arg;
    struct crew *c = worker->crew;

    pthread_mutex_lock(&c->lock);
    while (c->next < c->work->n_files) {
        struct stream_file *f = &c->work->files[c->next++];
        pthread_mutex_unlock(&c->lock);
        hear_one(worker, f);
        pthread_mutex_lock(&c->lock);
        c->done++;
    }
    c->running--;
    pthread_cond_signal(&c->news);
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

static void wait_for_all(struct crew *c)
{
    bool watched = isatty(STDERR_FILENO);
    double begun_s = clock_s(CLOCK_MONOTONIC);

    pthread_mutex_lock(&c->lock);
    while (c->running) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += 200000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&c->news, &c->lock, &until);
        double spent = clock_s(CLOCK_MONOTONIC) - begun_s;
        if (watched)
            fprintf(stderr, "\r\033[K%zu of %zu streams, %.0f s of sound, %.0f times real time", c->done,
                    c->work->n_files, c->seconds, spent > 0 ? c->seconds / spent : 0);
    }
    pthread_mutex_unlock(&c->lock);
    if (watched)
        fputs("\r\033[K", stderr);
}

static int run_crew(struct crew *c, struct worker *workers)
{
    size_t started = 0, jobs = c->work->common->jobs;

    c->running = jobs;
    for (size_t i = 0; i < jobs; i++) {
        workers[i] = (struct worker){.crew = c, .recorder = c->work->recorders[i]};
        int rc = pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]);
        workers[i].started = rc == 0; /* fewer do it as well, only later */
        started += rc == 0;
        if (rc != 0) {
            pthread_mutex_lock(&c->lock);
            c->running--;
            pthread_mutex_unlock(&c->lock);
        }
    }
    wait_for_all(c);
    for (size_t i = 0; i < jobs; i++)
        if (workers[i].started)
            pthread_join(workers[i].thread, NULL);
    return started ? 0 : cmd_fail(-1, EVALUATE, "cannot start a thread");
}

/* The configured rules without their thresholds. */
static int take_rules(struct crew *c)
{
    struct decision_params *p = &c->sweep_params;

    *p = c->work->common->params.decision;
    c->rules = calloc(p->n_rules + 1, sizeof *c->rules);
    if (!c->rules)
        return -1;
    for (size_t i = 0; i < p->n_rules; i++) {
        c->rules[i] = p->rules[i];
        c->rules[i].threshold = NAN;
    }
    p->rules = c->rules;
    return 0;
}

int stream_hear(const struct stream_work *work)
{
    struct crew c = {.work = work};
    struct worker *workers = calloc(work->common->jobs, sizeof *workers);
    pthread_condattr_t attr;
    int rc = -1;

    pthread_mutex_init(&c.lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c.news, &attr);
    pthread_condattr_destroy(&attr);
    if (!workers || take_rules(&c) < 0)
        cmd_fail(EXIT_FAILED, EVALUATE, "no memory");
    else
        rc = run_crew(&c, workers);
    pthread_cond_destroy(&c.news);
    pthread_mutex_destroy(&c.lock);
    free(c.rules);
    free(workers);
    return rc;
}
