#include "daemon/evaluate_stream_figures.h"

#include "evaluate/segment_score.h"

#include <stdlib.h>

static const struct {
    struct match_rule rule;
    const char *name, *key;
} metrics[N_METRICS] = {
    [METRIC_ONSET] = {{0.5, false, 0}, "onset within 0.5 s", "onset"},
    [METRIC_ONSET2] = {{0.2, false, 0}, "onset within 0.2 s", "onset_200ms"},
    [METRIC_OFFSET] = {{0.5, true, 0.5}, "onset and offset", "onset_offset"},
    [METRIC_SEGMENT] = {{0, false, 0}, "segments of 1 s", "segment"},
};

const struct match_rule *stream_rule(enum stream_metric metric)
{
    return &metrics[metric].rule;
}

const char *stream_metric_name(enum stream_metric metric)
{
    return metrics[metric].name;
}

const char *stream_metric_key(enum stream_metric metric)
{
    return metrics[metric].key;
}

int stream_figures_new(struct stream_figures *f, size_t n_labels)
{
    *f = (struct stream_figures){.n_labels = n_labels};
    int rc = outcomes_new(&f->outcomes, n_labels);
    for (int m = 0; m < N_METRICS; m++) {
        f->classes[m] = calloc(n_labels + 1, sizeof *f->classes[m]);
        rc = f->classes[m] ? rc : -1;
    }
    if (rc < 0)
        stream_figures_free(f);
    return rc;
}

void stream_figures_free(struct stream_figures *f)
{
    for (int m = 0; m < N_METRICS; m++)
        free(f->classes[m]);
    outcomes_free(&f->outcomes);
    *f = (struct stream_figures){0};
}

int stream_figures_add(struct stream_figures *f, double seconds, const struct timed_list *ref,
                       const struct timed_list *told, const struct snr_list *snrs, struct err *err)
{
    for (int m = 0; m < METRIC_SEGMENT; m++)
        if (event_score_add(&metrics[m].rule, ref, told, f->n_labels, f->classes[m], &f->all[m], err) < 0)
            return -1;
    if (segment_score_add(STREAM_SEGMENT_S, seconds, ref, told, f->n_labels, f->classes[METRIC_SEGMENT],
                          &f->all[METRIC_SEGMENT], err) < 0)
        return -1;
    if (outcomes_add(&f->outcomes, &metrics[METRIC_ONSET].rule, ref, told, snr_list_find, snrs) < 0)
        return err_set(err, "no memory to compare %zu with %zu sounds", ref->n, told->n);
    f->seconds += seconds;
    return 0;
}

static void merge(struct sed_count *to, const struct sed_count *from)
{
    to->ref += from->ref;
    to->det += from->det;
    to->hits += from->hits;
    to->substitutions += from->substitutions;
    to->deletions += from->deletions;
    to->insertions += from->insertions;
}

int stream_figures_merge(struct stream_figures *to, const struct stream_figures *from)
{
    for (int m = 0; m < N_METRICS; m++) {
        merge(&to->all[m], &from->all[m]);
        for (size_t i = 0; i < from->n_labels; i++)
            merge(&to->classes[m][i], &from->classes[m][i]);
    }
    to->seconds += from->seconds;
    return outcomes_merge(&to->outcomes, &from->outcomes);
}
