/* Wrong alarms of the model's own classes: a class is held back near what was taken for it, and nowhere else. How near is chosen so that of
 * the sounds of that class in the background only few are touched: a class as a whole cannot be silenced that way. */
#include "base/half.h"
#include "daemon/teach/teacher.h"
#include "model/model.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct work {
    const struct teacher *t;
    struct taughtfile *f;
    struct model *model; /* for its labels alone */
    size_t dims;
    float *mean, *deviation;
    float *unit;    /* [background n][dims]: directions */
    float *similar; /* [background n] */
};

static int model_label(const struct work *w, const char *label)
{
    const struct model_info *m = model_info(w->model);

    for (size_t i = 0; i < m->n_labels; i++)
        if (strcmp(m->labels[i], label) == 0)
            return (int)i;
    return -1;
}

/* Was that event a wrong alarm of the model's own class? */
static int wrong_label(const struct work *w, const struct verdict_row *row)
{
    bool right = strcmp(row->verdict, VERDICT_RIGHT) == 0 || strcmp(row->verdict, row->label) == 0;

    if (right || row->n_embedding != w->dims || row->model_hash != w->t->hash)
        return -1;
    return model_label(w, row->label);
}

static bool standards(struct work *w)
{
    const struct background *b = &w->t->background;

    for (size_t k = 0; k < w->dims; k++) {
        double sum = 0, squares = 0;
        for (size_t i = 0; i < b->n; i++) {
            double v = (double)b->rows[i * w->dims + k];
            sum += v;
            squares += v * v;
        }
        double mean = sum / (double)b->n;
        w->mean[k] = (float)mean;
        w->deviation[k] = (float)sqrt(fmax(squares / (double)b->n - mean * mean, 0)) + 1e-3f;
    }
    return true;
}

static void direct(const struct work *w, const float *x, float *out)
{
    double squares = 0;

    for (size_t k = 0; k < w->dims; k++) {
        out[k] = (x[k] - w->mean[k]) / w->deviation[k];
        squares += (double)out[k] * (double)out[k];
    }
    float length = squares > 0 ? (float)sqrt(squares) : 1;
    for (size_t k = 0; k < w->dims; k++)
        out[k] /= length;
}

static float cosine(const struct work *w, const float *a, const float *b)
{
    float sum = 0;

    for (size_t k = 0; k < w->dims; k++)
        sum += a[k] * b[k];
    return sum;
}

static void half_direction(const struct work *w, const struct verdict_row *row, float *out)
{
    float x[EVENT_EMBEDDING] = {0};

    for (size_t k = 0; k < w->dims; k++)
        x[k] = half_to_float(row->embedding[k]);
    direct(w, x, out);
}

