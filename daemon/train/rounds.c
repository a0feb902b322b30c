#include "daemon/train/rounds.h"

#include "base/clock.h"
#include "base/fnv.h"
#include "base/outfile.h"
#include "daemon/train/progress.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC UINT64_C(0x3276657461747365)

struct run {
    struct train_rounds *t;
    const struct train_list *list;
    const struct gathered *g;
    const struct train_plan *plan;
    const struct rounds_params *p;
    unsigned *label;       /* [windows] */
    size_t *train, *check; /* [windows], of the round at hand */
    size_t n_train, n_check;
    size_t round;
    uint64_t key;
    double before_s, begun_s, saved_s; /* what earlier runs took; the clock at the begin, and at the last saving */
    struct progress progress;
};

/* Head of a state file: then rounds, tested, scores, and what fit_save writes. */
struct head {
    uint64_t magic, key, round, clips, labels;
    double elapsed_s;
};

/* All that the weights depend on. */
static uint64_t key_of(const struct run *r)
{
    const struct fit_params *f = &r->p->fit;
    uint64_t h = fnv_add(FNV_START, r->g->x, r->g->n * r->g->cols * sizeof *r->g->x);

    h = fnv_add(h, &f->dropout, sizeof f->dropout);
    h = fnv_add(h, &f->rate, sizeof f->rate);
    h = fnv_add(h, &f->decay, sizeof f->decay);
    h = fnv_add(h, &f->batch, sizeof f->batch);
    h = fnv_add(h, &f->epochs, sizeof f->epochs);
    h = fnv_add(h, &f->patience, sizeof f->patience);
    h = fnv_add(h, &f->seed, sizeof f->seed);
    h = fnv_add(h, f->hidden, f->n_hidden * sizeof *f->hidden);
    h = fnv_add(h, r->label, r->g->n * sizeof *r->label);
    h = fnv_add(h, r->g->first, (r->list->n + 1) * sizeof *r->g->first);
    return fnv_add(h, r->plan->part, r->plan->rounds * r->plan->n_clips);
}

static double elapsed(const struct run *r)
{
    return r->before_s + clock_s(CLOCK_MONOTONIC) - r->begun_s;
}

static int save(struct run *r, struct err *err)
{
    struct train_rounds *t = r->t;
    size_t n = r->list->n, labels = r->list->n_labels;
    struct head head = {MAGIC, r->key, r->round, n, labels, elapsed(r)};
    struct outfile out;

    r->saved_s = clock_s(CLOCK_MONOTONIC);
    if (outfile_open(&out, r->p->state, err) < 0)
        return -1;
    if (fwrite(&head, sizeof head, 1, out.f) == 1 &&
        fwrite(t->round, sizeof *t->round, r->plan->rounds, out.f) == r->plan->rounds &&
        fwrite(t->tested, sizeof *t->tested, n, out.f) == n &&
        fwrite(t->scores, sizeof *t->scores, n * labels, out.f) == n * labels && fit_save(t->fit, out.f) == 0)
        return outfile_finish(&out, err);
    outfile_abandon(&out);
    return err_set(err, "%s: %s", r->p->state, strerror(errno));
}

/* The items of a round. */
static int begin_round(struct run *r, struct err *err)
{
    const unsigned char *part = r->plan->part + r->round * r->plan->n_clips;

    r->n_train = r->n_check = 0;
    for (size_t i = 0; i < r->list->n; i++)
        for (size_t w = r->g->first[i]; w < r->g->first[i + 1]; w++) {
            if (part[i] == PART_TRAIN)
                r->train[r->n_train++] = w;
            else if (part[i] == PART_CHECK)
                r->check[r->n_check++] = w;
        }
    fit_free(r->t->fit);
    struct fit_data data = {r->g->x, r->g->cols, r->label, r->train, r->n_train, r->check, r->n_check};
    r->t->fit = fit_new(&r->p->fit, &data, err);
    return r->t->fit ? 0 : -1;
}

/* 1: it goes on from there. 0: there is no state, or none for this. -1 */
static int load(struct run *r, struct err *err)
{
    struct train_rounds *t = r->t;
    size_t n = r->list->n, labels = r->list->n_labels;
    struct head head;
    FILE *in = fopen(r->p->state, "re");
    int rc = 0;

    if (!in)
        return 0;
    if (fread(&head, sizeof head, 1, in) != 1 || head.magic != MAGIC || head.key != r->key || head.clips != n ||
        head.labels != labels || head.round >= r->plan->rounds)
        goto done;
    if (fread(t->round, sizeof *t->round, r->plan->rounds, in) != r->plan->rounds ||
        fread(t->tested, sizeof *t->tested, n, in) != n ||
        fread(t->scores, sizeof *t->scores, n * labels, in) != n * labels)
        goto done;
    r->round = head.round;
    if (begin_round(r, err) < 0)
        rc = -1;
    else if (fit_load(t->fit, in) == 0)
        rc = 1;
    r->before_s = rc == 1 ? head.elapsed_s : 0;

done:
    fclose(in);
    if (rc == 0) {
        train_say("%s: of other recordings or settings, or damaged: begun anew", r->p->state);
        memset(t->tested, 0, n * sizeof *t->tested);
        r->round = 0;
    }
    return rc;
}

