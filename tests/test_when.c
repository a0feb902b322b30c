#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/when.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HOUR INT64_C(3600000)
#define NOW  INT64_C(1795254600500) /* 2026-11-21T09:50:00.500Z */

static void zone(const char *tz)
{
    setenv("TZ", tz, 1);
    tzset();
}

#define BERLIN "CET-1CEST,M3.5.0,M10.5.0/3"

static int64_t moment(const char *text)
{
    struct err err;
    int64_t ms = -1;

    if (when_parse(text, NOW, &ms, &err) < 0)
        fail_msg("%s", err.text);
    return ms;
}

static void expect(const char *text, const char *utc)
{
    char is[WHEN_TEXT];

    when_utc(moment(text), is);
    if (strcmp(is, utc) != 0)
        fail_msg("%s is %s, not %s", text, is, utc);
}

static void test_moments(void **state)
{
    (void)state;
    zone(BERLIN);
    expect("now", "2026-11-21T09:50:00.500Z");
    expect("2026-11-21T09:30:00.123Z", "2026-11-21T09:30:00.123Z");
    expect("2026-11-21t09:30:00.1239z", "2026-11-21T09:30:00.123Z");
    expect("2026-11-21T09:30:00+01:00", "2026-11-21T08:30:00.000Z");
    expect("2026-11-21 09:30:00-0530", "2026-11-21T15:00:00.000Z");
    expect("2026-11-21T09:30Z", "2026-11-21T09:30:00.000Z");
    expect("2026-11-21T09:30", "2026-11-21T08:30:00.000Z");
    expect("2026-07-01 09:30:15.5", "2026-07-01T07:30:15.500Z");
    expect("2026-07-01", "2026-06-30T22:00:00.000Z");
    expect("2024-02-29", "2024-02-28T23:00:00.000Z");
    expect("09:30", "2026-11-21T08:30:00.000Z");
    expect("today", "2026-11-20T23:00:00.000Z");
    expect("yesterday", "2026-11-19T23:00:00.000Z");
    expect("tomorrow", "2026-11-21T23:00:00.000Z");
    expect("2h", "2026-11-21T07:50:00.500Z");
    expect("90min", "2026-11-21T08:20:00.500Z");
    expect("90 minutes", "2026-11-21T08:20:00.500Z");
    expect("30s", "2026-11-21T09:49:30.500Z");
    expect("3d", "2026-11-18T09:50:00.500Z");
    expect("1w", "2026-11-14T09:50:00.500Z");
    expect("1d12h", "2026-11-19T21:50:00.500Z");
    expect("@1700000000", "2023-11-14T22:13:20.000Z");
    expect("0d", "2026-11-21T09:50:00.500Z");
    expect("60d", "2026-09-22T08:50:00.500Z"); /* summer time: the same hour on the wall */
}

static void test_bad_moments(void **state)
{
    static const char *const bad[] = {"",
                                      "x",
                                      "2026",
                                      "2026-13-01",
                                      "2026-02-29",
                                      "2026-00-10",
                                      "2026-1-1",
                                      "2026-11-31",
                                      "2026-11-21T",
                                      "2026-11-21T24:00",
                                      "9:30",
                                      "09:60",
                                      "09:30:60",
                                      "09:30Z",
                                      "2026-11-21T09:30+25:00",
                                      "2h ago",
                                      "-2h",
                                      "h",
                                      "2",
                                      "2x",
                                      "1.5h",
                                      "2000000h",
                                      "@",
                                      "@12x",
                                      "2026-11-21T09:30:00.Z",
                                      "2026-11-21Z",
                                      "yesterday ",
                                      "99999999999999999999d",
                                      "0000-01-01"};
    struct err err;
    int64_t ms;

    (void)state;
    zone(BERLIN);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (when_parse(bad[i], NOW, &ms, &err) == 0)
            fail_msg("\"%s\" is taken", bad[i]);
        assert_non_null(strstr(err.text, "allowed: 2026-11-21"));
    }
}

