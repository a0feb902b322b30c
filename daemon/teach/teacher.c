#include "daemon/teach/teacher.h"

#include "base/fnv.h"
#include "base/half.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define HARD_WEIGHT    20.0 /* of a window that was taken for it, in windows of the background */
#define OTHERS_WINDOWS 4    /* of each example of the other sounds that are taught */

/* --- verdicts ------------------------------------------------------------------------------------------------------- */

static bool keep_row(void *ctx, const struct verdict_row *row)
{
    struct verdicts *v = ctx;
    struct verdict_row *more = v->n % 64 ? v->rows : realloc(v->rows, (v->n + 64) * sizeof *more);

    if (!more)
        return false;
    v->rows = more;
    v->rows[v->n++] = *row;
    return true;
}

int verdicts_load(struct verdicts *v, const char *dir, struct err *err)
{
    *v = (struct verdicts){0};
    return verdict_each(dir, keep_row, v, err) < 0 ? -1 : 0;
}

void verdicts_free(struct verdicts *v)
{
    free(v->rows);
    *v = (struct verdicts){0};
}

/* --- the teacher ---------------------------------------------------------------------------------------------------- */

void teacher_model_name(const char *path, char out[64])
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t n = strlen(name);

    snprintf(out, 64, "%.*s", (int)(n > 5 && n < 68 ? n - 5 : n), name);
}

int teacher_open(struct teacher *t, const char *model, double hop_s, struct err *err)
{
    char path[PATH_MAX + 16];

    memset(t, 0, sizeof *t);
    learn_defaults(&t->params, hop_s);
    if (model_find(model, t->model_path, sizeof t->model_path, err) < 0 ||
        teach_model_hash(t->model_path, &t->hash, err) < 0 ||
        background_path(t->model_path, path, sizeof path, err) < 0)
        return -1;
    teacher_model_name(t->model_path, t->model_name);
    struct stat st;
    if (stat(path, &st) < 0 && errno == ENOENT)
        return err_set(err,
                       "nothing can be taught to %s: %s is not there, which says what other sounds are like; "
                       "earshot-s has it, for other models models/teach_background.py makes it",
                       t->model_name, path);
    if (background_read(&t->background, path, err) < 0)
        return -1;
    if (t->background.model == t->hash)
        return 0;
    teacher_close(t);
    return err_set(err, "%s was made for another %s than this one; models/teach_background.py makes it anew", path,
                   t->model_name);
}

void teacher_close(struct teacher *t)
{
    background_free(&t->background);
}

/* --- what a class is fitted with ------------------------------------------------------------------------------------ */

enum use { USE_NONE, USE_FOR, USE_AGAINST };

static enum use use_of(const struct teacher *t, const struct verdict_row *row, const struct taught_class *c)
{
    if (row->n_embedding != c->dims || row->model_hash != t->hash)
        return USE_NONE;
    bool told = strcmp(row->label, c->label) == 0, right = strcmp(row->verdict, VERDICT_RIGHT) == 0;

    if (strcmp(row->verdict, c->label) == 0 || (told && right))
        return USE_FOR;
    return told ? USE_AGAINST : USE_NONE;
}

uint64_t teacher_verdicts(const struct teacher *t, const struct verdicts *v, const struct taught_class *c)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < v->n; i++) {
        enum use use = use_of(t, &v->rows[i], c);
        if (use != USE_NONE) {
            uint64_t h = fnv_add(FNV_START, v->rows[i].event_id, strlen(v->rows[i].event_id));
            sum += fnv_add(h, &(unsigned char){(unsigned char)use}, 1); /* whatever their order */
        }
    }
    return sum;
}

/* Rows in, grown as needed. */
struct rows {
    float *x;
    unsigned *example;
    bool *clean;
    size_t n, room, dims;
    bool bad;
};

/* The old memory stays where there is none. */
static bool grow(void **p, size_t bytes)
{
    void *more = realloc(*p, bytes);

    if (more)
        *p = more;
    return more;
}

