#include "daemon/evaluate_print.h"

#include "daemon/classify_print.h"

#include <math.h>
#include <string.h>

enum { NAME = 22, TABLE_MAX = 16, MISTAKES = 15 };

/* "93.4 % (92.0 to 94.6)" */
static void print_share(FILE *out, struct share s)
{
    if (s.n == 0)
        fputs("     -", out);
    else
        fprintf(out, "%5.1f %% (%4.1f to %5.1f)", 100 * s.value, 100 * s.low, 100 * s.high);
}

/* 0.934, "-" where there is none; a column of 9. */
static void print_ratio(FILE *out, double value)
{
    if (isnan(value))
        fprintf(out, "%9s", "-");
    else
        fprintf(out, "%9.3f", value);
}

static void print_head(FILE *out, const struct clips_result *r)
{
    const struct left_out *l = &r->left_out;

    print_name(out, r->manifest);
    fprintf(out, ": %zu clips, %.0f s of sound, in %.1f s; model %s, %zu labels, %zu of them in the manifest\n",
            r->report->set->n, r->seconds, r->elapsed_s, r->model->name, r->report->set->n_labels, r->report->n_own);
    if (l->filtered + l->unknown + l->bad + l->unheard)
        fprintf(out, "left out: %zu by condition, %zu with an unknown label, %zu bad lines, %zu unreadable files\n",
                l->filtered, l->unknown, l->bad, l->unheard);
}

static void print_all(FILE *out, const struct clipreport *r)
{
    const struct {
        const char *name;
        struct share share;
    } rows[] = {
        {"accuracy", r->all.top1}, {"among own labels", r->all.own}, {"top 3", r->all.top3}, {"top 5", r->all.top5}};

    fputc('\n', out);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fprintf(out, "%-*s", NAME, rows[i].name);
        print_share(out, rows[i].share);
        fprintf(out, "  %zu of %zu\n", rows[i].share.hits, rows[i].share.n);
    }
    fprintf(out, "%-*srecall %.3f, F1 %.3f, average precision %.3f\n", NAME, "mean over labels", r->macro.recall,
            r->macro.f1, r->macro.average_precision);
}

static void print_groups(FILE *out, const char *what, const struct clip_group *groups, size_t n)
{
    char name[80];

    if (n == 0)
        return;
    fprintf(out, "\n%-*s%7s  %-25s %-25s\n", NAME, what, "clips", "accuracy", "among own labels");
    for (size_t i = 0; i < n; i++) {
        const struct clip_group *g = &groups[i];
        const char *dataset = g->dataset ? *g->dataset ? g->dataset : "(none)" : "";
        snprintf(name, sizeof name, "%s%s%s", dataset, g->dataset && g->fold ? " " : "",
                 g->fold ? *g->fold ? g->fold : "(none)" : "");
        size_t width = strlen(name);
        print_name(out, name);
        fprintf(out, "%*s%7zu  ", width < NAME ? (int)(NAME - width) : 1, "", g->figures.top1.n);
        print_share(out, g->figures.top1);
        fputs("   ", out);
        print_share(out, g->figures.own);
        fputc('\n', out);
    }
}

static void print_classes(FILE *out, const struct clipreport *r)
{
    fprintf(out, "\n%-*s%7s%7s%9s%9s%9s%9s\n", NAME, "label", "clips", "named", "precis.", "recall", "F1", "avg.pr.");
    for (size_t k = 0; k < r->set->n_labels; k++) {
        const struct class_figures *f = &r->classes[k];
        if (!f->support && !f->predicted)
            continue;
        fprintf(out, "%-*s%7zu%7zu", NAME, r->set->labels[k], f->support, f->predicted);
        print_ratio(out, f->precision);
        print_ratio(out, f->recall);
        print_ratio(out, f->f1);
        print_ratio(out, f->average_precision);
        fputc('\n', out);
    }
}

