/* Counts of sound event detection and what is made of them.
 *
 * Names and definitions: A. Mesaros, T. Heittola, T. Virtanen, "Metrics for polyphonic sound event detection", Applied Sciences
 * 6(6):162, 2016, and the toolbox sed_eval that goes with it.
 *   precision = hits / heard, recall = hits / annotated, F1 = 2 P R / (P + R) = 2 hits / (heard + annotated)
 *   error rate = (substitutions + deletions + insertions) / annotated
 * Micro averages pool the counts of all classes; macro averages are the mean of the classes that are annotated at least once. */
#ifndef EARSHOT_EVENT_SCORE_H
#define EARSHOT_EVENT_SCORE_H

#include "base/err.h"
#include "evaluate/event_match.h"
#include <stdint.h>

/* Of one class, or of all of them pooled. What `ref` and `det` count are events or active segments. */
struct sed_count {
    uint64_t ref, det, hits;
    uint64_t substitutions, deletions, insertions;
};

/* NaN where there is nothing to divide by. F1 is 0 where something was annotated or heard and nothing hit. */
double sed_precision(const struct sed_count *c);
double sed_recall(const struct sed_count *c);
double sed_f1(const struct sed_count *c);
double sed_error_rate(const struct sed_count *c);

/* Mean of a figure over the classes with ref > 0, one that is NaN as 0; NaN where there are none. */
double sed_macro(const struct sed_count *classes, size_t n, double (*figure)(const struct sed_count *));

/* Event-based counts of one stream, added to classes[n_labels] and to `all`. Both lists as timed_sort leaves them, labels below
 * n_labels. Within a class: hits by event_match, deletions are the annotated rest, insertions the heard rest. In `all`, an
 * annotated and a heard sound of different classes that were left over and lie within the rule are one substitution (again as many
 * pairs as there can be). -1: no memory. */
int event_score_add(const struct match_rule *rule, const struct timed_list *ref, const struct timed_list *det,
                    size_t n_labels, struct sed_count *classes, struct sed_count *all, struct err *err);

#endif
