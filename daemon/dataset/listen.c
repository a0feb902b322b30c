/* Reads the recordings and measures each. */
#include "base/clock.h"
#include "base/fnv.h"
#include "daemon/dataset/dataset.h"
#include "daemon/sound.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 4096, RUN = 3 };
#define FULL_SCALE   0.999f
#define SILENT_POWER 1e-7 /* -70 dBFS */

struct work {
    struct dataset *d;
    pthread_mutex_t lock; /* guards what follows; a clip belongs to whoever took it */
    pthread_cond_t done_one;
    size_t next, done, running;
    double seconds;
};

struct worker {
    struct work *work;
    struct fingerprint *fingerprint;
    pthread_t thread;
    bool started;
};

/* Running sums over one recording. */
struct meter {
    double sum, squares, block;
    float peak;
    uint64_t n, clipped, run, blocks, silent_blocks, content;
    unsigned in_block, per_block;
};

static void end_block(struct meter *m)
{
    m->blocks++;
    m->silent_blocks += m->block < SILENT_POWER * m->in_block;
    m->block = 0;
    m->in_block = 0;
}

static void meter_do(struct meter *m, const float *x, size_t n)
{
    m->content = fnv_add(m->content, x, n * sizeof *x);
    m->n += n;
    for (size_t i = 0; i < n; i++) {
        double v = isfinite(x[i]) ? (double)x[i] : 0;
        float size = (float)fabs(v);
        m->peak = size > m->peak ? size : m->peak;
        m->sum += v;
        m->squares += v * v;
        m->block += v * v;
        m->run = size >= FULL_SCALE ? m->run + 1 : 0;
        m->clipped += m->run == RUN ? RUN : m->run > RUN;
        if (++m->in_block == m->per_block)
            end_block(m);
    }
}

static double dbfs(double power)
{
    return power > 1e-12 ? 10 * log10(power) : -120;
}

static void keep_figures(struct dataset_clip *c, struct meter *m)
{
    double n = (double)m->n;

    if (m->in_block)
        end_block(m);
    c->duration_s = n / c->rate;
    c->peak_dbfs = dbfs((double)m->peak * (double)m->peak);
    c->rms_dbfs = dbfs(m->squares / n);
    c->offset = m->sum / n;
    c->clipped = (double)m->clipped / n;
    c->silent = (double)m->silent_blocks / (double)m->blocks;
    c->content = fnv_add(fnv_add(m->content, &m->n, sizeof m->n), &c->rate, sizeof c->rate);
}

/* Without the path, which the message around it names. */
static char *reason(const struct dataset_clip *c, const char *text)
{
    size_t n = strlen(c->path);

    return strdup(strncmp(text, c->path, n) == 0 && strncmp(text + n, ": ", 2) == 0 ? text + n + 2 : text);
}

static int measure(struct worker *w, struct dataset_clip *c, struct sound *s, struct err *err)
{
    struct meter m = {.content = FNV_START, .per_block = sound_rate(s) / 100};
    float x[BLOCK];
    long n;

    c->rate = sound_rate(s);
    if (fingerprint_begin(w->fingerprint, c->rate, err) < 0)
        return -1;
    while ((n = sound_read(s, x, BLOCK, err)) > 0) {
        meter_do(&m, x, (size_t)n);
        if (fingerprint_do(w->fingerprint, x, (size_t)n) < 0)
            return err_set(err, "no memory");
    }
    if (m.n == 0)
        return n < 0 ? -1 : err_set(err, "holds no audio");
    keep_figures(c, &m);
    if (fingerprint_finish(w->fingerprint, &c->print) < 0)
        return err_set(err, "no memory");
    if (n < 0)
        c->state = CLIP_BROKEN;
    return 0;
}

static void listen_to(struct worker *w, struct dataset_clip *c)
{
    struct err err = {""};
    struct stat st;
    struct sound *s = NULL;

    if (stat(c->path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        err_set(&err, "is no file (a pipe, a device or a socket)"); /* opening it could take for ever */
    else
        s = sound_open(c->path, &err);
    if (!s || measure(w, c, s, &err) < 0)
        c->state = CLIP_UNREADABLE;
    sound_close(s);
    if (c->state != CLIP_GOOD)
        c->error = reason(c, err.text);
}

static void *work(void *arg)
{
    struct worker *me = arg;
    struct work *w = me->work;

    pthread_mutex_lock(&w->lock);
    while (w->next < w->d->n) {
        struct dataset_clip *c = &w->d->clips[w->next++];
        pthread_mutex_unlock(&w->lock);
        listen_to(me, c);
        pthread_mutex_lock(&w->lock);
        w->done++;
        w->seconds += c->duration_s;
    }
    w->running--;
    pthread_cond_signal(&w->done_one);
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

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
        if (watched && w->done)
            fprintf(stderr, "\r\033[K%zu of %zu files, %.1f min of sound, %.0f s to go", w->done, w->d->n,
                    w->seconds / 60, spent / (double)w->done * (double)(w->d->n - w->done));
    }
    pthread_mutex_unlock(&w->lock);
    if (watched)
        fputs("\r\033[K", stderr);
}

static int start(struct work *w, struct worker *workers, size_t jobs, struct err *err)
{
    size_t started = 0;

    for (size_t i = 0; i < jobs; i++) {
        workers[i].work = w;
        workers[i].fingerprint = fingerprint_new(err);
        if (!workers[i].fingerprint)
            return -1;
    }
    w->running = jobs;
    for (size_t i = 0; i < jobs; i++) {
        int rc = pthread_create(&workers[i].thread, NULL, work, &workers[i]);
        workers[i].started = rc == 0; /* fewer do it as well, only later */
        started += rc == 0;
        if (rc != 0) {
            pthread_mutex_lock(&w->lock);
            w->running--;
            pthread_mutex_unlock(&w->lock);
        }
    }
    return started ? 0 : err_set(err, "cannot start a thread");
}

int dataset_listen(struct dataset *d, size_t jobs, struct err *err)
{
    struct work w = {.d = d};
    struct worker *workers = calloc(jobs, sizeof *workers);
    double begun_s = clock_s(CLOCK_MONOTONIC);
    pthread_condattr_t attr;

    if (!workers)
        return err_set(err, "no memory");
    pthread_mutex_init(&w.lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w.done_one, &attr);
    pthread_condattr_destroy(&attr);
    int rc = start(&w, workers, jobs, err);
    if (rc == 0)
        wait_for_all(&w, begun_s);
    for (size_t i = 0; i < jobs; i++) {
        if (workers[i].started)
            pthread_join(workers[i].thread, NULL);
        fingerprint_free(workers[i].fingerprint);
    }
    pthread_cond_destroy(&w.done_one);
    pthread_mutex_destroy(&w.lock);
    free(workers);
    d->seconds = w.seconds;
    d->elapsed_s = clock_s(CLOCK_MONOTONIC) - begun_s;
    return rc;
}