/* The whole table where it fits a terminal: the columns are numbered as the rows are. */
static void print_table(FILE *out, const struct confusion *c)
{
    fprintf(out, "\n%-*s", NAME + 4, "is / heard as");
    for (size_t k = 0; k < c->n_cols; k++)
        fprintf(out, "%5zu", k + 1);
    fputc('\n', out);
    for (size_t i = 0; i < c->n_cols; i++) {
        fprintf(out, "%3zu %-*s", i + 1, NAME, c->labels[c->cols[i]]);
        for (size_t k = 0; i < c->n_rows && k < c->n_cols; k++)
            if (c->count[i * c->n_cols + k])
                fprintf(out, "%5zu", c->count[i * c->n_cols + k]);
            else
                fprintf(out, "%5s", ".");
        fputc('\n', out);
    }
}

static void print_mistakes(FILE *out, const struct confusion *c)
{
    struct mistake most[MISTAKES];
    size_t n = confusion_mistakes(c, most, MISTAKES);

    fputs(n ? "\nmost frequent mistakes\n" : "\nno mistakes\n", out);
    for (size_t i = 0; i < n; i++)
        fprintf(out, "%-*s heard as %-*s %4zu of %zu\n", NAME, c->labels[c->rows[most[i].row]], NAME,
                c->labels[c->cols[most[i].col]], most[i].count, c->total[most[i].row]);
}

static void print_calibration(FILE *out, const struct reliability *c)
{
    fprintf(out, "\ncalibration: ECE %.3f, greatest error %.3f, Brier score %.3f\n", c->ece, c->max_error, c->brier);
    fprintf(out, "%-14s%7s%8s%8s\n", "score", "clips", "mean", "right");
    for (int b = 0; b < RELIABILITY_BINS; b++)
        if (c->bin[b].n)
            fprintf(out, "%.3f to %.3f%7zu%8.3f%8.3f\n", (double)b / RELIABILITY_BINS, (b + 1.0) / RELIABILITY_BINS,
                    c->bin[b].n, c->bin[b].score, c->bin[b].right);
}

size_t rejection_names(const struct clips_result *r, struct named *out, size_t size)
{
    size_t n = 0;

    for (size_t k = 0; k < r->model->n_labels; k++) {
        struct named this = {r->model->labels[k], r->rejection->named[k]};
        size_t at = n;
        while (at > 0 && out[at - 1].clips < this.clips)
            at--;
        if (this.clips == 0 || at == size)
            continue;
        n += n < size;
        memmove(out + at + 1, out + at, (n - 1 - at) * sizeof *out);
        out[at] = this;
    }
    return n;
}

static void print_rejection(FILE *out, const struct clips_result *r)
{
    const struct rejection *j = r->rejection;
    const struct {
        const char *name;
        struct share share;
    } rows[] = {{"named rightly", j->right},
                {"named wrongly", j->wrong},
                {"taken for unknown", j->rejected},
                {"unknown, but named", j->unknown_named},
                {"at 95 % of the known", j->unknown_at_95},
                {"background, but named", j->silent_named}};
    struct named names[MISTAKES];
    size_t n = rejection_names(r, names, MISTAKES);

    fprintf(out, "\nat the labels' thresholds: %zu clips that it should know, %zu that it should not; AUROC %.3f\n",
            j->right.n, j->unknown_named.n, j->auroc);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].share.n == 0)
            continue;
        fprintf(out, "%-*s", NAME, rows[i].name);
        print_share(out, rows[i].share);
        fprintf(out, "  %zu of %zu\n", rows[i].share.hits, rows[i].share.n);
    }
    for (size_t i = 0; i < n; i++)
        fprintf(out, "%s%s %zu%s", i ? ", " : "unknown ones are named ", names[i].label, names[i].clips,
                i + 1 == n ? "\n" : "");
}

void evaluate_figures_text(FILE *out, const struct clipreport *r)
{
    print_all(out, r);
    print_groups(out, "data set", r->datasets, r->n_datasets);
    print_groups(out, r->n_datasets ? "data set, fold" : "fold", r->folds, r->n_folds);
    print_classes(out, r);
    if (r->confusion.n_cols <= TABLE_MAX)
        print_table(out, &r->confusion);
    print_mistakes(out, &r->confusion);
    print_calibration(out, &r->reliability);
}

void evaluate_text(FILE *out, const struct clips_result *r)
{
    print_head(out, r);
    evaluate_figures_text(out, r->report);
    if (r->rejection)
        print_rejection(out, r);
}
