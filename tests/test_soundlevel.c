/* The sound level meter against IEC 61672-1:2013: tone bursts for F and S (Table 4), C peaks (Table 5), averages of known signals,
 * percentiles, gaps; at all rates. */
#include "audio/soundlevel.h"
#include "audio/weighting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "synth.h"

static const unsigned rates[] = {8000, 16000, 22050, 44100, 48000, 96000, 192000};
#define N_RATES (sizeof rates / sizeof *rates)

static struct soundlevel *open_meter(unsigned rate)
{
    struct err err = {""};
    struct soundlevel *m = soundlevel_new(&(struct soundlevel_params){.rate = rate, .full_scale = 1}, &err);
    if (!m)
        fail_msg("%s", err.text);
    return m;
}

/* A sine of `hz` from `from` to `to` seconds, silence around it, up to `end`; in pieces of odd sizes. */
static void play(struct soundlevel *m, unsigned rate, double hz, double amplitude, double from, double to, double end)
{
    float x[331];
    size_t n = 0, total = (size_t)llround(end * rate);
    size_t first = (size_t)llround(from * rate), last = (size_t)llround(to * rate);
    for (size_t i = 0; i < total; i++) {
        x[n++] =
            i >= first && i < last ? (float)(amplitude * sin(2 * TEST_PI * hz * (double)(i - first) / rate)) : 0.0f;
        if (n == 331 || i + 1 == total) {
            soundlevel_do(m, x, n);
            n = 0;
        }
    }
}

static struct soundlevel_figures finish(struct soundlevel *m)
{
    struct soundlevel_figures f;
    soundlevel_take(m, SOUNDLEVEL_SHORT, true, &f);
    soundlevel_free(m);
    return f;
}

static void near(const char *what, double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("%s: %.3f dB, not %.3f +- %.3f", what, got, want, tolerance);
}

/* A full-scale sine at 1 kHz is -3.01 dBFS in every weighting; and A at other frequencies is the standard's. */
static void test_steady(void **state)
{
    (void)state;
    static const double hz[] = {31.5, 100, 1000, 3150}; /* whole cycles in what is played: no click between */
    char what[64];
    for (size_t r = 0; r < N_RATES; r++)
        for (size_t i = 0; i < sizeof hz / sizeof *hz; i++) {
            struct soundlevel *m = open_meter(rates[r]);
            struct soundlevel_figures f;
            play(m, rates[r], hz[i], 0.5, 0, 2, 2);
            soundlevel_take(m, SOUNDLEVEL_SHORT, false, &f); /* the onset's transient */
            play(m, rates[r], hz[i], 0.5, 0, 10, 10);
            f = finish(m);
            double dbfs = 20 * log10(0.5) - 3.0103;
            snprintf(what, sizeof what, "%u Hz, a tone of %.0f Hz", rates[r], hz[i]);
            near(what, f.laeq, dbfs + weighting_ideal('A', hz[i]), rates[r] < 16000 ? 0.4 : 0.1);
            near(what, f.lceq, dbfs + weighting_ideal('C', hz[i]), 0.1);
            near(what, f.lzeq, dbfs, 0.05);
            near(what, f.l50, f.laeq, 0.1);
            near(what, f.lasmax, f.laeq, 0.1);
            near("measured", f.measured_s, 10, 0.011);
            assert_true(f.overloads == 0 && f.lost_s == 0);
        }
}

/* Table 4: how far the maximum of F and S falls short of the level of a tone of 4 kHz that lasts. */
static const struct burst {
    double ms, fast, fast_above, fast_below, slow, slow_above, slow_below;
} bursts[] = {
    {1000, 0.0, 0.5, 0.5, -2.0, 0.5, 0.5},  {500, -0.1, 0.5, 0.5, -4.1, 0.5, 0.5},
    {200, -1.0, 0.5, 0.5, -7.4, 0.5, 0.5},  {100, -2.6, 1.0, 1.0, -10.2, 1.0, 1.0},
    {50, -4.8, 1.0, 1.0, -13.1, 1.0, 1.0},  {20, -8.3, 1.0, 1.0, -17.0, 1.0, 1.5},
    {10, -11.1, 1.0, 1.0, -20.0, 1.0, 2.0}, {5, -14.1, 1.0, 1.0, -23.0, 1.0, 2.5},
    {2, -18.0, 1.0, 1.5, -27.0, 1.0, 3.0},  {1, -21.0, 1.0, 2.0, NAN, 0, 0},
    {0.5, -24.0, 1.0, 2.5, NAN, 0, 0},      {0.25, -27.0, 1.0, 3.0, NAN, 0, 0},
};

