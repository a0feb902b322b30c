#include "model/recogniser.h"
#include "base/half.h"
#include "features/features.h"
#include "teach/background.h"
#include "teach/heads.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct recogniser {
    struct model *model;
    struct model_info info; /* the model's, with the taught labels */
    struct heads *heads;    /* NULL: nothing is taught */
    const char **labels;    /* [info.n_labels] where there are any; the model's and the heads' */
    float *thresholds;      /* likewise */
    char note[320];
    struct feature *feature;
    struct decision *decision;
    size_t window;                  /* samples */
    float *padded;                  /* [window] */
    float *matrix;                  /* what the feature gives and the graph takes */
    float *scores;                  /* [n_labels] */
    float *embedding;               /* [embedding_size]; NULL: the model gives none */
    uint16_t half[EVENT_EMBEDDING]; /* the same, for events */
    size_t n_half;                  /* 0: none, or more than that */
};

/* The rate is one of the feature's parameters, and the length of a window in samples depends on it. */
static int window_samples(const struct model_info *info, size_t *out, struct err *err)
{
    struct feature *probe = feature_new(info->feature, info->feature_params, info->n_feature_params, 1, err);

    if (!probe)
        return -1;
    double n = round(info->window_s * feature_rate(probe));
    feature_free(probe);
    if (!(n >= 1 && n <= INT32_MAX))
        return err_set(err, "earshot.window_s is %g, which makes no window", info->window_s);
    *out = (size_t)n;
    return 0;
}

static int make_feature(struct recogniser *r, const struct model_info *info, struct err *err)
{
    size_t rows, cols;

    if (window_samples(info, &r->window, err) < 0)
        return -1;
    r->feature = feature_new(info->feature, info->feature_params, info->n_feature_params, r->window, err);
    if (!r->feature)
        return -1;
    feature_shape(r->feature, r->window, &rows, &cols);
    if (rows != info->rows || cols != info->cols)
        return err_set(err, "feature %s gives %zu x %zu for a window of %g s, the graph takes %zu x %zu", info->feature,
                       rows, cols, info->window_s, info->rows, info->cols);
    r->padded = calloc(r->window, sizeof *r->padded);
    r->matrix = calloc(rows * cols, sizeof *r->matrix);
    r->scores = calloc(r->info.n_labels, sizeof *r->scores);
    if (info->embedding_size > 0)
        r->embedding = calloc(info->embedding_size, sizeof *r->embedding);
    r->n_half = info->embedding_size <= EVENT_EMBEDDING ? info->embedding_size : 0;
    if (!r->padded || !r->matrix || !r->scores || (info->embedding_size > 0 && !r->embedding))
        return err_set(err, "no memory for a window of %zu samples", r->window);
    return 0;
}

struct decision *recogniser_make_decision(const struct model_info *model, const struct decision_params *decision,
                                          struct err *err)
{
    struct decision_params params = *decision;

    if (params.context_s < 0)
        params.context_s = model->context_s;
    return decision_new(&params, model->labels, model->thresholds, model->n_labels, model->name, err);
}

static int add_labels(struct recogniser *r, struct err *err)
{
    const struct model_info *own = model_info(r->model);
    size_t n = own->n_labels + heads_n(r->heads);

    r->labels = malloc(n * sizeof *r->labels);
    r->thresholds = malloc(n * sizeof *r->thresholds);
    if (!r->labels || !r->thresholds)
        return err_set(err, "no memory");
    memcpy(r->labels, own->labels, own->n_labels * sizeof *r->labels);
    memcpy(r->thresholds, own->thresholds, own->n_labels * sizeof *r->thresholds);
    for (size_t i = own->n_labels; i < n; i++) {
        r->labels[i] = heads_label(r->heads, i - own->n_labels);
        r->thresholds[i] = 0.5f;
    }
    r->info.n_labels = n;
    r->info.n_taught = heads_n(r->heads);
    r->info.labels = r->labels;
    r->info.thresholds = r->thresholds;
    r->info.calibration = NULL;
    return 0;
}

