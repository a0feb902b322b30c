/* The gate over long streams: rooms, roads, alarms, fans. 8 kHz, so that hours take seconds. */
#include "audio/analysis.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "synth.h"

#define RATE          8000u
#define ROAD_SWING_DB 2.5 /* RMS */

/* A stream made a sample at a time, and what the gate makes of it. */
struct scene {
    struct analysis *a;
    uint32_t seed;
    uint64_t t;         /* samples so far */
    double slow, brown; /* states of the road's noise */
    uint64_t windows, lasts, dropped;
    uint64_t open_position; /* of the last window */
    uint64_t longest_wait;  /* samples between two windows */
    uint64_t last_window;
};

static void on_window(void *ctx, const struct window *w)
{
    struct scene *s = ctx;
    s->windows += !w->info.empty;
    s->lasts += w->info.last;
    s->dropped += w->info.dropped;
    s->open_position = w->info.open_position;
    if (w->info.empty)
        return;
    if (s->t - s->last_window > s->longest_wait)
        s->longest_wait = s->t - s->last_window;
    s->last_window = s->t;
}

static void scene_begin(struct scene *s, const struct gate_params *gate)
{
    *s = (struct scene){.seed = 20240611};
    struct analysis_params p = synth_params(RATE, RATE);
    p.gate = *gate;
    s->a = analysis_new(&p, NULL, on_window, s, NULL);
    assert_non_null(s->a);
}

typedef double source(struct scene *s, double t);

/* Plays `seconds` of `what`; returns the share of 10 ms steps with the gate open. */
static double play(struct scene *s, source *what, double seconds)
{
    float x[RATE / 100];
    unsigned steps = (unsigned)(seconds * 100 + 0.5), open = 0;
    for (unsigned i = 0; i < steps; i++) {
        for (unsigned k = 0; k < RATE / 100; k++)
            x[k] = (float)what(s, (double)(s->t + k) / RATE);
        analysis_do(s->a, x, RATE / 100);
        s->t += RATE / 100;
        struct analysis_levels l;
        analysis_get_levels(s->a, &l);
        open += l.open;
    }
    return (double)open / steps;
}

static double floor_of(const struct scene *s)
{
    struct analysis_levels l;
    analysis_get_levels(s->a, &l);
    return l.floor_dbfs;
}

static double room(struct scene *s, double t)
{
    (void)t;
    return synth_gain(-65) * synth_noise(&s->seed);
}

/* Traffic: noise below a few hundred Hz over wide-band noise, -35 dBFS in the mean, its strength wandering by some decibels within
 * seconds. */
static double road(struct scene *s, double t)
{
    (void)t;
    /* a first-order low-pass of 2 s over white noise; its RMS is 1 / sqrt(2 * 2 s * RATE) */
    s->slow += (synth_noise(&s->seed) - s->slow) / (2.0 * RATE);
    double strength = pow(10, ROAD_SWING_DB * s->slow * sqrt(4.0 * RATE) / 20);
    s->brown += 0.15 * (synth_noise(&s->seed) - s->brown);
    return synth_gain(-35) * strength * (2.5 * s->brown + 0.5 * synth_noise(&s->seed)) * 1.12;
}

static double knocks(struct scene *s, double t, source *over, double dbfs)
{
    double phase = fmod(t, 0.4);
    double v = phase < 0.03 ? exp(-phase / 0.012) * sin(2 * TEST_PI * 700 * phase) * 1.41 : 0;
    return over(s, t) + synth_gain(dbfs) * v;
}

static double knocks_in_room(struct scene *s, double t)
{
    return knocks(s, t, room, -40);
}

static double knocks_at_road(struct scene *s, double t)
{
    return knocks(s, t, road, -12);
}

/* Syllables of 0.15 s with pauses, 16 dB above the noise. */
static double speech_in_room(struct scene *s, double t)
{
    double on = fmod(t, 0.25) < 0.15;
    return room(s, t) + on * synth_gain(-49) * sin(2 * TEST_PI * 300 * t) * 1.41;
}

static double speech_at_road(struct scene *s, double t)
{
    double on = fmod(t, 0.25) < 0.15;
    return road(s, t) + on * synth_gain(-19) * sin(2 * TEST_PI * 300 * t) * 1.41;
}

/* ISO 8201 temporal three: three beeps of half a second, then a second and a half of rest. */
static double smoke_alarm(struct scene *s, double t)
{
    double phase = fmod(t, 4.0);
    double on = phase < 3 && fmod(phase, 1.0) < 0.5;
    return room(s, t) + on * 0.05 * sin(2 * TEST_PI * 3000 * t);
}

static double steady_alarm(struct scene *s, double t)
{
    return room(s, t) + 0.05 * sin(2 * TEST_PI * 3000 * t);
}

static double fan(struct scene *s, double t)
{
    return room(s, t) + synth_gain(-45) * synth_noise(&s->seed);
}

static double offset(struct scene *s, double t)
{
    return 0.2 + room(s, t);
}

static double digital_silence(struct scene *s, double t)
{
    (void)s;
    (void)t;
    return 0;
}

static void test_from_sample_0(void **state)
{
    (void)state;
    struct gate_params g = synth_gate();
    struct scene s;
    scene_begin(&s, &g);
    assert_true(play(&s, steady_alarm, 0.01) == 1); /* -29 dBFS from the very first block */
    assert_true(play(&s, steady_alarm, 10) == 1);
    analysis_flush(s.a);
    assert_int_equal(s.open_position, 0);
    assert_int_equal(s.lasts, 1);
    assert_true(floor_of(&s) < -50);
    analysis_free(s.a);
}

