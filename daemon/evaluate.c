#include "daemon/evaluate.h"

#include "model/policy.h"

#include <stdlib.h>
#include <string.h>

/* Where a file is to be written: `given` (a flag's value) where not NULL, else `name` in --out, else NULL: not at all. The
 * caller's to free; *failed where there is no memory. */
static char *output_path(const struct evaluate *e, const char *given, const char *name, bool *failed)
{
    char *path = NULL;

    if (given)
        path = strdup(given);
    else if (!e->out)
        return NULL;
    else if (asprintf(&path, "%s/%s", e->out, name) < 0)
        path = NULL;
    *failed |= !path;
    return path;
}

int evaluate_open(const struct evaluate *e, struct outfile *o, const char *given, const char *name)
{
    bool failed = false;
    char *path = output_path(e, given, name, &failed);
    struct err err;
    int code = EXIT_GOOD;

    if (failed)
        code = cmd_fail(EXIT_FAILED, EVALUATE, "no memory");
    else if (path && outfile_open(o, path, &err) < 0)
        code = cmd_fail(EXIT_USAGE, EVALUATE, "%s", err.text);
    free(path);
    return code;
}

int evaluate_finish(struct outfile *o)
{
    struct err err;

    return outfile_finish(o, &err) < 0 ? cmd_fail(-1, EVALUATE, "%s", err.text) : 0;
}

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