static void check_burst(unsigned rate, const struct burst *b)
{
    struct soundlevel *m = open_meter(rate);
    struct soundlevel_figures steady, f;
    play(m, rate, 4000, 0.5, 0, 8, 8); /* until S has risen to within 0.001 dB */
    soundlevel_take(m, SOUNDLEVEL_SHORT, false, &steady);
    soundlevel_free(m);
    m = open_meter(rate);
    play(m, rate, 4000, 0.5, 0.1, 0.1 + b->ms / 1000, 0.5 + b->ms / 1000);
    f = finish(m);
    double fast = f.lafmax - steady.lasmax, slow = f.lasmax - steady.lasmax;
    double laeq = f.laeq + 10 * log10(f.measured_s / 1) - steady.lasmax; /* LAE: all of it in one second */
    if (rate == 48000)
        printf("%8g ms  F %+7.2f (%+6.1f)   S %+7.2f (%+6.1f)   LAE %+7.2f (%+6.1f)\n", b->ms, fast, b->fast, slow,
               b->slow, laeq, 10 * log10(b->ms / 1000));
    if (fast > b->fast + b->fast_above || fast < b->fast - b->fast_below)
        fail_msg("%u Hz, burst of %g ms: F %.2f dB, not %.1f +%.1f -%.1f", rate, b->ms, fast, b->fast, b->fast_above,
                 b->fast_below);
    if (isfinite(b->slow) && (slow > b->slow + b->slow_above || slow < b->slow - b->slow_below))
        fail_msg("%u Hz, burst of %g ms: S %.2f dB, not %.1f +%.1f -%.1f", rate, b->ms, slow, b->slow, b->slow_above,
                 b->slow_below);
    /* the exposure level has F's limits in the same table */
    if (laeq > 10 * log10(b->ms / 1000) + b->fast_above || laeq < 10 * log10(b->ms / 1000) - b->fast_below)
        fail_msg("%u Hz, burst of %g ms: LAE %.2f dB", rate, b->ms, laeq);
}

static void test_bursts(void **state)
{
    (void)state;
    printf("48 kHz: tone bursts of 4 kHz, dB re the steady tone; in brackets Table 4\n");
    for (size_t r = 0; r < N_RATES; r++)
        for (size_t i = 0; i < sizeof bursts / sizeof *bursts && rates[r] > 8000; i++)
            check_burst(rates[r], &bursts[i]);
    /* the table is its formula, 10 lg (1 - exp(-T / tau)) */
    for (size_t i = 0; i < sizeof bursts / sizeof *bursts; i++)
        near("Table 4", bursts[i].fast, 10 * log10(-expm1(-bursts[i].ms / 125)), 0.06);
}

/* F falls by 34.7 dB a second, S by 4.3 (5.8.3: at least 25, and 3.4 to 5.3). */
static void test_decay(void **state)
{
    (void)state;
    struct soundlevel *m = open_meter(48000);
    struct soundlevel_now before, after;
    play(m, 48000, 4000, 0.5, 0, 6, 6.2); /* 0.2 s after the end: the filters have rung off */
    soundlevel_get_now(m, &before);
    play(m, 48000, 4000, 0, 0, 0, 1);
    soundlevel_get_now(m, &after);
    near("F", after.laf - before.laf, -34.74, 0.05);
    near("S", after.las - before.las, -4.34, 0.02);
    soundlevel_free(m);
}

