#include "evaluate/sweep.h"

#include <math.h>
#include <stdlib.h>

const double *sweep_thresholds(size_t *n)
{
    static const double thresholds[] = {
        0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.10,  0.11,  0.12, 0.13, 0.14, 0.15,
        0.16,  0.17,  0.18,  0.19, 0.20, 0.21, 0.22, 0.23, 0.24, 0.25, 0.26, 0.27, 0.28,  0.29,  0.30, 0.31, 0.32, 0.33,
        0.34,  0.35,  0.36,  0.37, 0.38, 0.39, 0.40, 0.41, 0.42, 0.43, 0.44, 0.45, 0.46,  0.47,  0.48, 0.49, 0.50, 0.51,
        0.52,  0.53,  0.54,  0.55, 0.56, 0.57, 0.58, 0.59, 0.60, 0.61, 0.62, 0.63, 0.64,  0.65,  0.66, 0.67, 0.68, 0.69,
        0.70,  0.71,  0.72,  0.73, 0.74, 0.75, 0.76, 0.77, 0.78, 0.79, 0.80, 0.81, 0.82,  0.83,  0.84, 0.85, 0.86, 0.87,
        0.88,  0.89,  0.90,  0.91, 0.92, 0.93, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999};

    *n = sizeof thresholds / sizeof *thresholds;
    return thresholds;
}

int sweep_new(struct sweep *s, size_t n_labels)
{
    *s = (struct sweep){.n_labels = n_labels};
    s->thresholds = sweep_thresholds(&s->n_thresholds);
    s->point = calloc(s->n_thresholds * n_labels + 1, sizeof *s->point);
    s->events = calloc(n_labels + 1, sizeof *s->events);
    if (s->point && s->events)
        return 0;
    sweep_free(s);
    return -1;
}

void sweep_free(struct sweep *s)
{
    free(s->point);
    free(s->events);
    *s = (struct sweep){0};
}

void sweep_add(struct sweep *s, size_t threshold, const struct outcomes *h, double soon_s)
{
    struct sweep_point *row = s->point + threshold * s->n_labels;

    for (size_t i = 0; i < h->n; i++) {
        const struct outcome *o = &h->outcome[i];
        struct sweep_point *p = &row[o->label];
        p->hits += o->hit;
        p->heard += o->told.heard;
        p->soon += o->told.heard && o->told.delay_s <= soon_s + MATCH_SLACK_S;
        if (o->snr >= 0)
            p->heard_snr[o->snr] += o->told.heard;
        if (threshold > 0)
            continue;
        s->events[o->label].all++;
        if (o->snr >= 0)
            s->events[o->label].snr[o->snr]++;
    }
    for (size_t i = 0; i < s->n_labels; i++) {
        row[i].told += (uint32_t)h->told[i].told;
        row[i].false_alarms += (uint32_t)h->told[i].false_alarms;
        row[i].unmatched += (uint32_t)h->told[i].unmatched;
    }
}

static void add_point(struct sweep_point *to, const struct sweep_point *p)
{
    to->told += p->told;
    to->hits += p->hits;
    to->heard += p->heard;
    to->soon += p->soon;
    to->false_alarms += p->false_alarms;
    to->unmatched += p->unmatched;
    for (size_t i = 0; i < SNR_MAX; i++)
        to->heard_snr[i] += p->heard_snr[i];
}

static void add_events(struct sweep_events *to, const struct sweep_events *e)
{
    to->all += e->all;
    for (size_t i = 0; i < SNR_MAX; i++)
        to->snr[i] += e->snr[i];
}

void sweep_merge(struct sweep *to, const struct sweep *from)
{
    for (size_t i = 0; i < from->n_thresholds * from->n_labels; i++)
        add_point(&to->point[i], &from->point[i]);
    for (size_t i = 0; i < from->n_labels; i++)
        add_events(&to->events[i], &from->events[i]);
    to->hours += from->hours;
}

const struct sweep_point *sweep_at(const struct sweep *s, size_t threshold, size_t label)
{
    return &s->point[threshold * s->n_labels + label];
}

struct sweep_point sweep_pool(const struct sweep *s, size_t threshold, const bool *member)
{
    struct sweep_point sum = {0};

