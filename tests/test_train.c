/* Training of dense nets: products against plain sums, gradients against differences, the optimiser against the paper's formulas,
 * and the whole against a problem that a net must learn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "train/adam.h"
#include "train/dense.h"
#include "train/fit.h"
#include "train/matmul.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SEED = 7 };

static void test_random(void **state)
{
    (void)state;
    struct random a, b, c;
    size_t items[100], seen[100] = {0}, moved = 0;
    double mean = 0;

    random_seed(&a, SEED, 0);
    random_seed(&b, SEED, 0);
    random_seed(&c, SEED, 1);
    for (int i = 0; i < 100; i++)
        assert_true(random_next(&a) == random_next(&b));
    assert_true(random_next(&a) != random_next(&c));
    for (int i = 0; i < 10000; i++) {
        float x = random_unit(&a);
        assert_true(x >= 0 && x < 1);
        mean += (double)x / 10000;
    }
    assert_true(fabs(mean - 0.5) < 5 * 0.2887 / 100); /* five standard errors */
    for (size_t i = 0; i < 100; i++)
        items[i] = i;
    random_shuffle(&a, items, 100);
    for (size_t i = 0; i < 100; i++) {
        seen[items[i]]++;
        moved += items[i] != i;
    }
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(seen[i], 1);
    assert_true(moved > 80);
}

/* Every shape around the tile's and the block's edges, A as it lies and transposed. */
static void test_matmul(void **state)
{
    (void)state;
    enum { MOST = 37 };
    float a[MOST * MOST], b[MOST * 48], c[MOST * 48];
    struct random r;

    random_seed(&r, SEED, 0);
    for (size_t m = 1; m < MOST; m += 3)
        for (size_t k = 1; k < MOST; k += 5)
            for (size_t n = 1; n < MOST; n += 4)
                for (int transposed = 0; transposed < 2; transposed++) {
                    size_t width = matmul_padded(n);
                    for (size_t i = 0; i < m * k; i++)
                        a[i] = random_unit(&r) - 0.5f;
                    memset(b, 0, sizeof b);
                    for (size_t l = 0; l < k; l++)
                        for (size_t j = 0; j < n; j++)
                            b[l * width + j] = random_unit(&r) - 0.5f;
                    for (size_t i = 0; i < m * width; i++)
                        c[i] = i % width < n ? 1 : 0;
                    matmul(c, width, a, transposed ? 1 : k, transposed ? m : 1, b, width, m, k, n, 1);
                    for (size_t i = 0; i < m; i++)
                        for (size_t j = 0; j < width; j++) {
                            double sum = j < n;
                            for (size_t l = 0; l < k; l++)
                                sum += (double)a[transposed ? l * m + i : i * k + l] * (double)b[l * width + j];
                            assert_true(fabs(sum - (double)c[i * width + j]) < 1e-5);
                        }
                }
}

/* A net with some inputs; its loss as a function of one weight. */
struct probe {
    struct dense *net;
    unsigned label[5];
};

static struct probe probe_new(const struct dense_shape *shape)
{
    struct err err;
    struct probe p = {.net = dense_new(shape, 5, &err)};
    struct random r;

    assert_non_null(p.net);
    random_seed(&r, SEED, 0);
    dense_init(p.net, &r);
    for (size_t l = 0; l < shape->n_layers; l++)
        for (size_t o = 0; o < shape->units[l + 1]; o++)
            dense_weights(p.net)[dense_bias_at(p.net, l, o)] = 0.2f * random_unit(&r);
    for (size_t i = 0; i < 5; i++) {
        p.label[i] = (unsigned)random_below(&r, shape->units[shape->n_layers]);
        for (size_t c = 0; c < shape->units[0]; c++)
            dense_input(p.net, i)[c] = 2 * random_unit(&r) - 1;
    }
    return p;
}

static double loss_of(struct probe *p, float dropout)
{
    struct random r;

    random_seed(&r, SEED, 5);
    return dense_learn(p->net, p->label, 5, dropout, &r);
}

/* Central differences at every weight and bias. float sums are good to 1e-7 or so, a step of 2e-3 makes that 1e-4; a kink of ReLU between the two
 * points shows as a larger difference, at few weights. */