/* Table 5: peaks over the level of the same tone when it lasts. */
static void test_peak(void **state)
{
    (void)state;
    static const struct {
        double hz, cycles, sign, above, limit;
    } rows[] = {
        {31.5, 1, 1, 2.5, 2.0},  {500, 1, 1, 3.5, 1.0},    {8000, 1, 1, 3.4, 2.0},
        {500, 0.5, 1, 2.4, 1.0}, {500, 0.5, -1, 2.4, 1.0},
    };
    for (size_t r = 2; r < N_RATES; r++)
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            if (rows[i].hz > 0.4 * rates[r])
                continue;
            struct soundlevel *m = open_meter(rates[r]);
            struct soundlevel_figures steady, f;
            play(m, rates[r], rows[i].hz, 0.5, 0, 2, 2);
            soundlevel_take(m, SOUNDLEVEL_SHORT, false, &steady);
            play(m, rates[r], rows[i].hz, 0.5, 0, 2, 2);
            soundlevel_take(m, SOUNDLEVEL_SHORT, false, &steady);
            soundlevel_free(m);
            m = open_meter(rates[r]);
            play(m, rates[r], rows[i].hz, rows[i].sign * 0.5, 0.1, 0.1 + rows[i].cycles / rows[i].hz, 0.5);
            f = finish(m);
            double above = f.lcpeak - steady.lceq;
            if (rates[r] == 48000)
                printf("48 kHz: C peak of %.1f cycles of %.1f Hz: %+.2f dB (%+.1f +- %.1f)\n",
                       rows[i].sign * rows[i].cycles, rows[i].hz, above, rows[i].above, rows[i].limit);
            if (fabs(above - rows[i].above) > rows[i].limit)
                fail_msg("%u Hz, %.1f cycles of %.1f Hz: %.2f dB", rates[r], rows[i].cycles, rows[i].hz, above);
            near("peak of the steady tone", steady.lcpeak - steady.lceq, 3.01, 0.25);
        }
}

/* A tenth of the time 20 dB louder: L10 is between, L50 and L90 the low one; the average is the energy's. */
static void test_percentiles(void **state)
{
    (void)state;
    struct soundlevel *m = open_meter(48000);
    struct soundlevel_figures f;
    play(m, 48000, 1000, 0.01, 0, 2, 2);
    soundlevel_take(m, SOUNDLEVEL_SHORT, false, &f);
    play(m, 48000, 1000, 0.01, 0, 16, 16);
    play(m, 48000, 1000, 0.1, 0, 4, 4);
    f = finish(m);
    near("L90", f.l90, -43.01, 0.1);
    near("L50", f.l50, -43.01, 0.1);
    near("L10", f.l10, -23.01, 0.1);
    near("LAeq", f.laeq, 10 * log10((16 * 0.5e-4 + 4 * 0.5e-2) / 20), 0.02);
    near("LAFmax", f.lafmax, -23.01, 0.05);
    near("LAFmin", f.lafmin, -43.01, 0.1);
}

/* What was lost is counted and changes nothing else; an offset is no sound; a NaN costs its block. */
static void test_gaps(void **state)
{
    (void)state;
    float x[480];
    uint32_t seed = 7;
    struct soundlevel *m = open_meter(48000), *whole = open_meter(48000);
    for (int i = 0; i < 1000; i++) {
        for (size_t k = 0; k < 480; k++)
            x[k] = 0.3f + 0.01f * synth_noise(&seed);
        soundlevel_do(whole, x, 480);
        if (i % 10 == 5)
            soundlevel_lost(m, 480);
        else
            soundlevel_do(m, x, 480);
    }
    struct soundlevel_figures all = finish(whole);
    x[100] = NAN;
    soundlevel_do(m, x, 480);
    x[100] = INFINITY;
    soundlevel_do(m, x, 480);
    x[100] = 0.3f;
    soundlevel_do(m, x, 480);
    struct soundlevel_figures f = finish(m);
    near("lost", f.lost_s, 1.02, 1e-9);
    near("measured", f.measured_s, 9.01, 1e-9);
    near("LAeq", f.laeq, all.laeq, 0.1);
    near("LZeq", f.lzeq, all.lzeq, 0.3);
    near("LCpeak", f.lcpeak, all.lcpeak, 1.5);
    near("LZeq, no offset", all.lzeq, -40, 0.1);
    assert_true(isfinite(f.l50) && isfinite(f.lafmax));
}

