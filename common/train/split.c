#include "train/split.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Clips of each group and label, and the groups in random order. */
struct tally {
    size_t *order; /* [n_groups] */
    size_t *count; /* [n_groups * n_labels] */
    size_t *size;  /* [n_groups] */
    double *all;   /* [n_labels], clips */
    double *have;  /* [parts * n_labels] */
    size_t n_labels;
};

static void tally_free(struct tally *t)
{
    free(t->order);
    free(t->count);
    free(t->size);
    free(t->all);
    free(t->have);
}

static int tally_make(struct tally *t, const struct split_clips *c, const bool *from, size_t parts, struct random *r)
{
    *t = (struct tally){.n_labels = c->n_labels};
    if (c->n_groups && c->n_labels > SIZE_MAX / sizeof(size_t) / c->n_groups)
        return -1;
    t->order = calloc(c->n_groups + 1, sizeof *t->order);
    t->count = calloc(c->n_groups * c->n_labels + 1, sizeof *t->count);
    t->size = calloc(c->n_groups + 1, sizeof *t->size);
    t->all = calloc(c->n_labels + 1, sizeof *t->all);
    t->have = calloc(parts * c->n_labels + 1, sizeof *t->have);
    if (!t->order || !t->count || !t->size || !t->all || !t->have)
        return -1;
    for (size_t i = 0; i < c->n; i++) {
        if (from && !from[i])
            continue;
        t->count[c->group[i] * c->n_labels + c->label[i]]++;
        t->size[c->group[i]]++;
        t->all[c->label[i]]++;
    }
    for (size_t g = 0; g < c->n_groups; g++)
        t->order[g] = g;
    random_shuffle(r, t->order, c->n_groups);
    return 0;
}

/* How much nearer the labels come to what is wanted with group g. */
static double gain(const struct tally *t, size_t g, double share)
{
    double sum = 0;

    for (size_t k = 0; k < t->n_labels; k++) {
        double n = (double)t->count[g * t->n_labels + k], want = share * t->all[k];
        if (n > 0)
            sum += fabs(want - t->have[k]) - fabs(want - t->have[k] - n);
    }
    return sum;
}

static void take(struct tally *t, size_t g, size_t part)
{
    for (size_t k = 0; k < t->n_labels; k++)
        t->have[part * t->n_labels + k] += (double)t->count[g * t->n_labels + k];
}

/* May g be taken, so that each of its labels keeps a clip? */
static bool leaves_some(const struct tally *t, size_t g)
{
    for (size_t k = 0; k < t->n_labels; k++) {
        size_t n = t->count[g * t->n_labels + k];
        if (n && t->have[k] + (double)n >= t->all[k])
            return false;
    }
    return true;
}

/* A label of which nothing was taken gives its smallest group, where it can. */
static void take_of_each(struct tally *t, size_t n_groups, bool *chosen)
{
    for (size_t k = 0; k < t->n_labels; k++) {
        size_t best = SIZE_MAX;
        for (size_t i = 0; t->have[k] == 0 && i < n_groups; i++) {
            size_t g = t->order[i];
            if (!chosen[g] && t->count[g * t->n_labels + k] && leaves_some(t, g) &&
                (best == SIZE_MAX || t->size[g] < t->size[best]))
                best = g;
        }
        if (best != SIZE_MAX) {
            chosen[best] = true;
            take(t, best, 0);
        }
    }
}

int split_share(const struct split_clips *c, const bool *from, double share, struct random *r, bool *taken)
{
    struct tally t;
    bool *chosen = calloc(c->n_groups + 1, sizeof *chosen);
    int rc = tally_make(&t, c, from, 1, r);

    if (rc == 0 && chosen && share > 0) {
        for (size_t i = 0; i < c->n_groups; i++) {
            size_t g = t.order[i];
            chosen[g] = t.size[g] && leaves_some(&t, g) && gain(&t, g, share) > 0;
            if (chosen[g])
                take(&t, g, 0);
        }
        take_of_each(&t, c->n_groups, chosen);
    }
    for (size_t i = 0; rc == 0 && chosen && i < c->n; i++)
        taken[i] = (!from || from[i]) && chosen[c->group[i]];
    rc = chosen ? rc : -1;
    free(chosen);
    tally_free(&t);
    return rc;
}

/* How full a part is of what the group holds, and, where that is even, of all. */
static double crowd(const struct tally *t, size_t g, size_t part)
{
    double sum = 0, all = 0;

    for (size_t k = 0; k < t->n_labels; k++) {
        double n = (double)t->count[g * t->n_labels + k];
        sum += n > 0 ? n * t->have[part * t->n_labels + k] / t->all[k] : 0;
        all += t->have[part * t->n_labels + k];
    }
    return sum + 1e-9 * all;
}

struct sized {
    size_t group, size, place;
};

static int by_size(const void *a, const void *b)
{
    const struct sized *x = a, *y = b;

    if (x->size != y->size)
        return x->size < y->size ? 1 : -1;
    return (x->place > y->place) - (x->place < y->place);
}

/* Large groups first: small ones even out what they left. Equal ones stay in their random order. */
static int sort_by_size(struct tally *t, size_t n)
{
    struct sized *s = calloc(n + 1, sizeof *s);

    if (!s)
        return -1;
    for (size_t i = 0; i < n; i++)
        s[i] = (struct sized){t->order[i], t->size[t->order[i]], i};
    qsort(s, n, sizeof *s, by_size);
    for (size_t i = 0; i < n; i++)
        t->order[i] = s[i].group;
    free(s);
    return 0;
}

int split_folds(const struct split_clips *c, size_t folds, struct random *r, size_t *fold)
{
    struct tally t;
    size_t *part = calloc(c->n_groups + 1, sizeof *part);
    int rc = tally_make(&t, c, NULL, folds, r);

    rc = rc == 0 && part ? sort_by_size(&t, c->n_groups) : -1;
    if (rc == 0) {
        for (size_t i = 0; i < c->n_groups; i++) {
            size_t g = t.order[i], best = 0;
            for (size_t f = 1; f < folds; f++)
                if (crowd(&t, g, f) < crowd(&t, g, best))
                    best = f;
            part[g] = best;
            take(&t, g, best);
        }
        for (size_t i = 0; i < c->n; i++)
            fold[i] = part[c->group[i]];
    }
    free(part);
    tally_free(&t);
    return rc;
}

int split_leak(const struct split_clips *c, const bool *side, const bool *skip, size_t *a, size_t *b, size_t *count)
{
    size_t *first = malloc((c->n_groups + 1) * sizeof *first), found = 0;

    if (!first)
        return -1;
    for (size_t g = 0; g < c->n_groups; g++)
        first[g] = SIZE_MAX;
    for (size_t i = c->n; i-- > 0;)
        if (!(skip && skip[i]) && !side[i])
            first[c->group[i]] = i;
    for (size_t i = 0; i < c->n; i++) {
        if ((skip && skip[i]) || !side[i] || first[c->group[i]] == SIZE_MAX)
            continue;
        if (found++ == 0) {
            *a = first[c->group[i]];
            *b = i;
        }
    }
    free(first);
    *count = found;
    return found > 0;
}