/* What cannot be used of the file leaves the model as it is. */
static int teach(struct recogniser *r, const char *path, struct err *err)
{
    struct taughtfile f;
    struct err why;
    uint64_t hash = 0;
    size_t foreign = 0;

    r->info = *model_info(r->model);
    if (!path)
        return 0;
    if (taughtfile_read(&f, path, true, &why) < 0 ||
        (f.n_classes + f.n_corrections && teach_model_hash(r->info.path, &hash, &why) < 0)) {
        snprintf(r->note, sizeof r->note, "%.200s; what was taught is not heard", why.text);
        taughtfile_free(&f);
        return 0;
    }
    if (f.n_classes + f.n_corrections && !(r->heads = heads_new(&f, &r->info, hash, &foreign, err))) {
        taughtfile_free(&f);
        return -1;
    }
    if (foreign)
        snprintf(
            r->note, sizeof r->note,
            "%zu of %zu taught sounds are not heard: they were taught to another model, or another version, than this "
            "%.60s; earshot teach relearn learns them anew where their sounds are kept (earshot teach list)",
            foreign, f.n_classes, r->info.name);
    taughtfile_free(&f);
    if (r->heads && heads_empty(r->heads)) {
        heads_free(r->heads);
        r->heads = NULL;
    }
    return r->heads && heads_n(r->heads) ? add_labels(r, err) : 0;
}

struct recogniser *recogniser_new(const char *model_path, enum vocabulary_choice vocabulary,
                                  const struct decision_params *decision, struct err *err)
{
    return recogniser_new_taught(model_path, vocabulary, NULL, decision, err);
}

struct recogniser *recogniser_new_taught(const char *model_path, enum vocabulary_choice vocabulary, const char *taught,
                                         const struct decision_params *decision, struct err *err)
{
    struct recogniser *r = calloc(1, sizeof *r);

    if (!r) {
        err_set(err, "no memory");
        return NULL;
    }
    r->model = model_load(model_path, err);
    if (!r->model || vocabulary_apply(vocabulary, r->model, err) < 0 || teach(r, taught, err) < 0)
        goto fail;
    const struct model_info *info = &r->info;
    if (make_feature(r, info, err) < 0) {
        err_prefix(err, "%s: ", model_path);
        goto fail;
    }
    r->decision = recogniser_make_decision(info, decision, err);
    if (!r->decision) {
        err_prefix(err, "%s: ", model_path);
        goto fail;
    }
    return r;

fail:
    recogniser_free(r);
    return NULL;
}

void recogniser_free(struct recogniser *r)
{
    if (!r)
        return;
    decision_free(r->decision);
    feature_free(r->feature);
    heads_free(r->heads);
    free(r->labels);
    free(r->thresholds);
    model_free(r->model);
    free(r->padded);
    free(r->matrix);
    free(r->scores);
    free(r->embedding);
    free(r);
}

const struct model_info *recogniser_model(const struct recogniser *r)
{
    return &r->info;
}

const char *recogniser_note(const struct recogniser *r)
{
    return r->note;
}

unsigned recogniser_rate(const struct recogniser *r)
{
    return feature_rate(r->feature);
}

double recogniser_window_s(const struct recogniser *r)
{
    return r->info.window_s;
}

struct decision *recogniser_decision(struct recogniser *r)
{
    return r->decision;
}

const float *recogniser_scores(struct recogniser *r, const float *x, size_t n)
{
    if (n < r->window) {
        memcpy(r->padded, x, n * sizeof *x);
        memset(r->padded + n, 0, (r->window - n) * sizeof *x);
        x = r->padded;
    }
    feature_do(r->feature, x, r->window, r->matrix);
    model_run(r->model, r->matrix, r->scores, r->embedding);
    if (r->heads)
        heads_do(r->heads, r->embedding, r->scores);
    return r->scores;
}

const float *recogniser_do(struct recogniser *r, const struct window *w, event_sink *sink, void *ctx)
{
    const float *scores = w->info.empty ? NULL : recogniser_scores(r, w->samples, r->window);

    for (size_t i = 0; scores && i < r->n_half; i++)
        r->half[i] = half_from_float(r->embedding[i]);
    decision_set_embedding(r->decision, r->half, r->n_half);
    decision_do(r->decision, &w->info, scores, sink, ctx);
    return scores;
}

const float *recogniser_embedding(const struct recogniser *r)
{
    return r->embedding;
}

void recogniser_finish(struct recogniser *r, event_sink *sink, void *ctx)
{
    decision_finish(r->decision, sink, ctx);
}
