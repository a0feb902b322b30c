#include "daemon/classify_print.h"
#include "daemon/evaluate_stream_result.h"
#include "event/event.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NAME = 20, NAME_LONG = 26 };

/* "93.4 %" */
static void print_percent(FILE *out, double share)
{
    if (isnan(share))
        fprintf(out, "%9s", "-");
    else
        fprintf(out, "%7.1f %%", 100 * share);
}

static void print_number(FILE *out, double x, int decimals)
{
    if (isnan(x))
        fprintf(out, "%9s", "-");
    else
        fprintf(out, "%9.*f", decimals, x);
}

static double share(uint64_t part, uint64_t whole)
{
    return whole ? (double)part / (double)whole : NAN;
}

static void print_head(FILE *out, const struct streams_result *r)
{
    fprintf(out, "%zu stream%s, %.3f h, %llu annotated sounds, in %.1f s; model %s\n", r->n_files,
            r->n_files == 1 ? "" : "s", r->all.seconds / 3600, (unsigned long long)r->all.all[METRIC_ONSET].ref,
            r->elapsed_s, r->model->name);
    if (r->n_failed)
        fprintf(out, "left out: %zu stream%s, named above\n", r->n_failed, r->n_failed == 1 ? "" : "s");
}

/* Sounds that this model cannot hear count as missed all the same. */
static void print_missing(FILE *out, const struct streams_result *r)
{
    const char *between = "the model has no label for these, and misses them all: ";

    for (size_t i = r->n_own; i < r->n_labels; i++) {
        uint64_t n = r->all.classes[METRIC_ONSET][i].ref;
        if (n == 0)
            continue;
        fprintf(out, "%s%s (%llu)", between, r->labels[i], (unsigned long long)n);
        between = ", ";
    }
    if (*between == ',')
        fputc('\n', out);
}

static void print_counts(FILE *out, const struct sed_count *c)
{
    print_percent(out, sed_precision(c));
    print_percent(out, sed_recall(c));
    print_percent(out, sed_f1(c));
    print_number(out, sed_error_rate(c), 2);
}

static void print_metrics(FILE *out, const struct stream_figures *f)
{
    fprintf(out, "\n%-*s%9s%9s%9s%9s%9s%9s%9s%9s\n", NAME, "pooled over labels", "precision", "recall", "F1", "ER",
            "hits", "subst.", "delet.", "insert.");
    for (int m = 0; m < N_METRICS; m++) {
        const struct sed_count *c = &f->all[m];
        fprintf(out, "%-*s", NAME, stream_metric_name(m));
        print_counts(out, c);
        fprintf(out, "%9llu%9llu%9llu%9llu\n", (unsigned long long)c->hits, (unsigned long long)c->substitutions,
                (unsigned long long)c->deletions, (unsigned long long)c->insertions);
    }
    fprintf(out, "\n%-*s\n", NAME, "mean over labels");
    for (int m = 0; m < N_METRICS; m++) {
        fprintf(out, "%-*s", NAME, stream_metric_name(m));
        print_percent(out, sed_macro(f->classes[m], f->n_labels, sed_precision));
        print_percent(out, sed_macro(f->classes[m], f->n_labels, sed_recall));
        print_percent(out, sed_macro(f->classes[m], f->n_labels, sed_f1));
        print_number(out, sed_macro(f->classes[m], f->n_labels, sed_error_rate), 2);
        fputc('\n', out);
    }
}

static void print_told_head(FILE *out, const char *what)
{
    fprintf(out, "\n%-*s%9s%9s%9s%9s%9s%9s%9s%9s%9s%9s%9s\n", NAME_LONG, what, "sounds", "gate", "heard", "in 4 s",
            "was on", "onset F1", "false/h", "unmat./h", "delay", "  90 %", "start");
}

