/* The tap: figures of each 100 ms as they were put, across streams and gaps, while watchers come and go on other threads. */
#include "daemon/live_tap.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RATE   16000
#define BLOCK  160
#define SECOND 1000000000LL

struct feeder {
    struct live_tap *tap;
    uint64_t position;
    uint32_t stream;
    double amplitude;
    atomic_bool stop;
    uint64_t offered, blocks;
};

/* One block of a 1 kHz tone, as the analysis thread would. */
static void put(struct feeder *f, size_t frames)
{
    float x[1024];
    struct analysis_levels l = {.floor_dbfs = -61, .threshold_dbfs = -49, .open = true};

    for (size_t i = 0; i < frames; i++)
        x[i] = (float)(f->amplitude * sin(2 * M_PI * 1000 * (double)(f->position + i) / RATE));
    f->blocks++;
    if (live_tap_wanted(f->tap)) {
        live_tap_put(f->tap,
                     &(struct live_block){.samples = x,
                                          .frames = frames,
                                          .position = f->position,
                                          .utc_ns = (int64_t)f->position * SECOND / RATE,
                                          .stream = f->stream,
                                          .rate = RATE,
                                          .highpass_hz = 40},
                     &l);
        f->offered++;
    }
    f->position += frames;
}

static struct live_tap *open_tap(void)
{
    struct live_tap *t = live_tap_new();
    assert_non_null(t);
    return t;
}

/* The first take finds nothing: what came before it was for others. */
static void watch(struct live_tap *t)
{
    struct live_level l;
    struct err err;

    assert_int_equal(live_tap_watch(t, &err), 0);
    assert_false(live_tap_take(t, &l));
}

static void figures_are_those_of_the_sound(void **state)
{
    struct live_tap *t = open_tap();
    struct feeder f = {.tap = t, .stream = 1, .amplitude = 0.1};
    struct live_level l;
    int64_t expected = SECOND / 10;

    (void)state;
    assert_false(live_tap_take(t, &l));
    put(&f, BLOCK);
    assert_int_equal(f.offered, 0); /* nobody watches */
    f.position = 0;
    watch(t);
    for (int i = 0; i < 100; i++) {
        put(&f, i % 2 ? 100 : 220);
        while (live_tap_take(t, &l)) {
            assert_int_equal(l.utc_ns, expected);
            expected += SECOND / 10;
            assert_true(fabsf(l.rms_dbfs + 23.01f) < 0.1f || l.utc_ns == SECOND / 10); /* the filter settles */
            assert_true(fabsf(l.peak_dbfs + 20) < 0.1f);
            assert_true(l.floor_dbfs == -61 && l.threshold_dbfs == -49 && l.open);
            size_t loudest = 0;
            for (size_t b = 0; b < MELCOLUMN_BANDS; b++)
                loudest = l.bands[b] > l.bands[loudest] ? b : loudest;
            assert_in_range(loudest, 20, 23); /* 1 kHz */
        }
    }
    assert_int_equal(expected, SECOND / 10 + SECOND); /* ten of them */
    live_tap_unwatch(t);
    live_tap_free(t);
}

static void a_gap_begins_anew(void **state)
{
    struct live_tap *t = open_tap();
    struct feeder f = {.tap = t, .stream = 1, .amplitude = 0.5};
    struct live_level l;

    (void)state;
    watch(t);
    for (int i = 0; i < 5; i++)
        put(&f, BLOCK); /* half a column, loud */
    f.position += RATE;
    f.amplitude = 0;
    for (int i = 0; i < 10; i++)
        put(&f, BLOCK);
    assert_true(live_tap_take(t, &l));
    assert_int_equal(l.utc_ns, SECOND + 150000000);
    assert_true(l.peak_dbfs <= -119);
    for (size_t b = 0; b < MELCOLUMN_BANDS; b++)
        assert_int_equal(l.bands[b], 0);
    f.stream = 2; /* another stream, at the position where this one is */
    f.amplitude = 0.5;
    for (int i = 0; i < 10; i++)
        put(&f, BLOCK);
    assert_true(live_tap_take(t, &l));
    assert_true(l.peak_dbfs > -7);
    live_tap_unwatch(t);
    live_tap_free(t);
}

static void what_nobody_took_is_not_shown_to_the_next(void **state)
{
    struct live_tap *t = open_tap();
    struct feeder f = {.tap = t, .stream = 1, .amplitude = 0.5};
    struct live_level l;
    struct err err;

    (void)state;
    assert_int_equal(live_tap_watch(t, &err), 0);
    for (int i = 0; i < 500; i++)
        put(&f, BLOCK); /* far more than it holds */
    live_tap_unwatch(t);
    put(&f, BLOCK);
    assert_int_equal(live_tap_watch(t, &err), 0);
    assert_false(live_tap_take(t, &l));
    for (int i = 0; i < 10; i++)
        put(&f, BLOCK);
    assert_true(live_tap_take(t, &l));
    assert_int_equal(l.utc_ns, (int64_t)f.position * SECOND / RATE);
    live_tap_unwatch(t);
    live_tap_free(t);
}

static void *feed(void *arg)
{
    struct feeder *f = arg;

    while (!atomic_load(&f->stop)) {
        put(f, BLOCK);
        if (f->blocks % 16 == 0)
            sched_yield();
    }
    return NULL;
}

static void *come_and_go(void *arg)
{
    struct feeder *f = arg;
    struct err err;

    while (!atomic_load(&f->stop)) {
        if (live_tap_watch(f->tap, &err) == 0)
            live_tap_unwatch(f->tap);
        sched_yield();
    }
    return NULL;
}

static void threads(void **state)
{
    struct live_tap *t = open_tap();
    struct feeder f = {.tap = t, .stream = 1, .amplitude = 0.1};
    pthread_t feeder, watcher[2];
    struct live_level l;
    struct err err;
    int64_t last = 0;

    (void)state;
    assert_int_equal(pthread_create(&feeder, NULL, feed, &f), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&watcher[i], NULL, come_and_go, &f), 0);
    for (int round = 0; round < 20; round++) {
        assert_int_equal(live_tap_watch(t, &err), 0);
        for (int taken = 0; taken < 20;) {
            if (!live_tap_take(t, &l)) {
                sched_yield();
                continue;
            }
            taken++;
            assert_true(l.utc_ns > last); /* never backwards, never twice */
            last = l.utc_ns;
            assert_true(fabsf(l.peak_dbfs + 20) < 0.1f); /* never half of one block and half of another */
        }
        live_tap_unwatch(t);
    }
    atomic_store(&f.stop, true);
    pthread_join(feeder, NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(watcher[i], NULL);
    assert_int_equal(live_tap_watchers(t), 0);
    live_tap_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_are_those_of_the_sound),
        cmocka_unit_test(a_gap_begins_anew),
        cmocka_unit_test(what_nobody_took_is_not_shown_to_the_next),
        cmocka_unit_test(threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
