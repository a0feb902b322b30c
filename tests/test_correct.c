/* Corrections of the model's own classes: none reaches farther than it may, however many wrong alarms are told. On the shipped model and its
 * background; what a correction touches is counted here anew, from the file that was made. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#include "base/half.h"
#include "daemon/teach/teacher.h"
#include "model/model.h"

#define MODEL "models/earshot-s.onnx"

enum { MANY = 60 };

struct fixture {
    struct teacher t;
    struct model *model;
    size_t label, n; /* a class of which the background has many sounds: n */
    size_t row[20000];
};

static int open_fixture(void **state)
{
    struct fixture *x = calloc(1, sizeof *x);
    struct err err;

    assert_non_null(x);
    x->model = model_load(MODEL, &err);
    assert_non_null(x->model);
    assert_int_equal(teacher_open(&x->t, MODEL, 0.5, &err), 0);
    const struct background *b = &x->t.background;
    size_t labels = model_info(x->model)->n_labels;
    for (size_t k = 0; k < labels; k++) {
        size_t n = 0;
        for (size_t i = 0; i < b->n; i++)
            n += b->label[i] == (int)k;
        if (n > x->n && strcmp(model_info(x->model)->labels[k], "background") != 0) {
            x->n = n;
            x->label = k;
        }
    }
    assert_true(x->n >= 20);
    for (size_t i = 0, n = 0; i < b->n; i++)
        if (b->label[i] == (int)x->label)
            x->row[n++] = i;
    printf("%s: %zu sounds in the background\n", model_info(x->model)->labels[x->label], x->n);
    *state = x;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *x = *state;

    teacher_close(&x->t);
    model_free(x->model);
    free(x);
    return 0;
}

static const float *sound(const struct fixture *x, size_t i)
{
    return x->t.background.rows + x->row[i] * x->t.background.dims;
}

static void tell(const struct fixture *x, struct verdict_row *v, size_t number, const char *verdict,
                 const float *embedding)
{
    memset(v, 0, sizeof *v);
    snprintf(v->event_id, sizeof v->event_id, "0198aaaa-0000-7000-8000-%012u", (unsigned)(number % 1000000));
    snprintf(v->label, sizeof v->label, "%s", model_info(x->model)->labels[x->label]);
    snprintf(v->verdict, sizeof v->verdict, "%s", verdict);
    v->model_hash = x->t.hash;
    v->n_embedding = (unsigned)x->t.background.dims;
    for (size_t k = 0; k < v->n_embedding; k++)
        v->embedding[k] = half_from_float(embedding[k]);
}

static double cosine(const struct taughtfile *f, size_t correction, const float *x)
{
    const struct taught_standard *s = &f->standard;
    double dot = 0, squares = 0;

    for (size_t k = 0; k < s->dims; k++) {
        double v = ((double)x[k] - (double)s->mean[k]) / (double)s->deviation[k];
        dot += v * (double)f->corrections[correction].direction[k];
        squares += v * v;
    }
    return dot / sqrt(squares);
}

/* Share of the class's sounds that corrections [first, end) touch, from a cosine of `reach` on; reach 0: of each its own. */
static double touched(const struct fixture *x, const struct taughtfile *f, size_t first, size_t end, double reach)
{
    size_t n = 0;

    for (size_t i = 0; i < x->n; i++) {
        bool hit = false;
        for (size_t k = first; k < end && !hit; k++)
            hit = cosine(f, k, sound(x, i)) >= (reach > 0 ? reach : (double)f->corrections[k].reach);
        n += hit;
    }
    return (double)n / (double)x->n;
}

/* One wrong alarm that is just like a sound of the class, for each of them: a tenth, and where that bound was needed at all. */
static void test_each(void **state)
{
    const struct fixture *x = *state;
    size_t needed = 0, unused, made = 0;
    double most = 0;

    for (size_t i = 0; i < x->n && i < MANY; i++) {
        struct taughtfile f = {0};
        struct verdict_row row;
        struct verdicts v = {&row, 1};
        struct err err;
        tell(x, &row, i, VERDICT_WRONG, sound(x, i));
        assert_int_equal(teacher_correct(&x->t, &v, &f, &unused, &err), 0);
        assert_int_equal(unused + f.n_corrections, 1);
        if (f.n_corrections == 1) {
            double share = touched(x, &f, 0, 1, 0);
            assert_true(share <= CORRECT_EACH + 1e-9);
            assert_true(f.corrections[0].reach >= CORRECT_REACH && f.corrections[0].reach < 1);
            needed += touched(x, &f, 0, 1, (double)CORRECT_REACH) > CORRECT_EACH;
            most = fmax(most, share);
            made++;
        }
        taughtfile_free(&f);
    }
    printf("%zu corrections, each touches %.1f %% at most; %zu would have touched more than a tenth\n", made,
           100 * most, needed);
    assert_true(made > 0 && needed > 0);
}

/* All its sounds are said to be wrong: a quarter of them is held back, no more, and how many are not used is told. */
static void test_all(void **state)
{
    const struct fixture *x = *state;
    struct taughtfile f = {0};
    struct verdicts v = {calloc(x->n, sizeof *v.rows), x->n};
    struct err err;
    size_t unused = 0;

    assert_non_null(v.rows);
    for (size_t i = 0; i < x->n; i++)
        tell(x, &v.rows[i], i, VERDICT_WRONG, sound(x, i));
    assert_int_equal(teacher_correct(&x->t, &v, &f, &unused, &err), 0);
    double share = touched(x, &f, 0, f.n_corrections, 0);
    printf("of %zu, %zu in force, %zu not used: %.1f %% touched\n", x->n, f.n_corrections, unused, 100 * share);
    assert_int_equal(f.n_corrections + unused, x->n);
    assert_true(unused > 0 && f.n_corrections > 1);
    assert_true(share <= CORRECT_ALL + 1e-9 && share > CORRECT_EACH);
    taughtfile_free(&f);
    free(v.rows);
}

/* What was said to be right stays untouched, and so does the way back. */
static void test_right(void **state)
{
    const struct fixture *x = *state;
    size_t dims = x->t.background.dims, unused;
    float *like = calloc(dims, sizeof *like);
    struct verdict_row rows[2];
    struct verdicts v = {rows, 2};
    struct taughtfile f = {0};
    struct err err;

    assert_non_null(like);
    for (size_t k = 0; k < dims; k++) /* nearer than a correction reaches by itself */
        like[k] = sound(x, 0)[k] + 0.15f * sound(x, 1)[k];
    tell(x, &rows[0], 0, VERDICT_WRONG, sound(x, 0));
    tell(x, &rows[1], 1, VERDICT_RIGHT, like);
    v.n = 1;
    assert_int_equal(teacher_correct(&x->t, &v, &f, &unused, &err), 0);
    assert_int_equal(f.n_corrections, 1);
    assert_true(cosine(&f, 0, sound(x, 0)) >= (double)f.corrections[0].reach);
    bool near = cosine(&f, 0, like) >= (double)f.corrections[0].reach;
    v.n = 2;
    assert_int_equal(teacher_correct(&x->t, &v, &f, &unused, &err), 0);
    if (f.n_corrections == 1)
        assert_true(cosine(&f, 0, like) < (double)f.corrections[0].reach);
    assert_true(near);
    rows[0] = rows[1]; /* taken back */
    v.n = 1;
    assert_int_equal(teacher_correct(&x->t, &v, &f, &unused, &err), 0);
    assert_int_equal(f.n_corrections, 0);
    taughtfile_free(&f);
    free(like);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each),
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_right),
    };

    return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
