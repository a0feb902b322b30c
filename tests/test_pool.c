/* Pooling of window scores: what each kind makes of windows whose answer is worked out here by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/pool.h"

#include <math.h>

enum { A, B, N };

struct window_of {
    double dbfs;
    float scores[N];
};

static uint64_t pooled(enum pooling pooling, const struct window_of *w, size_t n, float out[N])
{
    struct err err;
    struct pool *p = pool_new(pooling, N, &err);

    assert_non_null(p);
    pool_add(p, 0, (float[N]){1, 1}); /* of the file before */
    pool_reset(p);
    for (size_t i = 0; i < n; i++)
        if (pool_wants(p, w[i].dbfs))
            pool_add(p, w[i].dbfs, w[i].scores);
    uint64_t windows = pool_scores(p, out);
    pool_free(p);
    return windows;
}

/* logit(0.9) is ln 9, logit(0.1) is -ln 9, logit(0.99) is ln 99. */
static void test_kinds(void **state)
{
    (void)state;
    static const struct window_of w[] = {{-30, {0.9f, 0.1f}}, {-20, {0.99f, 0.1f}}, {-40, {0.1f, 0.9f}}};
    float s[N];

    assert_int_equal(pooled(POOLING_MEAN_SCORE, w, 3, s), 3);
    assert_float_equal(s[A], 1.99 / 3, 1e-6);
    assert_float_equal(s[B], 1.1 / 3, 1e-6);
    assert_int_equal(pooled(POOLING_MEAN_LOGIT, w, 3, s), 3);
    assert_float_equal(s[A], 1 / (1 + pow(99, -1.0 / 3)), 1e-5); /* (ln 9 + ln 99 - ln 9) / 3 */
    assert_float_equal(s[B], 1 / (1 + pow(9, 1.0 / 3)), 1e-5);   /* (-ln 9 - ln 9 + ln 9) / 3 */
    assert_int_equal(pooled(POOLING_LOUD_LOGIT, w, 3, s), 2);    /* the last is 20 dB below the loudest */
    assert_float_equal(s[A], 1 / (1 + 1 / sqrt(9 * 99)), 1e-5);
    assert_float_equal(s[B], 0.1, 1e-6);
}

/* 15 dB below the loudest counts, 16 dB does not, whichever comes first. */
static void test_loudest(void **state)
{
    (void)state;
    static const struct window_of up[] = {{-36, {0, 0}}, {-35, {0.5f, 0}}, {-20, {0.5f, 0}}};
    static const struct window_of down[] = {{-20, {0.5f, 0}}, {-35, {0.5f, 0}}, {-36, {0, 0}}};
    static const struct window_of quiet[] = {{-69, {0.5f, 0}}, {-75, {0, 0}}, {-60, {0.5f, 0}}};
    static const struct window_of over[] = {{+12, {0.5f, 0}}, {0, {0.5f, 0}}, {-14.5, {0.5f, 0}}, {-16.5, {0, 0}}};
    float s[N];

    assert_int_equal(pooled(POOLING_LOUD_LOGIT, up, 3, s), 2);
    assert_float_equal(s[A], 0.5, 1e-6);
    assert_int_equal(pooled(POOLING_LOUD_LOGIT, down, 3, s), 2);
    assert_float_equal(s[A], 0.5, 1e-6);
    assert_int_equal(pooled(POOLING_LOUD_LOGIT, quiet, 3, s), 2);
    assert_float_equal(s[A], 0.5, 1e-6);
    assert_int_equal(pooled(POOLING_LOUD_LOGIT, over, 4, s), 3);
    assert_float_equal(s[A], 0.5, 1e-6);
}

/* Windows under -70 dBFS count only where all are. */
static void test_silence(void **state)
{
    (void)state;
    static const struct window_of some[] = {{-80, {1, 1}}, {-69.9, {0.25f, 0}}, {-70.1, {1, 1}}};
    static const struct window_of all[] = {{-80, {0.25f, 0.5f}}, {-120, {0.25f, 0.5f}}};
    float s[N] = {1, 1};

    for (int k = POOLING_MEAN_SCORE; k <= POOLING_LOUD_LOGIT; k++) {
        assert_int_equal(pooled((enum pooling)k, some, 3, s), 1);
        assert_float_equal(s[A], 0.25, 1e-6);
        assert_int_equal(pooled((enum pooling)k, all, 2, s), 2);
        assert_float_equal(s[A], 0.25, 1e-6);
        assert_float_equal(s[B], 0.5, 1e-6);
        assert_int_equal(pooled((enum pooling)k, NULL, 0, s), 0);
        assert_true(s[A] == 0 && s[B] == 0);
    }
}

/* One window that is beyond doubt does not outweigh all others for ever: its logit is bounded. */
static void test_logits(void **state)
{
    (void)state;

    assert_float_equal(score_logit(0.9f), log(9), 1e-5);
    assert_float_equal(score_logit(1e-6f), log(1e-6), 1e-4);
    assert_true(score_logit(0) == -LOGIT_MAX && score_logit(1e-30f) == -LOGIT_MAX && score_logit(NAN) == -LOGIT_MAX);
    assert_true(score_logit(1) == LOGIT_MAX && score_logit(nextafterf(1, 0)) <= LOGIT_MAX);
    for (float s = 0.001f; s < 1; s += 0.05f)
        assert_float_equal(logit_score(score_logit(s)), s, 1e-6);
}

static void test_level(void **state)
{
    (void)state;
    float x[400];

    for (int i = 0; i < 400; i++)
        x[i] = i % 2 ? 0.1f : -0.1f;
    assert_float_equal(pool_level(x, 400), -20, 1e-4);
    assert_float_equal(pool_level(x, 0), -120, 0);
    x[0] = 0;
    assert_float_equal(pool_level(x, 1), -120, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),  cmocka_unit_test(test_loudest), cmocka_unit_test(test_silence),
        cmocka_unit_test(test_logits), cmocka_unit_test(test_level),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