static int by_value_down(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

/* From which cosine on at most CORRECT_EACH of the class's sounds are touched, and none that was said to be right. */
static float choose_reach(struct work *w, const struct verdicts *v, int label, const char *name, const float *direction)
{
    const struct background *b = &w->t->background;
    float reach = CORRECT_REACH, other[EVENT_EMBEDDING] = {0};
    size_t n = 0;

    for (size_t i = 0; i < b->n; i++)
        if (b->label[i] == label)
            w->similar[n++] = cosine(w, direction, w->unit + i * w->dims);
    qsort(w->similar, n, sizeof *w->similar, by_value_down);
    if (n > 0)
        reach = fmaxf(reach, w->similar[(size_t)(CORRECT_EACH * (double)n)] + 0.001f);
    for (size_t i = 0; i < v->n; i++) {
        const struct verdict_row *row = &v->rows[i];
        bool right = (strcmp(row->verdict, VERDICT_RIGHT) == 0 && strcmp(row->label, name) == 0) ||
                     strcmp(row->verdict, name) == 0;
        if (!right || row->n_embedding != w->dims || row->model_hash != w->t->hash)
            continue;
        half_direction(w, row, other);
        reach = fmaxf(reach, cosine(w, direction, other) + 0.02f);
    }
    return fminf(reach, 0.999f);
}

/* Share of the class's known sounds that would be touched by all its corrections, this one with them. */
static double share_touched(struct work *w, int label, const char *name, const float *direction, float reach)
{
    const struct background *b = &w->t->background;
    size_t all = 0, n = 0;

    for (size_t i = 0; i < b->n; i++) {
        if (b->label[i] != label)
            continue;
        const float *x = w->unit + i * w->dims;
        bool hit = cosine(w, direction, x) >= reach;
        for (size_t k = 0; k < w->f->n_corrections && !hit; k++)
            hit = strcmp(w->f->corrections[k].label, name) == 0 &&
                  cosine(w, w->f->corrections[k].direction, x) >= w->f->corrections[k].reach;
        all++;
        n += hit;
    }
    return all ? (double)n / (double)all : 0;
}

/* 1: used, 0: not, -1: no memory. */
static int add(struct work *w, const struct verdicts *v, const struct verdict_row *row, int label)
{
    struct taughtfile *f = w->f;
    struct taught_correction c = {.reduction = CORRECT_REDUCTION, .direction = calloc(w->dims, sizeof *c.direction)};

    if (!c.direction)
        return -1;
    half_direction(w, row, c.direction);
    c.reach = choose_reach(w, v, label, row->label, c.direction);
    if (f->n_corrections == TAUGHT_CORRECTIONS ||
        share_touched(w, label, row->label, c.direction, c.reach) > CORRECT_ALL) {
        free(c.direction);
        return 0;
    }
    memcpy(c.label, row->label, sizeof c.label);
    memcpy(c.event_id, row->event_id, sizeof c.event_id);
    f->corrections[f->n_corrections++] = c;
    return 1;
}

static void forget_corrections(struct taughtfile *f)
{
    for (size_t i = 0; i < f->n_corrections; i++)
        free(f->corrections[i].direction);
    free(f->corrections);
    free(f->standard.mean);
    free(f->standard.deviation);
    f->corrections = NULL;
    f->n_corrections = 0;
    f->standard = (struct taught_standard){0};
}

static bool open_work(struct work *w)
{
    const struct background *b = &w->t->background;

    w->mean = calloc(w->dims, sizeof *w->mean);
    w->deviation = calloc(w->dims, sizeof *w->deviation);
    w->unit = calloc(b->n * w->dims, sizeof *w->unit);
    w->similar = malloc((b->n + 1) * sizeof *w->similar);
    w->f->corrections = calloc(TAUGHT_CORRECTIONS + 1, sizeof *w->f->corrections);
    if (!w->mean || !w->deviation || !w->unit || !w->similar || !w->f->corrections || !standards(w))
        return false;
    for (size_t i = 0; i < b->n; i++)
        direct(w, b->rows + i * w->dims, w->unit + i * w->dims);
    return true;
}

int teacher_correct(const struct teacher *t, const struct verdicts *v, struct taughtfile *f, size_t *unused,
                    struct err *err)
{
    struct work w = {.t = t, .f = f, .dims = t->background.dims};
    bool any = false;
    int rc = 0;

    *unused = 0;
    forget_corrections(f);
    for (size_t i = 0; i < v->n; i++)
        any |= strcmp(v->rows[i].verdict, VERDICT_RIGHT) != 0;
    if (!any || w.dims > EVENT_EMBEDDING)
        return 0;
    if (!(w.model = model_load(t->model_path, err)))
        return -1;
    if (!open_work(&w))
        rc = err_set(err, "no memory for corrections");
    for (size_t i = 0; i < v->n && rc == 0; i++) {
        int label = wrong_label(&w, &v->rows[i]);
        int used = label >= 0 ? add(&w, v, &v->rows[i], label) : 1;
        *unused += used == 0;
        rc = used < 0 ? err_set(err, "no memory for corrections") : 0;
    }
    if (rc == 0 && f->n_corrections > 0) {
        f->standard = (struct taught_standard){t->hash, w.dims, w.mean, w.deviation};
        w.mean = w.deviation = NULL;
    }
    free(w.mean);
    free(w.deviation);
    free(w.unit);
    free(w.similar);
    model_free(w.model);
    return rc;
}
