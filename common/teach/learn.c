#include "teach/learn.h"

#include "teach/logistic.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TAIL      0.02 /* share of the negatives that the tail is fitted to */
#define STEEPEST  8.0  /* of the sigmoid, in logits of the fit */
#define TOP_LOGIT 2.2  /* of the median example: a score of 0.9 */
#define VOTES     2    /* windows that start an event ([decision] confirm): so many, which overlap, are one chance */

struct problem {
    const struct learn_set *set;
    const struct learn_params *params;
    struct logistic fit;
    float *x, *y, *weight;
    double *mean, *deviation; /* [dims] */
};

/* A line: values, then how they are made a score of. */
struct line {
    double *w;               /* [dims + 1], of standardised values */
    double threshold, slope; /* score = sigmoid(slope * (w . x - threshold)) */
    double false_alarms_h;
};

void learn_defaults(struct learn_params *p, double hop_s)
{
    *p = (struct learn_params){.ridge = 1e-3, .false_alarms_h = 1, .windows_h = 3600 / hop_s / VOTES};
}

static void problem_free(struct problem *p)
{
    free(p->x);
    free(p->y);
    free(p->weight);
    free(p->mean);
    free(p->deviation);
}

static void standards(struct problem *p)
{
    const struct learn_set *set = p->set;
    double n = (double)set->n_negatives;

    for (size_t i = 0; i < set->n_negatives; i++)
        for (size_t k = 0; k < set->dims; k++) {
            double v = (double)set->negatives[i * set->dims + k];
            p->mean[k] += v;
            p->deviation[k] += v * v;
        }
    for (size_t k = 0; k < set->dims; k++) {
        p->mean[k] /= n;
        p->deviation[k] = sqrt(fmax(p->deviation[k] / n - p->mean[k] * p->mean[k], 0)) + 1e-3;
    }
}

static void put_rows(struct problem *p, size_t at, const float *rows, size_t n, float y)
{
    size_t dims = p->set->dims;

    for (size_t i = 0; i < n; i++) {
        float *x = p->x + (at + i) * p->fit.stride;
        for (size_t k = 0; k < dims; k++)
            x[k] = (float)(((double)rows[i * dims + k] - p->mean[k]) / p->deviation[k]);
        x[dims] = 1;
        p->y[at + i] = y;
    }
}

static size_t first_positive(const struct learn_set *set)
{
    return set->n_negatives + set->n_hard;
}

static int problem_make(struct problem *p, struct err *err)
{
    const struct learn_set *set = p->set;
    size_t m = set->dims + 1, n = first_positive(set) + set->n_positives, stride = logistic_stride(m);

    p->x = calloc(n * stride, sizeof *p->x);
    p->y = calloc(n, sizeof *p->y);
    p->weight = calloc(n, sizeof *p->weight);
    p->mean = calloc(m, sizeof *p->mean);
    p->deviation = calloc(m, sizeof *p->deviation);
    if (!p->x || !p->y || !p->weight || !p->mean || !p->deviation)
        return err_set(err, "no memory to learn from %zu embeddings", n);
    p->fit = (struct logistic){n, m, stride, p->x, p->y, p->weight, p->params->ridge};
    standards(p);
    put_rows(p, 0, set->negatives, set->n_negatives, 0);
    put_rows(p, set->n_negatives, set->hard, set->n_hard, 0);
    put_rows(p, first_positive(set), set->positives, set->n_positives, 1);
    return 0;
}

/* Is the example left out in that part? */
static bool left_out(unsigned example, int part)
{
    return part >= 0 && example % LEARN_FOLDS == (unsigned)part;
}

/* Weights of the rows for a fit without that part's examples (-1: with all). */
static void weigh(struct problem *p, int part)
{
    const struct learn_set *set = p->set;
    size_t first = first_positive(set), used = 0;
    double negative = (double)set->n_negatives + set->hard_weight * (double)set->n_hard;

    for (size_t i = 0; i < first; i++)
        p->weight[i] = (float)(0.5 * (i < set->n_negatives ? 1 : set->hard_weight) / negative);
    for (unsigned e = 0; e < set->n_examples; e++) {
        size_t n = 0;
        for (size_t i = 0; i < set->n_positives; i++)
            n += set->example[i] == e;
        for (size_t i = 0; i < set->n_positives; i++)
            if (set->example[i] == e)
                p->weight[first + i] = left_out(e, part) ? 0 : 1 / (float)n;
        used += n > 0 && !left_out(e, part);
    }
    for (size_t i = 0; i < set->n_positives && used; i++)
        p->weight[first + i] *= 0.5f / (float)used;
}