static void check_gradient(const struct dense_shape *shape, float dropout)
{
    struct probe p = probe_new(shape);
    size_t size = dense_size(p.net), checked = 0, off = 0;
    float *gradient = malloc(size * sizeof *gradient), *w = dense_weights(p.net);

    loss_of(&p, dropout);
    memcpy(gradient, dense_gradient(p.net), size * sizeof *gradient);
    for (size_t l = 0; l < shape->n_layers; l++)
        for (size_t i = 0; i <= shape->units[l]; i++)
            for (size_t o = 0; o < shape->units[l + 1]; o++) {
                size_t at = i < shape->units[l] ? dense_weight_at(p.net, l, i, o) : dense_bias_at(p.net, l, o);
                float was = w[at];
                w[at] = was + 2e-3f;
                double up = loss_of(&p, dropout);
                w[at] = was - 2e-3f;
                double down = loss_of(&p, dropout);
                w[at] = was;
                double slope = (up - down) / 4e-3;
                off += fabs(slope - (double)gradient[at]) > 5e-4 + 1e-2 * fabs(slope);
                checked++;
            }
    print_message("%zu layers, dropout %.1f: %zu of %zu differ\n", shape->n_layers, (double)dropout, off, checked);
    assert_true(checked > 0 && off * 50 <= checked);
    for (size_t l = 0; l < shape->n_layers; l++) /* the padding learns nothing */
        for (size_t o = shape->units[l + 1]; o < matmul_padded(shape->units[l + 1]); o++)
            assert_true(gradient[dense_bias_at(p.net, l, o)] == 0 && gradient[dense_weight_at(p.net, l, 0, o)] == 0);
    free(gradient);
    dense_free(p.net);
}

static void test_gradient(void **state)
{
    (void)state;
    check_gradient(&(struct dense_shape){1, {7, 3}}, 0);
    check_gradient(&(struct dense_shape){2, {6, 19, 4}}, 0);
    check_gradient(&(struct dense_shape){4, {9, 17, 33, 16, 3}}, 0);
    check_gradient(&(struct dense_shape){3, {9, 20, 18, 5}}, 0.4f);
}

/* Softmax regression with one input: loss and scores by hand. */
static void test_scores(void **state)
{
    (void)state;
    struct err err;
    struct dense *d = dense_new(&(struct dense_shape){1, {1, 2}}, 2, &err);
    unsigned label[] = {0, 1};
    float scores[4];

    assert_non_null(d);
    dense_weights(d)[dense_weight_at(d, 0, 0, 0)] = 1;
    dense_weights(d)[dense_bias_at(d, 0, 1)] = 0.5f;
    dense_input(d, 0)[0] = 2;
    dense_input(d, 1)[0] = -1;
    dense_scores(d, 2, scores);
    double p0 = 1 / (1 + exp(0.5 - 2)), p1 = 1 / (1 + exp(-1 - 0.5));
    assert_float_equal(scores[0], p0, 1e-6);
    assert_float_equal(scores[3], p1, 1e-6);
    assert_float_equal(dense_learn(d, label, 2, 0, NULL), -(log(p0) + log(p1)) / 2, 1e-6);
    dense_input(d, 0)[0] = 3e4f; /* far out: no NaN */
    dense_scores(d, 1, scores);
    assert_float_equal(scores[0], 1, 0);
    dense_free(d);
    assert_null(dense_new(&(struct dense_shape){1, {1, 0}}, 2, &err));
    assert_null(dense_new(&(struct dense_shape){0, {1}}, 2, &err));
}