/* What was told of some labels; snr -1: of all sounds, with the false alarms. */
static void print_told(FILE *out, const struct streams_result *r, const bool *member, int snr)
{
    struct outcome_figures f;
    struct told_count told = outcomes_told(&r->all.outcomes, member);

    if (outcomes_figures(&r->all.outcomes, member, snr, STREAM_SOON_S, &f) < 0) {
        fputs(" no memory\n", out);
        return;
    }
    fprintf(out, "%9llu", (unsigned long long)f.events);
    print_percent(out, share(f.listened, f.events));
    print_percent(out, share(f.heard, f.events));
    print_percent(out, share(f.soon, f.events));
    print_percent(out, share(f.under_way, f.events));
    print_percent(out, snr < 0 ? share(2 * f.hits, f.events + told.told) : NAN);
    print_number(out, snr < 0 ? stream_per_hour(r, (double)told.false_alarms) : NAN, 2);
    print_number(out, snr < 0 ? stream_per_hour(r, (double)told.unmatched) : NAN, 2);
    print_number(out, f.delay_median, 2);
    print_number(out, f.delay_p90, 2);
    print_number(out, f.start_median, 2);
    fputc('\n', out);
}

static void print_snrs(FILE *out, const struct streams_result *r, const bool *member)
{
    for (size_t i = 0; i < r->snrs.n; i++) {
        char name[32];
        snprintf(name, sizeof name, "  at %s%d dB", r->snrs.coarse ? "about " : "", r->snrs.db[i]);
        fprintf(out, "%-*s", NAME_LONG, name);
        print_told(out, r, member, (int)i);
    }
}

/* The best recall of the group within a budget, with one and the same threshold for all of its labels. */
static void print_best(FILE *out, const struct streams_result *r, const struct stream_group *g, double budget)
{
    struct sweep_events events = sweep_events_of(&r->sweep, g->member);
    struct sweep_point best = {0};
    size_t at = r->sweep.n_thresholds;

    if (events.all == 0)
        return;
    for (size_t k = 0; k < r->sweep.n_thresholds; k++) {
        struct sweep_point p = sweep_pool(&r->sweep, k, g->member);
        if (p.false_alarms > budget * r->sweep.hours + 1e-6 || (at < r->sweep.n_thresholds && p.heard <= best.heard))
            continue;
        at = k;
        best = p;
    }
    if (at < r->sweep.n_thresholds)
        fprintf(out, "  with one threshold of %.3g for all of them %.1f %% are heard, at %.2f false alarms an hour\n",
                r->sweep.thresholds[at], 100 * share(best.heard, events.all), stream_per_hour(r, best.false_alarms));
    else
        fprintf(out, "  no threshold for all of them keeps to %g false alarms an hour\n", budget);
}

static void print_groups(FILE *out, const struct streams_result *r)
{
    print_told_head(out, "all and groups");
    fprintf(out, "%-*s", NAME_LONG, "all labels");
    print_told(out, r, NULL, -1);
    print_snrs(out, r, NULL);
    for (size_t i = 0; i < r->n_groups; i++) {
        const struct stream_group *g = &r->groups[i];
        fprintf(out, "%-*s", NAME_LONG, g->name);
        print_told(out, r, g->member, -1);
        print_snrs(out, r, g->member);
        print_best(out, r, g, isnan(g->budget) ? 1 : g->budget);
    }
}

/* Labels that are annotated or were told, with their thresholds. */
static void print_labels(FILE *out, const struct streams_result *r)
{
    bool *member = calloc(r->n_labels, sizeof *member);

    print_told_head(out, "label, threshold");
    for (size_t i = 0; member && i < r->n_labels; i++) {
        const struct sed_count *c = &r->all.classes[METRIC_ONSET][i];
        char name[LABEL_SIZE + 16];
        if (c->ref + c->det == 0)
            continue;
        if (i < r->n_own)
            snprintf(name, sizeof name, "%s, %.3g", r->labels[i], r->thresholds[i]);
        else
            snprintf(name, sizeof name, "%s, none", r->labels[i]);
        fprintf(out, "%-*s%s", NAME_LONG, name, strlen(name) < NAME_LONG ? "" : " ");
        member[i] = true;
        print_told(out, r, member, -1);
        member[i] = false;
    }
    free(member);
}

static void print_sweep_row(FILE *out, const struct streams_result *r, size_t k)
{
    fprintf(out, "%-*.3g", NAME, r->sweep.thresholds[k]);
    for (size_t g = 0; g < r->n_groups + 1; g++) {
        const bool *member = g ? r->groups[g - 1].member : NULL;
        struct sweep_point p = sweep_pool(&r->sweep, k, member);
        print_percent(out, share(p.heard, sweep_events_of(&r->sweep, member).all));
        print_number(out, stream_per_hour(r, p.false_alarms), 2);
    }
    fputc('\n', out);
}

