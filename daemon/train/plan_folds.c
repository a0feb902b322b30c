#include "daemon/train/plan_private.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FOLDS_MAX = 100 };

static bool in_list(const char *list, const char *value)
{
    size_t n = strlen(value);

    for (const char *at = list; *at;) {
        size_t length = strcspn(at, ",");
        if (length == n && strncmp(at, value, n) == 0)
            return true;
        at += length + (at[length] == ',');
    }
    return false;
}

/* Numbers in their order, "10" behind "9". */
static int by_fold(const void *a, const void *b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    size_t m = strlen(x), n = strlen(y);

    return m != n ? (m > n) - (m < n) : strcmp(x, y);
}

/* The folds that the column has. */
static int folds_by_column(struct draft *d, struct err *err)
{
    const struct train_list *l = d->list;
    const char **names = calloc(l->n, sizeof *names);
    size_t n = 0;

    for (size_t i = 0; names && i < l->n; i++) {
        if (!l->clip[i].fold || !*l->clip[i].fold) {
            free(names);
            err_set(err, "--folds fold: %.300s is of no fold: the list needs a column fold", l->clip[i].name);
            return TRAIN_USAGE;
        }
        names[i] = l->clip[i].fold;
    }
    if (!names)
        return err_set(err, "no memory");
    qsort(names, l->n, sizeof *names, by_fold);
    for (size_t i = 0; i < l->n; i++)
        if (i == 0 || strcmp(names[n - 1], names[i]) != 0)
            names[n++] = names[i];
    for (size_t i = 0; i < l->n; i++)
        for (d->fold[i] = 0; strcmp(names[d->fold[i]], l->clip[i].fold) != 0;)
            d->fold[i]++;
    d->n_folds = n;
    for (size_t i = 0; i < l->n; i++)
        d->plan->fold[i] = strdup(l->clip[i].fold);
    free(names);
    return n < 2 || n > FOLDS_MAX
               ? err_set(err, "--folds fold: there are %zu folds, 2 to %d are possible", n, FOLDS_MAX)
               : 0;
}

/* Recordings that can be measured: folds are dealt whole ones. No memory: 0. */
static size_t measurable(const struct draft *d)
{
    bool *seen = calloc(d->units.n_groups + 1, sizeof *seen);
    size_t n = 0;

    for (size_t i = 0; seen && i < d->clips.n; i++)
        if (!d->fixed[i] && !seen[d->units.group[i]]) {
            seen[d->units.group[i]] = true;
            n++;
        }
    free(seen);
    return n;
}

/* Has each fold something to measure? */
static bool all_filled(const struct draft *d)
{
    bool filled[FOLDS_MAX] = {false};
    size_t n = 0;

    for (size_t i = 0; i < d->clips.n; i++)
        if (!d->fixed[i] && !filled[d->fold[i]]) {
            filled[d->fold[i]] = true;
            n++;
        }
    return n == d->n_folds;
}

static int deal_folds(struct draft *d, long n, struct random *r, struct err *err)
{
    char name[16];

    if (split_folds(&d->units, (size_t)n, r, d->fold) < 0)
        return err_set(err, "no memory");
    d->n_folds = (size_t)n;
    if (!all_filled(d)) {
        err_set(err, "--folds %ld: some would have nothing to measure, for some labels are one recording; fewer do", n);
        return TRAIN_USAGE;
    }
    for (size_t i = 0; i < d->clips.n; i++) {
        snprintf(name, sizeof name, "%zu", d->fold[i] + 1);
        d->plan->fold[i] = strdup(name);
    }
    return 0;
}

int plan_folds(struct draft *d, struct random *r, struct err *err)
{
    const char *text = d->p->folds, *end;
    size_t there = measurable(d), most = there < FOLDS_MAX ? there : FOLDS_MAX;
    long n;

    if (strcmp(text, "fold") == 0)
        return folds_by_column(d, err);
    if (text_int(text, &n, &end) && !*end && n >= 2 && n <= (long)most)
        return deal_folds(d, n, r, err);
    if (most < 2)
        err_set(err, "--folds %.60s: there is one recording that could be measured, and folds are whole recordings",
                text);
    else
        err_set(err, "--folds %.60s: allowed are a number from 2 to %zu%s, or fold, the column", text, most,
                there < FOLDS_MAX ? " (folds are whole recordings, and there are no more that could be measured)" : "");
    return TRAIN_USAGE;
}

static int fold_is_there(const struct draft *d, const char *folds, struct err *err)
{
    char one[64];

    for (const char *at = folds; *at;) {
        size_t n = strcspn(at, ","), i = 0;
        snprintf(one, sizeof one, "%.*s", (int)(n < sizeof one ? n : sizeof one - 1), at);
        while (i < d->list->n && !(d->list->clip[i].fold && strcmp(d->list->clip[i].fold, one) == 0))
            i++;
        if (i == d->list->n) {
            err_set(err, "--test-folds: no clip is of fold '%s'", one);
            return TRAIN_USAGE;
        }
        at += n + (at[n] == ',');
    }
    return 0;
}

int plan_folds_named(struct draft *d, const char *names, struct err *err)
{
    int rc = fold_is_there(d, names, err);

    for (size_t i = 0; rc == 0 && i < d->clips.n; i++)
        d->side[i] = d->list->clip[i].fold && in_list(names, d->list->clip[i].fold);
    return rc;
}
