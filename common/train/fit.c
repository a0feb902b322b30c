#include "train/fit.h"

#include "train/adam.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SPREAD_MIN 1e-6 /* a column that hardly moves says nothing: it is not blown up */

/* What fit_save writes before its arrays: numbers alone. */
struct place {
    uint64_t weights, train; /* sizes, to tell another training's state */
    uint64_t epoch, step, best, since, adam_steps;
    double loss, best_loss, best_right;
    struct random random;
};

struct fit {
    struct fit_params p;
    struct fit_data data;
    struct dense *net;
    struct adam adam;
    float *mean, *scale; /* [cols] */
    float *best;         /* [weights] */
    size_t *order;       /* [n_train], this epoch's */
    unsigned *label;     /* [batch] */
    float *scores;       /* [batch * classes] */
    struct fit_point *points;
    struct place at; /* since: epochs since the best; loss: summed over this epoch's items */
    bool done;
};

/* Mean, and 1 / standard deviation, of the columns. */
static void standardise(struct fit *f)
{
    const struct fit_data *d = &f->data;

    for (size_t c = 0; c < d->cols; c++) {
        double sum = 0, square = 0;
        for (size_t i = 0; i < d->n_train; i++)
            sum += (double)d->x[d->train[i] * d->cols + c];
        double mean = sum / (double)d->n_train;
        for (size_t i = 0; i < d->n_train; i++) {
            double off = (double)d->x[d->train[i] * d->cols + c] - mean;
            square += off * off;
        }
        double spread = sqrt(square / (double)d->n_train);
        f->mean[c] = (float)mean;
        f->scale[c] = spread > SPREAD_MIN * (1 + fabs(mean)) ? (float)(1 / spread) : 1;
    }
}

/* Order and dropout of an epoch: its own stream. */
static void begin_epoch(struct fit *f)
{
    random_seed(&f->at.random, f->p.seed, 1 + f->at.epoch);
    memcpy(f->order, f->data.train, f->data.n_train * sizeof *f->order);
    random_shuffle(&f->at.random, f->order, f->data.n_train);
    f->at.step = 0;
    f->at.loss = 0;
}

static int allocate(struct fit *f, struct err *err)
{
    const struct fit_params *p = &f->p;
    struct dense_shape shape = {.n_layers = p->n_hidden + 1};

    shape.units[0] = f->data.cols;
    memcpy(shape.units + 1, p->hidden, p->n_hidden * sizeof *p->hidden);
    shape.units[shape.n_layers] = p->classes;
    f->net = dense_new(&shape, p->batch, err);
    if (!f->net)
        return -1;
    f->at.weights = dense_size(f->net);
    f->at.train = f->data.n_train;
    f->mean = calloc(f->data.cols, sizeof *f->mean);
    f->scale = calloc(f->data.cols, sizeof *f->scale);
    f->best = calloc(f->at.weights, sizeof *f->best);
    f->order = calloc(f->data.n_train, sizeof *f->order);
    f->label = calloc(p->batch, sizeof *f->label);
    f->scores = calloc(p->batch * p->classes, sizeof *f->scores);
    f->points = calloc(p->epochs, sizeof *f->points);
    if (adam_init(&f->adam, f->at.weights, p->rate, p->decay) < 0 || !f->mean || !f->scale || !f->best || !f->order ||
        !f->label || !f->scores || !f->points)
        return err_set(err, "no memory for training");
    return 0;
}

struct fit *fit_new(const struct fit_params *p, const struct fit_data *data, struct err *err)
{
    struct fit *f = calloc(1, sizeof *f);
    struct random r;

    if (!f || data->n_train == 0 || p->epochs == 0 || p->n_hidden >= DENSE_LAYERS_MAX) {
        err_set(err, f ? "nothing to train on" : "no memory for training");
        free(f);
        return NULL;
    }
    f->p = *p;
    f->data = *data;
    if (allocate(f, err) < 0) {
        fit_free(f);
        return NULL;
    }
    standardise(f);
    random_seed(&r, p->seed, 0);
    dense_init(f->net, &r);
    f->at.best_loss = INFINITY;
    f->at.best_right = -1;
    begin_epoch(f);
    return f;
}

void fit_free(struct fit *f)
{
    if (!f)
        return;
    dense_free(f->net);
    adam_free(&f->adam);
    free(f->mean);
    free(f->scale);
    free(f->best);
    free(f->order);
    free(f->label);
    free(f->scores);
    free(f->points);
    free(f);
}

/* An item as the net takes it. */
static void put(struct fit *f, size_t row, size_t item)
{
    const float *x = f->data.x + item * f->data.cols;
    float *to = dense_input(f->net, row);

    for (size_t c = 0; c < f->data.cols; c++)
        to[c] = (x[c] - f->mean[c]) * f->scale[c];
}

static void check(struct fit *f, struct fit_point *point)
{
    const struct fit_data *d = &f->data;
    double loss = 0;
    size_t right = 0, k = f->p.classes;

    for (size_t i = 0; i < d->n_check; i += f->p.batch) {
        size_t n = d->n_check - i < f->p.batch ? d->n_check - i : f->p.batch;
        fit_scores(f, d->check + i, n, f->scores);
        for (size_t b = 0; b < n; b++) {
            const float *s = f->scores + b * k;
            unsigned is = d->label[d->check[i + b]];
            size_t best = 0;
            for (size_t c = 1; c < k; c++)
                best = s[c] > s[best] ? c : best;
            right += best == is;
            loss -= log(fmax((double)s[is], 1e-30));
        }
    }
    point->check_loss = loss / (double)d->n_check; /* NaN of nothing */
    point->check_right = (double)right / (double)d->n_check;
}

