#include "audio/tonecheck.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "synth.h"

struct tone {
    unsigned rate;
    double hz, dbfs;      /* RMS */
    double noise_dbfs;    /* 0: none */
    double third, offset; /* of the third harmonic, relative; DC */
    double drift_db_s, wobble_db;
    double full_scale;
};

static struct tone_state hear(const struct tone *p, double seconds)
{
    struct tonecheck t;
    uint32_t seed = 5;
    tonecheck_init(&t, p->rate, p->full_scale > 0 ? p->full_scale : 1);
    for (unsigned i = 0; i < (unsigned)(seconds * p->rate); i++) {
        double at = (double)i / p->rate, w = 2 * TEST_PI * p->hz * at;
        double amplitude =
            sqrt(2) * synth_gain(p->dbfs + p->drift_db_s * at + p->wobble_db * sin(2 * TEST_PI * 0.7 * at));
        double x = amplitude * (sin(w) + p->third * sin(3 * w)) + p->offset;
        if (p->noise_dbfs < 0)
            x += synth_gain(p->noise_dbfs) * (double)synth_noise(&seed);
        float f = (float)fmin(fmax(x, -1), 1);
        tonecheck_do(&t, &f, 1);
    }
    return t.state;
}

static void test_tones(void **state)
{
    (void)state;
    static const struct {
        struct tone tone;
        enum tone_verdict verdict;
    } rows[] = {
        {{48000, 1000, -30, 0, 0, 0, 0, 0, 0}, TONE_GOOD},
        {{44100, 1013.7, -30, -55, 0, 0.1, 0, 0, 0}, TONE_GOOD}, /* off by 1.4 %, noise, an offset */
        {{16000, 988, -38, -65, 0, 0, 0, 0, 0}, TONE_GOOD},
        {{192000, 1000, -6, 0, 0.03, 0, 0, 0, 0}, TONE_GOOD}, /* 3 % distortion */
        {{8000, 1000, -70, -95, 0, 0, 0, 0, 0}, TONE_GOOD},
        {{48000, 1000, -30, -45, 0, 0, 0, 0, 0}, TONE_NOISE},
        {{48000, 1000, -200, -30, 0, 0, 0, 0, 0}, TONE_NOISE}, /* noise alone */
        {{48000, 1000, -30, 0, 0.2, 0, 0, 0, 0}, TONE_NOISE},
        {{48000, 250, -30, 0, 0, 0, 0, 0, 0}, TONE_FREQUENCY},
        {{48000, 1030, -30, -60, 0, 0, 0, 0, 0}, TONE_FREQUENCY},
        {{48000, 4000, -30, 0, 0, 0, 0, 0, 0}, TONE_FREQUENCY},
        {{48000, 1000, -90, 0, 0, 0, 0, 0, 0}, TONE_QUIET},
        {{48000, 1000, -200, 0, 0, 0.4, 0, 0, 0}, TONE_QUIET}, /* an offset alone */
        {{48000, 1000, -2.9, 0, 0, 0, 0, 0, 0}, TONE_CLIPPED},
        {{48000, 1000, -30, 0, 0, 0, 0, 0, 0.04}, TONE_CLIPPED}, /* behind a gain of -28 dB */
    };
    char text[160];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tone_state s = hear(&rows[i].tone, 5);
        tone_text(&s, text, sizeof text);
        if (s.verdict != rows[i].verdict)
            fail_msg("row %zu: %s", i, text);
        assert_true(text[0] != '\0');
        if (rows[i].verdict != TONE_GOOD) {
            assert_true(s.steady_s == 0);
            continue;
        }
        if (fabs(s.mean_dbfs - rows[i].tone.dbfs) > 0.03 || fabs(s.hz - rows[i].tone.hz) > 0.5 || s.steady_s < 4.5)
            fail_msg("row %zu: %.3f dBFS, %.2f Hz, %.1f s", i, s.mean_dbfs, s.hz, s.steady_s);
    }
}

/* A level that moves never stands still for long enough. */
static void test_unsteady(void **state)
{
    (void)state;
    static const struct tone moving[] = {{48000, 1000, -30, 0, 0, 0, 0.1, 0, 0},
                                         {48000, 1000, -30, 0, 0, 0, -0.3, 0, 0},
                                         {48000, 1000, -30, 0, 0, 0, 0, 0.3, 0}};
    for (size_t i = 0; i < 3; i++)
        for (double s = 1; s < 8; s += 0.5)
            assert_true(hear(&moving[i], s).steady_s < TONE_SECONDS);
}

/* Put on, taken off, put on again; and a gap. */
static void test_stretch(void **state)
{
    (void)state;
    struct tonecheck t;
    float x;
    tonecheck_init(&t, 48000, 1);
    for (unsigned i = 0; i < 48000 * 10; i++) {
        bool on = i < 48000 * 2 || i > 48000 * 3;
        x = on ? (float)(0.1 * sin(2 * TEST_PI * i / 48)) : 0.0f;
        tonecheck_do(&t, &x, 1);
        if (i == 48000 * 5 / 2)
            assert_true(t.state.verdict == TONE_QUIET && t.state.steady_s == 0);
        if (i == 48000 * 5)
            assert_true(t.state.steady_s > 1.5 && t.state.steady_s < 2.1);
        if (i == 48000 * 7)
            tonecheck_lost(&t);
    }
    assert_true(t.state.steady_s > 2.7 && t.state.steady_s < 3.1);
    assert_true(fabs(t.state.mean_dbfs + 23.01) < 0.01);
    x = NAN;
    tonecheck_do(&t, &x, 1);
    for (unsigned i = 0; i < 9600; i++) {
        x = (float)(0.1 * sin(2 * TEST_PI * i / 48));
        tonecheck_do(&t, &x, 1);
    }
    assert_true(isfinite(t.state.level_dbfs));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tones), cmocka_unit_test(test_unsteady),
                                       cmocka_unit_test(test_stretch)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
