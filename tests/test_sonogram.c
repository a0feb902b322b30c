/* The summaries that pictures are made of: bandlevels, sonogram, waveform. */
#include "audio/waveform.h"
#include "features/sonogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "emulated.h"
#include "synth.h"

static double sum_db(const float *power)
{
    double sum = 0;

    for (size_t i = 0; i < BANDLEVELS; i++)
        sum += (double)power[i];
    return 10 * log10(sum > 0 ? sum : 1e-30);
}

static size_t loudest(const float *power)
{
    size_t best = 0;

    for (size_t i = 1; i < BANDLEVELS; i++)
        best = power[i] > power[best] ? i : best;
    return best;
}

/* A sine stands in its band at its own level, at every rate. */
static void test_sine(void **state)
{
    (void)state;
    static const unsigned rates[] = {8000, 11025, 16000, 22050, 44100, 48000, 96000, 192000};

    for (size_t r = 0; r < sizeof rates / sizeof *rates; r += rate_step()) {
        struct bandlevels *b = bandlevels_new(rates[r], NULL);
        assert_non_null(b);
        size_t n = bandlevels_frame(b);
        float *x = calloc(n, sizeof *x), out[BANDLEVELS];
        for (size_t band = 10; band < BANDLEVELS; band += 7) {
            double hz = bandlevels_hz((double)band, bandlevels_top_hz(b));
            for (size_t i = 0; i < n; i++)
                x[i] = 0.1f * (float)sin(2 * TEST_PI * hz * (double)i / rates[r]);
            bandlevels_do(b, x, out);
            assert_int_equal(loudest(out), band);
            /* -23 dBFS; a window of few periods, and edges of the lowest bands, blur it */
            if (fabs(sum_db(out) + 23.01) > 0.7)
                fail_msg("%u Hz, band %zu: %.2f dBFS", rates[r], band, sum_db(out));
        }
        free(x);
        bandlevels_free(b);
    }
}

static void test_scale(void **state)
{
    (void)state;
    assert_int_equal(bandlevels_byte(0), 0);
    assert_int_equal(bandlevels_byte(1e-10), 0);
    assert_int_equal(bandlevels_byte(1e-5), 128); /* -50 dBFS: 127.5 */
    assert_int_equal(bandlevels_byte(1), 255);
    assert_int_equal(bandlevels_byte(100), 255);
    assert_int_equal(bandlevels_byte((double)NAN), 0);
    assert_true(fabs(bandlevels_hz(-1, 8000) - 50) < 1e-6 && fabs(bandlevels_hz(BANDLEVELS, 8000) - 8000) < 1e-6);
    struct err err;
    assert_null(bandlevels_new(100, &err));
}

/* The column that a click falls into says when it was, in pieces of any size. */
static void test_columns(void **state)
{
    (void)state;
    const unsigned rate = 16000;
    static const double lengths_s[] = {0.001, 0.02, 1.0, 9.99, 10.0, 10.01, 47.3};

    for (size_t k = 0; k < sizeof lengths_s / sizeof *lengths_s; k++) {
        size_t n = (size_t)(lengths_s[k] * rate), at = n / 2 / 320 * 320 + (n > 160 ? 160 : 0); /* a step's middle */
        struct sonogram *s = sonogram_new(rate, NULL);
        float *x = calloc(n, sizeof *x);
        struct sonogram_picture p;
        x[at] = 1;
        for (size_t i = 0, piece = 1; i < n; i += piece, piece = piece * 3 % 1021 + 1)
            sonogram_do(s, x + i, piece < n - i ? piece : n - i);
        sonogram_finish(s, &p);
        assert_true(p.columns >= 1 && p.columns <= SONOGRAM_COLUMNS);
        assert_int_equal(p.columns, (size_t)ceil((double)n / rate / p.step_s - 1e-9));
        size_t best = 0, want = (size_t)((double)at / rate / p.step_s);
        for (size_t c = 1; c < p.columns; c++)
            best = p.data[c * BANDLEVELS + 60] > p.data[best * BANDLEVELS + 60] ? c : best;
        assert_int_equal(best, want);
        free(x);
        sonogram_free(s);
    }
}

