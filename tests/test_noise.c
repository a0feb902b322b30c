/* Noise reports from rows made by hand, in a time zone with daylight saving. */
#include "daemon/noise/print.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static const struct noise_hours usual = {7 * 60, 19 * 60, 23 * 60};

static int64_t local(int year, int month, int day, int hour, int minute)
{
    struct tm t = {
        .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = hour, .tm_min = minute, .tm_isdst = -1};
    return (int64_t)mktime(&t) * 1000;
}

static struct store_level row(int64_t end_ms, double seconds, float laeq)
{
    return (struct store_level){.time_ms = end_ms,
                                .interval_s = seconds,
                                .laeq = laeq,
                                .lafmax = laeq + 10,
                                .lcpeak = laeq + 25,
                                .l10 = laeq + 3,
                                .l50 = laeq - 2,
                                .l90 = laeq - 5,
                                .calibrated = true};
}

/* Rows of a minute from `from` up to `to` at that level. */
static void fill(struct noise_report *r, int64_t from, int64_t to, float laeq)
{
    struct err err = {""};
    for (int64_t t = from + 60000; t <= to; t += 60000) {
        struct store_level l = row(t, 60, laeq);
        assert_int_equal(noise_report_add(r, &l, &err), 0);
    }
}

static void near(const char *what, double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("%s: %.3f, not %.3f", what, got, want);
}

/* The directive's formula with its hours: 60 by day, 55 in the evening, 50 at night are 60.0 all over: the additions make up for what
 * is missing. */
static void test_lden(void **state)
{
    (void)state;
    struct noise_sum p[NOISE_PARTS] = {{1, 1e6, NAN, NAN, 0}, {1, pow(10, 5.5), NAN, NAN, 0}, {1, 1e5, NAN, NAN, 0}};
    near("Lden", noise_lden(&usual, p), 60, 1e-9);
    p[NOISE_NIGHT].energy = 1e6; /* 60 at night: 10 lg((12 + 4 + 8 * 10) / 24) more */
    near("Lden", noise_lden(&usual, p), 60 + 10 * log10(96.0 / 24), 1e-9);
    p[NOISE_EVENING].measured_s = 0;
    assert_true(isnan(noise_lden(&usual, p)));
}

