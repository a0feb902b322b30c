#include "base/json.h"
#include "daemon/evaluate_stream_result.h"

#include <math.h>
#include <stdlib.h>

enum { PLACES = 6 };

static json_t *real(double x)
{
    return json_decimal(x, PLACES);
}

static json_t *count(uint64_t n)
{
    return json_integer((json_int_t)n);
}

static double share(uint64_t part, uint64_t whole)
{
    return whole ? (double)part / (double)whole : NAN;
}

static json_t *counts_json(const struct sed_count *c)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "precision", real(sed_precision(c)),
                     "recall", real(sed_recall(c)), "f1", real(sed_f1(c)), "error_rate", real(sed_error_rate(c)),
                     "annotated", count(c->ref), "told", count(c->det), "hits", count(c->hits), "substitutions",
                     count(c->substitutions), "deletions", count(c->deletions), "insertions", count(c->insertions));
}

static json_t *macro_json(const struct sed_count *c, size_t n)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "precision", real(sed_macro(c, n, sed_precision)), "recall",
                     real(sed_macro(c, n, sed_recall)), "f1", real(sed_macro(c, n, sed_f1)), "error_rate",
                     real(sed_macro(c, n, sed_error_rate)));
}

static json_t *metrics_json(const struct stream_figures *f)
{
    json_t *o = json_object();

    for (int m = 0; m < N_METRICS; m++)
        json_object_set_new(
            o, stream_metric_key(m),
            json_pack("{s:o, s:o}", "micro", counts_json(&f->all[m]), "macro", macro_json(f->classes[m], f->n_labels)));
    return o;
}

/* Recall, delays and false alarms of some labels; snr -1: all of their sounds. */
static json_t *told_json(const struct streams_result *r, const bool *member, int snr)
{
    struct outcome_figures f;

    if (outcomes_figures(&r->all.outcomes, member, snr, STREAM_SOON_S, &f) < 0)
        return NULL;
    json_t *o = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "sounds", count(f.events),
                          "listened", count(f.listened), "hits", count(f.hits), "heard", count(f.heard), "recall",
                          real(share(f.heard, f.events)), "recall_4s", real(share(f.soon, f.events)), "onset_recall",
                          real(share(f.hits, f.events)), "under_way", count(f.under_way), "delay_median_s",
                          real(f.delay_median), "delay_p90_s", real(f.delay_p90), "start_error_median_s",
                          real(f.start_median), "start_error_abs_p90_s", real(f.start_abs_p90));
    if (snr >= 0) {
        json_object_set_new(o, "snr_db", json_integer(r->snrs.db[snr]));
        return o;
    }
    struct told_count t = outcomes_told(&r->all.outcomes, member);
    json_object_set_new(o, "told", count(t.told));
    json_object_set_new(o, "false_alarms", count(t.false_alarms));
    json_object_set_new(o, "false_alarms_per_h", real(stream_per_hour(r, (double)t.false_alarms)));
    json_object_set_new(o, "unmatched", count(t.unmatched));
    json_object_set_new(o, "unmatched_per_h", real(stream_per_hour(r, (double)t.unmatched)));
    json_object_set_new(o, "onset_f1", real(share(2 * f.hits, f.events + t.told)));
    return o;
}

static json_t *snrs_json(const struct streams_result *r, const bool *member)
{
    json_t *a = json_array();

    for (size_t i = 0; i < r->snrs.n; i++)
        json_array_append_new(a, told_json(r, member, (int)i));
    return a;
}

static json_t *point_json(const struct streams_result *r, size_t k, const struct sweep_point *p,
                          const struct sweep_events *e)
{
    json_t *o = json_pack("{s:o, s:o, s:o, s:o}", "threshold", json_decimal(r->sweep.thresholds[k], PLACES), "recall",
                          real(share(p->heard, e->all)), "recall_4s", real(share(p->soon, e->all)),
                          "false_alarms_per_h", real(stream_per_hour(r, p->false_alarms)));

    for (size_t i = 0; i < r->snrs.n; i++) {
        char key[32];
        snprintf(key, sizeof key, "recall_%ddb", r->snrs.db[i]);
        json_object_set_new(o, key, real(share(p->heard_snr[i], e->snr[i])));
    }
    return o;
}

static json_t *sweep_json(const struct streams_result *r, const bool *member)
{
    struct sweep_events e = sweep_events_of(&r->sweep, member);
    json_t *a = json_array();

    for (size_t k = 0; k < r->sweep.n_thresholds; k++) {
        struct sweep_point p = sweep_pool(&r->sweep, k, member);
        json_array_append_new(a, point_json(r, k, &p, &e));
    }
    return a;
}

static json_t *group_json(const struct streams_result *r, const char *name, const bool *member)
{
    json_t *o = told_json(r, member, -1);

    if (!o)
        return NULL;
    if (name)
        json_object_set_new(o, "name", json_text(name));
    json_object_set_new(o, "snr", snrs_json(r, member));
    json_object_set_new(o, "sweep", sweep_json(r, member));
    return o;
}

