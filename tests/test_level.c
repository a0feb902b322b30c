#include "audio/level.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "synth.h"

/* Plays a second, then gives the level of the next 0.1 s. */
static struct level_block measure(unsigned rate, double highpass_hz, double hz, double amplitude, double dc)
{
    struct level l;
    level_init(&l, rate, highpass_hz);
    for (unsigned i = 0; i < rate + rate / 10; i++) {
        float x = (float)(dc + amplitude * sin(2 * TEST_PI * hz * i / rate));
        if (i == rate)
            level_end(&l);
        level_do(&l, &x, 1);
    }
    return level_end(&l);
}

static void test_reference(void **state)
{
    (void)state;
    static const struct {
        unsigned rate;
        double highpass_hz, hz, amplitude, dc, want, tolerance;
    } rows[] = {
        {48000, 40, 1000, 1, 0, -3.01, 0.02}, /* a full-scale sine */
        {48000, 0, 1000, 1, 0, -3.01, 0.01},        {8000, 40, 1000, 0.1, 0, -23.01, 0.02},
        {192000, 40, 1000, 1, 0, -3.01, 0.02},      {11025, 40, 1000, 1, 0, -3.01, 0.02},
        {48000, 40, 40, 1, 0, -6.02, 0.05},                                            /* 3 dB down at the cutoff */
        {44100, 40, 40, 1, 0, -6.02, 0.05},         {48000, 40, 10, 1, 0, -27.1, 0.2}, /* 12 dB an octave below it */
        {48000, 40, 1000, 0.01, 0.5, -43.01, 0.02},                                    /* DC does not count */
        {48000, 0, 1000, 0, 0.5, -6.02, 0.01}, /* ... but for the filter it would */
        {48000, 40, 1000, 0, 0.5, -120, 0},         {48000, 40, 1000, 0, 0, -120, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct level_block b = measure(rows[i].rate, rows[i].highpass_hz, rows[i].hz, rows[i].amplitude, rows[i].dc);
        if (fabs(b.rms_dbfs - rows[i].want) > rows[i].tolerance)
            fail_msg("row %zu: %.3f dBFS, not %.3f", i, b.rms_dbfs, rows[i].want);
    }
}

/* An offset that is there from the first sample is not a step. */
static void test_no_step(void **state)
{
    (void)state;
    struct level l;
    level_init(&l, 48000, 40);
    float x[480];
    for (size_t i = 0; i < 480; i++)
        x[i] = -0.7f;
    level_do(&l, x, 480);
    struct level_block b = level_end(&l);
    assert_true(b.rms_dbfs == LEVEL_MIN_DBFS && b.n == 480 && !b.zero);
    assert_true(fabsf(b.peak - 0.7f) < 1e-6f && fabs(b.raw_rms_dbfs + 3.098) < 0.01);
}

/* Cut anywhere, a block has the same level; an empty one is silence. */
static void test_blocks(void **state)
{
    (void)state;
    uint32_t seed = 1;
    float x[441];
    for (size_t i = 0; i < 441; i++)
        x[i] = 0.1f * synth_noise(&seed);
    struct level whole, cut;
    level_init(&whole, 44100, 40);
    level_init(&cut, 44100, 40);
    level_do(&whole, x, 441);
    for (size_t i = 0; i < 441; i += 7)
        level_do(&cut, x + i, 7);
    struct level_block a = level_end(&whole), b = level_end(&cut);
    assert_true(a.power == b.power && a.peak == b.peak && a.n == b.n);
    b = level_end(&cut);
    assert_true(b.n == 0 && b.zero && b.rms_dbfs == LEVEL_MIN_DBFS);
    level_do(&cut, x, 0);
    assert_int_equal(level_end(&cut).n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference),
        cmocka_unit_test(test_no_step),
        cmocka_unit_test(test_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