static void test_parts(void **state)
{
    (void)state;
    static const struct {
        int minute;
        enum noise_part part;
    } rows[] = {{0, NOISE_NIGHT},          {6 * 60 + 59, NOISE_NIGHT}, {7 * 60, NOISE_DAY},
                {18 * 60 + 59, NOISE_DAY}, {19 * 60, NOISE_EVENING},   {22 * 60 + 59, NOISE_EVENING},
                {23 * 60, NOISE_NIGHT}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(noise_part_of(&usual, rows[i].minute), rows[i].part);
    static const struct noise_hours late = {8 * 60, 21 * 60, 60}; /* an evening that goes on after midnight */
    assert_int_equal(noise_part_of(&late, 30), NOISE_EVENING);
    assert_int_equal(noise_part_of(&late, 61), NOISE_NIGHT);
    assert_int_equal(noise_part_of(&late, 8 * 60), NOISE_DAY);
}

/* Two days: the night belongs to the evening before it. */
static void test_days(void **state)
{
    (void)state;
    struct noise_report *r = noise_report_new(&usual, true);
    fill(r, local(2026, 11, 20, 7, 0), local(2026, 11, 20, 19, 0), 60);
    fill(r, local(2026, 11, 20, 19, 0), local(2026, 11, 20, 23, 0), 55);
    fill(r, local(2026, 11, 20, 23, 0), local(2026, 11, 21, 7, 0), 50);
    fill(r, local(2026, 11, 21, 7, 0), local(2026, 11, 21, 13, 0), 70);
    assert_int_equal(r->n_days, 2);
    assert_int_equal(r->n_hours, 30);
    const struct noise_day *d = r->day;
    assert_true(d[0].day == 20 && d[0].month == 11 && d[0].year == 2026 && d[1].day == 21);
    near("Lday", noise_laeq(&d[0].part[NOISE_DAY]), 60, 1e-4);
    near("Levening", noise_laeq(&d[0].part[NOISE_EVENING]), 55, 1e-4);
    near("Lnight", noise_laeq(&d[0].part[NOISE_NIGHT]), 50, 1e-4);
    near("Lden", noise_lden(&usual, d[0].part), 60, 1e-4);
    near("all of the night", d[0].part[NOISE_NIGHT].measured_s, d[0].length_s[NOISE_NIGHT], 1e-6);
    near("half of the day", d[1].part[NOISE_DAY].measured_s / d[1].length_s[NOISE_DAY], 0.5, 1e-6);
    assert_true(isnan(noise_lden(&usual, d[1].part)));
    near("mean of both days", noise_laeq(&r->part[NOISE_DAY]), 10 * log10((12 * 1e6 + 6 * 1e7) / 18), 1e-4);
    assert_true(r->total.lafmax == 80 && r->total.lafmax_ms == local(2026, 11, 21, 7, 1));
    assert_true(r->total.lcpeak == 95);
    assert_true(r->hour[0].hour == 7 && r->hour[0].start_ms == local(2026, 11, 20, 7, 0));
    noise_report_free(r);
}

/* The night in which clocks are set back has 9 hours, and its hour that comes twice is two. */
static void test_daylight_saving(void **state)
{
    (void)state;
    struct noise_report *r = noise_report_new(&usual, true);
    fill(r, local(2026, 10, 24, 23, 0), local(2026, 10, 25, 7, 0), 40);
    assert_int_equal(r->n_hours, 9);
    assert_int_equal(r->n_days, 1);
    near("length", r->day[0].length_s[NOISE_NIGHT], 9 * 3600, 1e-6);
    near("measured", r->day[0].part[NOISE_NIGHT].measured_s, 9 * 3600, 1e-6);
    assert_true(r->hour[3].hour == 2 && r->hour[4].hour == 2 && r->hour[5].hour == 3);
    noise_report_free(r);
    r = noise_report_new(&usual, true);
    fill(r, local(2026, 3, 28, 23, 0), local(2026, 3, 29, 7, 0), 40);
    assert_int_equal(r->n_hours, 7);
    near("length", r->day[0].length_s[NOISE_NIGHT], 7 * 3600, 1e-6);
    noise_report_free(r);
}

static void test_percentiles(void **state)
{
    (void)state;
    struct noise_report *r = noise_report_new(&usual, true);
    assert_true(isnan(noise_exceeded(r, 0.1)));
    fill(r, local(2026, 11, 20, 7, 0), local(2026, 11, 20, 8, 0), 50);
    near("L10", noise_exceeded(r, 0.1), 53, 0.1);
    near("L50", noise_exceeded(r, 0.5), 48, 0.1);
    near("L90", noise_exceeded(r, 0.9), 45, 0.1);
    fill(r, local(2026, 11, 20, 8, 0), local(2026, 11, 20, 17, 0), 30); /* the loud hour is a tenth of it now */
    near("L50", noise_exceeded(r, 0.5), 28.6, 0.5);
    double l10 = noise_exceeded(r, 0.1);
    assert_true(l10 > 37 && l10 < 46); /* between the two hours' */
    noise_report_free(r);
}

/* What is not calibrated is not mixed with what is, and nothing that was not measured counts. */
static void test_left_out(void **state)
{
    (void)state;
    struct err err = {""};
    struct noise_report *r = noise_report_new(&usual, true);
    struct store_level l = row(local(2026, 11, 20, 8, 1), 60, -40);
    l.calibrated = false;
    assert_int_equal(noise_report_add(r, &l, &err), 0);
    l = row(local(2026, 11, 20, 8, 2), 60, NAN);
    assert_int_equal(noise_report_add(r, &l, &err), 0);
    l = row(local(2026, 11, 20, 8, 3), 0, 50);
    assert_int_equal(noise_report_add(r, &l, &err), 0);
    l = row(local(2026, 11, 20, 8, 4), 30, 50);
    l.l10 = l.lafmax = l.lcpeak = NAN;
    assert_int_equal(noise_report_add(r, &l, &err), 0);
    assert_true(r->left_out_s == 60 && r->total.measured_s == 30 && isnan(r->total.lafmax));
    assert_true(isnan(noise_exceeded(r, 0.5)));
    noise_report_free(r);
}

static char *printed(void (*print)(FILE *, const struct noise_report *, const struct noise_period *),
                     const struct noise_report *r, const struct noise_period *p)
{
    static char text[65536];
    FILE *f = fmemopen(text, sizeof text, "w");
    print(f, r, p);
    fclose(f);
    return text;
}

static void test_print(void **state)
{
    (void)state;
    struct noise_period p = {local(2026, 11, 20, 7, 0), local(2026, 11, 21, 7, 0), true};
    for (int calibrated = 0; calibrated < 2; calibrated++) {
        struct noise_report *r = noise_report_new(&usual, calibrated);
        struct err err;
        for (int i = 1; i <= 60; i++) {
            struct store_level l = row(p.since_ms + i * 60000, 60, 60);
            l.calibrated = calibrated;
            noise_report_add(r, &l, &err);
        }
        const char *text = printed(noise_print_text, r, &p);
        assert_int_equal(strstr(text, "uncalibrated") != NULL, !calibrated);
        assert_non_null(strstr(text, "measured: 4 %"));
        assert_non_null(strstr(text, "2026-11-20   60.0   8 %"));
        assert_non_null(strstr(text, "2026-11-20 07:00"));
        text = printed(noise_print_json, r, &p);
        assert_non_null(strstr(text, calibrated ? "\"unit\":\"dB\"" : "\"unit\":\"dBFS\""));
        assert_non_null(strstr(text, "\"lday\":60.0,\"levening\":null"));
        text = printed(noise_print_csv, r, &p);
        assert_non_null(strstr(text, "\nday,2026-11-20,3600.0,86400.0,,,,,,,60.00,,,,dB"));
        text = printed(noise_draw, r, &p);
        assert_non_null(strstr(text, "</svg>"));
        assert_null(strstr(text, "nan"));
        noise_report_free(r);
    }
    struct noise_report *none = noise_report_new(&usual, false);
    printed(noise_draw, none, &p);
    noise_report_free(none);
}

int main(void)
{
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    tzset();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lden),        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_days),        cmocka_unit_test(test_daylight_saving),
        cmocka_unit_test(test_percentiles), cmocka_unit_test(test_left_out),
        cmocka_unit_test(test_print),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
