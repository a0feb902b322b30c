#include "daemon/evaluate_stream_files.h"

#include "base/csv.h"

#include <math.h>

struct inputs {
    const char *list;
    const struct stream_file *files; /* [n] */
    size_t n;
};

static const char *input(const void *ctx, size_t i)
{
    const struct inputs *in = ctx;

    if (in->list && i-- == 0)
        return in->list;
    if (i >= 2 * in->n)
        return NULL;
    return i % 2 ? in->files[i / 2].annotations : in->files[i / 2].sound;
}

int evaluate_stream_files_open(struct evaluate_stream_files *f, const struct evaluate *e,
                               const struct evaluate_streams *what, const struct stream_file *files, size_t n)
{
    struct inputs in = {what->list, files, n};
    bool choice = !isnan(what->budget) || what->n_group_budgets;

    *f = (struct evaluate_stream_files){
        .output = {[STREAM_FILE_SWEEP] = {.given = what->sweep, .name = "sweep.csv"},
                   [STREAM_FILE_PICTURE] = {.given = e->picture, .name = "recall.svg"},
                   [STREAM_FILE_THRESHOLDS] = {.given = what->thresholds, .name = choice ? "thresholds.txt" : NULL}}};
    f->all = (struct evaluate_outputs){.output = f->output, .n = N_STREAM_FILES};
    return evaluate_outputs_open(&f->all, e, input, &in);
}

int evaluate_stream_files_write(struct evaluate_stream_files *f, const struct streams_result *r)
{
    FILE *sweep = f->output[STREAM_FILE_SWEEP].file.f, *picture = f->output[STREAM_FILE_PICTURE].file.f;
    FILE *thresholds = f->output[STREAM_FILE_THRESHOLDS].file.f;

    if (sweep)
        evaluate_stream_sweep(sweep, r);
    if (picture)
        evaluate_stream_picture(picture, r);
    if (thresholds)
        evaluate_stream_thresholds(thresholds, r);
    return evaluate_outputs_finish(&f->all);
}

void evaluate_stream_files_abandon(struct evaluate_stream_files *f)
{
    evaluate_outputs_abandon(&f->all);
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
    for (size_t i = 0; i < r->n_own; i++)
        if (stream_is_chosen(r, i))
            fprintf(out, "%s %.4g\n", r->labels[i], r->sweep.thresholds[r->chosen[i]]);
}
