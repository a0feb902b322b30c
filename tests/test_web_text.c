/* What the web server reads and writes as text: header values, figures for Prometheus, the API's description. */
#include "daemon/http/header.h"
#include "daemon/http/metrics.h"
#include "daemon/http/openapi.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_range(void **state)
{
    static const struct {
        const char *text;
        uint64_t n;
        int rc;
        uint64_t from, size;
    } cases[] = {{NULL, 10, 0, 0, 0},
                 {"bytes=0-3", 10, 1, 0, 4},
                 {"bytes=5-", 10, 1, 5, 5},
                 {"bytes=-3", 10, 1, 7, 3},
                 {"bytes=-30", 10, 1, 0, 10},
                 {"bytes=-99999999999999999999", 10, 1, 0, 10},
                 {"bytes=9-99999999999999999999", 10, 1, 9, 1},
                 {"bytes=0-0", 1, 1, 0, 1},
                 {"bytes=10-", 10, -1, 0, 0},
                 {"bytes=99999999999999999999-", 10, -1, 0, 0},
                 {"bytes=-0", 10, -1, 0, 0},
                 {"bytes=0-", 0, -1, 0, 0},
                 {"bytes=-1", 0, -1, 0, 0},
                 {"bytes=3-2", 10, 0, 0, 0},
                 {"bytes=0-3,5-7", 10, 0, 0, 0},
                 {"bytes=", 10, 0, 0, 0},
                 {"bytes=-", 10, 0, 0, 0},
                 {"bytes=x-3", 10, 0, 0, 0},
                 {"bytes=1-x", 10, 0, 0, 0},
                 {"bytes=1-2x", 10, 0, 0, 0},
                 {"bytes= 1-2", 10, 0, 0, 0},
                 {"items=0-3", 10, 0, 0, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t from = 0, size = 0;
        int rc = header_range(cases[i].text, cases[i].n, &from, &size);
        if (rc != cases[i].rc || (rc > 0 && (from != cases[i].from || size != cases[i].size)))
            fail_msg("%s of %llu: %d, %llu, %llu", cases[i].text, (unsigned long long)cases[i].n, rc,
                     (unsigned long long)from, (unsigned long long)size);
    }
}

static void test_etag_and_gzip(void **state)
{
    static const char *const has[] = {"\"ab\"", "W/\"ab\"", "*", "\"x\", \"ab\"", "\"x\",W/\"ab\" , \"y\""},
                             *const has_not[] = {"", "\"abc\"", "ab", "\"a\"", "\"ab\"c", "\"x\""},
                             *const takes[] = {"gzip", "gzip, deflate, br", "deflate, GZIP;q=0.5", "br,gzip;q=1",
                                               "gzip;q=0.001"},
                             *const takes_not[] = {"",       "deflate", "gzip;q=0", "gzip;q=0.000",
                                                   "x-gzip", "gzipped", "br"};

    (void)state;
    for (size_t i = 0; i < sizeof has / sizeof *has; i++)
        assert_true(header_has_etag(has[i], "\"ab\""));
    for (size_t i = 0; i < sizeof has_not / sizeof *has_not; i++)
        assert_false(header_has_etag(has_not[i], "\"ab\""));
    for (size_t i = 0; i < sizeof takes / sizeof *takes; i++)
        assert_true(header_takes_gzip(takes[i]));
    for (size_t i = 0; i < sizeof takes_not / sizeof *takes_not; i++)
        assert_false(header_takes_gzip(takes_not[i]));
    assert_false(header_has_etag(NULL, "\"ab\"") || header_takes_gzip(NULL));
}

static void put(struct metrics *m, const char *label, enum event_type type, double latency_s, bool test)
{
    struct event e = {.type = type, .end_ns = 1000000000, .test = test};

    snprintf(e.label, sizeof e.label, "%s", label);
    metrics_event(m, &e, e.end_ns + (int64_t)(latency_s * 1e9));
}

static bool has_line(const char *text, const char *line)
{
    const char *at = text;
    size_t n = strlen(line);

    while ((at = strstr(at, line))) {
        if ((at == text || at[-1] == '\n') && at[n] == '\n')
            return true;
        at++;
    }
    return false;
}

static void test_metrics(void **state)
{
    static const char *const lines[] = {"earshot_events_total{label=\"siren\"} 2",
                                        "earshot_events_total{label=\"dog_bark\"} 1",
                                        "earshot_event_latency_seconds_bucket{le=\"0.005\"} 1",
                                        "earshot_event_latency_seconds_bucket{le=\"0.02\"} 3",
                                        "earshot_event_latency_seconds_bucket{le=\"5\"} 3",
                                        "earshot_event_latency_seconds_bucket{le=\"+Inf\"} 4",
                                        "earshot_event_latency_seconds_count 4",
                                        "earshot_http_requests_total{code=\"200\"} 2",
                                        "earshot_http_requests_total{code=\"404\"} 1",
                                        "earshot_http_request_duration_seconds_count 2",
                                        "earshot_build_info{version=\"1\",model=\"a\\\\b\\\"c\\nd\"} 1",
                                        "earshot_input_up 1",
                                        "earshot_listening 0",
                                        "earshot_input_lost_frames_total 7",
                                        "earshot_output_dropped_total{output=\"mqtt\"} 3",
                                        "earshot_http_watchers 5"};
    struct health h = {.version = "1", .model = "a\\b\"c\nd", .input_state = "ok", .lost_frames = 7, .n_outputs = 1};
    const struct metrics_server server = {.watchers = 5};
    struct metrics m;

    (void)state;
    h.levels.rms_dbfs = -INFINITY; /* no sound yet: there is no such line, instead of one that is no number */
    h.outputs[0] = (struct output_counters){.name = "mqtt", .dropped = 3};
    metrics_init(&m);
    put(&m, "siren", EVENT_START, 0.004, false);
    put(&m, "siren", EVENT_UPDATE, 0.02, false);
    put(&m, "siren", EVENT_END, 3, false);
    put(&m, "siren", EVENT_START, 0.02, false);
    put(&m, "dog_bark", EVENT_START, 100, false);
    put(&m, "dog_bark", EVENT_START, 0.1, true); /* a test: not heard */
    metrics_answer(&m, 200, 0.001);
    metrics_answer(&m, 200, -1);
    metrics_answer(&m, 404, 0.0001);
    char *text = metrics_text(&m, &h, &server);
    assert_non_null(text);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (!has_line(text, lines[i]))
            fail_msg("no %s in:\n%s", lines[i], text);
    assert_null(strstr(text, "inf "));
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "earshot_level_dbfs"));
    free(text);
    metrics_clear(&m);
}