static double value(const struct problem *p, const struct line *l, size_t row)
{
    const float *x = p->x + row * p->fit.stride;
    double sum = 0;

    for (size_t k = 0; k < p->fit.m; k++)
        sum += l->w[k] * (double)x[k];
    return sum;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The tail beyond a high percentile is taken for exponential: how often a value of t is passed follows from its mean excess. */
static int set_threshold(const struct problem *p, struct line *l)
{
    size_t n = p->set->n_negatives, tail = (size_t)(TAIL * (double)n);
    double *v = malloc(n * sizeof *v), excess = 0;

    if (!v)
        return -1;
    for (size_t i = 0; i < n; i++)
        v[i] = value(p, l, i);
    qsort(v, n, sizeof *v, by_value);
    tail = tail < 1 ? 1 : tail;
    double from = n > tail ? v[n - tail - 1] : v[0];
    for (size_t i = n - tail; i < n; i++)
        excess += v[i] - from;
    excess = fmax(excess / (double)tail, 1e-3);
    double at_from = p->params->windows_h * (double)tail / (double)n; /* windows an hour beyond `from` */
    l->threshold = from + excess * log(fmax(at_from / p->params->false_alarms_h, 1));
    l->false_alarms_h = at_from * exp(-(l->threshold - from) / excess);
    free(v);
    return 0;
}

/* The best clean window of an example. */
static double best_of(const struct problem *p, const struct line *l, unsigned example)
{
    const struct learn_set *set = p->set;
    double best = -INFINITY;

    for (size_t i = 0; i < set->n_positives; i++)
        if (set->example[i] == example && set->clean[i])
            best = fmax(best, value(p, l, first_positive(set) + i));
    return best;
}

static void set_slope(const struct problem *p, struct line *l)
{
    size_t n = p->set->n_examples;
    double *best = malloc(n * sizeof *best), middle = l->threshold;

    for (unsigned e = 0; best && e < n; e++)
        best[e] = best_of(p, l, e);
    if (best) {
        qsort(best, n, sizeof *best, by_value);
        middle = best[n / 2];
    }
    free(best);
    double over = middle - l->threshold;
    l->slope = over > TOP_LOGIT / STEEPEST ? fmax(TOP_LOGIT / over, 0.2) : STEEPEST;
}

static int fit_line(struct problem *p, struct line *l, int part)
{
    weigh(p, part);
    if (logistic_fit(&p->fit, l->w) < 0 || set_threshold(p, l) < 0)
        return -1;
    set_slope(p, l);
    return 0;
}

static double score_at(const struct line *l, double v)
{
    return 1 / (1 + exp(-l->slope * (v - l->threshold)));
}

/* Each example by a head that never saw it, started from the one that saw all. */
static int leave_out(struct problem *p, const struct line *all, struct learned *out)
{
    size_t m = p->fit.m, n = p->set->n_examples, heard = 0;
    struct line l = {.w = malloc(m * sizeof *l.w)};
    int rc = l.w ? 0 : -1;

    for (int part = 0; rc == 0 && part < LEARN_FOLDS && (size_t)part < n; part++) {
        memcpy(l.w, all->w, m * sizeof *l.w);
        rc = fit_line(p, &l, part);
        for (unsigned e = 0; rc == 0 && e < n; e++)
            if (left_out(e, part)) {
                out->score[e] = (float)score_at(&l, best_of(p, &l, e));
                heard += out->score[e] >= 0.5f;
            }
    }
    free(l.w);
    out->recall = (float)heard / (float)n;
    return rc;
}

/* The line for values as they are. */
static void finish(const struct problem *p, const struct line *l, struct learned *out)
{
    double bias = l->w[p->set->dims] - l->threshold;

    for (size_t k = 0; k < p->set->dims; k++) {
        out->w[k] = (float)(l->slope * l->w[k] / p->deviation[k]);
        bias -= l->w[k] * p->mean[k] / p->deviation[k];
    }
    out->bias = (float)(l->slope * bias);
    out->false_alarms_h = (float)l->false_alarms_h;
}

void learned_free(struct learned *l)
{
    free(l->w);
    free(l->score);
    *l = (struct learned){0};
}

int learn_head(const struct learn_set *set, const struct learn_params *params, struct learned *out, struct err *err)
{
    struct problem p = {.set = set, .params = params};
    struct line l = {.w = calloc(set->dims + 1, sizeof *l.w)};
    int rc = -1;

    *out = (struct learned){.w = malloc(set->dims * sizeof *out->w),
                            .score = malloc((set->n_examples + 1) * sizeof *out->score),
                            .recall = NAN};
    if (set->n_examples < 1 || set->n_negatives < 10) {
        err_set(err, "%zu examples and %zu embeddings of other sounds are too few to learn from", set->n_examples,
                set->n_negatives);
        goto done;
    }
    for (size_t e = 0; out->score && e < set->n_examples; e++)
        out->score[e] = NAN;
    if (!l.w || !out->w || !out->score || problem_make(&p, err) < 0 || fit_line(&p, &l, -1) < 0 ||
        (set->n_examples > 1 && leave_out(&p, &l, out) < 0)) {
        err_set(err, "no memory to learn from %zu embeddings", set->n_negatives);
        goto done;
    }
    finish(&p, &l, out);
    rc = 0;
done:
    problem_free(&p);
    free(l.w);
    if (rc < 0)
        learned_free(out);
    return rc;
}
