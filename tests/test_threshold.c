#include "audio/analysis.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_good(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        struct gate_threshold want;
        const char *back;
    } rows[] = {
        {"auto+12 dB", {THRESHOLD_AUTO, 12}, "auto+12 dB"},
        {"auto", {THRESHOLD_AUTO, 12}, "auto+12 dB"},
        {" AUTO + 9.5dB ", {THRESHOLD_AUTO, 9.5}, "auto+9.5 dB"},
        {"auto+6", {THRESHOLD_AUTO, 6}, "auto+6 dB"},
        {"auto+0", {THRESHOLD_AUTO, 0}, "auto+0 dB"},
        {"-40 dBFS", {THRESHOLD_FIXED, -40}, "-40 dBFS"},
        {"-40", {THRESHOLD_FIXED, -40}, "-40 dBFS"},
        {"-33.5dbfs", {THRESHOLD_FIXED, -33.5}, "-33.5 dBFS"},
        {"-1", {THRESHOLD_FIXED, -1}, "-1 dBFS"},
        {"0 dBFS", {THRESHOLD_FIXED, 0}, "0 dBFS"},
        {"0.1", {THRESHOLD_FIXED, -20}, "-20 dBFS"},
        {"1", {THRESHOLD_FIXED, 0}, "0 dBFS"},
        {"1e-2", {THRESHOLD_FIXED, -40}, "-40 dBFS"},
        {"off", {THRESHOLD_OFF, 0}, "off"},
        {"Off\t", {THRESHOLD_OFF, 0}, "off"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gate_threshold t;
        struct err err = {""};
        assert_int_equal(gate_threshold_parse(rows[i].text, &t, &err), 0);
        assert_int_equal(t.kind, rows[i].want.kind);
        assert_true(fabs(t.db - rows[i].want.db) < 1e-9);
        char text[32];
        gate_threshold_text(&t, text, sizeof text);
        assert_string_equal(text, rows[i].back);
    }
}

static void test_bad(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",        "0",          "loud",    "auto-3 dB", "auto+",     "auto+61", "auto+x", "auto+12 dBFS",
        "autox",   "auto++3",    "nan",     "inf",       "-inf dBFS", "3 dBFS",  "1.5",    "-121",
        "-40 V",   "-40 dBFS x", "offside", "0x10",      "1e999",     "-1e99",   "1e",     "--4",
        "auto+-3", "auto+1e9",   "-",       "0.",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gate_threshold t = {THRESHOLD_AUTO, 77};
        struct err err = {""};
        if (gate_threshold_parse(rows[i], &t, &err) != -1)
            fail_msg("\"%s\" was taken", rows[i]);
        assert_non_null(strstr(err.text, rows[i]));
        assert_non_null(strstr(err.text, "auto+12 dB"));
        assert_true(t.kind == THRESHOLD_AUTO && t.db == 77);
    }
    assert_int_equal(gate_threshold_parse("?", &(struct gate_threshold){0}, NULL), -1);
}

/* Text is cut, never overrun. */
static void test_small_buffer(void **state)
{
    (void)state;
    char text[8];
    gate_threshold_text(&(struct gate_threshold){THRESHOLD_AUTO, 12}, text, sizeof text);
    assert_string_equal(text, "auto+12");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_small_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
