#include "evaluate/clipreport.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

/* A clip and what it is sorted by. */
struct key {
    const char *dataset, *fold; /* "" where there is no such column */
    size_t clip;
};

/* Numbers in their order and before other texts, these by their bytes. */
static int compare_text(const char *a, const char *b)
{
    const char *a_end, *b_end;
    double x = 0, y = 0;
    bool a_number = text_number(a, &x, &a_end) && !*a_end, b_number = text_number(b, &y, &b_end) && !*b_end;

    if (a_number != b_number)
        return a_number ? -1 : 1;
    if (a_number && x != y)
        return x < y ? -1 : 1;
    return strcmp(a, b);
}

static int by_key(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    int order = compare_text(x->dataset, y->dataset);

    if (!order)
        order = compare_text(x->fold, y->fold);
    return order ? order : (x->clip > y->clip) - (x->clip < y->clip);
}

static size_t same_until(const struct key *keys, size_t from, size_t n, bool fold)
{
    size_t i = from + 1;

    while (i < n && strcmp(keys[i].dataset, keys[from].dataset) == 0 &&
           (!fold || strcmp(keys[i].fold, keys[from].fold) == 0))
        i++;
    return i;
}

/* What group_all works on. */
struct grouping {
    struct clipreport *report;
    const struct key *keys; /* sorted */
    size_t *order;          /* their clips */
    bool *own;
    bool by_dataset, by_fold;
};

static struct clip_group make_group(const struct grouping *g, size_t from, size_t to, bool fold)
{
    struct clip_choice which = {g->order + from, to - from};
    struct clip_group group = {.dataset = g->by_dataset ? g->keys[from].dataset : NULL,
                               .fold = fold ? g->keys[from].fold : NULL};

    for (size_t i = 0; i < g->report->set->n_labels; i++)
        group.n_own += g->own[i];
    clipscore_figures(g->report->set, which, g->own, &group.figures);
    return group;
}

/* The groups arrays have room for as many as there are clips. */
static void group_all(const struct grouping *g)
{
    struct clipreport *r = g->report;
    size_t n = r->set->n;

    for (size_t i = 0; i < n;) {
        size_t end = same_until(g->keys, i, n, false);
        clipscore_own_labels(r->set, (struct clip_choice){g->order + i, end - i}, g->own);
        if (g->by_dataset)
            r->datasets[r->n_datasets++] = make_group(g, i, end, false);
        for (size_t f = i; g->by_fold && f < end;) {
            size_t fold_end = same_until(g->keys, f, end, true);
            r->folds[r->n_folds++] = make_group(g, f, fold_end, true);
            f = fold_end;
        }
        i = end;
    }
}

int clipreport_init(struct clipreport *r, const struct clipset *set, const struct clip *clips)
{
    size_t n = set->n;
    struct key *keys = calloc(n + 1, sizeof *keys);
    struct grouping g = {.report = r,
                         .keys = keys,
                         .order = calloc(n + 1, sizeof *g.order),
                         .own = calloc(set->n_labels, sizeof *g.own),
                         .by_dataset = n && clips[0].dataset,
                         .by_fold = n && clips[0].fold};
    int rc = -1;

    *r = (struct clipreport){.set = set,
                             .classes = calloc(set->n_labels, sizeof *r->classes),
                             .datasets = calloc(n + 1, sizeof *r->datasets),
                             .folds = calloc(n + 1, sizeof *r->folds)};
    if (!keys || !g.order || !g.own || !r->classes || !r->datasets || !r->folds ||
        clipscore_classes(set, r->classes) < 0)
        goto done;
    r->n_own = clipscore_own_labels(set, (struct clip_choice){NULL, n}, g.own);
    clipscore_figures(set, (struct clip_choice){NULL, n}, g.own, &r->all);
    if (confusion_init(&r->confusion, set) < 0)
        goto done;
    reliability_of(set, &r->reliability);
    clipscore_macro(r->classes, set->n_labels, &r->macro);
    for (size_t i = 0; i < n; i++)
        keys[i] = (struct key){clips[i].dataset ? clips[i].dataset : "", clips[i].fold ? clips[i].fold : "", i};
    qsort(keys, n, sizeof *keys, by_key);
    for (size_t i = 0; i < n; i++)
        g.order[i] = keys[i].clip;
    group_all(&g);
    rc = 0;

done:
    free(keys);
    free(g.order);
    free(g.own);
    if (rc < 0)
        clipreport_free(r);
    return rc;
}

void clipreport_free(struct clipreport *r)
{
    confusion_free(&r->confusion);
    free(r->classes);
    free(r->datasets);
    free(r->folds);
    *r = (struct clipreport){0};
}
