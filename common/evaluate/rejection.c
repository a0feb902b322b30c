#include "evaluate/rejection.h"

#include "model/policy.h"

#include <math.h>
#include <stdlib.h>

struct best {
    float score;
    bool known;
};

/* Highest first. */
static int by_score(const void *a, const void *b)
{
    const struct best *x = a, *y = b;

    return (x->score < y->score) - (x->score > y->score);
}

static double area(const struct best *best, size_t n, size_t n_known)
{
    double below = 0; /* pairs with the unknown one below the known one */
    size_t unknown_left = n - n_known;

    for (size_t i = 0; i < n;) {
        size_t known = 0, unknown = 0;
        for (size_t first = i; i < n && best[i].score == best[first].score; i++)
            *(best[i].known ? &known : &unknown) += 1;
        unknown_left -= unknown;
        below += (double)known * ((double)unknown_left + 0.5 * (double)unknown);
    }
    return n_known && n > n_known ? below / ((double)n_known * (double)(n - n_known)) : NAN;
}

/* Unknown clips whose best score reaches the highest threshold that lets 95 % of the known ones pass. */
static size_t passing_at_95(const struct best *best, size_t n, size_t n_known)
{
    size_t known = 0, unknown = 0, wanted = (size_t)ceil(0.95 * (double)n_known - 1e-9);

    for (size_t i = 0; i < n && (known < wanted || (i > 0 && best[i].score == best[i - 1].score)); i++)
        *(best[i].known ? &known : &unknown) += 1;
    return unknown;
}

/* The label that names the clip, -1: none. *best: the highest score of all that may. */
static int name_of(const struct clipset *s, size_t clip, const float *thresholds, float *best)
{
    const float *scores = s->scores + clip * s->n_labels;
    int name = -1;

    *best = 0;
    for (size_t k = 0; k < s->n_labels; k++) {
        if (label_is_silence(s->labels[k]))
            continue;
        *best = fmaxf(*best, scores[k]);
        if (scores[k] >= thresholds[k] && (name < 0 || scores[k] > scores[name]))
            name = (int)k;
    }
    return name;
}

int rejection_of(const struct clipset *set, const float *thresholds, struct rejection *out)
{
    struct best *best = calloc(set->n + 1, sizeof *best);
    size_t n = 0, n_known = 0, n_silent = 0, right = 0, wrong = 0, unknown_named = 0, silent_named = 0;

    *out = (struct rejection){.named = calloc(set->n_labels + 1, sizeof *out->named)};
    if (!best || !out->named) {
        free(best);
        rejection_free(out);
        return -1;
    }
    for (size_t i = 0; i < set->n; i++) {
        bool known = set->truth[i] != REJECTION_UNKNOWN;
        int name = name_of(set, i, thresholds, &best[n].score);
        if (known && label_is_silence(set->labels[set->truth[i]])) {
            n_silent++;
            silent_named += name >= 0;
            continue;
        }
        best[n++].known = known;
        n_known += known;
        if (name < 0)
            continue;
        if (!known) {
            unknown_named++;
            out->named[name]++;
        } else if ((unsigned)name == set->truth[i]) {
            right++;
        } else {
            wrong++;
        }
    }
    qsort(best, n, sizeof *best, by_score);
    size_t n_unknown = n - n_known;
    out->right = share_of(right, n_known);
    out->wrong = share_of(wrong, n_known);
    out->rejected = share_of(n_known - right - wrong, n_known);
    out->unknown_named = share_of(unknown_named, n_unknown);
    out->unknown_at_95 = share_of(passing_at_95(best, n, n_known), n_unknown);
    out->silent_named = share_of(silent_named, n_silent);
    out->auroc = area(best, n, n_known);
    free(best);
    return 0;
}

void rejection_free(struct rejection *r)
{
    free(r->named);
    r->named = NULL;
}
