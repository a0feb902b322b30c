/* The stages together at their edges: bad samples, lost ones, changes under way, tiny inputs, refused parameters. */
#include "audio/analysis.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/timebase.h"
#include "synth.h"

#define RATE 16000u

static struct analysis *make(const struct analysis_params *p, struct collector *c)
{
    struct err err = {""};
    struct analysis *a = analysis_new(p, NULL, collect, c, &err);
    if (!a)
        fail_msg("%s", err.text);
    *c = (struct collector){.width = analysis_window_samples(a)};
    return a;
}

/* Noise of this level, in odd pieces. */
static void noise(struct analysis *a, double seconds, double dbfs)
{
    static uint32_t seed = 5;
    float x[333];
    size_t n = (size_t)(seconds * RATE + 0.5);
    while (n > 0) {
        size_t k = n < 333 ? n : 333;
        for (size_t i = 0; i < k; i++)
            x[i] = (float)synth_gain(dbfs) * synth_noise(&seed);
        analysis_do(a, x, k);
        n -= k;
    }
}

static struct analysis_levels levels(const struct analysis *a)
{
    struct analysis_levels l;
    analysis_get_levels(a, &l);
    return l;
}

static void test_bad_samples(void **state)
{
    (void)state;
    struct analysis_params p = synth_params(48000, RATE);
    struct collector c;
    struct analysis *a = make(&p, &c);
    static const float bad[] = {NAN, INFINITY, -INFINITY, 3.4e38f, -3.4e38f, 1e-40f, 0.1f, -0.1f};
    float x[4800];
    for (int i = 0; i < 100; i++) {
        for (size_t k = 0; k < 4800; k++)
            x[k] = bad[(k * 31 + (size_t)i) % 8];
        analysis_do(a, x, 4800);
    }
    analysis_flush(a);
    struct analysis_levels l = levels(a);
    assert_int_equal(l.clipped_blocks, l.blocks);
    assert_true(isfinite(l.rms_dbfs) && l.rms_dbfs <= 0 && l.peak_dbfs <= 0);
    assert_true(c.n > 10);
    for (size_t i = 0; i < c.n; i++) {
        assert_true(isfinite(c.info[i].rms_dbfs) && isfinite(c.info[i].peak_dbfs));
        for (size_t k = 0; k < c.width; k++)
            assert_true(fabsf(c.samples[i * c.width + k]) < 4);
    }
    /* nothing of it stays: the room is heard as ever */
    float quiet[480] = {0};
    for (int i = 0; i < 300; i++)
        analysis_do(a, quiet, 480);
    assert_true(!levels(a).open && levels(a).rms_dbfs == -120);
    analysis_free(a);
    collector_free(&c);
}

/* Gaps up to a window become zeros, longer ones move the positions; the sound goes on, and each lost frame is told of once. */
static void test_lost(void **state)
{
    (void)state;
    struct analysis_params p = synth_params(RATE, RATE);
    struct collector c;
    struct analysis *a = make(&p, &c);
    analysis_lost(a, 777); /* before anything */
    noise(a, 2, -20);
    analysis_lost(a, 4000);
    noise(a, 2, -20);
    analysis_lost(a, 10 * RATE + 5);
    noise(a, 2, -20);
    analysis_flush(a);
    assert_int_equal(collector_lasts(&c), 1);
    uint64_t lost = 0;
    for (size_t i = 0; i < c.n; i++)
        lost += c.info[i].lost_frames;
    assert_int_equal(lost, 777 + 4000 + 10 * RATE + 5);
    assert_int_equal(levels(a).lost_frames, lost);
    assert_int_equal(levels(a).position, 6 * RATE + lost);
    assert_int_equal(c.info[0].lost_frames, 777);
    /* every window's samples are found where its position says */
    const struct window_info *w = &c.info[c.n - 1];
    assert_int_equal(w->end_position, 6 * RATE + lost);
    for (size_t i = 1; i < c.n; i++) {
        uint64_t step = c.info[i].position - c.info[i - 1].position;
        assert_true(step == RATE / 2 || step == RATE / 2 + 9 * RATE + 5);
    }
    uint64_t gap = 777 + 2 * RATE;
    for (size_t i = 0; i < c.n; i++)
        for (size_t k = 0; k < c.width; k++) {
            uint64_t at = c.info[i].position + k;
            if (at >= gap && at < gap + 4000)
                assert_true(c.samples[i * c.width + k] == 0);
        }
    analysis_free(a);
    collector_free(&c);
}

