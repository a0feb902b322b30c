#include "daemon/train/gather.h"

#include "audio/load.h"
#include "base/clock.h"
#include "base/fnv.h"
#include "daemon/train/cache.h"
#include "daemon/train/progress.h"
#include "features/features.h"
#include "model/pool.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SILENCE_DBFS (-70.0)

/* One thread's tools. */
struct worker {
    struct crew *crew;
    struct feature *feature;
    struct model *model;
    struct loaded sound;
    float *matrix, *scores;
    size_t window, hop;
    pthread_t thread;
    bool started;
};

struct crew {
    const struct gather_params *p;
    const struct train_list *list;
    struct train_sound *sound; /* [clips], each of whoever took the clip */
    char **complaint;          /* [clips], NULL: it went well */
    struct worker *worker;     /* [n_workers] */
    size_t n_workers, cols;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t news;
    size_t next, done, running, cached;
    struct train_cache *cache;
};

static void worker_free(struct worker *w)
{
    feature_free(w->feature);
    model_free(w->model);
    free(w->sound.x);
    free(w->matrix);
    free(w->scores);
}

static int worker_make(struct worker *w, const struct gather_params *p, size_t *cols, struct err *err)
{
    const struct model_info *info = NULL;
    const char *feature = p->feature;
    const struct param *params = p->params;
    size_t n_params = p->n_params, rows, width, one = 1;

    if (p->model) {
        w->model = model_load(p->model, err);
        if (!w->model)
            return -1;
        info = model_info(w->model);
        if (!info->embedding_size)
            return err_set(err, "%s: the graph has no output called \"embedding\" to learn from", info->path);
        feature = info->feature;
        params = info->feature_params;
        n_params = info->n_feature_params;
    }
    w->feature = feature_new(feature, params, n_params, one, err);
    if (!w->feature)
        return -1;
    w->window = (size_t)lround(p->window_s * feature_rate(w->feature));
    w->hop = (size_t)fmax(1, round(p->hop_s * feature_rate(w->feature)));
    feature_free(w->feature);
    w->feature = feature_new(feature, params, n_params, w->window, err);
    if (!w->feature)
        return err_prefix(err, "--window %g: ", p->window_s);
    feature_shape(w->feature, w->window, &rows, &width);
    w->matrix = calloc(rows * width + 1, sizeof *w->matrix);
    w->scores = calloc((info ? info->n_labels : 0) + 1, sizeof *w->scores);
    *cols = info ? info->embedding_size : rows * width;
    return w->matrix && w->scores ? 0 : err_set(err, "no memory");
}

/* The window that begins at sample `at`, into row. */
static void compute(struct worker *w, size_t at, float *row, size_t cols)
{
    feature_do(w->feature, w->sound.x + at, w->window, w->matrix);
    if (w->model)
        model_run(w->model, w->matrix, w->scores, row);
    else
        memcpy(row, w->matrix, cols * sizeof *row);
}

/* All windows of what is loaded, or the loud ones. */
static int compute_all(struct worker *w, struct train_sound *s, size_t cols, struct err *err)
{
    size_t n = w->sound.n, after = n > w->window ? n - w->window : 0, windows = 1 + (after + w->hop - 1) / w->hop;
    size_t padded = (windows - 1) * w->hop + w->window;
    bool loud = false;

    if (loaded_grow(&w->sound, padded, err) < 0)
        return -1;
    for (size_t i = n; i < padded; i++)
        w->sound.x[i] = 0;
    s->x = calloc(windows * cols, sizeof *s->x);
    if (!s->x)
        return err_set(err, "no memory");
    for (size_t i = 0; i < windows && !loud; i++)
        loud = pool_level(w->sound.x + i * w->hop, w->window) >= SILENCE_DBFS;
    for (size_t i = 0; i < windows; i++)
        if (!loud || pool_level(w->sound.x + i * w->hop, w->window) >= SILENCE_DBFS)
            compute(w, i * w->hop, s->x + s->n++ * cols, cols);
    s->seconds = (double)n / feature_rate(w->feature);
    s->content = loud ? fnv_add(FNV_START, s->x, s->n * cols * sizeof *s->x) : 0;
    return 0;
}

static void hear(struct worker *w, size_t i)
{
    struct crew *c = w->crew;
    const char *path = c->list->clip[i].path;
    struct train_sound *s = &c->sound[i];
    struct err err = {""};
    size_t most = (size_t)feature_rate(w->feature) * GATHER_SECONDS_MAX;

    if (load_mono(&w->sound, path, feature_rate(w->feature), RESAMPLE_DEFAULT, most, &err) < 0 ||
        compute_all(w, s, c->cols, &err) < 0) {
        free(s->x);
        *s = (struct train_sound){0};
        c->complaint[i] = strdup(err.text);
    }
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct crew *c = w->crew;

    pthread_mutex_lock(&c->lock);
    while (c->next < c->list->n) {
        size_t i = c->next++;
        int known = c->cache && train_cache_get(c->cache, c->list->clip[i].path, &c->sound[i]);
        if (!known) {
            pthread_mutex_unlock(&c->lock);
            hear(w, i);
            pthread_mutex_lock(&c->lock);
            if (c->cache && c->sound[i].n)
                train_cache_put(c->cache, c->list->clip[i].path, &c->sound[i]);
        }
        c->cached += (size_t)known;
        c->done++;
    }
    c->running--;
    pthread_cond_signal(&c->news);
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

static void wait_for_all(struct crew *c)
{
    struct progress progress;

    progress_start(&progress);
    pthread_mutex_lock(&c->lock);
    while (c->running) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += 200000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&c->news, &c->lock, &until);
        progress_show(&progress, (double)c->done / (double)c->list->n, "%zu of %zu recordings", c->done, c->list->n);
    }
    pthread_mutex_unlock(&c->lock);
    progress_end(&progress);
}

