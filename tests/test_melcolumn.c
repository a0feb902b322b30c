/* Columns of a spectrogram: tones stand in their band with their level, at every rate; steps, gaps and ends. */
#include "features/melcolumn.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct melcolumn *open_columns(unsigned rate, size_t frames)
{
    struct err err = {""};
    struct melcolumn *m = melcolumn_new(rate, frames, &err);
    if (!m)
        fail_msg("%u Hz: %s", rate, err.text);
    return m;
}

/* n samples in pieces of an odd length; returns the columns that came, the last one in out. */
static size_t feed(struct melcolumn *m, const float *x, size_t n, uint8_t out[MELCOLUMN_BANDS])
{
    size_t columns = 0;
    bool done;

    for (size_t i = 0; i < n;) {
        size_t piece = n - i < 777 ? n - i : 777;
        size_t taken = melcolumn_do(m, x + i, piece, out, &done);
        assert_in_range(taken, 1, piece);
        i += taken;
        columns += done;
    }
    return columns;
}

static float *tone(unsigned rate, double hz, double amplitude, size_t n)
{
    float *x = malloc(n * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(amplitude * sin(2 * M_PI * hz * (double)i / rate));
    return x;
}

static double dbfs(const uint8_t column[MELCOLUMN_BANDS], size_t *loudest)
{
    double power = 0;

    *loudest = 0;
    for (size_t b = 0; b < MELCOLUMN_BANDS; b++) {
        power += column[b] ? pow(10, (column[b] / 255.0 * 100 - 100) / 10) : 0;
        *loudest = column[b] > column[*loudest] ? b : *loudest;
    }
    return 10 * log10(power);
}

/* The band whose triangle has its peak nearest to that frequency: HTK's mel, 66 edges. */
static size_t band_of(unsigned rate, double hz)
{
    double top = rate < 16000 ? rate / 2.0 : 8000;
    double low = 2595 * log10(1 + 50 / 700.0), high = 2595 * log10(1 + top / 700);
    return (size_t)lround((2595 * log10(1 + hz / 700) - low) / (high - low) * (MELCOLUMN_BANDS + 1)) - 1;
}

static void tones_have_their_band_and_level(void **state)
{
    static const unsigned rates[] = {4000, 8000, 11025, 16000, 22050, 44100, 48000, 96000, 192000, 384000};
    static const double tones[] = {200, 440, 1000, 1900, 3100, 7000};
    uint8_t column[MELCOLUMN_BANDS] = {0};
    size_t loudest;

    (void)state;
    for (size_t r = 0; r < sizeof rates / sizeof *rates; r++)
        for (size_t t = 0; t < sizeof tones / sizeof *tones && tones[t] < 0.48 * rates[r]; t++) {
            struct melcolumn *m = open_columns(rates[r], 5);
            size_t n = 3 * melcolumn_samples(m);
            float *x = tone(rates[r], tones[t], 0.1, n);
            assert_int_equal(melcolumn_samples(m), 5 * (rates[r] / 50));
            assert_int_equal(feed(m, x, n, column), 3);
            /* -20 dB, less the 3.01 of a sine; a byte is 0.4 dB, and a Hann window leaks a little beyond the outer bands */
            double level = dbfs(column, &loudest);
            if (fabs(level + 23.01) > 1)
                fail_msg("%u Hz, %g Hz: %.2f dBFS", rates[r], tones[t], level);
            assert_in_range(loudest + 1, band_of(rates[r], tones[t]), band_of(rates[r], tones[t]) + 2);
            free(x);
            melcolumn_free(m);
        }
}

static void silence_is_zero_and_full_scale_fits(void **state)
{
    struct melcolumn *m = open_columns(48000, 5);
    size_t n = 2 * melcolumn_samples(m), loudest;
    uint8_t column[MELCOLUMN_BANDS], zero[MELCOLUMN_BANDS] = {0};
    float *quiet = calloc(n, sizeof *quiet), *loud = tone(48000, 1000, 1, n);

    (void)state;
    assert_int_equal(feed(m, quiet, n, column), 2);
    assert_memory_equal(column, zero, sizeof zero);
    for (size_t i = 0; i < n; i++)
        loud[i] = loud[i] > 0 ? 1 : -1; /* a square wave: 0 dBFS, 0.9 of it in the first harmonic */
    assert_int_equal(feed(m, loud, n, column), 2);
    assert_true(fabs(dbfs(column, &loudest)) < 0.6);
    free(quiet);
    free(loud);
    melcolumn_free(m);
}

static void the_same_in_any_pieces_and_after_a_gap(void **state)
{
    struct melcolumn *a = open_columns(16000, 1), *b = open_columns(16000, 1);
    uint8_t one[MELCOLUMN_BANDS], other[MELCOLUMN_BANDS];
    float *x = tone(16000, 700, 0.3, 16000);
    bool done;

    (void)state;
    assert_int_equal(feed(a, x, 16000, one), 50);
    for (size_t i = 0; i < 16000; i++)
        assert_int_equal(melcolumn_do(b, x + i, 1, other, &done), 1);
    assert_memory_equal(one, other, sizeof one);
    melcolumn_reset(a); /* nothing of before the gap is left */
    float *quiet = calloc(320, sizeof *quiet);
    memset(other, 0, sizeof other);
    assert_int_equal(feed(a, quiet, 320, one), 1);
    assert_memory_equal(one, other, sizeof one);
    free(quiet);
    free(x);
    melcolumn_free(a);
    melcolumn_free(b);
}

static void a_rest_is_a_column_too(void **state)
{
    struct melcolumn *m = open_columns(16000, 5);
    uint8_t column[MELCOLUMN_BANDS];
    float *x = tone(16000, 700, 0.3, 1700);
    size_t loudest;

    (void)state;
    assert_int_equal(feed(m, x, 1700, column), 1);
    assert_true(melcolumn_flush(m, column));
    assert_in_range(dbfs(column, &loudest) + 100, 50, 95);
    assert_false(melcolumn_flush(m, column));
    free(x);
    melcolumn_free(m);
}

static void what_cannot_be_is_said(void **state)
{
    struct err err = {""};

    (void)state;
    assert_null(melcolumn_new(100, 5, &err));
    assert_non_null(strstr(err.text, "sample_rate"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tones_have_their_band_and_level),
        cmocka_unit_test(silence_is_zero_and_full_scale_fits),
        cmocka_unit_test(the_same_in_any_pieces_and_after_a_gap),
        cmocka_unit_test(a_rest_is_a_column_too),
        cmocka_unit_test(what_cannot_be_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
