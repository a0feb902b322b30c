/* Gathers what `earshot history plot` shows. */
#include "daemon/history/plot.h"
#include "base/outfile.h"
#include "base/when.h"
#include "daemon/cmd.h"
#include "daemon/history/history.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WEEK_MS (INT64_C(3600000) * 24 * 7)

/* Without --since a week, or less where there is less. */
static void choose_range(const struct history_request *q, sqlite3 *db, struct plot *p)
{
    int64_t first = INT64_MAX, level = INT64_MAX, last;
    struct store_filter f = q->filter;

    p->end_ms = q->until_given ? q->filter.until_ms : q->now_ms;
    p->begin_ms = q->since_given ? q->filter.since_ms : p->end_ms - WEEK_MS;
    if (q->since_given)
        return;
    f.since_ms = p->begin_ms;
    f.until_ms = p->end_ms;
    if (!history_span(db, &f, &first, &last))
        first = INT64_MAX;
    if (!history_level_span(db, p->begin_ms, p->end_ms, &level, &last))
        level = INT64_MAX;
    first = level < first ? level : first;
    if (first != INT64_MAX && first > p->begin_ms)
        p->begin_ms = when_hour_of(first).begin_ms;
}

static int choose_labels(sqlite3 *db, const struct store_filter *f, struct plot *p, struct err *err)
{
    struct history_label *all = NULL;
    size_t n;
    int rc = history_labels(db, f, &all, &n, err);

    for (size_t i = 0; rc == 0 && i < n; i++) {
        p->events += all[i].count;
        if (p->n_labels < PLOT_LABELS)
            snprintf(p->labels[p->n_labels++], sizeof p->labels[0], "%s", all[i].label);
    }
    free(all);
    return rc;
}

struct hours {
    struct plot *p;
    struct when_range hour; /* the latest event's, so that local time is asked once an hour */
    int number;
};

static void add_event(void *ctx, int64_t start_ms, const char *label)
{
    struct hours *h = ctx;
    size_t i = 0;

    if (start_ms < h->hour.begin_ms || start_ms >= h->hour.end_ms) {
        h->hour = when_hour_of(start_ms);
        h->number = when_hour_number(start_ms);
    }
    while (i < h->p->n_labels && strcmp(h->p->labels[i], label) != 0)
        i++;
    h->p->hours[i][h->number]++;
    h->p->count[i]++;
}

static void see_level(void *ctx, const struct store_level *l)
{
    struct plot *p = ctx;
    double at = (double)(l->time_ms - p->begin_ms) - l->interval_s * 500; /* its middle */
    double bin = floor(at / (double)(p->end_ms - p->begin_ms) * PLOT_BINS);

    p->rows++;
    if (l->calibrated != p->calibrated || !isfinite(l->laeq)) {
        p->left_out += l->calibrated != p->calibrated;
        return;
    }
    struct plot_bin *b = &p->bins[(int)fmin(fmax(bin, 0), PLOT_BINS - 1)];
    if (b->seconds <= 0)
        b->loudest = -INFINITY;
    b->seconds += l->interval_s;
    b->power += l->interval_s * pow(10, (double)l->laeq / 10);
    b->longest_s = fmax(b->longest_s, l->interval_s);
    if (isfinite(l->lafmax))
        b->loudest = fmax(b->loudest, (double)l->lafmax);
    if (isfinite(l->l90)) {
        b->quiet_sum += (double)l->l90;
        b->quiet_n++;
    }
}

static void see_newest(void *ctx, const struct store_level *l)
{
    *(bool *)ctx = l->calibrated;
}

static int gather_levels(struct store_reader *r, struct plot *p, struct err *err)
{
    struct history_level_walk newest = {.reader = r, .since_ms = p->begin_ms, .until_ms = p->end_ms, .limit = 1};
    struct history_level_walk all = {.reader = r, .since_ms = p->begin_ms, .until_ms = p->end_ms};
    int64_t n;

    if (history_level_page(&newest, see_newest, &p->calibrated, err) < 0)
        return -1;
    while ((n = history_level_page(&all, see_level, p, err)) > 0)
        ;
    return (int)n;
}

static int gather(const struct history_request *q, struct store_reader *r, struct plot *p, struct err *err)
{
    sqlite3 *db = store_read_db(r);
    struct store_filter f = q->filter;
    struct hours h = {.p = p, .hour = {1, 0}};

    choose_range(q, db, p);
    f.since_ms = p->begin_ms;
    f.until_ms = p->end_ms;
    if (p->begin_ms >= p->end_ms)
        return err_set(err, "plot: nothing lies between --since and --until");
    if (choose_labels(db, &f, p, err) < 0 || history_starts(db, &f, add_event, &h, err) < 0)
        return -1;
    return gather_levels(r, p, err);
}

int history_plot(const struct history_request *q)
{
    struct store_reader *r = history_open(q);
    struct plot *p = calloc(1, sizeof *p);
    struct outfile o;
    struct err err;
    int rc = -1;

    if (!p)
        err_set(&err, "no memory");
    else if (r)
        rc = gather(q, r, p, &err);
    store_read_close(r);
    if (!r) {
        free(p);
        return EXIT_FAILED;
    }
    if (rc == 0 && !q->out)
        plot_draw(stdout, p);
    else if (rc == 0 && (rc = outfile_open(&o, q->out, &err)) == 0) {
        plot_draw(o.f, p);
        rc = outfile_finish(&o, &err);
    }
    free(p);
    return rc < 0 ? cmd_fail(EXIT_FAILED, "history", "%s", err.text) : EXIT_GOOD;
}
