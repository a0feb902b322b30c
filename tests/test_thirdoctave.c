/* Thirds of octaves: every band's filter against class 1 of IEC 61260-1, at all rates, and tones and noise through all of it. */
#include "audio/thirdoctave.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "synth.h"

static struct thirdoctave *open_bank(unsigned rate)
{
    struct err err = {""};
    struct thirdoctave *t = thirdoctave_new(rate, &err);
    if (!t)
        fail_msg("%s", err.text);
    return t;
}

/* Relative attenuation that class 1 asks for at breakpoints of the octave band (61260-1, table 1); its formula 9 takes them to
 * thirds. */
static const struct {
    double at, least, most; /* exponent of G; dB */
} mask[] = {{0, -0.4, 0.4},     {1 / 8.0, -0.4, 0.5},   {1 / 4.0, -0.4, 0.7}, {3 / 8.0, -0.4, 1.4},
            {0.499, -0.4, 5.3}, {0.501, 1.6, INFINITY}, {1, 16.6, INFINITY},  {2, 40.5, INFINITY},
            {3, 60, INFINITY},  {4, 70, INFINITY}};

static double third(double exponent)
{
    double g = pow(10, 0.3), octave = pow(g, exponent);
    return 1 + (pow(g, 1 / 6.0) - 1) / (sqrt(g) - 1) * (octave - 1);
}

static void check_band(const struct thirdoctave *t, unsigned rate, unsigned band)
{
    double middle = thirdoctave_middle(band);
    for (size_t i = 0; i < sizeof mask / sizeof *mask; i++)
        for (int side = 0; side < 2; side++) {
            double f = side ? middle * third(mask[i].at) : middle / third(mask[i].at);
            if (f >= rate / 2.0)
                continue;
            double attenuation = -thirdoctave_response(t, band, f);
            if (attenuation < mask[i].least || attenuation > mask[i].most)
                fail_msg("%u Hz, band of %g Hz: %.2f dB down at %.1f Hz (%s %.3f), class 1: %.1f to %.1f", rate,
                         thirdoctave_nominal(band), attenuation, f, side ? "above" : "below", mask[i].at, mask[i].least,
                         mask[i].most);
        }
}

static void test_class1(void **state)
{
    (void)state;
    static const struct {
        unsigned rate;
        double top;
    } rates[] = {{8000, 2500},   {11025, 3150},  {16000, 5000},  {22050, 8000},  {32000, 10000},
                 {44100, 16000}, {48000, 16000}, {96000, 20000}, {192000, 20000}};
    for (size_t r = 0; r < sizeof rates / sizeof *rates; r++) {
        struct thirdoctave *t = open_bank(rates[r].rate);
        for (unsigned band = 0; band < thirdoctave_count(t); band++)
            check_band(t, rates[r].rate, band);
        if (fabs(thirdoctave_nominal(thirdoctave_count(t) - 1) - rates[r].top) > 1e-6)
            fail_msg("%u Hz: up to %g Hz", rates[r].rate, thirdoctave_nominal(thirdoctave_count(t) - 1));
        thirdoctave_free(t);
    }
}

static void play(struct thirdoctave *t, unsigned rate, double hz, double amplitude, double seconds)
{
    float x[123];
    size_t n = 0, total = (size_t)(seconds * rate);
    for (size_t i = 0; i < total; i++) {
        x[n++] = (float)(amplitude * sin(2 * TEST_PI * hz * (double)i / rate));
        if (n == 123 || i + 1 == total) {
            thirdoctave_do(t, x, n);
            n = 0;
        }
    }
}

/* A tone in the middle of each band has its level there, is 17 dB down two bands further, and is nowhere else: nothing folds down from
 * the rates above. */
