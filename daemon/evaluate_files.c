#include "daemon/evaluate_files.h"

#include "base/csv.h"
#include "evaluate/picture.h"

#include <stdlib.h>
#include <string.h>

static int open_one(struct outfile *o, const struct evaluate *e, const char *given, const char *name)
{
    bool failed = false;
    char *path = evaluate_path(e, given, name, &failed);
    struct err err;
    int code = EXIT_GOOD;

    if (failed)
        code = cmd_fail(EXIT_FAILED, EVALUATE, "no memory");
    else if (path && outfile_open(o, path, &err) < 0)
        code = cmd_fail(EXIT_USAGE, EVALUATE, "%s", err.text);
    free(path);
    return code;
}

int evaluate_files_open(struct evaluate_files *f, const struct evaluate *e, const struct evaluate_clips *what)
{
    int code = open_one(&f->scores, e, what->scores, "scores.csv");

    if (code == EXIT_GOOD)
        code = open_one(&f->confusion, e, what->confusion, "confusion.csv");
    if (code == EXIT_GOOD)
        code = open_one(&f->picture, e, e->picture, "confusion.svg");
    if (code == EXIT_GOOD)
        code = open_one(&f->reliability, e, what->reliability, "reliability.svg");
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

static int finish(struct outfile *o)
{
    struct err err;

    return outfile_finish(o, &err) < 0 ? cmd_fail(-1, EVALUATE, "%s", err.text) : 0;
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
    rc |= finish(&f->scores);
    rc |= finish(&f->confusion);
    rc |= finish(&f->picture);
    rc |= finish(&f->reliability);
    return rc;
}

void evaluate_files_abandon(struct evaluate_files *f)
{
    outfile_abandon(&f->scores);
    outfile_abandon(&f->confusion);
    outfile_abandon(&f->picture);
    outfile_abandon(&f->reliability);
}
