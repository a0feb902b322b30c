#include "audio/gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "synth.h"

/* A level a letter: '.' -60, '-' -43 (between closing and opening), '+' -40 (exactly the threshold), '#' -20 dBFS. What the gate says
 * after each block: ' ' shut, 'o' opened, '=' open, 'c' closed. 10 ms blocks of 80 samples. */
static const struct {
    const char *levels, *want;
    double hysteresis_db, hold_s;
    bool busy;
} ROWS[] = {
    {"....", "    ", 6, 0.03, false},
    {"..+....", "  o==c ", 6, 0.03, false},
    {"..-....", "       ", 6, 0.03, false},   /* not enough to open */
    {"..+-----", "  o=====", 6, 0.03, false}, /* ... but to stay open */
    {"..+-----", "  o==c  ", 2, 0.03, false}, /* with less hysteresis it closes */
    {"..#..#..#....",
     "  o======="
     "=c ",
     6, 0.03, false}, /* pauses shorter than hold */
    {"..#....#..", "  o==c o==", 6, 0.03, false},
    {"..#.#", "  oco", 6, 0, false}, /* no hold */
    {"..#...........", "  o===========", 6, 0.03, true},
};

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct gate g = {0};
        struct gate_params p = synth_gate();
        p.threshold = (struct gate_threshold){THRESHOLD_FIXED, -40};
        p.hysteresis_db = ROWS[i].hysteresis_db;
        p.hold_s = ROWS[i].hold_s;
        gate_set(&g, &p, 8000);
        char got[64] = "";
        for (size_t k = 0; ROWS[i].levels[k]; k++) {
            char c = ROWS[i].levels[k];
            double dbfs = c == '.' ? -60 : c == '-' ? -43 : c == '+' ? -40 : -20;
            enum gate_change change = gate_do(&g, dbfs, -60, ROWS[i].busy, k * 80, 80);
            got[k] = change == GATE_OPENED ? 'o' : change == GATE_CLOSED ? 'c' : g.open ? '=' : ' ';
            if (change == GATE_OPENED)
                assert_int_equal(g.open_position, k * 80);
        }
        if (strcmp(got, ROWS[i].want) != 0)
            fail_msg("row %zu: \"%s\" gave \"%s\", not \"%s\"", i, ROWS[i].levels, got, ROWS[i].want);
    }
}

/* Duration counts from the opening to the last block above the closing threshold: pauses count, the hold does not. */
static void test_duration(void **state)
{
    (void)state;
    struct gate g = {0};
    struct gate_params p = synth_gate();
    p.threshold = (struct gate_threshold){THRESHOLD_FIXED, -40};
    p.min_duration_s = 0.05;
    gate_set(&g, &p, 8000);
    static const int loud[] = {1, 1, 0, 0, 1, 0, 0};
    static const unsigned want[] = {80, 160, 160, 160, 400, 400, 400};
    for (size_t i = 0; i < 7; i++) {
        gate_do(&g, loud[i] ? -20 : -70, -60, false, i * 80, 80);
        assert_int_equal(g.duration, want[i]);
        assert_int_equal(gate_long_enough(&g), want[i] >= 400);
    }
}

static void test_thresholds(void **state)
{
    (void)state;
    struct gate g = {0};
    struct gate_params p = synth_gate();
    gate_set(&g, &p, 8000);
    assert_true(gate_threshold_dbfs(&g, -60) == -48);
    assert_true(gate_threshold_dbfs(&g, -10) == -6); /* a floor near full scale */
    assert_int_equal(gate_do(&g, -50, -65, false, 0, 80), GATE_OPENED);
    p.threshold.kind = THRESHOLD_OFF; /* changed while open: stays open for good */
    gate_set(&g, &p, 8000);
    for (uint64_t i = 1; i < 1000; i++)
        assert_int_equal(gate_do(&g, -120, -65, false, i * 80, 80), GATE_SAME);
    assert_true(isinf(gate_threshold_dbfs(&g, -60)));
    p.threshold = (struct gate_threshold){THRESHOLD_FIXED, -40};
    gate_set(&g, &p, 8000);
    for (uint64_t i = 1; i < 50; i++)
        assert_int_equal(gate_do(&g, -120, -65, false, i * 80, 80), GATE_SAME);
    assert_int_equal(gate_do(&g, -120, -65, false, 0, 80), GATE_CLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_duration),
        cmocka_unit_test(test_thresholds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
