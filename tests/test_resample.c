#include "audio/resample.h"

#include "emulated.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static float *convert(const float *x, size_t n, unsigned from, unsigned to, enum resample_quality q, size_t *n_out)
{
    struct err err;
    float *out;
    if (resample_all(x, n, from, to, q, &out, n_out, &err) < 0)
        fail_msg("%s", err.text);
    return out;
}

/* dB, a tone of `hz` after conversion against before, over the middle half of a quarter of a second. */
static double tone_level(unsigned from, unsigned to, enum resample_quality q, double hz)
{
    size_t n = from / 4, m;
    float *x = malloc(n * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(0.5 * sin(2 * M_PI * hz * (double)i / from + 0.3));
    float *y = convert(x, n, from, to, q, &m);
    double sum = 0;
    for (size_t i = m / 4; i < m * 3 / 4; i++)
        sum += (double)y[i] * y[i];
    free(x);
    free(y);
    return 10 * log10(sum / (double)(m * 3 / 4 - m / 4) / 0.125 + 1e-20);
}

/* What the header says of each quality, for the rates of microphones and models. What lies above the lower rate's Nyquist frequency
 * would come back as something that was never there. */
static void test_pass_and_stop_band(void **state)
{
    (void)state;
    static const struct {
        double flat, stop_db;
    } quality[] = {[RESAMPLE_FAST] = {0.70, -95}, [RESAMPLE_MEDIUM] = {0.86, -90}, [RESAMPLE_BEST] = {0.93, -115}};
    static const unsigned rates[][2] = {{48000, 16000}, {44100, 16000}, {32000, 16000}, {24000, 16000},
                                        {22050, 16000}, {48000, 32000}, {44100, 22050}, {48000, 22050},
                                        {96000, 16000}, {16000, 22050}, {16000, 44100}, {8000, 16000}};

    for (size_t r = 0; r < sizeof rates / sizeof *rates; r += rate_step())
        for (int q = RESAMPLE_FAST; q <= RESAMPLE_BEST; q++) {
            unsigned from = rates[r][0], to = rates[r][1];
            double nyquist = (from < to ? from : to) / 2.0, ripple = 0, leak = -200;
            for (double part = 0.1; part <= quality[q].flat + 1e-9; part += 0.1)
                ripple = fmax(ripple, fabs(tone_level(from, to, (enum resample_quality)q, part * nyquist)));
            ripple = fmax(ripple, fabs(tone_level(from, to, (enum resample_quality)q, quality[q].flat * nyquist)));
            for (double hz = nyquist * 1.003; hz < from * 0.49; hz *= 1.13)
                leak = fmax(leak, tone_level(from, to, (enum resample_quality)q, hz));
            if (ripple > 0.1 || leak > quality[q].stop_db)
                fail_msg("%u to %u Hz, quality %d: %.3f dB in the pass band, %.1f dB in the stop band", from, to, q,
                         ripple, leak);
            if (to == 16000 && from == 48000)
                print_message("48000 to 16000 Hz, quality %d: within %.3f dB to %.0f Hz, %.1f dB above 8000 Hz\n", q,
                              ripple, quality[q].flat * nyquist, leak);
        }
}

/* Whatever the chunks, the same samples come out. */
static void test_streaming(void **state)
{
    (void)state;
    static const unsigned rates[][2] = {{48000, 16000}, {44100, 16000}, {22050, 44100}, {16000, 16000}, {8000, 48000}};
    const char *given = getenv("SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL), s = seed;
    enum { N = 30000, LARGEST = 1500 };
    static float x[N];

    print_message("SEED=%u\n", seed);
    for (size_t i = 0; i < N; i++)
        x[i] = (float)rand_r(&s) / (float)RAND_MAX - 0.5f;
    for (size_t k = 0; k < sizeof rates / sizeof *rates; k++) {
        struct err err;
        size_t whole_n;
        float *whole = convert(x, N, rates[k][0], rates[k][1], RESAMPLE_FAST, &whole_n);
        struct resample *r = resample_new(rates[k][0], rates[k][1], RESAMPLE_FAST, &err);
        assert_non_null(r);
        float *out = malloc((whole_n + 16) * sizeof *out);
        for (int again = 0; again < 2; again++) { /* the second time after a reset */
            size_t got = 0;
            for (size_t at = 0; at < N;) {
                size_t n = (unsigned)rand_r(&s) % LARGEST, room;
                n = n < N - at ? n : N - at;
                room = resample_room(r, n);
                assert_true(got + room <= whole_n + 16);
                got += resample_do(r, x + at, n, out + got, room, 0);
                at += n;
            }
            got += resample_do(r, x, 0, out + got, resample_room(r, 0), 1);
            if (got != whole_n)
                fail_msg("SEED=%u, %u to %u: %zu samples, %zu at once", seed, rates[k][0], rates[k][1], got, whole_n);
            for (size_t i = 0; i < got; i++)
                if (fabsf(out[i] - whole[i]) > 1e-6f)
                    fail_msg("SEED=%u, %u to %u, sample %zu: %g, %g at once", seed, rates[k][0], rates[k][1], i,
                             (double)out[i], (double)whole[i]);
            resample_reset(r);
        }
        free(out);
        free(whole);
        resample_free(r);
    }
}

/* The end is drained: as long as the input, to a sample; and nothing is moved in time. */
static void test_length_and_position(void **state)
{
    (void)state;
    static const unsigned rates[][2] = {{48000, 16000}, {44100, 16000}, {48000, 32000}, {16000, 48000}, {8000, 16000}};
    static const size_t lengths[] = {0, 1, 2, 3, 10, 100, 1000, 44099, 48000};
    static float x[48000];

    for (size_t k = 0; k < sizeof rates / sizeof *rates; k++) {
        double ratio = (double)rates[k][1] / rates[k][0];
        for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
            size_t n;
            float *y = convert(x, lengths[l], rates[k][0], rates[k][1], RESAMPLE_FAST, &n);
            if (fabs((double)n - (double)lengths[l] * ratio) > (ratio > 1 ? ratio : 1) + 1e-6)
                fail_msg("%u to %u: %zu samples of %zu", rates[k][0], rates[k][1], n, lengths[l]);
            free(y);
        }
        size_t n, peak = 0;
        x[24000] = 1;
        float *y = convert(x, 48000, rates[k][0], rates[k][1], RESAMPLE_FAST, &n);
        for (size_t i = 0; i < n; i++)
            peak = fabsf(y[i]) > fabsf(y[peak]) ? i : peak;
        assert_true(fabs((double)peak - 24000 * ratio) <= 1);
        x[24000] = 0;
        free(y);
    }
}

static void test_equal_rates(void **state)
{
    (void)state;
    struct err err;
    struct resample *r = resample_new(16000, 16000, RESAMPLE_BEST, &err);
    const float x[] = {0.1f, -0.2f, 3e7f, 0};
    float y[4];
    assert_int_equal(resample_room(r, 4), 4);
    assert_int_equal(resample_do(r, x, 4, y, 4, 0), 4);
    assert_memory_equal(x, y, sizeof x);
    assert_int_equal(resample_do(r, x, 0, y, 4, 1), 0);
    resample_reset(r);
    resample_free(r);
    resample_free(NULL);
}

static void test_bad_rates(void **state)
{
    (void)state;
    static const unsigned rates[][2] = {{0, 16000}, {16000, 0}, {16000, 62}, {62, 16000}, {1, 4000000000u}};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        struct err err = {""};
        assert_null(resample_new(rates[i][0], rates[i][1], RESAMPLE_FAST, &err));
        assert_non_null(strstr(err.text, "1/256 to 256"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pass_and_stop_band),  cmocka_unit_test(test_streaming),
        cmocka_unit_test(test_length_and_position), cmocka_unit_test(test_equal_rates),
        cmocka_unit_test(test_bad_rates),
    };
    return cmocka_run_group_tests_name("resample", tests, NULL, NULL);
}
