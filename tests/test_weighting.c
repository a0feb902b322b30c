/* The weighting filters against IEC 61672-1:2013: Table 3 with class 1's limits, at all rates. Prints the table at 48 kHz. */
#include "audio/weighting.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TEST_PI 3.14159265358979323846

static double exact(const struct weighting_row *row)
{
    return 1000 * pow(10, row->n / 10.0);
}

/* Table 3's figures are the formula's, rounded to a tenth: whoever mistypes either is found out. */
static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < WEIGHTING_ROWS; i++) {
        const struct weighting_row *r = &weighting_table[i];
        double a = weighting_ideal('A', exact(r)), c = weighting_ideal('C', exact(r));
        if (fabs(a - r->a) > 0.0501 || fabs(c - r->c) > 0.0501 || weighting_ideal('Z', exact(r)) != 0)
            fail_msg("%g Hz: A %.3f (table %.1f), C %.3f (table %.1f)", r->nominal, a, r->a, c, r->c);
        assert_true(fabs(exact(r) / r->nominal - 1) < 0.016); /* 1250 and 1259 Hz */
    }
}

static void check(const struct weighting *w, char kind, const struct weighting_row *r)
{
    double off = weighting_response(w, kind, exact(r)) - weighting_ideal(kind, exact(r));
    if (off > r->above || off < -r->below)
        fail_msg("%u Hz: %c at %g Hz is off by %.2f dB, class 1 allows +%.1f -%.1f", w->rate, kind, r->nominal, off,
                 r->above, r->below);
}

static void test_class1_48k(void **state)
{
    (void)state;
    struct weighting w;
    struct err err;
    double worst = 0;

    assert_int_equal(weighting_init(&w, 48000, &err), 0);
    printf("48 kHz   nominal       A    should      off       C    should      off       Z   class 1\n");
    for (size_t i = 0; i < WEIGHTING_ROWS; i++) {
        const struct weighting_row *r = &weighting_table[i];
        double f = exact(r), a = weighting_response(&w, 'A', f), c = weighting_response(&w, 'C', f);
        double ia = weighting_ideal('A', f), ic = weighting_ideal('C', f);
        printf("%13g Hz  %7.2f  %7.2f  %+7.3f %7.2f  %7.2f  %+7.3f %7.2f   +%.1f -%.1f\n", r->nominal, a, ia, a - ia, c,
               ic, c - ic, weighting_response(&w, 'Z', f), r->above, r->below);
        check(&w, 'A', r);
        check(&w, 'C', r);
        check(&w, 'Z', r);
        if (r->nominal >= 20) /* the nodes of every meter's third-octaves: well inside, not only within */
            worst = fmax(worst, fmax(fabs(a - ia), fabs(c - ic)));
    }
    printf("largest deviation from 20 Hz on: %.3f dB\n", worst);
    assert_true(worst < 0.15);
    assert_true(weighting_class1(&w) == 20000);
}

static void test_rates(void **state)
{
    (void)state;
    static const struct {
        unsigned rate;
        double class1, worst; /* dB that any row below 0.46 of the rate may be off */
    } rows[] = {
        {8000, 3150, 0.4},    {11025, 5000, 0.3},   {16000, 6300, 0.2},   {22050, 10000, 0.2},   {32000, 12500, 0.3},
        {44100, 20000, 0.25}, {48000, 20000, 0.15}, {96000, 20000, 0.05}, {192000, 20000, 0.05},
    };
    struct weighting w;
    struct err err;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double worst = 0, least = 0;
        assert_int_equal(weighting_init(&w, rows[i].rate, &err), 0);
        for (size_t k = 3; k < WEIGHTING_ROWS && weighting_table[k].nominal <= rows[i].class1; k++) {
            double f = exact(&weighting_table[k]);
            check(&w, 'A', &weighting_table[k]);
            check(&w, 'C', &weighting_table[k]);
            check(&w, 'Z', &weighting_table[k]);
            double a = weighting_response(&w, 'A', f) - weighting_ideal('A', f);
            double c = weighting_response(&w, 'C', f) - weighting_ideal('C', f);
            worst = fmax(worst, fmax(a, c));
            least = fmin(least, fmin(a, c));
        }
        printf("%6u Hz: class 1 from 20 Hz to %5g Hz, off by %+.3f to %+.3f dB\n", rows[i].rate, weighting_class1(&w),
               least, worst);
        assert_true(weighting_class1(&w) == rows[i].class1);
        assert_true(worst < rows[i].worst && least > -rows[i].worst);
    }
}

