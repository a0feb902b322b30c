#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "event/event.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define S        INT64_C(1000000000)

static void test_rfc3339(void **state)
{
    static const struct {
        int64_t ns;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {INT64_C(1795253100123456789), "2026-11-21T09:25:00.123Z"},
        {INT64_C(1795253100999999999), "2026-11-21T09:25:00.999Z"}, /* cut, never rounded into the next second */
        {-1, "1969-12-31T23:59:59.999Z"},
        {INT64_C(951782400) * S, "2000-02-29T00:00:00.000Z"},
        {INT64_MAX, "2262-04-11T23:47:16.854Z"},
        {INT64_MIN, "1677-09-21T00:12:43.145Z"},
    };
    (void)state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[RFC3339_SIZE];
        rfc3339_utc(text, rows[i].ns);
        assert_string_equal(text, rows[i].text);
    }
}

static void check_uuid7(const char *u, uint64_t ms)
{
    char head[14];

    assert_int_equal(strlen(u), 36);
    for (int i = 0; i < 36; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23)
            assert_int_equal(u[i], '-');
        else
            assert_non_null(strchr("0123456789abcdef", u[i]));
    }
    assert_int_equal(u[14], '7');
    assert_non_null(strchr("89ab", u[19]));
    snprintf(head, sizeof head, "%08x-%04x", (unsigned)(ms >> 16), (unsigned)(ms & 0xffff));
    assert_memory_equal(u, head, 13);
}

static void test_uuid7_form(void **state)
{
    char u[UUID_SIZE];
    (void)state;

    uuid7(u, INT64_C(1795253100123456789));
    check_uuid7(u, 1795253100123);
    uuid7(u, 5 * S); /* a recording's own clock; also: the clock was set back by far, and is followed */
    check_uuid7(u, 5000);
    uuid7(u, -S);
    check_uuid7(u, 5000); /* back by less than a step: goes on from the last one */
    uuid7(u, 0);
    check_uuid7(u, 5000);
}

/* More ids of one millisecond than the counter has places, and a clock that jitters backwards. */
static void test_uuid7_sorts(void **state)
{
    char last[UUID_SIZE], next[UUID_SIZE];
    int64_t now = INT64_C(1800000000) * S;
    (void)state;

    uuid7(last, now);
    for (int i = 0; i < 20000; i++) {
        uuid7(next, now - (i % 3) * 1000000);
        assert_true(strcmp(last, next) < 0);
        memcpy(last, next, sizeof last);
    }
}

#define THREADS 4
#define EACH    5000
static void *make_ids(void *arg)
{
    char(*ids)[UUID_SIZE] = arg;

    for (int i = 0; i < EACH; i++)
        uuid7(ids[i], INT64_C(1900000000) * S);
    return NULL;
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void test_uuid7_threads(void **state)
{
    char(*ids)[UUID_SIZE] = malloc(sizeof *ids * THREADS * EACH);
    pthread_t thread[THREADS];
    (void)state;

    assert_non_null(ids);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, make_ids, ids + i * EACH), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    qsort(ids, THREADS * EACH, sizeof *ids, compare_ids);
    /* time and counter alone, 18 characters, tell every two of them apart */
    for (int i = 1; i < THREADS * EACH; i++)
        assert_true(memcmp(ids[i - 1], ids[i], 18) < 0);
    free(ids);
}

static struct event example(enum event_type type)
{
    struct event e = {
        .type = type,
        .id = "0198c0de-0001-7000-8000-000000000001",
        .event_id = "0198c0de-0001-7000-8000-000000000002",
        .sound_id = "0198c0de-0001-7000-8000-000000000003",
        .label = "dog_bark",
        .score = 0.83f,
        .top = {{"dog_bark", 0.83f}, {"siren", 0.1f}, {"rain", 0.05f}, {"wind", 0.01f}},
        .n_top = 4,
        .source = "USB Mic",
        .model = "earshot-s",
        .start_ns = INT64_C(1795253100123456789),
        .end_ns = INT64_C(1795253101623456789),
        .peak_dbfs = -6.04f,
        .rms_dbfs = -21.26f,
        .segments = 2,
        .lost_frames = 480,
        .late = true,
    };
    return e;
}