/* A gap in a quiet room opens nothing, moves no floor, and the next sound tells of it. */
static void test_lost_in_quiet(void **state)
{
    (void)state;
    struct analysis_params p = synth_params(RATE, RATE);
    struct collector c;
    struct analysis *a = make(&p, &c);
    noise(a, 10, -70);
    float before = levels(a).floor_dbfs;
    analysis_lost(a, 5 * RATE);
    noise(a, 1, -70);
    assert_true(fabsf(levels(a).floor_dbfs - before) < 0.5f && c.n == 0);
    noise(a, 0.02, -30); /* too short: dropped, and it does not swallow the word */
    noise(a, 1, -70);
    assert_true(c.n == 1 && c.info[0].dropped);
    noise(a, 0.5, -30);
    noise(a, 1, -70);
    assert_int_equal(c.n, 3);
    assert_int_equal(c.info[1].lost_frames, 5 * RATE);
    assert_int_equal(levels(a).sounds, 2);
    assert_int_equal(levels(a).dropped_short, 1);
    analysis_free(a);
    collector_free(&c);
}

/* Many gaps, long and short, at random: whole messages, and every frame accounted for. */
static void test_lost_at_random(void **state)
{
    (void)state;
    struct analysis_params p = synth_params(44100, RATE);
    struct collector c;
    struct analysis *a = make(&p, &c);
    uint32_t seed = 20240611;
    uint64_t given = 0;
    float x[2000];
    for (int i = 0; i < 2000; i++) {
        size_t n = synth_random(&seed) % 2000;
        for (size_t k = 0; k < n; k++)
            x[k] = (i / 300 % 2 ? 0.1f : 0.0001f) * synth_noise(&seed);
        analysis_do(a, x, n);
        given += n;
        if (i % 5 == 0) {
            uint64_t lost = synth_random(&seed) % (i % 50 ? 500 : 100000);
            analysis_lost(a, lost);
            given += lost;
        }
    }
    assert_int_equal(levels(a).position, given);
    analysis_flush(a);
    assert_int_equal(collector_lasts(&c), levels(a).sounds);
    for (size_t i = 1; i < c.n; i++)
        assert_true(c.info[i].end_position >= c.info[i - 1].position && c.info[i].end_position <= given);
    analysis_free(a);
    collector_free(&c);
}

static void test_min_duration(void **state)
{
    (void)state;
    struct analysis_params p = synth_params(RATE, RATE);
    p.gate.min_duration_s = 3; /* longer than a window: they are held back, then come in one go */
    struct collector c;
    struct analysis *a = make(&p, &c);
    noise(a, 2, -70);
    noise(a, 2.9, -30);
    assert_int_equal(c.n, 0);
    noise(a, 2, -70);
    assert_true(c.n == 1 && c.info[0].dropped && c.info[0].empty && c.info[0].last);
    noise(a, 2.9, -30);
    noise(a, 0.3, -70); /* within the hold */
    noise(a, 0.5, -30);
    assert_true(c.n > 5);
    noise(a, 2, -70);
    for (size_t i = 1; i < c.n; i++) {
        assert_int_equal(c.info[i].sound, 2);
        assert_int_equal(c.info[i].index, i - 1);
        if (!c.info[i].empty)
            assert_true(c.info[i].rms_dbfs > -40);
    }
    assert_int_equal(collector_lasts(&c), 2);
    analysis_free(a);
    collector_free(&c);
}

