#include "daemon/evaluate_files.h"

#include "base/csv.h"
#include "evaluate/picture.h"

#include <string.h>

int evaluate_files_open(struct evaluate_files *f, const struct evaluate *e, const struct evaluate_clips *what)
{
    int code = evaluate_open(e, &f->scores, what->scores, "scores.csv");

    if (code == EXIT_GOOD)
        code = evaluate_open(e, &f->confusion, what->confusion, "confusion.csv");
    if (code == EXIT_GOOD)
        code = evaluate_open(e, &f->picture, e->picture, "confusion.svg");
    if (code == EXIT_GOOD)
        code = evaluate_open(e, &f->reliability, what->reliability, "reliability.svg");
    return code;
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
    int rc = 0;

    snprintf(title, sizeof title, "%s, %.80s: %.1f %% of %zu clips are right", r->model->name,
             slash ? slash + 1 : r->manifest, 100 * accuracy->value, accuracy->n);
    if (f->scores.f)
        write_scores(f->scores.f, r->report->set, clips);
    if (f->confusion.f)
        confusion_write(f->confusion.f, &r->report->confusion);
    if (f->picture.f)
        picture_confusion(f->picture.f, &r->report->confusion, title);
    if (f->reliability.f)
        picture_reliability(f->reliability.f, &r->report->reliability, title);
    rc |= evaluate_finish(&f->scores);
    rc |= evaluate_finish(&f->confusion);
    rc |= evaluate_finish(&f->picture);
    rc |= evaluate_finish(&f->reliability);
    return rc;
}

void evaluate_files_abandon(struct evaluate_files *f)
{
    outfile_abandon(&f->scores);
    outfile_abandon(&f->confusion);
    outfile_abandon(&f->picture);
    outfile_abandon(&f->reliability);
}
