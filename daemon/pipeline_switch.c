/* Changing the model while sound comes in.
 *
 * One whose windows have the running one's shape takes over between two windows, in the worker. For another shape three parties take a
 * step each: the caller makes a ring for the new windows and posts it; the analysis thread ends the sound under way, into the old ring,
 * and goes on with an analysis of the new shape from the very next sample; the worker hears what is left in the old ring with the old
 * model, then moves to the new one. The caller waits for that and frees the old ring. */
#include "base/log.h"
#include "daemon/pipeline_internal.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WAIT_NS 5000000LL /* between two looks */
#define WAITS   1000      /* 5 s */

/* --- labels --------------------------------------------------------------------------------------------------------- */

const char *const *pipeline_labels(const struct pipeline *p, size_t *n)
{
    struct label_set *s = atomic_load_explicit(&p->labels, memory_order_acquire);

    *n = s ? s->n : 0;
    return s ? (const char *const *)s->labels : NULL;
}

static bool same_labels(const struct label_set *s, const struct model_info *m)
{
    bool same = s->n == m->n_labels;

    for (size_t i = 0; same && i < s->n; i++)
        same = strcmp(s->labels[i], m->labels[i]) == 0;
    return same;
}

void pipeline_free_labels(struct label_set *s)
{
    for (struct label_set *older; s; s = older) {
        older = s->older;
        for (size_t i = 0; i < s->n; i++)
            free(s->labels[i]);
        free(s->thresholds);
        free(s);
    }
}

double pipeline_window_s(const struct pipeline *p)
{
    return atomic_load_explicit(&p->labels, memory_order_acquire)->window_s;
}

bool pipeline_is_taught(const struct pipeline *p, const char *label)
{
    struct label_set *s = atomic_load_explicit(&p->labels, memory_order_acquire);

    for (size_t i = s ? s->n - s->n_taught : 0; s && i < s->n; i++)
        if (strcmp(s->labels[i], label) == 0)
            return true;
    return false;
}

float pipeline_threshold_of(const struct pipeline *p, const char *label)
{
    struct label_set *s = atomic_load_explicit(&p->labels, memory_order_acquire);

    for (size_t i = 0; s && i < s->n; i++)
        if (strcmp(s->labels[i], label) == 0)
            return s->thresholds[i];
    return -1;
}

int pipeline_add_labels(struct pipeline *p, const struct model_info *m)
{
    struct label_set *newest = p->labels, *s;
    size_t bytes = m->n_labels * sizeof *s->thresholds;

    if (newest && same_labels(newest, m) && fabs(newest->window_s - m->window_s) < 1e-6 &&
        memcmp(newest->thresholds, m->thresholds, bytes) == 0)
        return 0;
    s = calloc(1, sizeof *s + m->n_labels * sizeof *s->labels);
    if (!s)
        return -1;
    s->thresholds = malloc(bytes);
    while (s->thresholds && s->n < m->n_labels && (s->labels[s->n] = strdup(m->labels[s->n])))
        s->n++;
    if (!s->thresholds || s->n < m->n_labels) {
        pipeline_free_labels(s);
        return -1;
    }
    memcpy(s->thresholds, m->thresholds, bytes);
    s->n_taught = m->n_taught;
    s->window_s = m->window_s;
    s->older = newest;
    atomic_store_explicit(&p->labels, s, memory_order_release);
    return 0;
}

void pipeline_on_labels(struct pipeline *p, void (*fn)(void *ctx, const char *const *labels, size_t n), void *ctx)
{
    p->on_labels = fn;
    p->on_labels_ctx = ctx;
}

/* --- windows of another shape --------------------------------------------------------------------------------------- */

struct ring *pipeline_make_windows(unsigned rate, double window_s)
{
    size_t samples = (size_t)lround(window_s * rate);
    return ring_new(sizeof(struct window) + samples * sizeof(float), WINDOW_QUEUE);
}

/* 1 done, 0 not yet, -1 nobody took it up and it was taken back. */
static int look(struct pipeline *p, bool last)
{
    pthread_mutex_lock(&p->request.lock);
    int rc = !p->request.swap.windows ? 1 : 0;
    if (!rc && last && !p->request.swap.analysed) {
        memset(&p->request.swap, 0, sizeof p->request.swap);
        rc = -1;
    }
    pthread_mutex_unlock(&p->request.lock);
    if (!rc)
        eventfd_wake(p->wake_worker); /* it only tries the lock, which we may have held */
    return rc;
}