    for (size_t i = 0; i < s->n_labels; i++)
        if (!member || member[i])
            add_point(&sum, sweep_at(s, threshold, i));
    return sum;
}

struct sweep_events sweep_events_of(const struct sweep *s, const bool *member)
{
    struct sweep_events sum = {0};

    for (size_t i = 0; i < s->n_labels; i++)
        if (!member || member[i])
            add_events(&sum, &s->events[i]);
    return sum;
}

size_t sweep_choose(const struct sweep *s, size_t label, double budget_per_h, double lowest, bool *kept)
{
    size_t chosen = s->n_thresholds;
    double least = sweep_at(s, s->n_thresholds - 1, label)->false_alarms;
    double allowed = budget_per_h * s->hours + MATCH_SLACK_S;

    *kept = least <= allowed;
    allowed = *kept ? allowed : least;

    for (size_t k = s->n_thresholds; k-- > 0;) {
        const struct sweep_point *p = sweep_at(s, k, label);
        if (s->thresholds[k] < lowest && chosen < s->n_thresholds)
            break;
        if (p->false_alarms > allowed)
            break;
        /* So low that a class is on all the time, nothing of it begins any more: neither false alarms nor what should be heard. */
        if (chosen == s->n_thresholds || p->heard >= sweep_at(s, chosen, label)->heard)
            chosen = k;
    }
    return chosen;
}

/* The next lower threshold of one class that is worth the most. `left`: false alarms that may come. */
struct step {
    size_t label, threshold;
    double worth; /* heard sounds for a false alarm */
    long cost;
};

static void best_step(const struct sweep *s, size_t label, size_t from, double lowest, double left, struct step *best)
{
    const struct sweep_point *at = sweep_at(s, from, label);

    for (size_t k = from; k-- > 0 && s->thresholds[k] >= lowest;) {
        const struct sweep_point *p = sweep_at(s, k, label);
        long gain = (long)p->heard - at->heard, cost = (long)p->false_alarms - at->false_alarms;
        if (cost > left)
            break; /* nor any below: the choice must hold from the threshold on upwards */
        double worth = cost > 0 ? (double)gain / (double)cost : gain > 0 ? INFINITY : 0;
        if (gain > 0 && worth > best->worth)
            *best = (struct step){label, k, worth, cost};
    }
}

/* All thresholds around `at` that hear as many with as few false alarms are alike here, but not where another day's sounds are a
 * little weaker or its noises a little more like them: the middle of them keeps the most distance from both. */
static size_t middle(const struct sweep *s, size_t label, size_t at, double lowest)
{
    const struct sweep_point *p = sweep_at(s, at, label), *q;
    size_t low = at, high = at;

    while (low > 0 && s->thresholds[low - 1] >= lowest &&
           (q = sweep_at(s, low - 1, label))->false_alarms <= p->false_alarms && q->heard >= p->heard)
        low--;
    while (high + 1 < s->n_thresholds && (q = sweep_at(s, high + 1, label))->false_alarms <= p->false_alarms &&
           q->heard >= p->heard)
        high++;
    return low + (high - low + 1) / 2;
}

double sweep_choose_group(const struct sweep *s, const bool *member, double budget_per_h, double lowest, size_t *chosen)
{
    double left = budget_per_h * s->hours + MATCH_SLACK_S;
    long spent = 0;

    for (size_t i = 0; i < s->n_labels; i++) {
        if (!member[i])
            continue;
        chosen[i] = s->n_thresholds - 1;
        spent += sweep_at(s, chosen[i], i)->false_alarms;
    }
    for (;;) {
        struct step best = {.worth = 0};
        for (size_t i = 0; i < s->n_labels; i++)
            if (member[i])
                best_step(s, i, chosen[i], lowest, left - (double)spent, &best);
        if (!(best.worth > 0))
            break;
        chosen[best.label] = best.threshold;
        spent += best.cost;
    }
    for (size_t i = 0; i < s->n_labels; i++)
        if (member[i])
            chosen[i] = middle(s, i, chosen[i], lowest);
    return (double)spent <= left && s->hours > 0 ? (double)spent / s->hours : NAN;
}