/* In steps of a tenth; --sweep has all of them, and each label. */
static void print_sweep(FILE *out, const struct streams_result *r)
{
    double last = 0;

    fprintf(out, "\n%-*s", NAME, "one threshold");
    for (size_t g = 0; g < r->n_groups + 1; g++)
        fprintf(out, "  %-16.16s", g ? r->groups[g - 1].name : "all labels");
    fprintf(out, "\n%-*s", NAME, "for all labels");
    for (size_t g = 0; g < r->n_groups + 1; g++)
        fprintf(out, "%9s%9s", "heard", "false/h");
    fputc('\n', out);
    for (size_t k = 0; k < r->sweep.n_thresholds; k++)
        if (r->sweep.thresholds[k] >= last + 0.0999) {
            print_sweep_row(out, r, k);
            last = r->sweep.thresholds[k];
        }
}

/* How fine false alarms an hour can be told apart in so many hours. */
static void print_resolution(FILE *out, const struct streams_result *r, double budget)
{
    fprintf(out, "  one false alarm in %.2f h is %.2f an hour; a budget of %g an hour allows %.0f in all\n",
            r->all.seconds / 3600, stream_per_hour(r, 1), budget, floor(budget * r->sweep.hours + 1e-6));
    if (budget * r->sweep.hours < 3)
        fprintf(out,
                "  that is little to choose by: none in this time still leaves up to %.1f an hour likely (95 %%)\n",
                stream_per_hour(r, 3));
}

static void print_chosen(FILE *out, const struct streams_result *r)
{
    if (!r->choice)
        return;
    fprintf(out, "\nchosen thresholds\n");
    if (!isnan(r->budget))
        print_resolution(out, r, r->budget);
    for (size_t g = 0; g < r->n_groups; g++) {
        const struct stream_group *group = &r->groups[g];
        if (isnan(group->budget))
            continue;
        fprintf(out, "  %s: ", group->name);
        if (isnan(group->spent))
            fprintf(out, "not even the highest thresholds keep to %g false alarms an hour\n", group->budget);
        else
            fprintf(out, "%.2f false alarms an hour of the %g that it may have\n", group->spent, group->budget);
        print_resolution(out, r, group->budget);
    }
    fprintf(out, "%-*s%9s%9s%9s%9s\n", NAME_LONG, "label", "threshold", "sounds", "heard", "false/h");
    for (size_t i = 0; i < r->n_own; i++) {
        if (!stream_is_chosen(r, i))
            continue;
        size_t k = r->chosen[i];
        const struct sweep_point *p = sweep_at(&r->sweep, k, i);
        fprintf(out, "%-*s%9.3g%9u", NAME_LONG, r->labels[i], r->sweep.thresholds[k], r->sweep.events[i].all);
        print_percent(out, share(p->heard, r->sweep.events[i].all));
        print_number(out, stream_per_hour(r, p->false_alarms), 2);
        fputs(r->choices[i] == CHOICE_KEPT ? "\n" : "  over the budget\n", out);
    }
}

static void print_files(FILE *out, const struct streams_result *r)
{
    fprintf(out, "\n%-10s%9s%9s%9s%9s%9s  %s\n", "stream", "s", "Hz", "sounds", "onset F1", "ER", "file");
    for (size_t i = 0; i < r->n_files; i++) {
        const struct stream_file *f = &r->files[i];
        const struct sed_count *c = &f->figures.all[METRIC_ONSET];
        fprintf(out, "%-10zu%9.1f%9u%9llu", i + 1, f->figures.seconds, f->rate, (unsigned long long)c->ref);
        print_percent(out, sed_f1(c));
        print_number(out, sed_error_rate(c), 2);
        fputs("  ", out);
        print_name(out, f->sound);
        fputc('\n', out);
    }
}

void evaluate_stream_text(FILE *out, const struct streams_result *r)
{
    print_head(out, r);
    print_missing(out, r);
    if (r->verbose)
        print_files(out, r);
    print_metrics(out, &r->all);
    print_groups(out, r);
    print_labels(out, r);
    print_sweep(out, r);
    print_chosen(out, r);
}