static void show(struct run *r)
{
    struct fit_progress f = fit_progress(r->t->fit);
    double epochs = (double)r->p->fit.epochs, at = (double)f.epoch + (double)f.step / (double)f.steps;
    double share = ((double)r->round + fmin(at / epochs, 1)) / (double)r->plan->rounds;
    char round[64] = "", checked[64] = "";

    if (r->plan->rounds > 1 && r->round + 1 < r->plan->rounds)
        snprintf(round, sizeof round, "fold %zu of %zu, ", r->round + 1, r->plan->rounds - 1);
    else if (r->plan->rounds > 1)
        snprintf(round, sizeof round, "all folds, ");
    if (f.epoch && r->n_check)
        snprintf(checked, sizeof checked, ", checked %.1f %%", 100 * f.points[f.epoch - 1].check_right);
    progress_show(&r->progress, share, "%sepoch %zu of %zu%s%.3f%s", round, f.epoch + (f.epoch < r->p->fit.epochs),
                  r->p->fit.epochs, f.epoch ? ", loss " : "", f.epoch ? f.points[f.epoch - 1].loss : 0, checked);
}

/* Scores of the clips that this round measures. */
static int measure(struct run *r, struct err *err)
{
    const unsigned char *part = r->plan->part + r->round * r->plan->n_clips;
    size_t labels = r->list->n_labels, most = 1;
    struct train_rounds *t = r->t;

    for (size_t i = 0; i < r->list->n; i++) {
        size_t n = r->g->first[i + 1] - r->g->first[i];
        most = n > most ? n : most;
    }
    float *scores = calloc(most * labels, sizeof *scores);
    size_t *items = calloc(most, sizeof *items);
    for (size_t i = 0; scores && items && i < r->list->n; i++) {
        size_t first = r->g->first[i], n = r->g->first[i + 1] - first;
        if (part[i] != PART_TEST)
            continue;
        for (size_t w = 0; w < n; w++)
            items[w] = first + w;
        fit_scores(t->fit, items, n, scores);
        for (size_t k = 0; k < labels; k++) {
            double sum = 0;
            for (size_t w = 0; w < n; w++)
                sum += (double)scores[w * labels + k];
            t->scores[i * labels + k] = (float)(sum / (double)n);
        }
        t->tested[i] = 1;
    }
    int rc = scores && items ? 0 : err_set(err, "no memory");
    free(scores);
    free(items);
    return rc;
}

static int run_round(struct run *r, struct err *err)
{
    struct train_round *round = &r->t->round[r->round];

    while (fit_step(r->t->fit)) {
        show(r);
        if (clock_s(CLOCK_MONOTONIC) - r->saved_s >= r->p->save_s && save(r, err) < 0)
            return -1;
    }
    struct fit_progress f = fit_progress(r->t->fit);
    *round = (struct train_round){f.epoch, f.best, f.best ? f.points[f.best - 1].check_right : (double)NAN};
    return measure(r, err);
}

static int run_all(struct run *r, struct err *err)
{
    int resumed = load(r, err);

    if (resumed < 0)
        return -1;
    r->t->resumed = resumed;
    if (resumed) {
        struct fit_progress f = fit_progress(r->t->fit);
        if (r->plan->rounds > 1)
            train_say("goes on with round %zu of %zu, after epoch %zu", r->round + 1, r->plan->rounds, f.epoch);
        else
            train_say("goes on after epoch %zu of %zu", f.epoch, r->p->fit.epochs);
    }
    for (; r->round < r->plan->rounds; r->round++) {
        if (!resumed && begin_round(r, err) < 0)
            return -1;
        resumed = 0;
        if (run_round(r, err) < 0)
            return -1;
    }
    return 0;
}

int train_rounds_run(struct train_rounds *t, const struct train_list *list, const struct gathered *g,
                     const struct train_plan *plan, const struct rounds_params *p, struct err *err)
{
    struct run r = {.t = t, .list = list, .g = g, .plan = plan, .p = p};
    int rc = -1;

    *t = (struct train_rounds){.round = calloc(plan->rounds, sizeof *t->round),
                               .scores = calloc(list->n * list->n_labels, sizeof *t->scores),
                               .tested = calloc(list->n, sizeof *t->tested)};
    r.label = calloc(g->n, sizeof *r.label);
    r.train = calloc(g->n, sizeof *r.train);
    r.check = calloc(g->n, sizeof *r.check);
    r.begun_s = r.saved_s = clock_s(CLOCK_MONOTONIC);
    if (t->round && t->scores && t->tested && r.label && r.train && r.check) {
        for (size_t i = 0; i < list->n; i++)
            for (size_t w = g->first[i]; w < g->first[i + 1]; w++)
                r.label[w] = (unsigned)list->clip[i].label;
        r.key = key_of(&r);
        progress_start(&r.progress);
        rc = run_all(&r, err);
        progress_end(&r.progress);
    } else {
        err_set(err, "no memory");
    }
    t->elapsed_s = elapsed(&r);
    free(r.label);
    free(r.train);
    free(r.check);
    return rc;
}

void train_rounds_free(struct train_rounds *t)
{
    fit_free(t->fit);
    free(t->round);
    free(t->scores);
    free(t->tested);
    *t = (struct train_rounds){0};
}
