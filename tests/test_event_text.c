#include "event/event_text.h"

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
#include <jansson.h>

static struct event event(enum event_type type)
{
    struct event e = {.type = type,
                      .label = "siren",
                      .score = 0.834f,
                      .source = "USB \"mic\" \\ 1",
                      .model = "m",
                      .start_ns = 1795255270120000000,
                      .end_ns = 1795255272620000000,
                      .peak_dbfs = -12.25f,
                      .rms_dbfs = NAN,
                      .notify = true};
    snprintf(e.id, sizeof e.id, "the-id");
    return e;
}

static void test_values(void **state)
{
    (void)state;
    static const struct {
        enum event_type type;
        const char *text, *wanted;
    } rows[] = {
        {EVENT_START, "", ""},
        {EVENT_START, "nothing", "nothing"},
        {EVENT_START, "${label}", "siren"},
        {EVENT_START, "a ${label}, ${score}!", "a siren, 0.83!"},
        {EVENT_START, "$$${label}$$", "$siren$"},
        {EVENT_START, "[${end}${duration_s}${rms_dbfs}]", "[]"},
        {EVENT_START, "${start} ${time}", "2026-11-21T10:01:10.120Z 10:01:10"},
        {EVENT_END, "${end} ${time} ${duration_s}", "2026-11-21T10:01:12.620Z 10:01:12 2.5"},
        {EVENT_END, "${event_type} ${peak_dbfs} ${late} ${test} ${id} ${node}${clip}",
         "end -12.2 false false the-id hall"},
        {EVENT_UPDATE, "${source}/${model}", "USB \"mic\" \\ 1/m"},
    };
    setenv("TZ", "UTC", 1);
    tzset();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct event e = event(rows[i].type);
        char out[256];
        assert_int_equal(event_text(rows[i].text, &e, "hall", EVENT_TEXT_PLAIN, out, sizeof out),
                         (int)strlen(rows[i].wanted));
        assert_string_equal(out, rows[i].wanted);
    }
}

static void test_escapes(void **state)
{
    (void)state;
    struct event e = event(EVENT_START);
    char out[256];

    event_text("a=b&source=${source}&l=${label}", &e, "n", EVENT_TEXT_FORM, out, sizeof out);
    assert_string_equal(out, "a=b&source=USB%20%22mic%22%20%5C%201&l=siren");
    snprintf(e.source, sizeof e.source, "a\n\"\x01\\\xff caf");
    assert_true(event_text("{\"s\": \"${source}\", \"n\": ${score}}", &e, "n", EVENT_TEXT_JSON, out, sizeof out) > 0);
    json_t *o = json_loads(out, 0, NULL);
    assert_non_null(o);
    assert_string_equal(json_string_value(json_object_get(o, "s")), "a \" \\  caf");
    json_decref(o);
}

static void test_size(void **state)
{
    (void)state;
    struct event e = event(EVENT_START);
    char out[12];

    assert_int_equal(event_text("a ${label}", &e, "", EVENT_TEXT_PLAIN, out, 8), 7);
    assert_int_equal(event_text("a ${label}", &e, "", EVENT_TEXT_PLAIN, out, 7), -1);
    assert_int_equal(event_text("aaaaaaaaaaaa", &e, "", EVENT_TEXT_PLAIN, out, sizeof out), -1);
    assert_int_equal(event_text("${nix}", &e, "", EVENT_TEXT_PLAIN, out, sizeof out), -1);
}

static void test_check(void **state)
{
    (void)state;
    static const char *const bad[] = {"$", "5 $", "$label", "${label", "${}", "${Label}", "$${label}$", "${ label }"};
    struct err err;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (event_text_check(bad[i], &err) == 0)
            fail_msg("taken: %s", bad[i]);
        assert_non_null(strstr(err.text, "allowed: ${NAME} with NAME one of label, score,"));
        assert_non_null(strstr(err.text, ", node, clip"));
    }
    assert_int_equal(event_text_check("$$ ${label} {\"a\": \"${id}\"} 100 %", &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