static void test_changes(void **state)
{
    (void)state;
    struct analysis_params p = synth_params(48000, RATE);
    p.gate.preroll_s = 0.1;
    struct collector c; /* noise() counts in samples of 16 kHz: three times as long here */
    struct analysis *a = make(&p, &c);
    noise(a, 3 * 1, -70);
    struct gate_params g = p.gate;
    g.preroll_s = 1;
    g.threshold = (struct gate_threshold){THRESHOLD_FIXED, -75};
    analysis_set_gate(a, &g); /* opens at once, with what there is of pre-roll */
    noise(a, 3 * 0.5, -70);
    assert_true(levels(a).open && levels(a).threshold_dbfs == -75);
    g.threshold.db = -40;
    analysis_set_gate(a, &g);
    noise(a, 3 * 1, -70);
    assert_true(!levels(a).open);
    assert_int_equal(collector_lasts(&c), 1);
    noise(a, 3 * 5, -70);
    noise(a, 3 * 0.5, -20);
    analysis_flush(a);
    size_t first = 0;
    while (!c.info[first].last)
        first++;
    first++;
    double preroll = (double)(c.info[first].open_position - c.info[first].position) / 48000;
    assert_true(preroll >= 1 && preroll < 1.002); /* the new one, in full, and the converter's reach */
    /* out of range: brought into it, whatever it is */
    g = (struct gate_params){.threshold = {THRESHOLD_AUTO, 12},
                             .hysteresis_db = NAN,
                             .hold_s = 1e9,
                             .preroll_s = 1e9,
                             .min_duration_s = -1,
                             .highpass_hz = 1e6,
                             .floor_dbfs = NAN};
    analysis_set_gate(a, &g);
    noise(a, 3 * 7, -70);
    noise(a, 3 * 1, -20);
    analysis_flush(a);
    for (size_t i = 0; i < c.n; i++)
        assert_true(c.info[i].valid <= c.width);
    analysis_free(a);
    collector_free(&c);
}

/* Off, or no gate: everything comes, from the first sample to the last, however little it is; and again after a flush. */
static void test_no_gate(void **state)
{
    (void)state;
    static const size_t lengths[] = {1, 7, 159, 160, 161, 15999, 16000, 16001, 40000};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct analysis_params p = synth_params(RATE, RATE);
        p.no_gate = true;
        struct collector c;
        struct analysis *a = make(&p, &c);
        for (int round = 0; round < 2; round++) {
            uint64_t begin = levels(a).position;
            size_t had = c.n;
            float *x = calloc(lengths[i], sizeof *x);
            x[0] = 0.25f;
            x[lengths[i] - 1] = 0.5f;
            analysis_do(a, x, lengths[i]);
            free(x);
            analysis_flush(a);
            assert_true(c.n > had && c.info[c.n - 1].last && !c.info[c.n - 1].dropped);
            assert_int_equal(c.info[had].position, begin);
            assert_int_equal(c.info[c.n - 1].end_position, begin + lengths[i]);
            assert_true(lengths[i] == 1 || c.samples[had * c.width] == 0.25f);
            assert_int_equal(levels(a).sounds, round + 1);
        }
        analysis_flush(a);
        assert_int_equal(collector_lasts(&c), 2);
        analysis_free(a);
        collector_free(&c);
    }
}

static void test_levels(void **state)
{
    (void)state;
    struct analysis_params p = synth_params(RATE, RATE);
    struct collector c;
    struct analysis *a = make(&p, &c);
    float x[160];
    for (int i = 0; i < 500; i++) { /* stuck at one value */
        for (size_t k = 0; k < 160; k++)
            x[k] = 0.3f;
        analysis_do(a, x, 160);
    }
    assert_int_equal(levels(a).constant_run, 500);
    assert_int_equal(levels(a).zero_run, 0);
    assert_int_equal(levels(a).clipped_blocks, 0);
    noise(a, 1, -30);
    assert_true(levels(a).constant_run < 5);
    for (size_t k = 0; k < 160; k++)
        x[k] = k == 80 ? 32767 / 32768.0f : 0;
    analysis_do(a, x, 160);
    assert_int_equal(levels(a).clipped_blocks, 1);
    assert_true(levels(a).peak_dbfs > -0.01f);
    assert_int_equal(levels(a).blocks, 601);
    analysis_free(a);
    collector_free(&c);
}

