#include "daemon/evaluate_files.h"

#include "base/csv.h"
#include "evaluate/picture.h"

#include <string.h>

struct inputs {
    const char *map;
    const struct manifest *manifest;
};

static const char *input(const void *ctx, size_t i)
{
    const struct inputs *in = ctx;

    if (i == 0)
        return in->manifest->path;
    if (in->map && i-- == 1)
        return in->map;
    return i <= in->manifest->n ? in->manifest->clips[i - 1].path : NULL;
}

int evaluate_files_open(struct evaluate_files *f, const struct evaluate *e, const struct evaluate_clips *what,
                        const struct manifest *m)
{
    struct inputs in = {what->map, m};

    *f = (struct evaluate_files){
        .output = {[FILE_SCORES] = {.given = what->scores, .name = "scores.csv"},
                   [FILE_CONFUSION] = {.given = what->confusion, .name = "confusion.csv"},
                   [FILE_PICTURE] = {.given = e->picture, .name = "confusion.svg"},
                   [FILE_RELIABILITY] = {.given = what->reliability, .name = "reliability.svg"}}};
    f->all = (struct evaluate_outputs){.output = f->output, .n = N_FILES};
    return evaluate_outputs_open(&f->all, e, input, &in);
}

static void write_scores(FILE *out, const struct clipset *s, const struct clip *clips)
{
    fputs("file,label", out);
    for (size_t k = 0; k < s->n_labels; k++)
        fprintf(out, ",%s", s->labels[k]);
    fputc('\n', out);
    for (size_t i = 0; i < s->n; i++) {
        csv_write(out, clips[i].name);
        fprintf(out, ",%s", s->labels[s->truth[i]]);
        for (size_t k = 0; k < s->n_labels; k++)
            fprintf(out, ",%.7g", (double)s->scores[i * s->n_labels + k]);
        fputc('\n', out);
    }
}

int evaluate_files_write(struct evaluate_files *f, const struct clips_result *r, const struct clip *clips)
{
    const struct share *accuracy = &r->report->all.top1;
    const char *slash = strrchr(r->manifest, '/');
    char title[256];

    snprintf(title, sizeof title, "%s, %.80s: %.1f %% of %zu clips are right", r->model->name,
             slash ? slash + 1 : r->manifest, 100 * accuracy->value, accuracy->n);
    if (f->output[FILE_SCORES].file.f)
        write_scores(f->output[FILE_SCORES].file.f, r->report->set, clips);
    if (f->output[FILE_CONFUSION].file.f)
        confusion_write(f->output[FILE_CONFUSION].file.f, &r->report->confusion);
    if (f->output[FILE_PICTURE].file.f)
        picture_confusion(f->output[FILE_PICTURE].file.f, &r->report->confusion, title);
    if (f->output[FILE_RELIABILITY].file.f)
        picture_reliability(f->output[FILE_RELIABILITY].file.f, &r->report->reliability, title);
    return evaluate_outputs_finish(&f->all);
}

void evaluate_files_abandon(struct evaluate_files *f)
{
    evaluate_outputs_abandon(&f->all);
}
