#include "evaluate/reliability.h"

#include <math.h>

/* ((b) / 15, (b + 1) / 15]; 0 is in the first. */
static size_t bin_of(double score)
{
    double b = ceil(score * RELIABILITY_BINS) - 1;

    return b < 0 ? 0 : b >= RELIABILITY_BINS ? RELIABILITY_BINS - 1 : (size_t)b;
}

static double squares(const struct clipset *s, size_t clip)
{
    double sum = 0;

    for (size_t k = 0; k < s->n_labels; k++) {
        double d = (double)s->scores[clip * s->n_labels + k] - (s->truth[clip] == k);
        sum += d * d;
    }
    return sum;
}

void reliability_of(const struct clipset *set, struct reliability *out)
{
    *out = (struct reliability){.n = set->n};
    for (size_t i = 0; i < set->n; i++) {
        unsigned best = clipscore_best(set, i, NULL);
        double score = set->scores[i * set->n_labels + best];
        size_t b = bin_of(score);
        out->bin[b].n++;
        out->bin[b].score += score;
        out->bin[b].right += best == set->truth[i];
        out->brier += squares(set, i);
    }
    for (size_t b = 0; b < RELIABILITY_BINS; b++) {
        double n = (double)out->bin[b].n;
        out->bin[b].score = out->bin[b].n ? out->bin[b].score / n : NAN;
        out->bin[b].right = out->bin[b].n ? out->bin[b].right / n : NAN;
        if (!out->bin[b].n)
            continue;
        double gap = fabs(out->bin[b].right - out->bin[b].score);
        out->ece += gap * n / (double)set->n;
        out->max_error = fmax(out->max_error, gap);
    }
    out->brier = set->n ? out->brier / (double)set->n : NAN;
    if (!set->n)
        out->ece = out->max_error = NAN;
}
