#include "audio/floor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "synth.h"

enum { FREE, BUSY = 1, OPEN = 2 };

static void run(struct noise_floor *f, double dbfs, double seconds, int how)
{
    for (int i = 0; i < (int)(seconds * 100 + 0.5); i++)
        floor_do(f, pow(10, dbfs / 10), how & OPEN, how & BUSY);
}

static void assert_near(double a, double b, double tolerance)
{
    if (fabs(a - b) > tolerance)
        fail_msg("%.3f, not %.3f", a, b);
}

static void test_falls_and_rises(void **state)
{
    (void)state;
    struct noise_floor f;
    floor_init(&f, -60);
    run(&f, -70, 0.19, FREE);
    assert_near(f.dbfs, -60, 0); /* not yet 200 ms */
    run(&f, -70, 0.01, FREE);
    assert_near(f.dbfs, -70, 0.01);
    run(&f, -50, FLOOR_WINDOW_S, FREE); /* the window still holds -70 */
    assert_near(f.dbfs, -70, 0.01);
    run(&f, -50, 1, FREE);
    double at = f.dbfs;
    run(&f, -50, 5, FREE);
    assert_near(f.dbfs - at, 5, 0.01); /* 1 dB a second */
    run(&f, -50, 30, FREE);
    assert_near(f.dbfs, -50, 0.1);
    run(&f, -80, 0.2, FREE);
    assert_near(f.dbfs, -80, 0.1);
    run(&f, -200, 1, FREE);
    assert_near(f.dbfs, FLOOR_MIN_DBFS, 0.1);
}

static void test_busy(void **state)
{
    (void)state;
    struct noise_floor f;
    floor_init(&f, -60);
    run(&f, -60, 10, FREE);
    run(&f, -30, 3600, BUSY | OPEN);
    assert_near(f.dbfs, -60, 0.01);
    run(&f, -65, 0.2, BUSY); /* it may fall */
    assert_near(f.dbfs, -65, 0.01);
    run(&f, -30, FLOOR_WINDOW_S + 1, BUSY | OPEN);
    run(&f, -30, 1, OPEN);
    assert_near(f.dbfs, -64, 0.02);
}

/* Loud from the first block: nothing rises before a whole window was heard. */
static void test_from_start(void **state)
{
    (void)state;
    struct noise_floor f;
    floor_init(&f, -60);
    run(&f, -20, FLOOR_WINDOW_S, OPEN);
    assert_near(f.dbfs, -60, 0);
    run(&f, -20, 10, OPEN);
    assert_near(f.dbfs, -50, 0.3);
}

/* One quiet block among loud ones is not the room; a pause of a quarter of a second is. */
static void test_pauses(void **state)
{
    (void)state;
    struct noise_floor f;
    floor_init(&f, -40);
    for (int i = 0; i < 500; i++)
        floor_do(&f, pow(10, (i % 10 ? -40 : -90) / 10.0), false, false);
    assert_near(f.dbfs, -40, 0.6);
    for (int i = 0; i < 3000; i++)
        floor_do(&f, pow(10, (i % 100 < 75 ? -30 : -60) / 10.0), true, false);
    assert_near(f.dbfs, -60, 0.1);
}

/* The bias: of a noise that swings, the floor is near the mean; it is capped, and frozen while the gate is open. */
static void test_bias(void **state)
{
    (void)state;
    struct noise_floor f;
    floor_init(&f, -60);
    for (int i = 0; i < 12000; i++)
        floor_do(&f, pow(10, (-50 + 3 * sin(i / 100.0)) / 10), false, false);
    assert_near(f.dbfs, -50, 0.7);
    floor_init(&f, -60);
    for (int i = 0; i < 12000; i++)
        floor_do(&f, pow(10, (-50 + 3 * sin(i / 100.0)) / 10), true, false);
    assert_near(f.dbfs, -53, 0.3);
    for (int i = 0; i < 12000; i++)
        floor_do(&f, pow(10, (-50 + 20 * sin(i / 100.0)) / 10), false, false);
    assert_true(f.dbfs < -70 + FLOOR_MAX_BIAS_DB + 0.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_falls_and_rises), cmocka_unit_test(test_busy), cmocka_unit_test(test_from_start),
        cmocka_unit_test(test_pauses),          cmocka_unit_test(test_bias),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