/* Beyond what is fitted, up to half of a high rate, the response must go on falling: ultrasound is not sound. */
static void test_ultrasound(void **state)
{
    (void)state;
    struct weighting w;
    struct err err;
    for (unsigned rate = 96000; rate <= 384000; rate *= 2) {
        assert_int_equal(weighting_init(&w, rate, &err), 0);
        double before = weighting_response(&w, 'A', 20000);
        for (double f = 21000; f < rate / 2.0; f += 500) {
            double a = weighting_response(&w, 'A', f);
            if (a > before + 0.001 || a > weighting_ideal('A', f) + 3)
                fail_msg("%u Hz: A at %.0f Hz is %.2f dB, before it %.2f, should be %.2f", rate, f, a, before,
                         weighting_ideal('A', f));
            before = a;
        }
    }
}

/* The design that textbooks give, for comparison: all poles by the plain bilinear transform. */
static void bilinear(struct weighting *w, unsigned rate)
{
    static const double hz[] = {20.598997, 107.65265, 737.86223, 12194.217};
    double p[4], gain = 0;
    for (int i = 0; i < 4; i++)
        p[i] = (rate - TEST_PI * hz[i]) / (rate + TEST_PI * hz[i]);
    w->low = (struct biquad){1, -2, 1, -2 * p[0], p[0] * p[0]};
    w->extra = (struct biquad){1, -2, 1, -(p[1] + p[2]), p[1] * p[2]};
    w->high = (struct biquad){1, 2, 1, -2 * p[3], p[3] * p[3]};
    gain = pow(10, -weighting_response(w, 'C', 1000) / 20);
    w->high = (struct biquad){gain, 2 * gain, gain, w->high.a1, w->high.a2};
    gain = pow(10, -weighting_response(w, 'A', 1000) / 20);
    w->extra = (struct biquad){gain, -2 * gain, gain, w->extra.a1, w->extra.a2};
}

/* What is told as class 1's band is computed from the filters as they are: for worse ones it is narrower. */
static void test_class1_is_computed(void **state)
{
    (void)state;
    static const unsigned rates[] = {16000, 22050, 32000, 44100, 48000};
    struct weighting w;
    struct err err;
    double narrower = 0;

    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        assert_int_equal(weighting_init(&w, rates[i], &err), 0);
        double fitted = weighting_class1(&w);
        bilinear(&w, rates[i]);
        double plain = weighting_class1(&w), at = fmin(16000, 0.45 * rates[i]);
        printf("%u Hz: class 1 to %g Hz; by the plain bilinear transform to %g Hz, and %.1f dB off at %.0f Hz\n",
               rates[i], fitted, plain, weighting_response(&w, 'A', at) - weighting_ideal('A', at), at);
        assert_true(plain <= fitted);
        narrower += plain < fitted;
    }
    assert_true(narrower >= 3);
    w.low.b0 *= 1.2;
    assert_true(weighting_class1(&w) == 0);
}

static void test_refused(void **state)
{
    (void)state;
    struct weighting w;
    struct err err = {""};
    assert_int_equal(weighting_init(&w, 3999, &err), -1);
    assert_non_null(strstr(err.text, "4000 to 768000 Hz"));
    assert_int_equal(weighting_init(&w, 0, &err), -1);
    for (unsigned rate = 4000; rate <= 768000; rate += rate / 7)
        assert_int_equal(weighting_init(&w, rate, &err), 0);
    assert_int_equal(weighting_init(&w, 768000, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),      cmocka_unit_test(test_class1_48k),         cmocka_unit_test(test_rates),
        cmocka_unit_test(test_ultrasound), cmocka_unit_test(test_class1_is_computed), cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