/* An alarm that is recognised (busy) rings for an hour: steady tone, never closed; beeps, a window every hop to the end. */
static void test_alarm_for_an_hour(void **state)
{
    (void)state;
    static source *const alarms[] = {steady_alarm, smoke_alarm};
    for (size_t i = 0; i < 2; i++) {
        struct gate_params g = synth_gate();
        struct scene s;
        scene_begin(&s, &g);
        play(&s, room, 32); /* to the beginning of a group */
        play(&s, alarms[i], 0.8);
        analysis_set_busy(s.a, true);
        s.longest_wait = 0;
        s.last_window = s.t;
        double open = play(&s, alarms[i], 3600);
        assert_true(open == 1);
        assert_true(s.longest_wait <= RATE / 2 + RATE / 100);
        assert_true(s.lasts == 0 && s.windows >= 7200);
        assert_true(floor_of(&s) < -60);
        analysis_free(s.a);
    }
    /* not recognised, each beep is a sound of its own: half a second of rest is as long as the hold */
    struct gate_params g = synth_gate();
    struct scene s;
    scene_begin(&s, &g);
    play(&s, smoke_alarm, 400);
    assert_in_range(s.lasts, 298, 302);
    assert_int_equal(s.dropped, 0);
    analysis_free(s.a);
}

/* Default settings, two places: the noise alone keeps the gate shut once it has settled; what stands out opens it. */
static void test_places(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        source *noise, *knock, *speech;
        double most_open; /* share of an hour of noise alone */
    } rows[] = {{"room", room, knocks_in_room, speech_in_room, 0},
                {"road", road, knocks_at_road, speech_at_road, 0.005}};
    for (size_t i = 0; i < 2; i++) {
        struct gate_params g = synth_gate();
        struct scene s;
        scene_begin(&s, &g);
        play(&s, rows[i].noise, 60);
        double alone = play(&s, rows[i].noise, 3600);
        double floor_dbfs = floor_of(&s);
        play(&s, rows[i].noise, 3);
        uint64_t before = s.t;
        play(&s, rows[i].knock, 2.5);
        assert_true(s.open_position + RATE / 50 >= before || s.windows > 0);
        double knock = play(&s, rows[i].knock, 10);
        play(&s, rows[i].noise, 10);
        double speech = play(&s, rows[i].speech, 10);
        play(&s, rows[i].noise, 2);
        double after = play(&s, rows[i].noise, 10);
        printf("%s: floor %.1f dBFS, open in noise %.4f, in knocks %.2f, in speech %.2f, afterwards %.2f\n",
               rows[i].name, floor_dbfs, alone, knock, speech, after);
        assert_true(alone <= rows[i].most_open);
        assert_true(knock > 0.95 && speech > 0.95 && after < 0.1);
        analysis_free(s.a);
    }
}

/* A fan 20 dB over the room that nobody calls a sound: the gate opens, the floor follows at 1 dB a second, the gate closes. */
static void test_fan(void **state)
{
    (void)state;
    struct gate_params g = synth_gate();
    struct scene s;
    scene_begin(&s, &g);
    play(&s, room, 30);
    double before = floor_of(&s);
    assert_true(fabs(before + 65) < 1.5);
    assert_true(play(&s, fan, 8) > 0.99);
    assert_true(floor_of(&s) < before + 8 * 1.01);
    play(&s, fan, 20);
    assert_true(play(&s, fan, 60) == 0);
    assert_true(fabs(floor_of(&s) + 45) < 1.5);
    /* switched off, the floor is down within a quarter of a second */
    play(&s, room, 0.25);
    assert_true(fabs(floor_of(&s) + 65) < 1.5);
    analysis_free(s.a);
}

static void test_offset(void **state)
{
    (void)state;
    struct gate_params g = synth_gate();
    struct scene s;
    scene_begin(&s, &g);
    assert_true(play(&s, offset, 60) == 0);
    assert_true(floor_of(&s) < -63);
    play(&s, room, 1); /* the offset goes: a thump, not more */
    assert_true(play(&s, room, 60) == 0);
    analysis_free(s.a);

    g.highpass_hz = 0; /* proves that it is the high-pass */
    scene_begin(&s, &g);
    assert_true(play(&s, offset, 5) == 1);
    analysis_free(s.a);
}

/* A microphone that is muted for a minute gives zeros: no reason to take the room for loud afterwards. */
static void test_muted(void **state)
{
    (void)state;
    struct gate_params g = synth_gate();
    struct scene s;
    scene_begin(&s, &g);
    play(&s, room, 20);
    double before = floor_of(&s);
    assert_true(play(&s, digital_silence, 60) == 0);
    assert_true(fabs(floor_of(&s) - before) < 0.5);
    assert_true(play(&s, room, 20) == 0);
    struct analysis_levels l;
    analysis_get_levels(s.a, &l);
    assert_int_equal(l.zero_run, 0);
    play(&s, digital_silence, 0.1);
    analysis_get_levels(s.a, &l);
    assert_int_equal(l.zero_run, 10);
    analysis_free(s.a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_from_sample_0), cmocka_unit_test(test_alarm_for_an_hour),
        cmocka_unit_test(test_places),        cmocka_unit_test(test_fan),
        cmocka_unit_test(test_offset),        cmocka_unit_test(test_muted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
