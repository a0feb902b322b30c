#include "daemon/classify_print.h"

#include "base/csv.h"
#include "base/json.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CELL = 58, BAR = 20, LABEL = 24 };

struct rank {
    const char *label;
    float score;
};

static int by_score(const void *a, const void *b)
{
    const struct rank *x = a, *y = b;

    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return strcmp(x->label, y->label);
}

/* Best first, *n of them; free. */
static struct rank *ranking(const struct verdict *v, size_t top, size_t *n)
{
    size_t all = v->model->n_labels;
    struct rank *r = calloc(all, sizeof *r);

    if (!r)
        return NULL;
    for (size_t i = 0; i < all; i++)
        r[i] = (struct rank){v->model->labels[i], v->scores[i]};
    qsort(r, all, sizeof *r, by_score);
    *n = top && top < all ? top : all;
    return r;
}

static double seconds(const struct event *e, uint64_t position)
{
    return e->device_rate ? (double)position / e->device_rate : 0;
}

static json_t *score_json(const char *label, float score)
{
    return json_pack("{s:o, s:o}", "label", json_text(label), "score", json_decimal(score, 6));
}

static json_t *event_to_json(const struct event *e)
{
    json_t *top = json_array();

    for (unsigned i = 0; i < e->n_top; i++)
        json_array_append_new(top, score_json(e->top[i].label, e->top[i].score));
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "label", json_text(e->label), "score",
                     json_decimal(e->score, 6), "start_s", json_decimal(seconds(e, e->start_position), 3), "end_s",
                     json_decimal(seconds(e, e->end_position), 3), "peak_dbfs", json_decimal(e->peak_dbfs, 1),
                     "rms_dbfs", json_decimal(e->rms_dbfs, 1), "top", top);
}

static int add_verdict(json_t *o, const struct verdict *v, size_t top)
{
    size_t n;
    struct rank *r = ranking(v, top, &n);
    json_t *labels = json_array(), *events = json_array();
    int failed = !r;

    for (size_t i = 0; r && i < n; i++)
        failed |= json_array_append_new(labels, score_json(r[i].label, r[i].score));
    for (size_t i = 0; i < v->n_events; i++)
        failed |= json_array_append_new(events, event_to_json(&v->events[i]));
    failed |= json_object_set_new(o, "top", labels);
    failed |= json_object_set_new(o, "events", events);
    free(r);
    return failed ? -1 : 0;
}

json_t *classify_json_object(const char *file, const struct classification *c, size_t top)
{
    json_t *o = json_object(), *models;
    int failed = json_object_set_new(o, "file", json_text(file));

    failed |= json_object_set_new(o, "duration_s", json_decimal(c->duration_s, 6));
    if (c->n_verdicts == 1) {
        failed |= add_verdict(o, &c->verdicts[0], top);
    } else {
        models = json_array();
        for (size_t i = 0; i < c->n_verdicts; i++) {
            json_t *m = json_object();
            failed |= json_object_set_new(m, "model", json_text(c->verdicts[i].model->name));
            failed |= add_verdict(m, &c->verdicts[i], top);
            failed |= json_array_append_new(models, m);
        }
        failed |= json_object_set_new(o, "models", models);
    }
    if (!failed)
        return o;
    json_decref(o);
    return NULL;
}

int classify_json(FILE *out, const char *file, const struct classification *c, size_t top)
{
    json_t *o = classify_json_object(file, c, top);
    int failed = o ? json_dumpf(o, out, JSON_LINE) : -1;

    json_decref(o);
    fputc('\n', out);
    return failed ? -1 : 0;
}

void classify_csv_header(FILE *out)
{
    fputs("file,duration_s,model,kind,label,score,start_s,end_s,peak_dbfs,rms_dbfs\n", out);
}

static void csv_begin(FILE *out, const char *file, double duration_s, const char *model, const char *kind)
{
    csv_write(out, file);
    fprintf(out, ",%.3f,", duration_s);
    csv_write(out, model);
    fprintf(out, ",%s,", kind);
}

