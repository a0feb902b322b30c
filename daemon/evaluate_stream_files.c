#include "daemon/evaluate_stream_files.h"

#include "base/csv.h"

#include <math.h>

int evaluate_stream_files_open(struct evaluate_stream_files *f, const struct evaluate *e,
                               const struct evaluate_streams *what)
{
    int code = evaluate_open(e, &f->sweep, what->sweep, "sweep.csv");

    if (code == EXIT_GOOD)
        code = evaluate_open(e, &f->picture, e->picture, "recall.svg");
    if (code == EXIT_GOOD && (!isnan(what->budget) || what->n_group_budgets))
        code = evaluate_open(e, &f->thresholds, what->thresholds, "thresholds.txt");
    return code;
}

int evaluate_stream_files_write(struct evaluate_stream_files *f, const struct streams_result *r)
{
    int rc = 0;

    if (f->sweep.f)
        evaluate_stream_sweep(f->sweep.f, r);
    if (f->picture.f)
        evaluate_stream_picture(f->picture.f, r);
    if (f->thresholds.f)
        evaluate_stream_thresholds(f->thresholds.f, r);
    rc |= evaluate_finish(&f->sweep);
    rc |= evaluate_finish(&f->picture);
    rc |= evaluate_finish(&f->thresholds);
    return rc;
}

void evaluate_stream_files_abandon(struct evaluate_stream_files *f)
{
    outfile_abandon(&f->sweep);
    outfile_abandon(&f->picture);
    outfile_abandon(&f->thresholds);
}

static void write_point(FILE *out, const struct streams_result *r, const char *kind, const char *name, size_t k,
                        const struct sweep_point *p, const struct sweep_events *e)
{
    fprintf(out, "%s,", kind);
    csv_write(out, name);
    fprintf(out, ",%.4g,%u,%u,%u,%u,%u,%u,%u,%.6g,%.6g", r->sweep.thresholds[k], e->all, p->told, p->hits, p->heard,
            p->soon, p->false_alarms, p->unmatched, e->all ? (double)p->heard / e->all : 0,
            stream_per_hour(r, p->false_alarms));
    for (size_t i = 0; i < r->snrs.n; i++)
        fprintf(out, ",%u,%u", e->snr[i], p->heard_snr[i]);
    fputc('\n', out);
}

void evaluate_stream_sweep(FILE *out, const struct streams_result *r)
{
    fputs("kind,name,threshold,sounds,told,hits,heard,heard_soon,false_alarms,unmatched,recall,false_alarms_per_h",
          out);
    for (size_t i = 0; i < r->snrs.n; i++)
        fprintf(out, ",sounds_%ddb,heard_%ddb", r->snrs.db[i], r->snrs.db[i]);
    fputc('\n', out);
    for (size_t k = 0; k < r->sweep.n_thresholds; k++) {
        for (size_t i = 0; i < r->n_labels; i++)
            write_point(out, r, "label", r->labels[i], k, sweep_at(&r->sweep, k, i), &r->sweep.events[i]);
        for (size_t g = 0; g < r->n_groups + 1; g++) {
            const bool *member = g ? r->groups[g - 1].member : NULL;
            struct sweep_point p = sweep_pool(&r->sweep, k, member);
            struct sweep_events e = sweep_events_of(&r->sweep, member);
            write_point(out, r, g ? "group" : "all", g ? r->groups[g - 1].name : "", k, &p, &e);
        }
    }
}

void evaluate_stream_thresholds(FILE *out, const struct streams_result *r)
{
    for (size_t i = 0; i < r->n_own; i++) {
        if (!r->choosing[i])
            continue;
        size_t k = r->chosen[i] < r->sweep.n_thresholds ? r->chosen[i] : r->sweep.n_thresholds - 1;
        fprintf(out, "%s %.4g\n", r->labels[i], r->sweep.thresholds[k]);
    }
}