static json_t *groups_json(const struct streams_result *r)
{
    json_t *a = json_array();

    for (size_t g = 0; g < r->n_groups; g++) {
        const struct stream_group *group = &r->groups[g];
        json_t *o = group_json(r, group->name, group->member), *labels = json_array();
        for (size_t i = 0; i < r->n_labels; i++)
            if (group->member[i])
                json_array_append_new(labels, json_text(r->labels[i]));
        json_object_set_new(o, "labels", labels);
        if (!isnan(group->budget)) {
            json_object_set_new(o, "budget_per_h", real(group->budget));
            json_object_set_new(o, "chosen_per_h", real(group->spent));
        }
        json_array_append_new(a, o);
    }
    return a;
}

/* The labels that are annotated, were told, or that a threshold was chosen for. */
static json_t *labels_json(const struct streams_result *r)
{
    json_t *a = json_array();
    bool *member = calloc(r->n_labels, sizeof *member);

    for (size_t i = 0; member && i < r->n_labels; i++) {
        const struct sed_count *c = &r->all.classes[METRIC_ONSET][i];
        if (c->ref + c->det == 0 && !stream_is_chosen(r, i))
            continue;
        member[i] = true;
        json_t *o = group_json(r, NULL, member);
        json_object_set_new(o, "label", json_text(r->labels[i]));
        json_object_set_new(o, "threshold", i < r->n_own ? real(r->thresholds[i]) : json_null());
        for (int m = 0; m < N_METRICS; m++)
            json_object_set_new(o, stream_metric_key(m), counts_json(&r->all.classes[m][i]));
        if (stream_is_chosen(r, i))
            json_object_set_new(o, "chosen_threshold", real(r->sweep.thresholds[r->chosen[i]]));
        else if (r->choices[i] == CHOICE_NO_SOUND)
            json_object_set_new(o, "chosen_threshold", json_null());
        member[i] = false;
        json_array_append_new(a, o);
    }
    free(member);
    return a;
}

static json_t *choices_json(const struct streams_result *r, enum stream_choice which)
{
    json_t *a = json_array();

    for (size_t i = 0; i < r->n_own; i++)
        if (r->choices[i] == which)
            json_array_append_new(a, json_text(r->labels[i]));
    return a;
}

/* Sounds of labels that the model does not have, by label. */
static json_t *missing_json(const struct streams_result *r)
{
    json_t *o = json_object();

    for (size_t i = r->n_own; i < r->n_labels; i++)
        if (r->all.classes[METRIC_ONSET][i].ref)
            json_object_set_new(o, r->labels[i], count(r->all.classes[METRIC_ONSET][i].ref));
    return o;
}

static json_t *files_json(const struct streams_result *r)
{
    json_t *a = json_array();

    for (size_t i = 0; i < r->n_files; i++) {
        const struct stream_file *f = &r->files[i];
        json_array_append_new(a, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "file", json_text(f->sound), "annotations",
                                           json_text(f->annotations), "duration_s", json_decimal(f->figures.seconds, 3),
                                           "rate", count(f->rate), "onset", counts_json(&f->figures.all[METRIC_ONSET]),
                                           "segment", counts_json(&f->figures.all[METRIC_SEGMENT])));
    }
    return a;
}

int evaluate_stream_json(FILE *out, const struct streams_result *r)
{
    json_t *o = json_object();
    int failed = json_object_set_new(o, "model", json_text(r->model->name));

    failed |= json_object_set_new(o, "streams", count(r->n_files));
    failed |= json_object_set_new(o, "left_out", count(r->n_failed));
    failed |= json_object_set_new(o, "duration_s", json_decimal(r->all.seconds, 3));
    failed |= json_object_set_new(o, "elapsed_s", json_decimal(r->elapsed_s, 3));
    failed |= json_object_set_new(o, "sounds", count(r->all.all[METRIC_ONSET].ref));
    failed |= json_object_set_new(o, "missing_labels", missing_json(r));
    failed |= json_object_set_new(o, "metrics", metrics_json(&r->all));
    failed |= json_object_set_new(o, "all", group_json(r, NULL, NULL));
    failed |= json_object_set_new(o, "groups", groups_json(r));
    failed |= json_object_set_new(o, "labels", labels_json(r));
    failed |= json_object_set_new(o, "files", files_json(r));
    if (!isnan(r->budget))
        failed |= json_object_set_new(o, "budget_per_h", real(r->budget));
    if (r->choice) {
        failed |= json_object_set_new(o, "over_budget", choices_json(r, CHOICE_OVER));
        failed |= json_object_set_new(o, "not_chosen", choices_json(r, CHOICE_NO_SOUND));
    }
    failed |= failed ? 0 : json_dumpf(o, out, JSON_LINE);
    json_decref(o);
    fputc('\n', out);
    return failed ? -1 : 0;
}
