#include "base/json.h"
#include "daemon/evaluate_print.h"

/* A place of shares and the like: four decimals are finer than any manifest; six keep sums right. */
enum { PLACES = 6 };

static json_t *share_json(struct share s)
{
    return json_pack("{s:o, s:o, s:o, s:I, s:I}", "value", json_decimal(s.value, PLACES), "low",
                     json_decimal(s.low, PLACES), "high", json_decimal(s.high, PLACES), "right", (json_int_t)s.hits,
                     "clips", (json_int_t)s.n);
}

/* Puts the figures of some clips into o. */
static int add_figures(json_t *o, const struct clip_figures *f, size_t n_own)
{
    int failed = json_object_set_new(o, "accuracy", share_json(f->top1));

    failed |= json_object_set_new(o, "top3", share_json(f->top3));
    failed |= json_object_set_new(o, "top5", share_json(f->top5));
    failed |= json_object_set_new(o, "accuracy_own", share_json(f->own));
    failed |= json_object_set_new(o, "own_labels", json_integer((json_int_t)n_own));
    return failed;
}

static json_t *groups_json(const struct clip_group *groups, size_t n)
{
    json_t *a = json_array();

    for (size_t i = 0; i < n; i++) {
        json_t *o = json_object();
        if (groups[i].dataset)
            json_object_set_new(o, "dataset", json_text(groups[i].dataset));
        if (groups[i].fold)
            json_object_set_new(o, "fold", json_text(groups[i].fold));
        add_figures(o, &groups[i].figures, groups[i].n_own);
        json_array_append_new(a, o);
    }
    return a;
}

/* The labels that occur or were named. */
static json_t *classes_json(const struct clipreport *r)
{
    json_t *a = json_array();

    for (size_t k = 0; k < r->set->n_labels; k++) {
        const struct class_figures *f = &r->classes[k];
        if (f->support || f->predicted)
            json_array_append_new(a, json_pack("{s:o, s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "label",
                                               json_text(r->set->labels[k]), "clips", (json_int_t)f->support, "named",
                                               (json_int_t)f->predicted, "right", (json_int_t)f->hits, "precision",
                                               json_decimal(f->precision, PLACES), "recall",
                                               json_decimal(f->recall, PLACES), "f1", json_decimal(f->f1, PLACES),
                                               "average_precision", json_decimal(f->average_precision, PLACES)));
    }
    return a;
}

static json_t *labels_json(const struct confusion *c, const unsigned *which, size_t n)
{
    json_t *a = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(a, json_text(c->labels[which[i]]));
    return a;
}

static json_t *confusion_json(const struct confusion *c)
{
    json_t *rows = json_array();

    for (size_t i = 0; i < c->n_rows; i++) {
        json_t *row = json_array();
        for (size_t k = 0; k < c->n_cols; k++)
            json_array_append_new(row, json_integer((json_int_t)c->count[i * c->n_cols + k]));
        json_array_append_new(rows, row);
    }
    return json_pack("{s:o, s:o, s:o}", "labels", labels_json(c, c->rows, c->n_rows), "heard",
                     labels_json(c, c->cols, c->n_cols), "clips", rows);
}

static json_t *calibration_json(const struct reliability *c)
{
    json_t *bins = json_array();

    for (int b = 0; b < RELIABILITY_BINS; b++)
        json_array_append_new(bins, json_pack("{s:o, s:o, s:I, s:o, s:o}", "above",
                                              json_decimal((double)b / RELIABILITY_BINS, PLACES), "to",
                                              json_decimal((b + 1.0) / RELIABILITY_BINS, PLACES), "clips",
                                              (json_int_t)c->bin[b].n, "score", json_decimal(c->bin[b].score, PLACES),
                                              "right", json_decimal(c->bin[b].right, PLACES)));
    return json_pack("{s:o, s:o, s:o, s:o}", "ece", json_decimal(c->ece, PLACES), "max_error",
                     json_decimal(c->max_error, PLACES), "brier", json_decimal(c->brier, PLACES), "bins", bins);
}

static json_t *rejection_json(const struct clips_result *r)
{
    const struct rejection *j = r->rejection;
    json_t *named = json_object();

    for (size_t k = 0; k < r->model->n_labels; k++)
        if (j->named[k])
            json_object_set_new(named, r->model->labels[k], json_integer((json_int_t)j->named[k]));
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "auroc", json_decimal(j->auroc, PLACES), "known_right",
                     share_json(j->right), "known_wrong", share_json(j->wrong), "known_rejected",
                     share_json(j->rejected), "unknown_named", share_json(j->unknown_named), "unknown_at_95",
                     share_json(j->unknown_at_95), "background_named", share_json(j->silent_named), "named", named);
}

static json_t *conditions_json(const struct clips_result *r)
{
    json_t *where = json_array();

    for (size_t i = 0; i < r->n_where; i++)
        json_array_append_new(where, json_text(r->where[i]));
    return json_pack("{s:o, s:o}", "where", where, "folds", json_text(r->folds));
}

static json_t *left_out_json(const struct left_out *l)
{
    return json_pack("{s:I, s:I, s:I, s:I}", "filtered", (json_int_t)l->filtered, "unknown_label",
                     (json_int_t)l->unknown, "bad_line", (json_int_t)l->bad, "unreadable", (json_int_t)l->unheard);
}

int evaluate_figures_json(json_t *o, const struct clipreport *c)
{
    int failed = add_figures(o, &c->all, c->n_own);

    failed |= json_object_set_new(o, "macro",
                                  json_pack("{s:o, s:o, s:o}", "recall", json_decimal(c->macro.recall, PLACES), "f1",
                                            json_decimal(c->macro.f1, PLACES), "average_precision",
                                            json_decimal(c->macro.average_precision, PLACES)));
    failed |= json_object_set_new(o, "datasets", groups_json(c->datasets, c->n_datasets));
    failed |= json_object_set_new(o, "folds", groups_json(c->folds, c->n_folds));
    failed |= json_object_set_new(o, "classes", classes_json(c));
    failed |= json_object_set_new(o, "confusion", confusion_json(&c->confusion));
    failed |= json_object_set_new(o, "calibration", calibration_json(&c->reliability));
    return failed;
}

int evaluate_json(FILE *out, const struct clips_result *r)
{
    const struct clipreport *c = r->report;
    json_t *o = json_object();
    int failed = json_object_set_new(o, "manifest", json_text(r->manifest));

    failed |= json_object_set_new(o, "model", json_text(r->model->name));
    failed |= json_object_set_new(o, "conditions", conditions_json(r));
    failed |= json_object_set_new(o, "clips", json_integer((json_int_t)c->set->n));
    failed |= json_object_set_new(o, "left_out", left_out_json(&r->left_out));
    failed |= json_object_set_new(o, "duration_s", json_decimal(r->seconds, 3));
    failed |= json_object_set_new(o, "elapsed_s", json_decimal(r->elapsed_s, 3));
    failed |= json_object_set_new(o, "labels", json_integer((json_int_t)c->set->n_labels));
    failed |= evaluate_figures_json(o, c);
    if (r->rejection)
        failed |= json_object_set_new(o, "rejection", rejection_json(r));
    failed |= failed ? 0 : json_dumpf(o, out, JSON_LINE);
    json_decref(o);
    fputc('\n', out);
    return failed ? -1 : 0;
}
