#include "evaluate/outcomes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int outcomes_new(struct outcomes *h, size_t n_labels)
{
    *h = (struct outcomes){.n_labels = n_labels, .told = calloc(n_labels + 1, sizeof *h->told)};
    return h->told ? 0 : -1;
}

void outcomes_free(struct outcomes *h)
{
    free(h->outcome);
    free(h->told);
    *h = (struct outcomes){0};
}

void outcomes_clear(struct outcomes *h)
{
    h->n = 0;
    memset(h->told, 0, h->n_labels * sizeof *h->told);
}

static int make_room(struct outcomes *h, size_t n)
{
    if (h->n + n <= h->room)
        return 0;
    size_t room = 2 * (h->n + n);
    struct outcome *more = realloc(h->outcome, room * sizeof *more);
    if (!more)
        return -1;
    h->outcome = more;
    h->room = room;
    return 0;
}

/* Working memory for the sounds of one class. */
struct scratch {
    size_t *partner;
    struct heard *heard;
};

static int add_class(struct outcomes *h, struct scratch *s, const struct match_rule *rule, const struct timed *ref,
                     size_t n_ref, const struct timed *det, size_t n_det)
{
    long hits = event_match(rule, ref, n_ref, det, n_det, s->partner);

    if (hits < 0)
        return -1;
    struct told_count *t = &h->told[n_ref ? ref->label : det->label];
    t->told += n_det;
    t->unmatched += n_det - (uint64_t)hits;
    t->false_alarms += heard_find(ref, n_ref, det, n_det, rule->collar, s->heard, NULL);
    return 0;
}

int outcomes_add(struct outcomes *h, const struct match_rule *rule, const struct timed_list *ref,
                 const struct timed_list *det, int (*bin)(const void *ctx, float snr), const void *ctx)
{
    struct scratch s = {.partner = calloc(ref->n + 1, sizeof *s.partner), .heard = calloc(ref->n + 1, sizeof *s.heard)};
    int rc = s.partner && s.heard ? make_room(h, ref->n) : -1;

    for (unsigned i = 0; rc == 0 && i < h->n_labels; i++) {
        size_t n_ref, n_det;
        const struct timed *r = timed_of(ref, i, &n_ref), *d = timed_of(det, i, &n_det);
        if (n_ref + n_det == 0)
            continue;
        rc = add_class(h, &s, rule, r, n_ref, d, n_det);
        for (size_t k = 0; rc == 0 && k < n_ref; k++)
            h->outcome[h->n++] = (struct outcome){.label = i,
                                                  .snr = bin(ctx, r[k].snr),
                                                  .listened = r[k].listened,
                                                  .hit = s.partner[k] != MATCH_NONE,
                                                  .told = s.heard[k]};
    }
    free(s.partner);
    free(s.heard);
    return rc;
}

int outcomes_merge(struct outcomes *to, const struct outcomes *from)
{
    if (make_room(to, from->n) < 0)
        return -1;
    for (size_t i = 0; i < from->n; i++)
        to->outcome[to->n++] = from->outcome[i];
    for (size_t i = 0; i < from->n_labels; i++) {
        to->told[i].told += from->told[i].told;
        to->told[i].false_alarms += from->told[i].false_alarms;
        to->told[i].unmatched += from->told[i].unmatched;
    }
    return 0;
}

static int by_size(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

/* Of sorted values, by linear interpolation between the two nearest ranks. */
static double quantile(const double *x, size_t n, double q)
{
    if (n == 0)
        return NAN;
    double at = q * (double)(n - 1);
    size_t below = (size_t)at, above = below + 1 < n ? below + 1 : below;
    return x[below] + (at - (double)below) * (x[above] - x[below]);
}

int outcomes_figures(const struct outcomes *h, const bool *member, int snr, double soon_s, struct outcome_figures *out)
{
    double *delay = calloc(2 * h->n + 2, sizeof *delay), *start = delay ? delay + h->n : NULL;
    size_t n = 0;

    *out = (struct outcome_figures){0};
    if (!delay)
        return -1;
    for (size_t i = 0; i < h->n; i++) {
        const struct outcome *o = &h->outcome[i];
        if ((member && !member[o->label]) || (snr >= 0 && o->snr != snr))
            continue;
        out->events++;
        out->listened += o->listened;
        out->hits += o->hit;
        out->heard += o->told.heard;
        out->under_way += o->told.under_way;
        if (!o->told.heard)
            continue;
        out->soon += o->told.delay_s <= soon_s + MATCH_SLACK_S;
        delay[n] = o->told.delay_s;
        start[n++] = o->told.start_error;
    }
    if (n > 1) {
        qsort(delay, n, sizeof *delay, by_size);
        qsort(start, n, sizeof *start, by_size);
    }
    out->delay_median = quantile(delay, n, 0.5);
    out->delay_p90 = quantile(delay, n, 0.9);
    out->start_median = quantile(start, n, 0.5);
    for (size_t i = 0; i < n; i++)
        start[i] = fabs(start[i]);
    if (n > 1)
        qsort(start, n, sizeof *start, by_size);
    out->start_abs_p90 = quantile(start, n, 0.9);
    free(delay);
    return 0;
}

struct told_count outcomes_told(const struct outcomes *h, const bool *member)
{
    struct told_count sum = {0};

    for (size_t i = 0; i < h->n_labels; i++) {
        if (member && !member[i])
            continue;
        sum.told += h->told[i].told;
        sum.false_alarms += h->told[i].false_alarms;
        sum.unmatched += h->told[i].unmatched;
    }
    return sum;
}

static int rounded(const struct snr_list *s, float snr)
{
    return s->coarse ? (int)fminf(fmaxf(5 * roundf(snr / 5), -15), 40) : (int)fminf(fmaxf(roundf(snr), -200), 200);
}

/* false: there is no room for one more. */
static bool insert(struct snr_list *s, int db)
{
    size_t at = 0;

    while (at < s->n && s->db[at] < db)
        at++;
    if (at < s->n && s->db[at] == db)
        return true;
    if (s->n == SNR_MAX)
        return false;
    for (size_t k = s->n++; k > at; k--)
        s->db[k] = s->db[k - 1];
    s->db[at] = db;
    return true;
}

static void make_coarse(struct snr_list *s)
{
    struct snr_list old = *s;

    *s = (struct snr_list){.coarse = true};
    for (size_t i = 0; i < old.n; i++)
        insert(s, rounded(s, (float)old.db[i]));
}

void snr_list_add(struct snr_list *s, const struct timed_list *ref)
{
    for (size_t i = 0; i < ref->n; i++) {
        float snr = ref->item[i].snr;
        if (isnan(snr) || insert(s, rounded(s, snr)))
            continue;
        make_coarse(s);
        insert(s, rounded(s, snr));
    }
}

int snr_list_find(const void *snr_list, float snr)
{
    const struct snr_list *s = snr_list;

    if (isnan(snr))
        return -1;
    int db = rounded(s, snr);
    for (size_t i = 0; i < s->n; i++)
        if (s->db[i] == db)
            return (int)i;
    return -1;
}
