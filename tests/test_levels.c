#include "daemon/level_json.h"
#include "daemon/level_meter.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct analysis_levels levels(float rms, float peak, float floor, float threshold, bool open)
{
    return (struct analysis_levels){
        .rms_dbfs = rms, .peak_dbfs = peak, .floor_dbfs = floor, .threshold_dbfs = threshold, .open = open};
}

static void json_goes_round(void **state)
{
    static const struct {
        float threshold;
        bool open;
        const char *state, *problem;
    } cases[] = {{-48.5F, true, "ok", ""}, {-INFINITY, false, "lost", "USB \"mic\": gone \xff"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct level_report in = {.levels = levels(-41.2F, -30.1F, -60, cases[i].threshold, cases[i].open)}, out;
        struct err err = {""};
        snprintf(in.input_state, sizeof in.input_state, "%s", cases[i].state);
        snprintf(in.input_problem, sizeof in.input_problem, "%s", cases[i].problem);
        in.sound.on = i == 0; /* with a level meter and without */
        in.sound.now.laf = -50;
        in.sound.calibration = (struct calibration){.calibrated = true, .offset_db = 100};
        json_t *o = level_json(&in);
        assert_non_null(o);
        assert_int_equal(level_read(o, &out, &err), 0);
        assert_float_equal(out.levels.rms_dbfs, -41.2, 1e-4);
        assert_float_equal(out.levels.peak_dbfs, -30.1, 1e-4);
        assert_float_equal(out.levels.floor_dbfs, -60, 1e-4);
        assert_true(out.levels.threshold_dbfs == cases[i].threshold);
        assert_int_equal(out.levels.open, cases[i].open);
        assert_string_equal(out.input_state, cases[i].state);
        assert_int_equal(strncmp(out.input_problem, cases[i].problem, 16), 0);
        assert_int_equal(out.sound.on, i == 0);
        if (i == 0) {
            assert_float_equal(out.sound.now.laf, 50, 1e-4);
            assert_true(out.sound.calibration.calibrated && out.sound.calibration.offset_db == 0);
            assert_true(out.sound.number == 0 && isnan(out.sound.last.laeq));
        }
        json_decref(o);
    }
}

static void json_of_another_kind(void **state)
{
    static const char *const bad[] = {
        "{}", "{\"ok\":true}", "[]",
        "{\"rms_dbfs\":\"x\",\"peak_dbfs\":1,\"floor_dbfs\":1,\"threshold_dbfs\":1,\"gate\":\"open\",\"input_state\":"
        "\"ok\"}",
        "{\"rms_dbfs\":1,\"peak_dbfs\":1,\"floor_dbfs\":1,\"threshold_dbfs\":1,\"gate\":7,\"input_state\":\"ok\"}"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct level_report out;
        struct err err = {""};
        json_t *o = json_loads(bad[i], 0, NULL);
        assert_non_null(o);
        assert_int_equal(level_read(o, &out, &err), -1);
        assert_true(err.text[0] != '\0');
        json_decref(o);
    }
}

/* Nothing that is not calibrated is called decibels; the offset is added everywhere, once. */
static void sound_says_its_unit(void **state)
{
    (void)state;
    struct sound_report r = {.on = true, .number = 3, .now = {.laf = -40, .las = -41}};
    char text[1024];
    soundlevel_nothing(&r.last);
    r.last.laeq = -45.5F;
    r.last.lcpeak = -20;
    r.last.rate = 16000;
    r.last.class1_hz = 6300;
    for (int calibrated = 0; calibrated < 2; calibrated++) {
        r.calibration = (struct calibration){.calibrated = calibrated, .offset_db = calibrated ? 120 : 0};
        json_t *o = json_object();
        sound_json_period(o, &r);
        assert_string_equal(json_string_value(json_object_get(o, "unit")), calibrated ? "dB" : "dBFS");
        assert_int_equal(json_is_true(json_object_get(o, "calibrated")), calibrated);
        assert_float_equal(json_number_value(json_object_get(o, "laeq")), calibrated ? 74.5 : -45.5, 1e-6);
        assert_float_equal(json_number_value(json_object_get(o, "laf")), calibrated ? 80 : -40, 1e-6);
        assert_true(json_is_null(json_object_get(o, "l90")));
        assert_true(json_number_value(json_object_get(o, "class1_to_hz")) == 6300);
        json_decref(o);
        sound_text(&r.last, &r.calibration, text, sizeof text);
        assert_int_equal(strstr(text, "uncalibrated") != NULL, !calibrated);
        assert_int_equal(strstr(text, "dB(A)") != NULL, calibrated);
    }
    sound_class1_text(&r.last, text, sizeof text);
    assert_non_null(strstr(text, "6300 Hz"));
    r.last.class1_hz = 20000;
    sound_class1_text(&r.last, text, sizeof text);
    assert_string_equal(text, "");
}

static void bar(void **state)
{
    static const struct {
        float rms, peak, floor, threshold;
        const char *bar;
    } cases[] = {
        {-45, -9, -72, -27, "==:== | * "},
        {-45, -9, -72, -INFINITY, "==:==   * "},
        {-200, -INFINITY, -INFINITY, -INFINITY, "*         "},
        {0, 6, -90, 0, ":========|"},
        {NAN, NAN, NAN, NAN, "*         "},
    };
    char out[32];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct analysis_levels l = levels(cases[i].rms, cases[i].peak, cases[i].floor, cases[i].threshold, false);
        meter_bar(&l, out, 10);
        assert_string_equal(out, cases[i].bar);
    }
}

