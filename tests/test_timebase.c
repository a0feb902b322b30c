#include "base/timebase.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define MS   1000000LL
#define S    1000000000LL
#define WALL (1700000000LL * S)

/* A sound card of true_hz that says nominal; callbacks of `block` frames that come late. */
struct card {
    struct timebase *t;
    double true_hz;
    unsigned block;
    uint64_t frame;
    int64_t origin, stalled_until;
    uint32_t seed;
};

static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    return *seed ^= *seed << 5;
}

static struct card card_new(unsigned nominal, double true_hz, unsigned block)
{
    struct card c = {
        .t = timebase_new(nominal), .true_hz = true_hz, .block = block, .origin = 12345 * S, .seed = 20240611};
    timebase_wall(c.t, WALL, false);
    return c;
}

static int64_t card_true_ns(const struct card *c, uint64_t frame)
{
    return c->origin + llround((double)frame / c->true_hz * 1e9);
}

/* One callback: late by 0 to jitter_ms, or by all that is left of a stall. Returns the error of its utc in ms. */
static double card_step(struct card *c, double jitter_ms)
{
    int64_t at = card_true_ns(c, c->frame);
    int64_t seen = at + llround(next_random(&c->seed) / 4294967296.0 * jitter_ms * 1e6);
    if (seen < c->stalled_until)
        seen = c->stalled_until;
    timebase_update(c->t, c->frame, seen);
    double error = (double)(timebase_utc(c->t, c->frame) - (at + WALL)) / 1e6;
    c->frame += c->block;
    return error;
}

static double card_run(struct card *c, double seconds, double jitter_ms)
{
    double worst = 0;
    for (uint64_t end = c->frame + (uint64_t)(seconds * c->true_hz); c->frame < end;)
        worst = fmax(worst, fabs(card_step(c, jitter_ms)));
    return worst;
}

/* Crystals 200 ppm off over a day, with bursts and stalls: within 50 ms of the truth, and where it matters far closer. */
static void test_day(void **state)
{
    (void)state;
    static const struct {
        unsigned nominal, block;
        double ppm;
    } rows[] = {{48000, 480, 200}, {48000, 480, -200}, {44100, 1024, 200},
                {8000, 800, -200}, {16000, 1600, 50},  {48000, 4800, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct card c = card_new(rows[i].nominal, rows[i].nominal * (1 + rows[i].ppm * 1e-6), rows[i].block);
        double start = card_run(&c, 30, 30), worst = 0, stalls = 0;
        for (int hour = 0; hour < 24; hour++) {
            worst = fmax(worst, card_run(&c, 1800, 30));
            c.stalled_until = card_true_ns(&c, c.frame) + 2 * S;
            stalls = fmax(stalls, card_run(&c, 1800, 30));
        }
        double ppm = (timebase_rate(c.t) / rows[i].nominal - 1) * 1e6;
        printf("%u Hz %+.0f ppm, %u frames: start %.1f ms, day %.2f ms, after stalls %.2f ms, measured %+.1f ppm\n",
               rows[i].nominal, rows[i].ppm, rows[i].block, start, worst, stalls, ppm);
        assert_true(start < 50 && worst < 10 && stalls < 10);
        assert_true(fabs(ppm - rows[i].ppm) < 20);
        timebase_free(c.t);
    }
}

/* The first block is late: the next punctual one puts it right. */
static void test_late_start(void **state)
{
    (void)state;
    struct card c = card_new(48000, 48000, 480);
    c.stalled_until = card_true_ns(&c, 0) + 2 * S;
    card_run(&c, 2.5, 30);
    assert_true(card_run(&c, 60, 30) < 10);
    timebase_free(c.t);
}

/* The rate is not what the device says. */
static void test_wrong_rate(void **state)
{
    (void)state;
    static const struct {
        double off, most_ms;
    } rows[] = {{1.005, 50}, {0.995, 60}, {1.02, 50}, {0.98, 250}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double hz = 48000 * rows[i].off;
        struct card c = card_new(48000, hz, 480);
        double first = card_run(&c, 120, 30), later = card_run(&c, 3600, 30);
        printf("%.0f Hz for 48000: first two minutes %.1f ms, then %.2f ms\n", hz, first, later);
        assert_true(first < rows[i].most_ms && later < 10);
        assert_true(fabs(timebase_rate(c.t) / hz - 1) < 20e-6);
        timebase_free(c.t);
    }
}

/* Frames stopped for a while and were never recorded: the line moves within about a second, and not for a stall. */
static void test_suspend(void **state)
{
    (void)state;
    struct card c = card_new(48000, 48000, 480);
    card_run(&c, 60, 30);
    c.origin += 3600 * S;
    card_run(&c, 1.2, 30);
    assert_true(card_run(&c, 600, 30) < 31);
    assert_true(card_run(&c, 600, 30) < 10);
    timebase_free(c.t);
}

static void test_wall_step(void **state)
{
    (void)state;
    struct timebase *t = timebase_new(48000);
    timebase_update(t, 0, 5 * S);
    assert_int_equal(timebase_wall(t, WALL, true), 0); /* the first is no step */
    assert_int_equal(timebase_utc(t, 0), WALL + 5 * S);
    assert_int_equal(timebase_wall(t, WALL + 90 * MS, true), 0);
    assert_int_equal(timebase_utc(t, 48000), WALL + 6 * S + 90 * MS);
    assert_int_equal(timebase_wall(t, WALL + 3600 * S, true), 0); /* held back */
    assert_int_equal(timebase_utc(t, 0), WALL + 5 * S + 90 * MS);
    assert_int_equal(timebase_wall(t, WALL + 3600 * S, false), 3600 * S - 90 * MS);
    assert_int_equal(timebase_utc(t, 0), WALL + 3605 * S);
    assert_int_equal(timebase_wall(t, WALL, false), -3600 * S);
    timebase_reset(t, 16000); /* the wall clock outlives a stream */
    timebase_update(t, 100, 7 * S);
    assert_int_equal(timebase_utc(t, 100), WALL + 7 * S);
    assert_int_equal(timebase_utc(t, 16100), WALL + 8 * S);
    assert_int_equal(timebase_utc(t, 0), WALL + 7 * S - 100 * S / 16000);
    timebase_free(t);
    timebase_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_day),     cmocka_unit_test(test_late_start), cmocka_unit_test(test_wrong_rate),
        cmocka_unit_test(test_suspend), cmocka_unit_test(test_wall_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