/* UTC of a window is the timebase's. */
static void test_times(void **state)
{
    (void)state;
    struct timebase *t = timebase_new(RATE);
    timebase_update(t, 0, 1000000000);
    timebase_wall(t, 1700000000000000000, false);
    struct analysis_params p = synth_params(RATE, RATE);
    struct collector c = {.width = RATE};
    struct analysis *a = analysis_new(&p, t, collect, &c, NULL);
    noise(a, 3, -70);
    noise(a, 0.5, -20);
    noise(a, 1, -70);
    noise(a, 0.01, -70);
    const struct window_info *w = &c.info[0];
    assert_true(c.n >= 1);
    assert_int_equal(w->onset_ns, 1700000000000000000 + 4000000000);
    assert_int_equal(w->start_ns, w->onset_ns - 250000000);
    assert_int_equal(w->end_ns, 1700000001000000000 + (int64_t)w->end_position * 1000000000 / RATE);
    analysis_free(a);
    timebase_free(t);
    collector_free(&c);
}

/* Two knocks in one opening: the window that holds the second says when it was. */
static void test_onsets(void **state)
{
    (void)state;
    struct analysis_params p = synth_params(RATE, RATE);
    p.gate.hold_s = 3;
    struct collector c;
    struct analysis *a = make(&p, &c);
    noise(a, 2, -70);
    noise(a, 0.1, -20);
    noise(a, 1.8, -70);
    noise(a, 0.1, -20); /* at 3.9 s */
    noise(a, 1, -70);
    bool found = false;
    for (size_t i = 1; i < c.n; i++) {
        if (c.info[i].start_ns > 3900000000 || c.info[i].end_ns < 3910000000)
            assert_int_equal(c.info[i].onset_ns, c.info[i].start_ns);
        else
            found |= c.info[i].onset_ns == 3900000000;
    }
    assert_true(found);
    analysis_free(a);
    collector_free(&c);
}

static void ignore(void *ctx, const struct window *w)
{
    *(uint64_t *)ctx += w->info.valid;
}

/* After analysis_new nothing is allocated, gate shut or open, at a rate that is converted. */
static void test_allocates_nothing(void **state)
{
    (void)state;
    struct analysis_params p = synth_params(44100, RATE);
    uint64_t got = 0;
    struct analysis *a = analysis_new(&p, NULL, ignore, &got, NULL);
    struct mallinfo2 before = mallinfo2();
    for (int i = 0; i < 60; i++) {
        noise(a, 1, i % 4 ? -70 : -20);
        if (i % 10 == 0)
            analysis_set_gate(a, &p.gate);
    }
    analysis_flush(a);
    struct mallinfo2 after = mallinfo2();
    assert_true(got > RATE);
    assert_int_equal(after.uordblks, before.uordblks);
    assert_int_equal(after.hblkhd, before.hblkhd);
    assert_int_equal(after.arena, before.arena);
    analysis_free(a);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        size_t offset;
        double value;
        const char *says;
    } rows[] = {
#define ROW(member, value, says) {offsetof(struct analysis_params, member), value, says}
        ROW(window_s, 0, "window"),
        ROW(window_s, NAN, "window"),
        ROW(window_s, 1e9, "window"),
        ROW(hop_s, 0, "hop"),
        ROW(hop_s, 1.5, "hop"),
        ROW(gate.preroll_s, -1, "preroll"),
        ROW(gate.preroll_s, 6, "preroll"),
        ROW(gate.min_duration_s, 11, "min_duration"),
        ROW(gate.hold_s, -1, "hold"),
        ROW(gate.hysteresis_db, NAN, "hysteresis"),
        ROW(gate.highpass_hz, 8000, "high-pass"),
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct analysis_params p = synth_params(RATE, RATE);
        memcpy((char *)&p + rows[i].offset, &rows[i].value, sizeof rows[i].value);
        struct err err = {""};
        assert_null(analysis_new(&p, NULL, ignore, NULL, &err));
        assert_non_null(strstr(err.text, rows[i].says));
    }
    static const unsigned rates[][2] = {{0, 16000}, {16000, 0}, {999, 16000}, {4000000000u, 16000}, {768000, 1000}};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        struct analysis_params p = synth_params(rates[i][0], rates[i][1]);
        struct err err = {""};
        assert_null(analysis_new(&p, NULL, ignore, NULL, &err));
        assert_non_null(strstr(err.text, "Hz"));
    }
    analysis_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_samples),
        cmocka_unit_test(test_lost),
        cmocka_unit_test(test_lost_in_quiet),
        cmocka_unit_test(test_lost_at_random),
        cmocka_unit_test(test_min_duration),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_no_gate),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_onsets),
        cmocka_unit_test(test_allocates_nothing),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