static void test_many_labels(void **state)
{
    struct health h = {.version = "1"};
    const struct metrics_server server = {.watchers = 0};
    struct metrics m;
    char label[LABEL_SIZE];

    (void)state;
    metrics_init(&m);
    for (int i = 0; i < METRICS_LABELS + 5; i++) {
        snprintf(label, sizeof label, "sound_%d", i);
        put(&m, label, EVENT_START, 0.1, false);
    }
    char *text = metrics_text(&m, &h, &server);
    assert_true(has_line(text, "earshot_events_total{label=\"sound_299\"} 1"));
    assert_true(has_line(text, "earshot_events_total{label=\"other\"} 5"));
    free(text);
    metrics_clear(&m);
}

static const struct query_param params[] = {
    {"limit", PARAM_INT, 1, 10, NULL, "5", "How many"}, {"by", PARAM_WORD, 0, 0, "hour|day", "hour", "What"}, {NULL}};
static const struct route good[] = {{.method = "GET",
                                     .path = "/api/v1/a/{id}",
                                     .params = params,
                                     .summary = "A.",
                                     .schema = "{'$ref':'#/components/schemas/A'}",
                                     .problems = "404|409"},
                                    {.method = "GET", .path = "/hidden", .flags = ROUTE_UNLISTED},
                                    {.method = NULL}},
                          bad[] = {{.method = "GET", .path = "/bad", .schema = "{'type'"}, {.method = NULL}};
static const struct web_schema schemas[] = {{"A", "{'type':'object'}"}, {NULL}};

static void test_openapi(void **state)
{
    const struct route *const tables[] = {good, NULL}, *const wrong[] = {bad, NULL};
    const struct web_schema *const all[] = {schemas, NULL};
    const char *text;
    struct err err;

    (void)state;
    json_t *o = openapi_make(tables, all, true, &err), *op;
    assert_non_null(o);
    assert_int_equal(json_unpack(o, "{s:{s:{s:o}}}", "paths", "/api/v1/a/{id}", "get", &op), 0);
    assert_null(json_object_get(json_object_get(o, "paths"), "/hidden"));
    assert_string_equal(json_string_value(json_object_get(op, "operationId")), "get_a_id");
    assert_int_equal(json_array_size(json_object_get(op, "parameters")), 3);
    static const char *const statuses[] = {"200", "400", "401", "403", "404", "409", "421"};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        assert_non_null(json_object_get(json_object_get(op, "responses"), statuses[i]));
    assert_int_equal(json_unpack(o, "{s:{s:{s:{s:s}}}}", "components", "schemas", "A", "type", &text), 0);
    assert_string_equal(text, "object");
    json_decref(o);
    assert_null(openapi_make(wrong, all, true, &err));
    assert_non_null(strstr(err.text, "/bad"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_range), cmocka_unit_test(test_etag_and_gzip),
                                       cmocka_unit_test(test_metrics), cmocka_unit_test(test_many_labels),
                                       cmocka_unit_test(test_openapi)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