static void test_spans(void **state)
{
    struct err err;
    int64_t ms;

    (void)state;
    assert_int_equal(when_parse_span("2h30min", &ms, &err), 0);
    assert_int_equal(ms, 9000000);
    assert_int_equal(when_parse_span("1w", &ms, &err), 0);
    assert_int_equal(ms, 7 * 24 * HOUR);
    assert_int_equal(when_parse_span("0s", &ms, &err), -1);
    assert_int_equal(when_parse_span("soon", &ms, &err), -1);
}

/* Every moment of a day with a change of clocks lies in an hour and a day that follow each other without gap. */
static void walk(const char *tz, const char *from, int hours, int expected_hours, int expected_days)
{
    int n_hours = 0, n_days = 0;

    zone(tz);
    int64_t begin = moment(from), end = begin + hours * HOUR;
    for (int64_t t = begin; t < end; n_hours++) {
        struct when_range r = when_hour_of(t);
        assert_true(r.begin_ms == t && r.end_ms > t && r.end_ms <= t + HOUR);
        struct when_range middle = when_hour_of(t + (r.end_ms - t) / 2), last = when_hour_of(r.end_ms - 1);
        assert_true(middle.begin_ms == r.begin_ms && middle.end_ms == r.end_ms);
        assert_true(last.begin_ms == r.begin_ms && last.end_ms == r.end_ms);
        assert_int_equal(when_hour_number(t), when_hour_number(r.end_ms - 1));
        t = r.end_ms;
    }
    for (int64_t t = begin; t < end; n_days++) {
        struct when_range r = when_day_of(t);
        char first[WHEN_TEXT], last[WHEN_TEXT], after[WHEN_TEXT];
        assert_true(r.begin_ms <= t && r.end_ms > t);
        when_day(t, first);
        when_day(r.end_ms - 1, last);
        when_day(r.end_ms, after);
        assert_string_equal(first, last);
        assert_string_not_equal(first, after);
        t = r.end_ms;
    }
    assert_int_equal(n_hours, expected_hours);
    assert_int_equal(n_days, expected_days);
}

static void test_changes_of_clocks(void **state)
{
    (void)state;
    walk(BERLIN, "2026-10-25", 25, 25, 1); /* an hour twice */
    walk(BERLIN, "2026-03-29", 23, 23, 1); /* an hour left out */
    walk("UTC0", "2026-03-29", 24, 24, 1);
    walk("IST-5:30", "2026-03-29", 48, 48, 2);                         /* half an hour off */
    walk("BRT3BRST,M10.3.0/0,M2.3.0/0", "2026-10-17", 47, 47, 2);      /* midnight left out */
    walk("LHST-10:30LHDT-11,M10.1.0,M4.1.0", "2026-04-05", 24, 25, 1); /* half an hour twice: 24.5 hours */
}

static void test_text(void **state)
{
    char out[WHEN_TEXT];

    (void)state;
    zone(BERLIN);
    when_text(NOW, out);
    assert_string_equal(out, "2026-11-21 10:50:00");
    when_local(NOW, out);
    assert_string_equal(out, "2026-11-21T10:50:00+01:00");
    when_local(moment("2026-10-25T00:30:00Z"), out);
    assert_string_equal(out, "2026-10-25T02:30:00+02:00");
    when_local(moment("2026-10-25T01:30:00Z"), out);
    assert_string_equal(out, "2026-10-25T02:30:00+01:00");
    when_day(NOW, out);
    assert_string_equal(out, "2026-11-21");
    when_utc(-1, out);
    assert_string_equal(out, "1969-12-31T23:59:59.999Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moments), cmocka_unit_test(test_bad_moments),       cmocka_unit_test(test_spans),
        cmocka_unit_test(test_text),    cmocka_unit_test(test_changes_of_clocks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