int pipeline_swap(struct pipeline *p, struct recogniser *r, struct err *err)
{
    struct ring *old = p->windows, *fresh = pipeline_make_windows(recogniser_rate(r), recogniser_window_s(r));
    int rc = 0;

    if (!fresh)
        return err_set(err, "no memory for windows of %g s", recogniser_window_s(r));
    pthread_mutex_lock(&p->request.lock);
    bool busy = p->request.swap.windows != NULL;
    if (!busy) {
        p->request.swap.windows = fresh;
        p->request.swap.recogniser = r;
        p->request.swap.rate = recogniser_rate(r);
        p->request.swap.window_s = recogniser_window_s(r);
        p->request.swap.analysed = false;
    }
    pthread_mutex_unlock(&p->request.lock);
    for (int i = 0; !busy && i < WAITS && rc == 0; i++) {
        nanosleep(&(struct timespec){0, WAIT_NS}, NULL);
        rc = look(p, i == WAITS - 1);
    }
    if (rc == 1)
        ring_free(old);
    if (rc == 1 || (rc == 0 && !busy)) /* the latter: half way, the worker will follow; pipeline_free has the rest */
        return 0;
    ring_free(fresh);
    return err_set(err, "the model before has not given way within %d s", (int)(WAITS * WAIT_NS / 1000000000));
}

/* --- reload --------------------------------------------------------------------------------------------------------- */

/* ... but for what was taught? */
static bool same_own_labels(const struct label_set *s, const struct model_info *m)
{
    size_t n = s->n - s->n_taught;
    bool same = n == m->n_labels - m->n_taught;

    for (size_t i = 0; same && i < n; i++)
        same = strcmp(s->labels[i], m->labels[i]) == 0;
    return same;
}

static int check_change(const struct pipeline *p, const struct recogniser *r, bool other_labels, struct err *err)
{
    if (other_labels && p->clips && !same_own_labels(p->labels, recogniser_model(r)))
        return err_set(
            err,
            "the model %s knows other labels than the running one, by which recordings are kept or not: restart "
            "to change to it, or turn [clips] record off",
            recogniser_model(r)->name);
    return 0;
}

static int put_in(struct pipeline *p, struct recogniser *r, struct err *err)
{
    const struct model_info *m = recogniser_model(r);
    bool other_labels = !same_labels(p->labels, m);
    bool other_shape = recogniser_rate(r) != p->model_rate || fabs(recogniser_window_s(r) - p->window_s) > 1e-6;

    if (check_change(p, r, other_labels, err) < 0)
        return -1;
    if (other_labels && p->on_labels)
        p->on_labels(p->on_labels_ctx, m->labels, m->n_labels);
    if (pipeline_add_labels(p, m) < 0)
        return err_set(err, "out of memory");
    if (other_shape) {
        if (pipeline_swap(p, r, err) == 0)
            return 0;
        pipeline_add_labels(p, recogniser_model(p->recogniser)); /* which stays */
        return -1;
    }
    pthread_mutex_lock(&p->request.lock);
    recogniser_free(p->request.recogniser);
    p->request.recogniser = r;
    decision_free(p->request.rules); /* older than those that it was made with */
    p->request.rules = NULL;
    pthread_mutex_unlock(&p->request.lock);
    return 0;
}

int pipeline_reload(struct pipeline *p, const struct config *config, bool recognition, struct err *err)
{
    struct recogniser *r = NULL;
    struct stat file;

    if ((recognition || pipeline_model_replaced(p, config)) && !(r = pipeline_successor(p, config, &file, err)))
        return -1;
    if (r && !recognition)
        log_info("the file of the model %s is another one now: loaded anew", recogniser_model(r)->name);
    if (r && put_in(p, r, err) < 0) {
        recogniser_free(r);
        return -1;
    }
    if (r)
        p->model_file = file;
    pthread_mutex_lock(&p->request.lock);
    p->request.gate = p->gate_wanted = config->gate;
    p->request.gate_new = true;
    pthread_mutex_unlock(&p->request.lock);
    eventfd_wake(p->wake_worker); /* not before: it only tries the lock */

    pthread_mutex_lock(&p->figures_lock);
    gate_threshold_text(&config->gate.threshold, p->threshold_text, sizeof p->threshold_text);
    pthread_mutex_unlock(&p->figures_lock);
    return 0;
}