static void csv_level(FILE *out, double dbfs)
{
    fputc(',', out);
    if (isfinite(dbfs))
        fprintf(out, "%.1f", dbfs);
}

int classify_csv(FILE *out, const char *file, const struct classification *c, size_t top)
{
    for (size_t k = 0; k < c->n_verdicts; k++) {
        const struct verdict *v = &c->verdicts[k];
        size_t n;
        struct rank *r = ranking(v, top, &n);
        if (!r)
            return -1;
        for (size_t i = 0; i < n; i++) {
            csv_begin(out, file, c->duration_s, v->model->name, "top");
            csv_write(out, r[i].label);
            fprintf(out, ",%.6f,,,,\n", (double)r[i].score);
        }
        free(r);
        for (size_t i = 0; i < v->n_events; i++) {
            const struct event *e = &v->events[i];
            csv_begin(out, file, c->duration_s, v->model->name, "event");
            csv_write(out, e->label);
            fprintf(out, ",%.6f,%.3f,%.3f", (double)e->score, seconds(e, e->start_position),
                    seconds(e, e->end_position));
            csv_level(out, (double)e->peak_dbfs);
            csv_level(out, (double)e->rms_dbfs);
            fputc('\n', out);
        }
    }
    return 0;
}

void print_name(FILE *out, const char *name)
{
    for (; *name; name++)
        fputc(iscntrl((unsigned char)*name) ? '?' : *name, out);
}

/* One model's part of the table, a cell a line. */
struct column {
    char (*cells)[CELL + 1];
    size_t n;
};

static int make_column(struct column *col, const struct verdict *v, size_t top, int several)
{
    static const char bar[BAR + 1] = "####################";
    size_t n;
    struct rank *r = ranking(v, top, &n);

    col->cells = r ? calloc(n + v->n_events + 3, sizeof *col->cells) : NULL;
    if (!col->cells) {
        free(r);
        return -1;
    }
    if (several)
        snprintf(col->cells[col->n++], sizeof *col->cells, "%.*s", CELL - 2, v->model->name);
    for (size_t i = 0; i < n; i++)
        snprintf(col->cells[col->n++], sizeof *col->cells, "  %-*.*s %4.2f %.*s", LABEL, LABEL, r[i].label,
                 (double)r[i].score, (int)(r[i].score * BAR + 0.5f), bar);
    free(r);
    if (v->n_events == 0)
        snprintf(col->cells[col->n++], sizeof *col->cells, "  no event");
    for (size_t i = 0; i < v->n_events; i++) {
        const struct event *e = &v->events[i];
        snprintf(col->cells[col->n++], sizeof *col->cells, "  %7.2f - %7.2f s  %.*s %.2f %.0f dBFS",
                 seconds(e, e->start_position), seconds(e, e->end_position), LABEL - 4, e->label, (double)e->score,
                 (double)e->rms_dbfs);
    }
    return 0;
}

int classify_table(FILE *out, const char *file, const struct classification *c, size_t top)
{
    struct column *columns = calloc(c->n_verdicts, sizeof *columns);
    size_t rows = 0;
    int failed = !columns;

    print_name(out, file);
    fprintf(out, "  %.2f s\n", c->duration_s);
    for (size_t i = 0; !failed && i < c->n_verdicts; i++) {
        failed = make_column(&columns[i], &c->verdicts[i], top, c->n_verdicts > 1);
        rows = columns[i].n > rows ? columns[i].n : rows;
    }
    for (size_t row = 0; !failed && row < rows; row++)
        for (size_t i = 0; i < c->n_verdicts; i++) {
            const char *cell = row < columns[i].n ? columns[i].cells[row] : "";
            bool last = i + 1 == c->n_verdicts;
            fprintf(out, "%-*s%s", last ? 0 : CELL, cell, last ? "\n" : "");
        }
    for (size_t i = 0; columns && i < c->n_verdicts; i++)
        free(columns[i].cells);
    free(columns);
    return failed ? -1 : 0;
}
