/* The figures of one stream, or of many pooled: what evaluating streams counts. */
#ifndef EARSHOT_EVALUATE_STREAM_FIGURES_H
#define EARSHOT_EVALUATE_STREAM_FIGURES_H

#include "base/err.h"
#include "evaluate/event_score.h"
#include "evaluate/outcomes.h"

#define STREAM_SOON_S    4.0 /* "heard within" */
#define STREAM_SEGMENT_S 1.0

enum stream_metric {
    METRIC_ONSET,  /* the main one: onset within 0.5 s */
    METRIC_ONSET2, /* within 0.2 s */
    METRIC_OFFSET, /* onset within 0.5 s, offset within that or half of the length */
    METRIC_SEGMENT,
    N_METRICS
};

/* The rule of an event-based metric. */
const struct match_rule *stream_rule(enum stream_metric metric);
const char *stream_metric_name(enum stream_metric metric); /* for tables */
const char *stream_metric_key(enum stream_metric metric);  /* for JSON */

struct stream_figures {
    size_t n_labels;
    struct sed_count *classes[N_METRICS]; /* [n_labels] each */
    struct sed_count all[N_METRICS];
    struct outcomes outcomes; /* with the rule of METRIC_ONSET */
    double seconds;
};

int stream_figures_new(struct stream_figures *f, size_t n_labels); /* -1: no memory */
void stream_figures_free(struct stream_figures *f);

/* Adds a stream, both lists as timed_sort leaves them. */
int stream_figures_add(struct stream_figures *f, double seconds, const struct timed_list *ref,
                       const struct timed_list *told, const struct snr_list *snrs, struct err *err);
int stream_figures_merge(struct stream_figures *to, const struct stream_figures *from);

#endif