static void test_nothing(void **state)
{
    (void)state;
    struct soundlevel *m = open_meter(48000);
    struct soundlevel_figures f;
    struct soundlevel_now now;
    soundlevel_get_now(m, &now);
    assert_true(now.laf == -INFINITY && now.las == -INFINITY);
    soundlevel_lost(m, 96000);
    soundlevel_take(m, SOUNDLEVEL_SHORT, true, &f);
    assert_true(f.measured_s == 0 && f.lost_s == 2 && isnan(f.laeq) && isnan(f.l50) && isnan(f.lcpeak));
    play(m, 48000, 1000, 0, 0, 0, 2); /* digital silence */
    soundlevel_take(m, SOUNDLEVEL_SHORT, true, &f);
    assert_true(f.laeq == SOUNDLEVEL_MIN_DB && f.lcpeak == SOUNDLEVEL_MIN_DB && f.measured_s == 2);
    near("L90", f.l90, SOUNDLEVEL_MIN_DB, 0.11);
    /* the long period has all of it */
    soundlevel_take(m, SOUNDLEVEL_LONG, true, &f);
    assert_true(f.lost_s == 2 && f.measured_s == 2);
    soundlevel_free(m);

    struct err err = {""};
    assert_null(soundlevel_new(&(struct soundlevel_params){.rate = 1000, .full_scale = 1}, &err));
    assert_non_null(strstr(err.text, "4000"));
}

/* The spectrum's bands add up to Z, and a tone is in its own; both periods. */
static void test_spectrum(void **state)
{
    (void)state;
    struct err err;
    struct soundlevel *m =
        soundlevel_new(&(struct soundlevel_params){.rate = 48000, .full_scale = 1, .third_octave = true}, &err);
    struct soundlevel_figures f;
    play(m, 48000, 1000, 0.5, 0, 2, 2);
    soundlevel_take(m, SOUNDLEVEL_SHORT, false, &f);
    play(m, 48000, 1000, 0.5, 0, 2, 2);
    for (int period = 0; period < 2; period++) {
        double sum = 0;
        soundlevel_take(m, period, true, &f);
        assert_int_equal(f.n_bands, 30);
        near("1 kHz", f.band[17], -9.03, 0.1);
        for (unsigned i = 0; i < f.n_bands; i++)
            sum += pow(10, (double)f.band[i] / 10);
        near("sum", 10 * log10(sum), f.lzeq, 0.2); /* what neighbours hear of the tone */
    }
    soundlevel_take(m, SOUNDLEVEL_LONG, true, &f);
    assert_true(isnan(f.band[17]));
    soundlevel_free(m);
}

static void test_overload(void **state)
{
    (void)state;
    struct err err;
    float x[4800];
    struct soundlevel *m = soundlevel_new(&(struct soundlevel_params){.rate = 48000, .full_scale = 0.5}, &err);
    for (size_t i = 0; i < 4800; i++)
        x[i] = i < 480 ? 0.5f : 0.49f;
    soundlevel_do(m, x, 4800);
    struct soundlevel_figures f = finish(m);
    assert_true(f.overloads == 1 && f.blocks == 10);
}

/* In digital silence nothing decays into denormal numbers: as fast as noise, or faster. Printed: what a second of sound costs. */
static double seconds(unsigned rate, float level)
{
    static float x[4800];
    uint32_t seed = 3;
    struct soundlevel *m = open_meter(rate);
    struct timespec a, b;
    for (size_t i = 0; i < 4800; i++)
        x[i] = 0.1f * synth_noise(&seed);
    soundlevel_do(m, x, 4800);
    for (size_t i = 0; i < 4800; i++)
        x[i] *= level;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
    for (unsigned i = 0; i < rate * 20 / 4800; i++)
        soundlevel_do(m, x, 4800);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
    soundlevel_free(m);
    return ((double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec)) / 20;
}

static void test_cost(void **state)
{
    (void)state;
    double noise = seconds(48000, 1), silence = seconds(48000, 0);
    printf("48 kHz: %.3f %% of a core; in digital silence %.3f %%\n", 100 * noise, 100 * silence);
    assert_true(silence < 5 * noise);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steady),  cmocka_unit_test(test_bursts),      cmocka_unit_test(test_decay),
        cmocka_unit_test(test_peak),    cmocka_unit_test(test_percentiles), cmocka_unit_test(test_gaps),
        cmocka_unit_test(test_nothing), cmocka_unit_test(test_overload),    cmocka_unit_test(test_spectrum),
        cmocka_unit_test(test_cost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