static float *add_row(struct rows *r, unsigned example, bool clean)
{
    if (r->n == r->room && !r->bad) {
        size_t room = r->room ? 2 * r->room : 256;
        r->bad = !grow((void **)&r->x, room * r->dims * sizeof *r->x) ||
                 !grow((void **)&r->example, room * sizeof *r->example) ||
                 !grow((void **)&r->clean, room * sizeof *r->clean);
        r->room = r->bad ? r->room : room;
    }
    if (r->bad)
        return NULL;
    r->example[r->n] = example;
    r->clean[r->n] = clean;
    return r->x + r->n++ * r->dims;
}

static void rows_free(struct rows *r)
{
    free(r->x);
    free(r->example);
    free(r->clean);
}

static void add_half(struct rows *r, unsigned example, const struct verdict_row *row)
{
    float *x = add_row(r, example, true);

    for (size_t k = 0; x && k < r->dims; k++)
        x[k] = half_to_float(row->embedding[k]);
}

static void add_windows(struct rows *r, unsigned example, const struct taught_example *e, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        float *x = add_row(r, example, i < e->n_clean || e->n_clean == 0);
        if (x)
            memcpy(x, e->windows + i * r->dims, r->dims * sizeof *x);
    }
}

/* Examples are numbered: those of the class, then the events that were said to be it. Returns how many. */
static unsigned gather(const struct teacher *t, const struct taughtfile *f, const struct verdicts *v,
                       const struct taught_class *c, struct rows *for_it, struct rows *against)
{
    unsigned n = 0;

    for (size_t i = 0; i < c->n_examples; i++) { /* older files hold changed ones too */
        const struct taught_example *e = &c->examples[i];
        add_windows(for_it, n++, e, e->n_clean ? e->n_clean : e->n);
    }
    for (size_t i = 0; i < v->n; i++) {
        enum use use = use_of(t, &v->rows[i], c);
        if (use == USE_FOR)
            add_half(for_it, n++, &v->rows[i]);
        for (int k = 0; use == USE_AGAINST && k < 3; k++) /* like so many windows of something else that is taught */
            add_half(against, 0, &v->rows[i]);
    }
    for (size_t i = 0; i < f->n_classes; i++) {
        const struct taught_class *o = &f->classes[i];
        if (o->hash != c->hash || o->dims != c->dims || strcmp(o->label, c->label) == 0)
            continue;
        for (size_t k = 0; k < o->n_examples; k++)
            add_windows(against, 0, &o->examples[k],
                        o->examples[k].n < OTHERS_WINDOWS ? o->examples[k].n : OTHERS_WINDOWS);
    }
    return n;
}

int teacher_fit(const struct teacher *t, const struct taughtfile *f, const struct verdicts *v, struct taught_class *c,
                struct err *err)
{
    struct rows for_it = {.dims = c->dims}, against = {.dims = c->dims};
    struct learned l = {0};
    int rc = -1;

    if (c->dims != t->background.dims)
        return err_set(err, "%s gives %zu values, its background has %zu", t->model_name, c->dims, t->background.dims);
    unsigned n = gather(t, f, v, c, &for_it, &against);
    struct learn_set set = {.dims = c->dims,
                            .n_negatives = t->background.n,
                            .n_hard = against.n,
                            .n_positives = for_it.n,
                            .n_examples = n,
                            .negatives = t->background.rows,
                            .hard = against.x,
                            .hard_weight = HARD_WEIGHT,
                            .positives = for_it.x,
                            .example = for_it.example,
                            .clean = for_it.clean};
    if (for_it.bad || against.bad)
        err_set(err, "no memory");
    else
        rc = learn_head(&set, &t->params, &l, err);
    if (rc == 0) {
        for (size_t i = 0; i < c->n_examples; i++)
            c->examples[i].score = l.score[i];
        free(c->w);
        c->w = l.w;
        l.w = NULL;
        c->bias = l.bias;
        c->recall = l.recall;
        c->false_alarms_h = l.false_alarms_h;
        c->verdicts = teacher_verdicts(t, v, c);
    }
    learned_free(&l);
    rows_free(&for_it);
    rows_free(&against);
    return rc;
}
