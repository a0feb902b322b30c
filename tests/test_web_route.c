/* The web server's parts: route matching, and the whole server spoken to over a socket. */
#include "base/config.h"
#include "daemon/http/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct route some[] = {
    {.method = "GET", .path = "/api/v1/events"},
    {.method = "GET", .path = "/api/v1/events/stream", .flags = ROUTE_STREAM},
    {.method = "POST", .path = "/api/v1/events/{id}/ack"},
    {.method = "GET", .path = "/api/v1/clips/{id}"},
    {.method = "DELETE", .path = "/api/v1/clips/{id}"},
    {.method = NULL},
};
static const struct route *const tables[] = {some, NULL};

static const struct route *find(const char *method, const char *path, char params[WEB_PARAMS][WEB_PARAM],
                                char allowed[64])
{
    memset(params, 0, WEB_PARAMS * WEB_PARAM);
    return route_find(tables, method, path, params, allowed, 64);
}

static void test_find(void **state)
{
    char p[WEB_PARAMS][WEB_PARAM], allowed[64];

    (void)state;
    assert_ptr_equal(find("GET", "/api/v1/events", p, allowed), &some[0]);
    assert_ptr_equal(find("HEAD", "/api/v1/events", p, allowed), &some[0]);
    assert_ptr_equal(find("GET", "/api/v1/events/stream", p, allowed), &some[1]);
    assert_null(find("HEAD", "/api/v1/events/stream", p, allowed));
    assert_ptr_equal(find("POST", "/api/v1/events/abc-1.x_/ack", p, allowed), &some[2]);
    assert_string_equal(p[0], "abc-1.x_");
    assert_int_equal(route_param_index(some[2].path, "id"), 0);
    assert_int_equal(route_param_index(some[2].path, "i"), -1);
    assert_null(find("PUT", "/api/v1/clips/a", p, allowed));
    assert_string_equal(allowed, "GET, HEAD, DELETE");
    assert_null(find("get", "/api/v1/events", p, allowed));
}

static void test_no_way_out(void **state)
{
    static const char *const paths[] = {"",
                                        "/",
                                        "/api/v1/clips/",
                                        "/api/v1/clips/.",
                                        "/api/v1/clips/..",
                                        "/api/v1/clips/../../etc/passwd",
                                        "/api/v1/clips/.hidden",
                                        "/api/v1/clips/a/b",
                                        "/api/v1/clips/a\\b",
                                        "/api/v1/clips/a b",
                                        "/api/v1/clips/\xc3\xa4",
                                        "/api/v1/clips/a\n",
                                        "//api/v1/events",
                                        "/api/v1/events/",
                                        "/api/v1/events//ack",
                                        "/api/v1/./events",
                                        "api/v1/events",
                                        "/API/v1/events"};
    char p[WEB_PARAMS][WEB_PARAM], allowed[64], longest[200] = "/api/v1/clips/";

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        assert_null(find("GET", paths[i], p, allowed));
        assert_string_equal(allowed, "");
    }
    memset(longest + 14, 'a', WEB_PARAM - 1);
    assert_non_null(find("GET", longest, p, allowed));
    longest[14 + WEB_PARAM - 1] = 'a';
    assert_null(find("GET", longest, p, allowed));
}

static void test_unescape(void **state)
{
    static const char *const pairs[][2] = {
        {"", ""},     {"a%20b", "a b"}, {"%2e%2E", ".."}, {"%00", "%00"},         {"%", "%"},
        {"%4", "%4"}, {"%4g", "%4g"},   {"%%41", "%A"},   {"%c3%a4", "\xc3\xa4"}, {"100%25", "100%"}};
    char text[32];

    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        strcpy(text, pairs[i][0]);
        assert_int_equal(route_unescape(text), strlen(pairs[i][1]));
        assert_string_equal(text, pairs[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_find), cmocka_unit_test(test_no_way_out),
                                       cmocka_unit_test(test_unescape)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