static void test_json_text(void **state)
{
    struct event e = example(EVENT_END);
    char out[2048];
    const char *want =
        "{\"schema\":1,\"id\":\"0198c0de-0001-7000-8000-000000000001\",\"event_type\":\"end\","
        "\"event_id\":\"0198c0de-0001-7000-8000-000000000002\","
        "\"sound_id\":\"0198c0de-0001-7000-8000-000000000003\",\"label\":\"dog_bark\",\"score\":0.83,"
        "\"top\":[{\"label\":\"dog_bark\",\"score\":0.83},{\"label\":\"siren\",\"score\":0.1},"
        "{\"label\":\"rain\",\"score\":0.05}],\"source\":\"USB Mic\",\"start\":\"2026-11-21T09:25:00.123Z\","
        "\"end\":\"2026-11-21T09:25:01.623Z\",\"duration_s\":1.5,\"peak_dbfs\":-6.0,\"rms_dbfs\":-21.3,"
        "\"segments\":2,\"model\":\"earshot-s\",\"clip\":null,\"lost_frames\":480,\"late\":true,\"test\":"
        "false}";
    (void)state;

    assert_int_equal(event_json(&e, out, sizeof out), strlen(want));
    assert_string_equal(out, want);

    snprintf(e.clip, sizeof e.clip, "20261121T092500.123Z_dog_bark_00000002.flac");
    assert_true(event_json(&e, out, sizeof out) > 0);
    assert_non_null(strstr(out, "\"clip\":\"20261121T092500.123Z_dog_bark_00000002.flac\","));
}

static void test_json_types(void **state)
{
    char out[2048];
    struct event e = example(EVENT_START);
    json_t *o;
    (void)state;

    assert_true(event_json(&e, out, sizeof out) > 0);
    o = json_loads(out, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(o, "event_type")), "start");
    assert_true(json_is_null(json_object_get(o, "end")));
    assert_true(json_is_null(json_object_get(o, "duration_s")));
    json_decref(o);

    e.type = EVENT_UPDATE;
    assert_true(event_json(&e, out, sizeof out) > 0);
    o = json_loads(out, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(o, "event_type")), "update");
    assert_string_equal(json_string_value(json_object_get(o, "end")), "2026-11-21T09:25:01.623Z");
    json_decref(o);
}

/* Whatever the bytes are, the payload is JSON and fits. */
static void test_json_hostile(void **state)
{
    struct event e = example(EVENT_END);
    char out[2048];
    json_t *o;
    (void)state;

    memset(e.source, '\1', sizeof e.source - 1);
    memset(e.model, '"', sizeof e.model - 1);
    memset(e.clip, '\1', sizeof e.clip - 1);
    memset(e.label, '\xff', sizeof e.label - 1);
    for (unsigned i = 0; i < EVENT_TOP; i++)
        memset(e.top[i].label, 'x', sizeof e.top[i].label - 1);
    e.n_top = 1000;
    e.score = NAN;
    e.peak_dbfs = -INFINITY;
    e.lost_frames = UINT64_MAX;
    e.start_ns = INT64_MIN / 2;
    e.end_ns = INT64_MAX / 2;
    assert_true(event_json(&e, out, sizeof out) > 0);
    o = json_loads(out, 0, NULL);
    assert_non_null(o);
    assert_int_equal(json_array_size(json_object_get(o, "top")), 3);
    assert_true(json_is_null(json_object_get(o, "score")));
    assert_true(json_is_null(json_object_get(o, "peak_dbfs")));
    json_decref(o);
}

static void test_json_room(void **state)
{
    struct event e = example(EVENT_END);
    char out[2048];
    int n = event_json(&e, out, sizeof out);
    (void)state;

    assert_int_equal(event_json(&e, out, (size_t)n), -1); /* no room for the NUL */
    assert_int_equal(event_json(&e, out, (size_t)n + 1), n);
    assert_int_equal(strlen(out), n);
}

static void test_json_helpers(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"", ""},
        {"Küche", "Küche"},
        {"K\xfc"
         "che",
         "K\xef\xbf\xbd"
         "che"},
        {"\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd"},                 /* overlong */
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* surrogate */
        {"\xf0\x9f\x94\x94", "\xf0\x9f\x94\x94"},
        {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"a\xe2\x82", "a\xef\xbf\xbd\xef\xbf\xbd"}, /* cut short */
    };
    static const struct {
        double value;
        int decimals;
        const char *out;
    } numbers[] = {
        {0.1f, 4, "0.1"},      {0.82999, 2, "0.83"}, {-0.001, 2, "0.0"}, {86400.1234, 3, "86400.123"},
        {INFINITY, 1, "null"}, {5, 3, "5.0"},
    };
    (void)state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        json_t *t = json_text(rows[i].in);
        assert_non_null(t);
        assert_string_equal(json_string_value(t), rows[i].out);
        json_decref(t);
    }
    for (size_t i = 0; i < COUNT(numbers); i++) {
        json_t *n = json_decimal(numbers[i].value, numbers[i].decimals);
        char *text = json_dumps(n, JSON_LINE | JSON_ENCODE_ANY);
        assert_string_equal(text, numbers[i].out);
        free(text);
        json_decref(n);
    }
    assert_true(json_is_null(json_text(NULL)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc3339),       cmocka_unit_test(test_uuid7_form), cmocka_unit_test(test_uuid7_sorts),
        cmocka_unit_test(test_uuid7_threads), cmocka_unit_test(test_json_text),  cmocka_unit_test(test_json_types),
        cmocka_unit_test(test_json_hostile),  cmocka_unit_test(test_json_room),  cmocka_unit_test(test_json_helpers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