static void line_fits(void **state)
{
    (void)state;
    for (int columns = 20; columns < 250; columns++) {
        char out[320];
        struct analysis_levels l = levels(-110.5F, -100.5F, -118.5F, -106.5F, columns % 2);
        meter_line(&l, out, sizeof out, columns);
        assert_true((int)strlen(out) <= columns);
    }
}

static const char *advice(float quiet, int n_quiet, float loud, int n_loud)
{
    static char text[400];
    struct meter_seen seen = {{0}, 0, 0};
    struct analysis_levels l = levels(quiet, quiet, quiet, quiet + 12, false);
    for (int i = 0; i < n_quiet; i++)
        meter_see(&seen, &l);
    l.rms_dbfs = loud;
    l.open = true;
    for (int i = 0; i < n_loud; i++)
        meter_see(&seen, &l);
    meter_advice(&seen, &l, text, sizeof text);
    return text;
}

static void advises(void **state)
{
    (void)state;
    assert_non_null(strstr(advice(-60, 90, -20, 10), "Background -60 dBFS, loudest -20 dBFS, gate open for 10 %"));
    assert_non_null(strstr(advice(-60, 90, -20, 10), "threshold = -48 dBFS")); /* 12 dB over the background */
    assert_non_null(strstr(advice(-60, 90, -45, 10), "threshold = -51 dBFS")); /* 6 dB under a faint sound */
    assert_non_null(strstr(advice(-60, 90, -50, 10), "Nothing stood out"));
    assert_non_null(strstr(advice(-60, 10, -20, 5), "Too little was heard"));
}

static void percentiles(void **state)
{
    struct meter_seen seen = {{0}, 0, 0};
    (void)state;
    for (int i = 0; i < 100; i++) {
        struct analysis_levels l = levels((float)-i, 0, 0, 0, false);
        meter_see(&seen, &l);
    }
    assert_float_equal(meter_percentile(&seen, 0.5), -50, 1);
    assert_float_equal(meter_percentile(&seen, 1), 0, 0);
    assert_float_equal(meter_percentile(&seen, 0), -99, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_goes_round),
        cmocka_unit_test(sound_says_its_unit),
        cmocka_unit_test(json_of_another_kind),
        cmocka_unit_test(bar),
        cmocka_unit_test(line_fits),
        cmocka_unit_test(advises),
        cmocka_unit_test(percentiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