/* What dropout leaves is raised so that the mean stays. */
static void test_dropout(void **state)
{
    (void)state;
    struct err err;
    struct dense *d = dense_new(&(struct dense_shape){2, {1, 64, 2}}, 64, &err);
    struct random r;
    unsigned label[64] = {0};
    double sum = 0;

    assert_non_null(d);
    for (size_t o = 0; o < 64; o++) {
        dense_weights(d)[dense_bias_at(d, 0, o)] = 1;
        dense_weights(d)[dense_weight_at(d, 1, o, 0)] = 1.0f / 64;
    }
    random_seed(&r, SEED, 0);
    /* the gradient of a weight behind the dropped layer is slope * value, the slope the same but for the score's change */
    for (int i = 0; i < 20; i++) {
        dense_learn(d, label, 64, 0.5f, &r);
        double with = 0, without = (double)dense_gradient(d)[dense_bias_at(d, 1, 0)];
        for (size_t o = 0; o < 64; o++)
            with += (double)dense_gradient(d)[dense_weight_at(d, 1, o, 0)] / 64;
        sum += with / without / 20;
    }
    assert_true(fabs(sum - 1) < 0.03); /* 20 * 64 * 64 draws of 0 or 2: standard error 0.004 */
    dense_free(d);
}

/* Two steps by the paper's algorithm 1, in double. */
static void test_adam(void **state)
{
    (void)state;
    struct adam a;
    float w[2] = {1, -2}, g[2][2] = {{0.5f, -3}, {-0.25f, 1e-3f}};
    double expect[2] = {1, -2}, m[2] = {0}, v[2] = {0};

    assert_int_equal(adam_init(&a, 2, 0.01f, 0.1f), 0);
    for (int t = 1; t <= 2; t++) {
        adam_step(&a, w, g[t - 1]);
        for (int i = 0; i < 2; i++) {
            double grad = (double)g[t - 1][i];
            m[i] = 0.9 * m[i] + 0.1 * grad;
            v[i] = 0.999 * v[i] + 0.001 * grad * grad;
            expect[i] -= 0.01 * 0.1 * expect[i];
            expect[i] -= 0.01 * (m[i] / (1 - pow(0.9, t))) / (sqrt(v[i] / (1 - pow(0.999, t))) + 1e-8);
        }
    }
    assert_float_equal(w[0], expect[0], 1e-5);
    assert_float_equal(w[1], expect[1], 1e-5);
    adam_free(&a);
}

/* Points on two rings: no linear net tells them apart. Columns differ in scale by far. */
enum { POINTS = 400, COLS = 3 };
static float ring_x[POINTS * COLS];
static unsigned ring_label[POINTS];
static size_t ring_train[POINTS / 2], ring_check[POINTS / 2];

static struct fit_data rings(void)
{
    struct random r;

    random_seed(&r, SEED, 3);
    for (size_t i = 0; i < POINTS; i++) {
        float angle = 6.2831853f * random_unit(&r), radius = (i % 2 ? 2.0f : 1.0f) + 0.3f * random_unit(&r);
        ring_label[i] = i % 2;
        ring_x[i * COLS] = 1000 + 100 * radius * cosf(angle);
        ring_x[i * COLS + 1] = 0.01f * radius * sinf(angle);
        ring_x[i * COLS + 2] = 5; /* says nothing */
        *(i < POINTS / 2 ? &ring_train[i] : &ring_check[i - POINTS / 2]) = i;
    }
    return (struct fit_data){ring_x, COLS, ring_label, ring_train, POINTS / 2, ring_check, POINTS / 2};
}

static const struct fit_params ring_params = {.n_hidden = 2,
                                              .hidden = {24, 12},
                                              .classes = 2,
                                              .dropout = 0.1f,
                                              .rate = 0.01f,
                                              .batch = 16,
                                              .epochs = 60,
                                              .seed = 3};

static double share_right(struct fit *f, const struct fit_data *d)
{
    float scores[POINTS];
    size_t right = 0;

    fit_scores(f, d->check, d->n_check, scores);
    for (size_t i = 0; i < d->n_check; i++)
        right += (scores[2 * i + 1] > scores[2 * i]) == (d->label[d->check[i]] == 1);
    return (double)right / (double)d->n_check;
}

