#include "daemon/classify_print.h"
#include "daemon/dataset/dataset.h"

#include <stdlib.h>
#include <string.h>

enum { SHOWN = 12, RATES = 16 };

struct rate {
    unsigned hz;
    size_t files;
};

static int by_files(const void *a, const void *b)
{
    const struct rate *x = a, *y = b;

    return x->files != y->files ? (x->files < y->files ? 1 : -1) : (x->hz > y->hz) - (x->hz < y->hz);
}

static void print_rates(FILE *out, const struct dataset *d)
{
    struct rate rates[RATES] = {{0}};
    size_t n = 0, others = 0;

    for (size_t i = 0; i < d->n; i++) {
        size_t k = 0;
        while (k < n && rates[k].hz != d->clips[i].rate)
            k++;
        if (!d->clips[i].rate)
            continue;
        if (k == n && n < RATES)
            rates[n++].hz = d->clips[i].rate;
        if (k < RATES)
            rates[k].files++;
        else
            others++;
    }
    qsort(rates, n, sizeof *rates, by_files);
    fputs("sample rates: ", out);
    for (size_t k = 0; k < n; k++)
        fprintf(out, "%s%u Hz (%zu)", k ? ", " : "", rates[k].hz, rates[k].files);
    fprintf(out, others ? ", others (%zu)\n" : "\n", others);
}

static void print_classes(FILE *out, const struct dataset *d)
{
    fprintf(out, "  %7s %10s %9s %9s %9s  class\n", "files", "minutes", "shortest", "median", "longest");
    for (size_t i = 0; i < d->n_labels; i++) {
        const struct dataset_class *k = &d->classes[i];
        fprintf(out, "  %7zu %10.1f %7.2f s %7.2f s %7.2f s  ", k->files, k->seconds / 60, k->shortest_s, k->median_s,
                k->longest_s);
        print_name(out, d->labels[i]);
        fputc('\n', out);
    }
}

/* The first ones of each kind, in the order in which kinds came. */
static void print_problems(FILE *out, const struct dataset *d, enum dataset_severity severity, const char *title)
{
    bool begun = false;

    for (size_t i = 0; i < d->n_problems; i++) {
        const char *kind = d->problems[i].kind;
        size_t before = 0, all = 0;
        if (d->problems[i].severity != severity)
            continue;
        for (size_t k = 0; k < i && before == 0; k++)
            before += d->problems[k].severity == severity && strcmp(d->problems[k].kind, kind) == 0;
        if (before)
            continue; /* told with the first of its kind */
        if (!begun)
            fprintf(out, "\n%s\n", title);
        begun = true;
        for (size_t k = i; k < d->n_problems; k++) {
            if (d->problems[k].severity != severity || strcmp(d->problems[k].kind, kind) != 0 || ++all > SHOWN)
                continue;
            fputs("  ", out);
            print_name(out, d->problems[k].text);
            fputc('\n', out);
        }
        if (all > SHOWN)
            fprintf(out, "  ... and %zu more of this kind (--json lists all)\n", all - SHOWN);
    }
}

void dataset_print(FILE *out, const struct dataset *d)
{
    size_t unread = 0;

    for (size_t i = 0; i < d->n; i++)
        unread += d->clips[i].state == CLIP_UNREADABLE;
    print_name(out, d->source);
    fprintf(out, ": %zu file%s, %zu class%s, %.1f minutes", d->n, d->n == 1 ? "" : "s", d->n_labels,
            d->n_labels == 1 ? "" : "es", d->seconds / 60);
    fprintf(out, unread ? "; %zu cannot be read\n" : "\n", unread);
    print_classes(out, d);
    print_rates(out, d);
    print_problems(out, d, DATASET_ERROR, "To be put right:");
    print_problems(out, d, DATASET_HINT, "To be known:");
    if (!d->n_problems)
        fputs("\nNothing to complain of.\n", out);
}
