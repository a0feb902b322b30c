#include "daemon/train/plan_private.h"

#include "train/group.h"
#include "train/split.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int no_memory(struct err *err)
{
    return err_set(err, "no memory");
}

static unsigned char *round_of(struct train_plan *plan, size_t round)
{
    return plan->part + round * plan->n_clips;
}

/* --- recordings --- */

static int find_groups(struct draft *d, const uint64_t *content)
{
    const struct train_list *l = d->list;
    const char **key = calloc(l->n, sizeof *key);

    if (!key)
        return -1;
    for (size_t i = 0; i < l->n; i++) {
        key[i] = l->clip[i].key;
        d->label[i] = (unsigned)l->clip[i].label;
        d->own[i] = i;
    }
    long n = group_clips(key, content, l->n, d->group);
    free(key);
    d->plan->n_groups = n < 0 ? 0 : (size_t)n;
    d->clips = (struct split_clips){l->n, l->n_labels, d->plan->n_groups, d->label, d->group};
    d->units = d->clips;
    if (d->p->leaks == LEAKS_ALLOWED) {
        d->units.group = d->own;
        d->units.n_groups = l->n;
    }
    return n < 0 ? -1 : 0;
}

struct sound_of {
    uint64_t content;
    size_t clip;
};

static int by_content(const void *a, const void *b)
{
    const struct sound_of *x = a, *y = b;

    return x->content != y->content ? (x->content > y->content) - (x->content < y->content)
                                    : (x->clip > y->clip) - (x->clip < y->clip);
}

/* No net can learn both: said with a pair that shows it. */
static int look_for_contradictions(const struct draft *d, const uint64_t *content)
{
    const struct train_clip *clip = d->list->clip;
    struct sound_of *s = malloc((d->list->n + 1) * sizeof *s);
    size_t n = d->list->n, first = 0, found = 0, x = 0, y = 0;

    if (!s)
        return -1;
    for (size_t i = 0; i < n; i++)
        s[i] = (struct sound_of){content[i], i};
    qsort(s, n, sizeof *s, by_content);
    for (size_t i = 1; i < n; i++) {
        if (s[i].content != s[first].content)
            first = i;
        if (s[i].content == 0 || clip[s[i].clip].label == clip[s[first].clip].label)
            continue;
        if (!found++) {
            x = s[first].clip;
            y = s[i].clip;
        }
    }
    if (found && !d->p->quiet)
        train_say("%.300s and %.300s are the same sound under two labels%s; earshot dataset check names all of them",
                  clip[x].name, clip[y].name, found > 1 ? ", and not the only ones" : "");
    free(s);
    return 0;
}

/* Labels that are one recording (or, where leaks are allowed, one clip): nobody can tell whether they would be known again. */
static int fix_lonely(struct draft *d)
{
    size_t units = d->units.n_groups, labels = d->clips.n_labels;
    size_t *first = malloc(labels * sizeof *first);
    bool *several = calloc(labels, sizeof *several), *tied = calloc(units + 1, sizeof *tied);

    for (size_t k = 0; first && k < labels; k++)
        first[k] = SIZE_MAX;
    for (size_t i = 0; first && several && i < d->clips.n; i++) {
        unsigned k = d->label[i];
        several[k] |= first[k] != SIZE_MAX && first[k] != d->units.group[i];
        first[k] = d->units.group[i];
    }
    for (size_t k = 0; first && several && tied && k < labels; k++)
        if (!several[k]) {
            tied[first[k]] = true;
            if (!d->p->quiet && (d->p->test > 0 || d->p->folds || d->p->test_folds))
                train_say("%s: there is one recording of it: it is learned, but cannot be measured", d->list->label[k]);
        }
    for (size_t i = 0; tied && i < d->clips.n; i++)
        d->fixed[i] = tied[d->units.group[i]];
    int rc = first && several && tied ? 0 : -1;
    free(first);
    free(several);
    free(tied);
    return rc;
}

/* --- a round --- */

static int refuse(const struct draft *d, size_t a, size_t b, size_t count, struct err *err)
{
    const struct train_clip *x = &d->list->clip[a], *y = &d->list->clip[b];
    bool same = x->key && y->key && strcmp(x->key, y->key) == 0;

    return err_set(
        err,
        "a leak: %.200s (trained on) and %.200s (measured on) are %s%.100s; so are %zu of the clips measured on. "
        "--drop-leaks leaves out what was to be trained on, --allow-leaks shows what would be claimed",
        x->name, y->name, same ? "parts of one recording, " : "of one recording, or the same sound", same ? x->key : "",
        count);
}

/* Marks as PART_OUT what is to be trained on and of a recording that is measured on. */
static int drop_leaks(struct draft *d, unsigned char *part)
{
    bool *measured = calloc(d->clips.n_groups + 1, sizeof *measured);

    if (!measured)
        return -1;
    for (size_t i = 0; i < d->clips.n; i++)
        measured[d->group[i]] |= part[i] == PART_TEST;
    for (size_t i = 0; i < d->clips.n; i++)
        if (part[i] == PART_TRAIN && measured[d->group[i]]) {
            part[i] = PART_OUT;
            d->plan->dropped++;
        }
    free(measured);
    return 0;
}