/* The layers as they are written, over inputs as they come, give the same scores. */
static void check_layers(struct fit *f, const struct fit_data *d)
{
    const struct dense_shape *s = fit_shape(f);
    float weight[4096], bias[64], x[64], y[64], scores[2];

    memcpy(x, d->x + d->check[0] * d->cols, d->cols * sizeof *x);
    for (size_t l = 0; l < s->n_layers; l++) {
        fit_layer(f, l, weight, bias);
        for (size_t o = 0; o < s->units[l + 1]; o++) {
            y[o] = bias[o];
            for (size_t i = 0; i < s->units[l]; i++)
                y[o] += weight[o * s->units[l] + i] * x[i];
            y[o] = l + 1 < s->n_layers && y[o] < 0 ? 0 : y[o];
        }
        memcpy(x, y, sizeof y);
    }
    fit_scores(f, d->check, 1, scores);
    assert_float_equal(1 / (1 + expf(x[0] - x[1])), scores[1], 1e-3);
}

static void test_fit(void **state)
{
    (void)state;
    struct err err;
    struct fit_data d = rings();
    struct fit *f = fit_new(&ring_params, &d, &err);

    assert_non_null(f);
    while (fit_step(f))
        ;
    struct fit_progress p = fit_progress(f);
    assert_int_equal(p.epoch, 60);
    assert_true(p.best > 0 && p.best <= 60);
    for (size_t e = 0; e < p.epoch; e++)
        assert_true(p.points[e].check_right < p.points[p.best - 1].check_right ||
                    (p.points[e].check_right == p.points[p.best - 1].check_right &&
                     p.points[e].check_loss >= p.points[p.best - 1].check_loss));
    assert_true(p.points[59].loss < p.points[0].loss);
    assert_true(share_right(f, &d) > 0.97);
    check_layers(f, &d);
    fit_free(f);

    struct fit_params linear = ring_params;
    linear.n_hidden = 0;
    linear.patience = 3;
    assert_non_null(f = fit_new(&linear, &d, &err));
    while (fit_step(f))
        ;
    assert_true(share_right(f, &d) < 0.7);
    p = fit_progress(f);
    assert_true(p.epoch < 60 && p.epoch == p.best + 3);
    fit_free(f);

    struct fit_data unchecked = d;
    unchecked.n_check = 0;
    assert_non_null(f = fit_new(&ring_params, &unchecked, &err));
    while (fit_step(f))
        ;
    assert_int_equal(fit_progress(f).best, 60);
    fit_free(f);
}

static void weights_of(struct fit *f, float out[400])
{
    float bias[64];

    memset(out, 0, 400 * sizeof *out);
    fit_layer(f, 1, out, bias);
    memcpy(out + 300, bias, 12 * sizeof *bias);
}

/* Broken off after any number of steps, and taken up by another. */
static void test_resume(void **state)
{
    (void)state;
    static const size_t at[] = {0, 1, 12, 13, 100, 779, 780};
    struct err err;
    struct fit_data d = rings();
    float whole[400], again[400];
    struct fit *f = fit_new(&ring_params, &d, &err);

    while (fit_step(f))
        ;
    weights_of(f, whole);
    fit_free(f);
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        FILE *file = tmpfile();
        assert_non_null(f = fit_new(&ring_params, &d, &err));
        for (size_t s = 0; s < at[i]; s++)
            fit_step(f);
        assert_int_equal(fit_save(f, file), 0);
        fit_free(f);
        rewind(file);
        assert_non_null(f = fit_new(&ring_params, &d, &err));
        assert_int_equal(fit_load(f, file), 0);
        while (fit_step(f))
            ;
        weights_of(f, again);
        assert_memory_equal(whole, again, sizeof whole);
        fit_free(f);

        assert_int_equal(ftruncate(fileno(file), ftell(file) - 5), 0);
        rewind(file);
        assert_non_null(f = fit_new(&ring_params, &d, &err));
        assert_int_equal(fit_load(f, file), -1);
        fit_free(f);
        fclose(file);
    }
    struct fit_params other = ring_params;
    other.seed++;
    assert_non_null(f = fit_new(&other, &d, &err));
    while (fit_step(f))
        ;
    weights_of(f, again);
    assert_memory_not_equal(whole, again, sizeof whole);
    fit_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random), cmocka_unit_test(test_matmul),  cmocka_unit_test(test_gradient),
        cmocka_unit_test(test_scores), cmocka_unit_test(test_dropout), cmocka_unit_test(test_adam),
        cmocka_unit_test(test_fit),    cmocka_unit_test(test_resume),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
