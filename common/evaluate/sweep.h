/* Recall and false alarms over a range of thresholds, for each class and any group of them, and the choice of thresholds for a
 * budget of false alarms. */
#ifndef EARSHOT_SWEEP_H
#define EARSHOT_SWEEP_H

#include "evaluate/outcomes.h"
#include <stdbool.h>
#include <stdint.h>

/* One class, or several pooled, at one threshold. Definitions as in outcomes.h. */
struct sweep_point {
    uint32_t told, hits, heard, soon;
    uint32_t false_alarms, unmatched;
    uint32_t heard_snr[SNR_MAX]; /* heard ones by snr index */
};

/* How many sounds are annotated; the same at every threshold. */
struct sweep_events {
    uint32_t all, snr[SNR_MAX];
};

struct sweep {
    size_t n_thresholds, n_labels;
    const double *thresholds;    /* [n_thresholds], rising; sweep_thresholds */
    struct sweep_point *point;   /* [n_thresholds * n_labels], threshold by threshold */
    struct sweep_events *events; /* [n_labels] */
    double hours;                /* of all streams; set by the caller */
};

/* 0.01 to 0.99 in hundredths, and finer at both ends, where the scores of sure and rare classes lie. */
const double *sweep_thresholds(size_t *n);

int sweep_new(struct sweep *s, size_t n_labels); /* -1: no memory */
void sweep_free(struct sweep *s);

/* What one stream gave at one threshold; at the first (0), its annotated sounds are counted as well. */
void sweep_add(struct sweep *s, size_t threshold, const struct outcomes *of_stream, double soon_s);
void sweep_merge(struct sweep *to, const struct sweep *from); /* hours as well */

const struct sweep_point *sweep_at(const struct sweep *s, size_t threshold, size_t label);
/* All labels in member at one and the same threshold, pooled; NULL: all labels. */
struct sweep_point sweep_pool(const struct sweep *s, size_t threshold, const bool *member);
struct sweep_events sweep_events_of(const struct sweep *s, const bool *member);

/* Of the thresholds, none under `lowest`, from which on upwards the class has at most budget false alarms an hour (no threshold above
 * has more), the one that hears the most; the lowest of such. Where not even the highest keeps the budget *kept is false, and the budget that it does
 * keep is taken instead: no threshold from the chosen one on has fewer false alarms than the highest. Of a class without annotated
 * sounds it says nothing: any threshold hears all of none. */
size_t sweep_choose(const struct sweep *s, size_t label, double budget_per_h, double lowest, bool *kept);

/* Thresholds for a budget that the classes in member share: chosen[label] is set for each of them. From the highest on, the class
 * and step that win the most heard sounds for a false alarm come first, as long as the budget lasts. Where several thresholds around
 * the one that was found give the same, the middle one is taken. Returns false alarms an hour that the choice has, NaN where not even the highest
 * thresholds keep the budget. */
double sweep_choose_group(const struct sweep *s, const bool *member, double budget_per_h, double lowest,
                          size_t *chosen);

#endif
