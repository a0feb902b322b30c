#include "daemon/evaluate.h"

#include "model/policy.h"

#include <stdlib.h>
#include <string.h>

float *evaluate_thresholds(const struct evaluate *e, const struct model_info *m, int *code)
{
    float *thresholds = malloc((m->n_labels + 1) * sizeof *thresholds);
    struct err err;

    if (!thresholds)
        *code = cmd_fail(EXIT_FAILED, EVALUATE, "no memory");
    for (size_t i = 0; thresholds && i < m->n_labels; i++) {
        struct policy policy;
        if (policy_make(&policy, m->labels[i], m->thresholds[i], &e->params.decision, false, &err) < 0) {
            *code = cmd_fail(EXIT_USAGE, EVALUATE, "%s", err.text);
            free(thresholds);
            return NULL;
        }
        thresholds[i] = policy.threshold;
    }
    return thresholds;
}
