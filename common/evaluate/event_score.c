#include "evaluate/event_score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double sed_precision(const struct sed_count *c)
{
    return c->det ? (double)c->hits / (double)c->det : NAN;
}

double sed_recall(const struct sed_count *c)
{
    return c->ref ? (double)c->hits / (double)c->ref : NAN;
}

double sed_f1(const struct sed_count *c)
{
    return c->ref + c->det ? 2.0 * (double)c->hits / (double)(c->ref + c->det) : NAN;
}

double sed_error_rate(const struct sed_count *c)
{
    return c->ref ? (double)(c->substitutions + c->deletions + c->insertions) / (double)c->ref : NAN;
}

double sed_macro(const struct sed_count *classes, size_t n, double (*figure)(const struct sed_count *))
{
    double sum = 0;
    size_t counted = 0;

    for (size_t i = 0; i < n; i++) {
        if (classes[i].ref == 0)
            continue;
        double x = figure(&classes[i]);
        sum += isnan(x) ? 0 : x;
        counted++;
    }
    return counted ? sum / (double)counted : NAN;
}

/* The sounds of one stream that found no partner in their own class. */
struct leftovers {
    struct timed *ref, *det;
    size_t n_ref, n_det;
    size_t *partner;
    bool *used; /* [heard sounds of the class at hand] */
};

static int leftovers_new(struct leftovers *l, size_t n_ref, size_t n_det)
{
    *l = (struct leftovers){.ref = calloc(n_ref + 1, sizeof *l->ref),
                            .det = calloc(n_det + 1, sizeof *l->det),
                            .partner = calloc(n_ref + 1, sizeof *l->partner),
                            .used = calloc(n_det + 1, sizeof *l->used)};
    return l->ref && l->det && l->partner && l->used ? 0 : -1;
}

static void leftovers_free(struct leftovers *l)
{
    free(l->ref);
    free(l->det);
    free(l->partner);
    free(l->used);
}

/* Matches one class and puts aside what is left of it. */
static int score_class(struct leftovers *l, const struct match_rule *rule, const struct timed *ref, size_t n_ref,
                       const struct timed *det, size_t n_det, struct sed_count *c)
{
    long hits = event_match(rule, ref, n_ref, det, n_det, l->partner);

    if (hits < 0)
        return -1;
    memset(l->used, 0, n_det * sizeof *l->used);
    for (size_t i = 0; i < n_ref; i++)
        if (l->partner[i] == MATCH_NONE)
            l->ref[l->n_ref++] = ref[i];
        else
            l->used[l->partner[i]] = true;
    for (size_t i = 0; i < n_det; i++)
        if (!l->used[i])
            l->det[l->n_det++] = det[i];
    *c = (struct sed_count){.ref = n_ref,
                            .det = n_det,
                            .hits = (uint64_t)hits,
                            .deletions = n_ref - (uint64_t)hits,
                            .insertions = n_det - (uint64_t)hits};
    return 0;
}

static void add(struct sed_count *to, const struct sed_count *c)
{
    to->ref += c->ref;
    to->det += c->det;
    to->hits += c->hits;
    to->deletions += c->deletions;
    to->insertions += c->insertions;
}

int event_score_add(const struct match_rule *rule, const struct timed_list *ref, const struct timed_list *det,
                    size_t n_labels, struct sed_count *classes, struct sed_count *all, struct err *err)
{
    struct leftovers l;
    int rc = leftovers_new(&l, ref->n, det->n);

    for (unsigned i = 0; rc == 0 && i < n_labels; i++) {
        struct sed_count c = {0};
        size_t n_ref, n_det;
        const struct timed *r = timed_of(ref, i, &n_ref), *d = timed_of(det, i, &n_det);
        rc = n_ref + n_det > 0 ? score_class(&l, rule, r, n_ref, d, n_det, &c) : 0;
        add(&classes[i], &c);
        add(all, &c);
    }
    if (rc == 0) {
        timed_sort_onset(l.ref, l.n_ref);
        timed_sort_onset(l.det, l.n_det);
        long swapped = event_match(rule, l.ref, l.n_ref, l.det, l.n_det, l.partner);
        rc = swapped < 0 ? -1 : 0;
        uint64_t n = swapped > 0 ? (uint64_t)swapped : 0;
        all->substitutions += n;
        all->deletions -= n;
        all->insertions -= n;
    }
    leftovers_free(&l);
    return rc < 0 ? err_set(err, "no memory to compare %zu with %zu sounds", ref->n, det->n) : 0;
}