static void test_tones(void **state)
{
    (void)state;
    static const unsigned rates[] = {16000, 44100, 48000};
    double power[THIRDOCTAVE_BANDS];
    for (size_t r = 0; r < 3; r++) {
        struct thirdoctave *t = open_bank(rates[r]);
        for (unsigned band = 0; band < thirdoctave_count(t); band += 2) {
            double hz = round(thirdoctave_middle(band)),
                   seconds = hz < 200 ? 5 : 1; /* whole cycles: no click between */
            play(t, rates[r], hz, 0.5, seconds);
            thirdoctave_take(t, 0, power);
            play(t, rates[r], hz, 0.5, seconds); /* settled */
            thirdoctave_take(t, 0, power);
            for (unsigned k = 0; k < thirdoctave_count(t); k++) {
                double db = 10 * log10(power[k] / 0.125 + 1e-20);
                int off = (int)k - (int)band;
                if (off == 0 ? fabs(db) > 0.15 : db > (abs(off) == 1 ? -10 : abs(off) < 6 ? -25 : -41))
                    fail_msg("%u Hz: a tone of %.0f Hz is %.1f dB in the band of %g Hz", rates[r],
                             thirdoctave_middle(band), db, thirdoctave_nominal(k));
            }
        }
        play(t, rates[r], 0.47 * rates[r], 0.5, 2);
        thirdoctave_take(t, 0, power);
        play(t, rates[r], 0.47 * rates[r], 0.5, 2);
        thirdoctave_take(t, 0, power);
        for (unsigned k = 0; k + 6 < thirdoctave_count(t); k++)
            assert_true(10 * log10(power[k] / 0.125 + 1e-20) < -60);
        thirdoctave_free(t);
    }
}

/* White noise has 10 lg(width / (rate / 2)) in each band; both periods run on their own. */
static void test_noise(void **state)
{
    (void)state;
    float x[4800];
    uint32_t seed = 11;
    double power[THIRDOCTAVE_BANDS], long_one[THIRDOCTAVE_BANDS];
    struct thirdoctave *t = open_bank(48000);
    for (int i = 0; i < 300; i++) {
        for (size_t k = 0; k < 4800; k++)
            x[k] = 0.1f * synth_noise(&seed);
        thirdoctave_do(t, x, 4800);
        if (i == 9)
            thirdoctave_take(t, 0, power);
    }
    thirdoctave_take(t, 0, power);
    thirdoctave_take(t, 1, long_one);
    for (unsigned band = 7; band < 30; band++) {
        double width = thirdoctave_middle(band) * (pow(10, 0.05) - pow(10, -0.05));
        /* an order-6 Butterworth passes 1.047 times its width; what 29 s of noise scatter by */
        double want = 10 * log10(0.01 * 1.047 * width / 24000), scatter = 4 * 4.34 / sqrt(29 * width) + 0.15;
        if (fabs(10 * log10(power[band]) - want) > scatter || fabs(10 * log10(long_one[band]) - want) > scatter)
            fail_msg("band of %g Hz: %.2f dB, not %.2f +- %.2f", thirdoctave_nominal(band), 10 * log10(power[band]),
                     want, scatter);
    }
    thirdoctave_take(t, 0, power);
    assert_true(power[20] == 0);
    x[7] = NAN;
    x[8] = INFINITY;
    thirdoctave_do(t, x, 4800);
    thirdoctave_take(t, 0, power);
    for (unsigned band = 0; band < 31; band++)
        assert_true(isfinite(power[band]));
    thirdoctave_free(t);
}

static void test_odds(void **state)
{
    (void)state;
    struct err err = {""};
    assert_null(thirdoctave_new(3999, &err));
    assert_non_null(strstr(err.text, "4000"));
    assert_true(thirdoctave_nominal(0) == 20 && fabs(thirdoctave_nominal(2) - 31.5) < 1e-9 &&
                thirdoctave_nominal(17) == 1000 && fabs(thirdoctave_nominal(30) - 20000) < 1e-6);
    for (unsigned rate = 4000; rate <= 768000; rate += rate / 5)
        thirdoctave_free(open_bank(rate));
    thirdoctave_free(open_bank(768000));
}

static void test_cost(void **state)
{
    (void)state;
    static float x[4800];
    uint32_t seed = 3;
    struct timespec a, b;
    struct thirdoctave *t = open_bank(48000);
    for (size_t i = 0; i < 4800; i++)
        x[i] = 0.1f * synth_noise(&seed);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
    for (int i = 0; i < 100; i++)
        thirdoctave_do(t, x, 4800);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
    thirdoctave_free(t);
    printf("48 kHz: %.3f %% of a core\n",
           10 * ((double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_class1), cmocka_unit_test(test_tones),
                                       cmocka_unit_test(test_noise), cmocka_unit_test(test_odds),
                                       cmocka_unit_test(test_cost)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
