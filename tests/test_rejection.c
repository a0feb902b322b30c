/* Rejection of unknown sounds: cases whose answers are worked out here by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "evaluate/rejection.h"

#include <math.h>

enum { BACKGROUND, DOG, SIREN, N };
static const char *const labels[N] = {"background", "dog_bark", "siren"};
static const float thresholds[N] = {0.5f, 0.5f, 0.8f};
#define U REJECTION_UNKNOWN

static struct rejection judge(const float (*scores)[N], const unsigned *truth, size_t n)
{
    struct clipset set = {.n = n, .n_labels = N, .labels = labels, .scores = n ? scores[0] : NULL, .truth = truth};
    struct rejection r;

    assert_int_equal(rejection_of(&set, thresholds, &r), 0);
    return r;
}

static void test_shares(void **state)
{
    (void)state;
    static const float scores[][N] = {
        {0, 0.6f, 0.1f},      /* dog: right */
        {0, 0.5f, 0.79f},     /* dog: the siren's higher score does not reach its threshold, the dog's does */
        {0, 0.6f, 0.9f},      /* dog: named siren, which is higher */
        {0.9f, 0.4f, 0},      /* dog: rejected, background names nothing */
        {0, 0.1f, 0.8f},      /* siren: right */
        {0.99f, 0.49f, 0.7f}, /* unknown: rejected */
        {0, 0.7f, 0},         /* unknown: named dog */
        {0, 0.2f, 0.3f},      /* unknown: rejected */
    };
    static const unsigned truth[] = {DOG, DOG, DOG, DOG, SIREN, U, U, U};
    struct rejection r = judge(scores, truth, 8);

    assert_int_equal(r.right.hits, 3);
    assert_int_equal(r.wrong.hits, 1);
    assert_int_equal(r.rejected.hits, 1);
    assert_int_equal(r.right.n, 5);
    assert_int_equal(r.unknown_named.hits, 1);
    assert_int_equal(r.unknown_named.n, 3);
    assert_int_equal(r.named[DOG], 1);
    assert_int_equal(r.named[SIREN], 0);
    /* best of the known: 0.6 0.79 0.9 0.4 0.8; of the unknown: 0.7 0.7 0.3. Above 0.7 twice: 3 known; above 0.3: 5 */
    assert_float_equal(r.auroc, (3 + 3 + 5) / 15.0, 1e-12);
    assert_int_equal(r.unknown_at_95.hits, 2); /* all five known pass at 0.4 */
    rejection_free(&r);
}

/* Background is no sound: it is neither known nor unknown, whatever it is taken for, and changes no other figure. */
static void test_background(void **state)
{
    (void)state;
    static const float scores[][N] = {
        {0, 0.6f, 0.1f},   /* dog: right */
        {0.9f, 0.2f, 0},   /* background: nothing is named */
        {0.9f, 0.5f, 0},   /* background, taken for a dog */
        {0.1f, 0.3f, 0.9f} /* background, taken for a siren */
    };
    static const unsigned truth[] = {DOG, BACKGROUND, BACKGROUND, BACKGROUND};
    struct rejection r = judge(scores, truth, 4);

    assert_int_equal(r.silent_named.hits, 2);
    assert_int_equal(r.silent_named.n, 3);
    assert_int_equal(r.right.hits, 1);
    assert_int_equal(r.right.n, 1);
    assert_int_equal(r.wrong.hits + r.rejected.hits + r.named[DOG] + r.named[SIREN], 0);
    assert_int_equal(r.unknown_named.n, 0);
    assert_true(isnan(r.auroc));
    rejection_free(&r);
}

/* Ties count half, whichever is first; a best score of 95 % of the known: 19 of 20. */
static void test_ranks(void **state)
{
    (void)state;
    float scores[24][N] = {{0}};
    unsigned truth[24];

    for (unsigned i = 0; i < 24; i++) {
        truth[i] = i < 20 ? DOG : U;
        scores[i][DOG] = i < 20 ? (float)(i + 1) / 40 : 0; /* 0.025 ... 0.5 */
    }
    scores[20][SIREN] = 0.05f; /* that of the 19th */
    scores[21][SIREN] = 0.6f;
    struct rejection r = judge((const float(*)[N])scores, truth, 24);
    assert_float_equal(r.auroc, (18.5 + 0 + 20 + 20) / 80, 1e-12);
    assert_int_equal(r.unknown_at_95.hits, 2); /* 0.6 and, in the tie, 0.05 */
    assert_int_equal(r.right.hits, 1);
    rejection_free(&r);

    for (unsigned i = 0; i < 24; i++)
        scores[i][DOG] = scores[i][SIREN] = 0.25f;
    r = judge((const float(*)[N])scores, truth, 24);
    assert_float_equal(r.auroc, 0.5, 1e-12);
    assert_int_equal(r.unknown_at_95.hits, 4);
    rejection_free(&r);
}

static void test_one_kind(void **state)
{
    (void)state;
    static const float scores[][N] = {{0, 0.6f, 0}, {0, 0.1f, 0}};
    static const unsigned known[] = {DOG, DOG}, unknown[] = {U, U};
    struct rejection r = judge(scores, known, 2);

    assert_true(isnan(r.auroc) && isnan(r.unknown_named.value));
    assert_int_equal(r.right.hits, 1);
    rejection_free(&r);
    r = judge(scores, unknown, 2);
    assert_true(isnan(r.auroc) && isnan(r.right.value));
    assert_int_equal(r.unknown_named.hits, 1);
    assert_int_equal(r.unknown_at_95.hits, 0);
    rejection_free(&r);
    r = judge(NULL, NULL, 0);
    assert_true(isnan(r.auroc));
    rejection_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_background),
        cmocka_unit_test(test_ranks),
        cmocka_unit_test(test_one_kind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