/* The loss of recordings that it does not know soon rises, while more and more of them are right: it decides between equals. */
static bool is_better(const struct place *best, const struct fit_point *point)
{
    return point->check_right > best->best_right ||
           (point->check_right == best->best_right && point->check_loss < best->best_loss);
}

static void end_epoch(struct fit *f)
{
    struct place *at = &f->at;
    struct fit_point *point = &f->points[at->epoch++];

    point->loss = at->loss / (double)f->data.n_train;
    check(f, point);
    at->since++;
    if (!f->data.n_check || is_better(at, point)) {
        at->best_loss = point->check_loss;
        at->best_right = point->check_right;
        at->best = at->epoch;
        at->since = 0;
        memcpy(f->best, dense_weights(f->net), at->weights * sizeof *f->best);
    }
    if (at->epoch < f->p.epochs)
        begin_epoch(f);
}

/* Is it through? Then the best is put in place. */
static bool ended(struct fit *f)
{
    const struct place *at = &f->at;

    if (!f->done && (at->epoch == f->p.epochs || (f->p.patience && at->step == 0 && at->since >= f->p.patience))) {
        f->done = true;
        if (at->best)
            memcpy(dense_weights(f->net), f->best, at->weights * sizeof *f->best);
    }
    return f->done;
}

bool fit_step(struct fit *f)
{
    struct place *at = &f->at;

    if (ended(f))
        return false;
    size_t from = at->step * f->p.batch, left = f->data.n_train - from, n = left < f->p.batch ? left : f->p.batch;
    for (size_t b = 0; b < n; b++) {
        size_t item = f->order[from + b];
        put(f, b, item);
        f->label[b] = f->data.label[item];
    }
    at->loss += (double)n * dense_learn(f->net, f->label, n, f->p.dropout, &at->random);
    adam_step(&f->adam, dense_weights(f->net), dense_gradient(f->net));
    at->step++;
    if (n == left)
        end_epoch(f);
    return !ended(f);
}

struct fit_progress fit_progress(const struct fit *f)
{
    return (struct fit_progress){.epoch = f->at.epoch,
                                 .step = f->at.step,
                                 .steps = (f->data.n_train + f->p.batch - 1) / f->p.batch,
                                 .best = f->at.best,
                                 .points = f->points};
}

int fit_save(const struct fit *f, FILE *out)
{
    struct place at = f->at;
    size_t n = at.weights;
    float *weights = dense_weights(f->net);

    at.adam_steps = f->adam.steps;
    return fwrite(&at, sizeof at, 1, out) == 1 && fwrite(weights, sizeof *weights, n, out) == n &&
                   fwrite(f->best, sizeof *f->best, n, out) == n && fwrite(f->adam.mean, sizeof(float), n, out) == n &&
                   fwrite(f->adam.square, sizeof(float), n, out) == n &&
                   fwrite(f->points, sizeof *f->points, at.epoch, out) == at.epoch
               ? 0
               : -1;
}

int fit_load(struct fit *f, FILE *in)
{
    struct place at;
    size_t n = f->at.weights;
    float *weights = dense_weights(f->net);

    if (fread(&at, sizeof at, 1, in) != 1 || at.weights != n || at.train != f->data.n_train || at.epoch > f->p.epochs ||
        at.best > at.epoch || at.step > at.train)
        return -1;
    if (fread(weights, sizeof *weights, n, in) != n || fread(f->best, sizeof *f->best, n, in) != n ||
        fread(f->adam.mean, sizeof(float), n, in) != n || fread(f->adam.square, sizeof(float), n, in) != n ||
        fread(f->points, sizeof *f->points, at.epoch, in) != at.epoch)
        return -1;
    f->at.epoch = at.epoch;
    begin_epoch(f); /* the order */
    f->at = at;
    f->adam.steps = at.adam_steps;
    f->done = false;
    ended(f);
    return 0;
}

void fit_scores(struct fit *f, const size_t *items, size_t n, float *scores)
{
    for (size_t i = 0; i < n; i += f->p.batch) {
        size_t rows = n - i < f->p.batch ? n - i : f->p.batch;
        for (size_t b = 0; b < rows; b++)
            put(f, b, items[i + b]);
        dense_scores(f->net, rows, scores + i * f->p.classes);
    }
}

const struct dense_shape *fit_shape(const struct fit *f)
{
    return dense_shape(f->net);
}

void fit_layer(const struct fit *f, size_t l, float *weight, float *bias)
{
    const struct dense_shape *s = dense_shape(f->net);
    size_t in = s->units[l], out = s->units[l + 1];

    dense_layer(f->net, l, weight, bias);
    for (size_t o = 0; l == 0 && o < out; o++) {
        double sum = (double)bias[o];
        for (size_t i = 0; i < in; i++) {
            float *w = &weight[o * in + i];
            *w *= f->scale[i];
            sum -= (double)*w * (double)f->mean[i];
        }
        bias[o] = (float)sum;
    }
}