/* A function of its own: gcc 12 for arm64 breaks down over this loop inside another one's. */
static uint8_t strongest(const struct sonogram_picture *p, size_t column)
{
    uint8_t most = 0;

    for (size_t b = 0; b < BANDLEVELS; b++)
        if (p->data[column * BANDLEVELS + b] > most)
            most = p->data[column * BANDLEVELS + b];
    return most;
}

/* Long sounds in little memory, and the level stays. */
static void test_long(void **state)
{
    (void)state;
    const unsigned rate = 8000;
    struct sonogram *s = sonogram_new(rate, NULL);
    float x[8000];
    struct sonogram_picture p;

    for (size_t i = 0; i < rate; i++)
        x[i] = 0.1f * (float)sin(2 * TEST_PI * 1000 * (double)i / rate);
    for (int second = 0; second < (emulated() ? 60 : 600); second++)
        sonogram_do(s, x, rate);
    sonogram_finish(s, &p);
    assert_true(p.columns > SONOGRAM_COLUMNS / 2 && p.columns <= SONOGRAM_COLUMNS);
    uint8_t first = strongest(&p, 1), last = strongest(&p, p.columns - 2);
    assert_true(first == last && first > 180 && first < 200); /* -23 to -26 dBFS: 196 to 189 */
    sonogram_free(s);

    s = sonogram_new(rate, NULL);
    sonogram_finish(s, &p);
    assert_int_equal(p.columns, 0);
    sonogram_free(s);
}

static void test_waveform(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 999, 1000, 1001, 2000, 2001, 123457};

    for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
        size_t n = lengths[k];
        float *x = calloc(n + 1, sizeof *x);
        struct waveform w;
        waveform_init(&w);
        for (size_t i = 0; i < n; i++)
            x[i] = (float)sin(0.37 * (double)i) * (float)i / (float)n;
        for (size_t i = 0, piece = 1; i < n; i += piece, piece = piece * 3 % 1021 + 1)
            waveform_do(&w, x + i, piece < n - i ? piece : n - i);
        assert_int_equal(w.n, (n + w.per - 1) / w.per);
        assert_true(w.n <= WAVEFORM_POINTS && (w.per == 1 || w.n > WAVEFORM_POINTS / 2));
        for (size_t p = 0; p < w.n; p++) { /* against the plain way */
            float low = x[p * w.per], high = low;
            for (size_t i = p * w.per; i < (p + 1) * w.per && i < n; i++) {
                low = fminf(low, x[i]);
                high = fmaxf(high, x[i]);
            }
            assert_true(w.min[p] == low && w.max[p] == high);
        }
        free(x);
    }
}

static void test_waveform_hostile(void **state)
{
    (void)state;
    const float x[] = {NAN, INFINITY, -INFINITY, 3e38f, -2};
    struct waveform w;

    waveform_init(&w);
    waveform_do(&w, x, 5);
    assert_int_equal(w.n, 5);
    assert_true(w.min[0] == 0 && w.max[1] == 0 && w.min[2] == 0 && w.max[3] == 1 && w.min[4] == -1);
    struct sonogram *s = sonogram_new(8000, NULL);
    struct sonogram_picture p;
    for (int i = 0; i < 500; i++)
        sonogram_do(s, x, 3);
    sonogram_finish(s, &p);
    for (size_t i = 0; i < p.columns * BANDLEVELS; i++)
        assert_int_equal(p.data[i], 0);
    sonogram_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sine), cmocka_unit_test(test_scale),    cmocka_unit_test(test_columns),
        cmocka_unit_test(test_long), cmocka_unit_test(test_waveform), cmocka_unit_test(test_waveform_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