/* The parts, once d->side says who is measured. */
static int make_round(struct draft *d, size_t round, struct random *r, struct err *err)
{
    unsigned char *part = round_of(d->plan, round);
    size_t a = 0, b = 0, leaks = 0, n = d->clips.n;

    for (size_t i = 0; i < n; i++)
        d->side[i] &= !d->fixed[i];
    int rc = split_leak(&d->clips, d->side, NULL, &a, &b, &leaks);
    if (rc < 0)
        return no_memory(err);
    if (rc == 1 && d->p->leaks == LEAKS_REFUSED)
        return refuse(d, a, b, leaks, err);
    for (size_t i = 0; i < n; i++) {
        part[i] = d->side[i] ? PART_TEST : PART_TRAIN;
        d->plan->tested += d->side[i];
    }
    if (d->p->leaks == LEAKS_DROPPED && drop_leaks(d, part) < 0)
        return no_memory(err);
    d->plan->leaks += d->p->leaks == LEAKS_ALLOWED ? leaks : 0;
    for (size_t i = 0; i < n; i++)
        d->from[i] = part[i] == PART_TRAIN;
    if (split_share(&d->units, d->from, d->p->check, r, d->chosen) < 0)
        return no_memory(err);
    for (size_t i = 0; i < n; i++)
        part[i] = d->chosen[i] ? PART_CHECK : part[i];
    return 0;
}

/* Is there something to be told apart? */
static int check_round(const struct draft *d, size_t round, struct err *err)
{
    const unsigned char *part = round_of(d->plan, round);
    size_t first = SIZE_MAX;

    for (size_t i = 0; i < d->clips.n; i++) {
        if (part[i] != PART_TRAIN)
            continue;
        if (first != SIZE_MAX && d->label[i] != d->label[first])
            return 0;
        first = i;
    }
    return err_set(err,
                   "too few recordings: no two labels are left to train on; --test and --check say what is kept apart");
}

static int make_single(struct draft *d, struct random *r, struct err *err)
{
    if (d->p->test_folds) {
        int rc = plan_folds_named(d, d->p->test_folds, err);
        if (rc < 0)
            return rc;
    } else if (split_share(&d->units, NULL, d->p->test, r, d->side) < 0) {
        return no_memory(err);
    }
    return make_round(d, 0, r, err) < 0 ? -1 : check_round(d, 0, err);
}

static int make_cross(struct draft *d, struct random *r, struct err *err)
{
    for (size_t f = 0; f < d->n_folds; f++) {
        for (size_t i = 0; i < d->clips.n; i++)
            d->side[i] = d->fold[i] == f;
        if (make_round(d, f, r, err) < 0 || check_round(d, f, err) < 0)
            return -1;
    }
    memset(d->side, 0, d->clips.n * sizeof *d->side);
    return make_round(d, d->n_folds, r, err) < 0 ? -1 : check_round(d, d->n_folds, err);
}

static int allocate(struct draft *d)
{
    size_t n = d->list->n;

    d->label = calloc(n, sizeof *d->label);
    d->group = calloc(n, sizeof *d->group);
    d->own = calloc(n, sizeof *d->own);
    d->fold = calloc(n, sizeof *d->fold);
    d->fixed = calloc(n, sizeof *d->fixed);
    d->side = calloc(n, sizeof *d->side);
    d->from = calloc(n, sizeof *d->from);
    d->chosen = calloc(n, sizeof *d->chosen);
    d->plan->fold = calloc(n, sizeof *d->plan->fold);
    return d->label && d->group && d->own && d->fold && d->fixed && d->side && d->from && d->chosen && d->plan->fold
               ? 0
               : -1;
}

static int make(struct draft *d, const uint64_t *content, struct err *err)
{
    struct train_plan *plan = d->plan;
    struct random r;

    random_seed(&r, d->p->seed, UINT64_MAX); /* another stream than the epochs' */
    if (allocate(d) < 0 || find_groups(d, content) < 0 || look_for_contradictions(d, content) < 0 || fix_lonely(d) < 0)
        return no_memory(err);
    plan->cross = d->p->folds != NULL;
    int rc = plan->cross ? plan_folds(d, &r, err) : 0;
    if (rc < 0)
        return rc;
    plan->rounds = plan->cross ? d->n_folds + 1 : 1;
    plan->part = calloc(plan->rounds * plan->n_clips, 1);
    if (!plan->part)
        return no_memory(err);
    return plan->cross ? make_cross(d, &r, err) : make_single(d, &r, err);
}

int train_plan_make(struct train_plan *plan, const struct train_list *list, const uint64_t *content,
                    const struct plan_params *p, struct err *err)
{
    struct draft d = {.list = list, .p = p, .plan = plan};

    *plan = (struct train_plan){.n_clips = list->n};
    int rc = make(&d, content, err);
    free(d.label);
    free(d.group);
    free(d.own);
    free(d.fold);
    free(d.fixed);
    free(d.side);
    free(d.from);
    free(d.chosen);
    if (rc < 0)
        train_plan_free(plan);
    return rc;
}

void train_plan_free(struct train_plan *plan)
{
    for (size_t i = 0; plan->fold && i < plan->n_clips; i++)
        free(plan->fold[i]);
    free(plan->fold);
    free(plan->part);
    *plan = (struct train_plan){0};
}