/* -1: not one thread. */
static int run_crew(struct crew *c, struct err *err)
{
    size_t started = 0;

    c->running = c->n_workers;
    for (size_t i = 0; i < c->n_workers; i++) {
        struct worker *w = &c->worker[i];
        w->crew = c;
        int rc = pthread_create(&w->thread, NULL, work, w);
        w->started = rc == 0; /* fewer do it as well, only later */
        started += rc == 0;
        if (rc != 0) {
            pthread_mutex_lock(&c->lock);
            c->running--;
            pthread_mutex_unlock(&c->lock);
        }
    }
    wait_for_all(c);
    for (size_t i = 0; i < c->n_workers; i++)
        if (c->worker[i].started)
            pthread_join(c->worker[i].thread, NULL);
    return started ? 0 : err_set(err, "cannot start a thread");
}

/* All that the numbers depend on, for the cache. NULL: no memory. */
static char *settings_of(const struct gather_params *p, const struct worker *w)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    if (!f)
        return NULL;
    fprintf(f, "1 %g %g %d\n", p->window_s, p->hop_s, (int)RESAMPLE_DEFAULT);
    for (size_t i = 0; i < p->n_params && !w->model; i++)
        fprintf(f, "%s=%s\n", p->params[i].key, p->params[i].value);
    if (w->model) { /* by its bytes: a file of that name may be another one tomorrow */
        FILE *in = fopen(p->model, "re");
        char block[4096];
        uint64_t h = FNV_START;
        for (size_t n; in && (n = fread(block, 1, sizeof block, in)) > 0;)
            h = fnv_add(h, block, n);
        if (in)
            fclose(in);
        fprintf(f, "model %016llx\n", (unsigned long long)h);
    } else {
        fprintf(f, "%s\n", p->feature);
    }
    if (fclose(f) == 0)
        return text;
    free(text);
    return NULL;
}

static void open_cache(struct crew *c)
{
    char *settings = c->p->cache ? settings_of(c->p, &c->worker[0]) : NULL;
    struct err err;
    int busy;

    if (settings && !(c->cache = train_cache_open(c->p->cache, settings, c->cols, &busy, &err)))
        train_say("%s: goes without it", err.text);
    free(settings);
}

/* Throws out what could not be read; what is left, together. */
static int put_together(struct crew *c, struct train_list *list, struct gathered *g, struct err *err)
{
    bool *drop = calloc(list->n + 1, sizeof *drop);
    size_t windows = 0, kept = 0, bad = 0;

    for (size_t i = 0; i < list->n; i++)
        windows += c->sound[i].n;
    g->cols = c->cols;
    g->x = malloc((windows * g->cols + 1) * sizeof *g->x);
    g->first = calloc(list->n + 1, sizeof *g->first);
    g->content = calloc(list->n + 1, sizeof *g->content);
    if (!drop || !g->x || !g->first || !g->content) {
        free(drop);
        return err_set(err, "no memory for %zu windows", windows);
    }
    for (size_t i = 0; i < list->n; i++) {
        const struct train_sound *s = &c->sound[i];
        drop[i] = s->n == 0;
        if (drop[i]) {
            bad++;
            train_say("%s", c->complaint[i] ? c->complaint[i] : list->clip[i].path);
            continue;
        }
        memcpy(g->x + g->n * g->cols, s->x, s->n * g->cols * sizeof *g->x);
        g->first[kept] = g->n;
        g->content[kept++] = s->content;
        g->n += s->n;
        g->seconds += s->seconds;
    }
    g->first[kept] = g->n;
    g->cached = c->cached;
    list->left_out += bad;
    train_list_drop(list, drop);
    free(drop);
    return list->n ? 0 : err_set(err, "no recording could be read");
}

static int crew_init(struct crew *c, struct err *err)
{
    pthread_condattr_t attr;

    pthread_mutex_init(&c->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->news, &attr);
    pthread_condattr_destroy(&attr);
    c->sound = calloc(c->list->n, sizeof *c->sound);
    c->complaint = calloc(c->list->n, sizeof *c->complaint);
    c->worker = calloc(c->p->jobs, sizeof *c->worker);
    if (!c->sound || !c->complaint || !c->worker)
        return err_set(err, "no memory");
    for (; c->n_workers < c->p->jobs; c->n_workers++)
        if (worker_make(&c->worker[c->n_workers], c->p, &c->cols, err) < 0) {
            c->n_workers++;
            return -1;
        }
    return 0;
}

int gather(struct train_list *list, const struct gather_params *p, struct gathered *g, struct err *err)
{
    struct crew c = {.p = p, .list = list};
    double begun_s = clock_s(CLOCK_MONOTONIC);
    size_t n = list->n;

    *g = (struct gathered){0};
    int rc = crew_init(&c, err);
    if (rc == 0) {
        open_cache(&c);
        rc = run_crew(&c, err);
    }
    if (rc == 0)
        rc = put_together(&c, list, g, err);
    g->elapsed_s = clock_s(CLOCK_MONOTONIC) - begun_s;
    for (size_t i = 0; i < n && c.sound && c.complaint; i++) {
        free(c.sound[i].x);
        free(c.complaint[i]);
    }
    for (size_t i = 0; i < c.n_workers; i++)
        worker_free(&c.worker[i]);
    train_cache_close(c.cache);
    pthread_cond_destroy(&c.news);
    pthread_mutex_destroy(&c.lock);
    free(c.worker);
    free(c.sound);
    free(c.complaint);
    return rc;
}

void gathered_free(struct gathered *g)
{
    free(g->x);
    free(g->first);
    free(g->content);
    *g = (struct gathered){0};
}
