/* What the rules make of one class: the numbers that the decision stage works with. */
#ifndef EARSHOT_POLICY_H
#define EARSHOT_POLICY_H

#include "model/decision.h"
#include <stdbool.h>
#include <stdint.h>

struct policy {
    float threshold, closing; /* 0..1 */
    unsigned confirm;         /* 1.. */
    double release_s, cooldown_s;
    int active_from, active_to; /* minutes of the local day, -1: always */
    bool silent;                /* makes no events: background, ignored, or not on the list of those allowed */
};

/* Is there an allow list? Rules for labels that the model lacks do not count: a slip of the pen must not
 * silence it all. */
bool policy_allow_list(const struct decision_params *p, const char *const *labels, size_t n_labels);

/* threshold: the model's own for this class. An error names the class. */
int policy_make(struct policy *out, const char *label, float threshold, const struct decision_params *p,
                bool allow_list, struct err *err);

/* Is the local time of utc_ns within the active hours? */
bool policy_active(const struct policy *p, int64_t utc_ns);

/* Labels of "nothing" and "something else", that no event is ever made of. */
bool label_is_silence(const char *label);

#endif
