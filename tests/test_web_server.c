/* The web server's frame with routes of the test's own, spoken to over sockets. */
#include "base/clock.h"
#include "daemon/http/internal.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define QUEUE 4

/* --- routes ------------------------------------------------------------------------------------------------------------ */

static struct sse_hub *hub;
static atomic_uint in_worker, dropped, events_told, settings_told;
static atomic_bool hold;

static void plain(struct web *w, struct request *r)
{
    int64_t limit = -1;

    (void)w;
    request_int(r, "limit", &limit);
    reply_json(r, 200, json_pack("{s:s, s:I}", "id", request_param(r, "id"), "limit", (json_int_t)limit));
}

static void slow(struct web *w, struct request *r)
{
    (void)w;
    atomic_fetch_add(&in_worker, 1);
    while (atomic_load(&hold))
        usleep(1000);
    reply_text(r, 200, "text/plain", "done");
}

static void echo(struct web *w, struct request *r)
{
    (void)w;
    reply_json(r, 201, json_deep_copy(request_json(r)));
}

static void *answer_later(void *arg)
{
    usleep(20000);
    reply_text(arg, 200, "text/plain", "later");
    request_resume(arg);
    return NULL;
}

static void later(struct web *w, struct request *r)
{
    pthread_t thread;

    (void)w;
    request_defer(r);
    assert_int_equal(pthread_create(&thread, NULL, answer_later, r), 0);
    pthread_detach(thread);
}

static void forgetful(struct web *w, struct request *r)
{
    (void)w;
    (void)r;
}

static void drop(void *own)
{
    free(own);
    atomic_fetch_add(&dropped, 1);
}

static int upload_begin(struct web *w, struct request *r)
{
    (void)w;
    request_keep(r, calloc(1, sizeof(size_t)), drop);
    if (!request_header(r, "X-No"))
        return 0;
    reply_problem(r, 415, "no");
    return -1;
}

static int upload_data(struct web *w, struct request *r, const char *data, size_t size)
{
    (void)w;
    (void)data;
    *(size_t *)request_own(r) += size;
    return 0;
}

static void upload(struct web *w, struct request *r)
{
    (void)w;
    reply_json(r, 200, json_pack("{s:I}", "bytes", (json_int_t) * (size_t *)request_own(r)));
}

static void stream(struct web *w, struct request *r)
{
    const char *last = request_header(r, "Last-Event-ID");

    (void)w;
    struct sse_client *c = sse_open(r, hub);
    if (c && last) {
        sse_replay(c, "event", "b", "missed b");
        sse_replay(c, "event", "c", "missed c");
    }
}

static const struct body_sink sink = {upload_begin, upload_data};
static const struct query_param limit[] = {{"limit", PARAM_INT, 1, 10, NULL, "5", "How many"}, {NULL}};
static const struct route routes[] = {
    {.method = "GET", .path = "/t/{id}", .handle = plain, .params = limit},
    {.method = "GET", .path = "/slow", .handle = slow, .flags = ROUTE_WORKER},
    {.method = "GET", .path = "/later", .handle = later},
    {.method = "GET", .path = "/later/worker", .handle = later, .flags = ROUTE_WORKER},
    {.method = "GET", .path = "/forgetful", .handle = forgetful},
    {.method = "POST", .path = "/echo", .handle = echo, .body = BODY_JSON, .body_max = 1000},
    {.method = "POST", .path = "/upload", .handle = upload, .body = BODY_STREAM, .body_max = 1000000, .sink = &sink},
    {.method = "GET", .path = "/stream", .handle = stream, .flags = ROUTE_STREAM | ROUTE_WORKER},
    {.method = NULL},
};
const struct route *const route_tables[] = {routes, NULL};
const struct web_schema *const schema_tables[] = {NULL};

static int module_open(struct web *w, struct err *err)
{
    hub = sse_hub_new(w, QUEUE, 3);
    return hub ? 0 : err_set(err, "no hub");
}

static void module_event(struct web *w, const struct event *event)
{
    (void)w;
    (void)event;
    atomic_fetch_add(&events_told, 1);
}

static void module_setting(struct web *w, const char *name, const char *value)
{
    (void)w;
    assert_string_equal(name, "threshold");
    assert_string_equal(value, "-40 dBFS");
    atomic_fetch_add(&settings_told, 1);
}

static void module_close(struct web *w)
{
    (void)w;
    sse_hub_free(hub);
}

static const struct web_module module = {
    .id = WEB_LIVE, .open = module_open, .event = module_event, .setting = module_setting, .close = module_close};
const struct web_module *const web_modules[] = {&module, NULL};

/* --- a client ------------------------------------------------------------------------------------------------------------ */

static struct output *web;
static char answer[1 << 20];

static int dial(void)
{
    union listen_address a;
    struct timeval patience = {5, 0};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    web_address((struct web *)web, &a);
    assert_int_equal(connect(fd, &a.any, sizeof a.v4), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Reads until `text` is in the answer, or the end. */
static bool hear(int fd, const char *text)
{
    size_t used = 0;

    answer[0] = '\0';
    while (!text || !strstr(answer, text)) {
        ssize_t n = recv(fd, answer + used, sizeof answer - 1 - used, 0);
        if (n <= 0)
            return !text && n == 0;
        answer[used += (size_t)n] = '\0';
    }
    return true;
}

/* One request on a connection of its own; the status. */
static int ask(const char *line, const char *headers, const char *body)
{
    char head[2000];
    int fd = dial(), status = 0;

    snprintf(head, sizeof head, "%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s", line, headers);
    say(fd, head);
    if (body) {
        snprintf(head, sizeof head, "Content-Length: %zu\r\n", strlen(body));
        say(fd, head);
    }
    say(fd, "\r\n");
    if (body)
        say(fd, body);
    hear(fd, NULL);
    close(fd);
    sscanf(answer, "HTTP/1.1 %d", &status);
    return status;
}

#define JSON "Content-Type: application/json\r\n"

/* --- tests --------------------------------------------------------------------------------------------------------------- */

static void test_query(void **state)
{
    (void)state;
    assert_int_equal(ask("GET /t/abc", "", NULL), 200);
    assert_non_null(strstr(answer, "{\"id\":\"abc\",\"limit\":5}"));
    assert_int_equal(ask("GET /t/abc?limit=7", "", NULL), 200);
    assert_non_null(strstr(answer, "\"limit\":7}"));
    static const char *const bad[] = {
        "limit=0", "limit=11", "limit=x", "limit=", "limit", "limit=1&limit=2", "limt=3", "x=1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char line[64];
        snprintf(line, sizeof line, "GET /t/abc?%s", bad[i]);
        assert_int_equal(ask(line, "", NULL), 400);
        assert_non_null(strstr(answer, "application/problem+json"));
    }
    ask("GET /t/abc?limt=3", "", NULL);
    assert_non_null(strstr(answer, "did you mean limit?"));
    assert_int_equal(ask("POST /t/abc", "", NULL), 405);
    assert_non_null(strstr(answer, "Allow: GET, HEAD"));
    assert_int_equal(ask("HEAD /t/abc", "", NULL), 200);
    assert_null(strstr(answer, "\"id\""));
    assert_int_equal(ask("GET /t/%2e%2e", "", NULL), 404);
    assert_int_equal(ask("GET /t/a%00b", "", NULL), 404);
    assert_int_equal(ask("GET /t/a%2Fb", "", NULL), 404);
    assert_int_equal(ask("GET /t/a%2", "", NULL), 404);
    assert_int_equal(ask("GET /t/%61", "", NULL), 200);
    assert_non_null(strstr(answer, "\"id\":\"a\""));
    assert_int_equal(ask("GET /t/a?limit=%37", "", NULL), 200);
    assert_int_equal(ask("GET /t/a?limit=7%00", "", NULL), 400);
    assert_int_equal(ask("GET /forgetful", "", NULL), 500);
}

static void test_headers(void **state)
{
    static const char *const must[] = {"Content-Security-Policy: default-src 'none'; script-src 'self'", "nosniff",
                                       "frame-ancestors 'none'", "Referrer-Policy: no-referrer",
                                       "Cache-Control: no-store"};

    (void)state;
    assert_int_equal(ask("GET /t/abc", "", NULL), 200);
    for (size_t i = 0; i < sizeof must / sizeof *must; i++)
        assert_non_null(strstr(answer, must[i]));
    assert_null(strstr(answer, "unsafe"));
    assert_int_equal(ask("GET /t/abc", "Origin: http://evil.example\r\n", NULL), 403);
    assert_int_equal(ask("GET /t/abc", "Origin: http://localhost\r\n", NULL), 200);
}

static void test_json(void **state)
{
    char large[1200];

    (void)state;
    assert_int_equal(ask("POST /echo", JSON, "{\"a\": 1}"), 201);
    assert_non_null(strstr(answer, "{\"a\":1}"));
    assert_int_equal(ask("POST /echo", "", NULL), 201);
    assert_int_equal(ask("POST /echo", JSON, "{\"a\": "), 400);
    assert_int_equal(ask("POST /echo", JSON, "[1]"), 400);
    assert_int_equal(ask("POST /echo", JSON, "{\"a\":1,\"a\":2}"), 400);
    assert_int_equal(ask("POST /echo", "Content-Type: text/plain\r\n", "{}"), 415);
    memset(large, ' ', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    assert_int_equal(ask("POST /echo", JSON, large), 413);
}

static void test_upload(void **state)
{
    (void)state;
    unsigned before = atomic_load(&dropped);
    assert_int_equal(ask("POST /upload", "", "0123456789"), 200);
    assert_non_null(strstr(answer, "{\"bytes\":10}"));
    assert_int_equal(ask("POST /upload", "X-No: 1\r\n", "0123456789"), 415);
    assert_int_equal(ask("POST /upload", "Content-Length: 1000001\r\n", NULL), 413); /* before anything of it came */
    int fd = dial();
    say(fd, "POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nbroken off");
    usleep(20000);
    close(fd);
    for (int i = 0; i < 2000 && atomic_load(&dropped) < before + 3; i++)
        usleep(1000);
    assert_int_equal(atomic_load(&dropped), before + 3); /* what was kept is freed, also of the one that broke off */
}

static void test_chunked_too_large(void **state)
{
    char chunk[16 * 1024 + 16];
    int fd = dial();
    size_t sent = 0;

    (void)state;
    say(fd, "POST /upload HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    int n = snprintf(chunk, sizeof chunk, "4000\r\n%16384s\r\n", "");
    for (; sent < 100000000; sent += (size_t)n)
        if (send(fd, chunk, (size_t)n, MSG_NOSIGNAL) != n)
            break;
    assert_true(sent < 8000000); /* what the sockets hold, beyond what is read over */
    close(fd);
}

static void test_worker(void **state)
{
    int fds[WEB_WORKERS + WEB_QUEUE + 4], refused = 0;

    (void)state;
    assert_int_equal(ask("GET /slow", "", NULL), 200);
    assert_int_equal(ask("GET /later", "", NULL), 200);
    assert_non_null(strstr(answer, "later"));
    assert_int_equal(ask("GET /later/worker", "", NULL), 200);
    atomic_store(&in_worker, 0);
    atomic_store(&hold, true);
    const int n = sizeof fds / sizeof *fds;
    for (int i = 0; i < n; i++) {
        fds[i] = dial();
        say(fds[i], "GET /slow HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        for (int k = 0; i < WEB_WORKERS && k < 1000 && atomic_load(&in_worker) < (unsigned)i + 1; k++)
            usleep(1000); /* they have taken theirs before the queue fills */
    }
    assert_int_equal(ask("GET /t/abc", "", NULL), 200); /* others are answered all the while */
    atomic_store(&hold, false);
    for (int i = 0; i < n; i++) {
        hear(fds[i], NULL);
        refused += strstr(answer, "HTTP/1.1 503") != NULL;
        close(fds[i]);
    }
    assert_int_equal(refused, n - WEB_WORKERS - WEB_QUEUE);
}

static void test_keep_alive(void **state)
{
    int fd = dial();

    (void)state;
    for (int i = 0; i < 3; i++) {
        say(fd, "GET /t/abc HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_true(hear(fd, "\"limit\":5}"));
        say(fd, "GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_true(hear(fd, "\"status\":404"));
        say(fd, "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}");
        assert_true(hear(fd, "\"status\":415")); /* refused by its headers, and yet the connection goes on */
    }
    close(fd);
}

static int open_stream(const char *headers, unsigned watching)
{
    char head[300];
    int fd = dial();

    snprintf(head, sizeof head, "GET /stream HTTP/1.1\r\nHost: localhost\r\n%s\r\n", headers);
    say(fd, head);
    for (int i = 0; i < 2000 && sse_watching(hub) < watching; i++)
        usleep(1000);
    return fd;
}

static void wait_watching(unsigned n)
{
    for (int i = 0; i < 5000 && sse_watching(hub) != n; i++) {
        sse_publish(hub, NULL, NULL, "x"); /* who is gone is noticed when something is sent */
        usleep(1000);
    }
    assert_int_equal(sse_watching(hub), n);
}

static void test_stream(void **state)
{
    (void)state;
    sse_publish(hub, "event", "a", "nobody hears this");
    int fd = open_stream("", 1);
    assert_true(hear(fd, "retry: "));
    assert_non_null(strstr(answer, "text/event-stream"));
    sse_publish(hub, "event", "b", "one");
    assert_true(hear(fd, "id: b\nevent: event\ndata: one\n\n"));
    usleep(20000);
    sse_publish(hub, NULL, NULL, "two");
    assert_true(hear(fd, "data: two\n\n"));
    close(fd);
    wait_watching(0);
}

static void test_replay(void **state)
{
    (void)state;
    int fd = open_stream("Last-Event-ID: a\r\n", 1);
    sse_publish(hub, "event", "c", "missed c"); /* published as it was read from the history */
    sse_publish(hub, "event", "d", "fresh d");
    assert_true(hear(fd, "fresh d"));
    const char *b = strstr(answer, "missed b"), *c = strstr(answer, "missed c");
    assert_non_null(b);
    assert_true(c > b && strstr(answer, "fresh d") > c);
    assert_null(strstr(c + 1, "missed c")); /* once */
    close(fd);
    wait_watching(0);
}

static void test_slow_reader(void **state)
{
    static char large[60000];
    int small = 4096, fd = open_stream("", 1), other = open_stream("", 2);

    (void)state;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    memset(large, 'x', sizeof large - 1);
    for (int i = 0; i < 400 && sse_watching(hub) == 2; i++) { /* the other one reads, and stays */
        sse_publish(hub, NULL, NULL, large);
        assert_true(hear(other, "x\n\n"));
    }
    sse_publish(hub, NULL, NULL, "still there");
    assert_true(hear(other, "still there"));
    int third = open_stream("", 3), fourth = dial();
    close(third);
    close(fourth);
    close(fd);
    close(other);
    wait_watching(0);
}

static void test_too_many(void **state)
{
    int fds[3];

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        fds[i] = open_stream("", i + 1);
    assert_int_equal(ask("GET /stream", "", NULL), 503);
    for (unsigned i = 0; i < 3; i++)
        close(fds[i]);
    wait_watching(0);
}

static void test_told(void **state)
{
    static struct event e;
    struct output_label label = {.label = "siren"}, out[2];
    char text[100];
    struct health h = {.version = "1", .uptime_s = 5}, copy;

    (void)state;
    uuid7(e.id, clock_ns(CLOCK_REALTIME));
    e.test = true;
    web->event(web, &e);
    web->setting(web, "threshold", "-40 dBFS");
    web->labels(web, &label, 1);
    web->health(web, &h);
    for (int i = 0; i < 2000 && web->acknowledged(web, e.id, text, sizeof text) == 0; i++)
        usleep(1000);
    assert_int_equal(web->acknowledged(web, e.id, text, sizeof text), 1);
    for (int i = 0; i < 2000 && !atomic_load(&settings_told); i++)
        usleep(1000);
    assert_int_equal(atomic_load(&settings_told), 1);
    assert_int_equal(atomic_load(&events_told), 1);
    assert_int_equal(web_labels((struct web *)web, out, 2), 1);
    assert_string_equal(out[0].label, "siren");
    web_health((struct web *)web, &copy);
    assert_true(copy.uptime_s == 5);
}

static void test_port_taken(void **state)
{
    static struct config c;
    union listen_address a;
    struct err err;

    (void)state;
    web_address((struct web *)web, &a);
    snprintf(c.web.listen, sizeof c.web.listen, "127.0.0.1");
    c.web.port = ntohs(a.v4.sin_port);
    struct sse_hub *ours = hub;
    struct output *second = output_web_new(&c, NULL, NULL, &err);
    assert_non_null(second); /* a warning, and it is tried again */
    second->stop(second, 1);
    hub = ours;
    snprintf(c.web.listen, sizeof c.web.listen, "0.0.0.0");
    assert_null(output_web_new(&c, NULL, NULL, &err));
    assert_non_null(strstr(err.text, "token_file"));
    snprintf(c.web.listen, sizeof c.web.listen, "nowhere");
    assert_null(output_web_new(&c, NULL, NULL, &err));
    assert_non_null(strstr(err.text, "allowed: 127.0.0.1"));
    hub = ours;
}

/* An instance that cannot be started leaves the caller its socket. */
static void test_no_instance(void **state)
{
    struct tls_files none = {.cert = (char[]){"no certificate"}, .key = (char[]){"no key"}};
    union listen_address a;
    struct err err = {""};
    bool again;

    (void)state;
    assert_int_equal(listen_parse("127.0.0.1", 0, &a, &err), 0);
    int fd = listen_open(&a, &again, &err);
    assert_true(fd >= 0);
    assert_null(server_run((struct web *)web, fd, &none, &err));
    assert_non_null(strstr(err.text, "cannot be started"));
    assert_true(fcntl(fd, F_GETFD) >= 0);
    int before = fcntl(fd, F_DUPFD_CLOEXEC, 0); /* the lowest that is free */
    close(before);
    assert_null(server_run((struct web *)web, fd, &none, &err));
    int after = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    assert_true(after <= before); /* none was lost; connections of before may have closed theirs */
    close(after);
    close(fd);
}

static void test_port_freed(void **state)
{
    static struct config c;
    struct health h = {.version = "1"};
    struct sse_hub *ours = hub;
    union listen_address a;
    bool again;
    struct err err;

    (void)state;
    assert_int_equal(listen_parse("127.0.0.1", 0, &a, &err), 0);
    int other = listen_open(&a, &again, &err);
    socklen_t size = sizeof a;
    assert_true(other >= 0);
    assert_int_equal(getsockname(other, &a.any, &size), 0);
    snprintf(c.web.listen, sizeof c.web.listen, "127.0.0.1");
    c.web.port = ntohs(a.v4.sin_port);
    struct output *second = output_web_new(&c, NULL, NULL, &err);
    assert_non_null(second);
    close(other);
    bool served = false;
    for (int i = 0; i < 2000 && !served; i++) { /* a health is about a second to it */
        second->health(second, &h);
        usleep(1000);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        served = connect(fd, &a.any, sizeof a.v4) == 0;
        close(fd);
    }
    assert_true(served);
    second->stop(second, 1);
    hub = ours;
}

/* With a stream open and a request under way the stop is short. */
static int stop(void **state)
{
    (void)state;
    int fd = open_stream("", 1), other = dial();
    say(other, "GET /later HTTP/1.1\r\nHost: localhost\r\n\r\n");
    int64_t begin = clock_ms(CLOCK_MONOTONIC);
    web->stop(web, 1);
    if (clock_ms(CLOCK_MONOTONIC) - begin > 1500)
        return -1;
    bool ended = hear(fd, NULL);
    close(fd);
    close(other);
    return ended ? 0 : -1;
}

static int start(void **state)
{
    static struct config c;
    struct err err;

    (void)state;
    snprintf(c.web.listen, sizeof c.web.listen, "127.0.0.1");
    web = output_web_new(&c, NULL, NULL, &err);
    if (!web)
        fprintf(stderr, "%s\n", err.text);
    return web ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_query),
                                       cmocka_unit_test(test_headers),
                                       cmocka_unit_test(test_json),
                                       cmocka_unit_test(test_upload),
                                       cmocka_unit_test(test_chunked_too_large),
                                       cmocka_unit_test(test_worker),
                                       cmocka_unit_test(test_keep_alive),
                                       cmocka_unit_test(test_stream),
                                       cmocka_unit_test(test_replay),
                                       cmocka_unit_test(test_slow_reader),
                                       cmocka_unit_test(test_too_many),
                                       cmocka_unit_test(test_told),
                                       cmocka_unit_test(test_port_taken),
                                       cmocka_unit_test(test_port_freed),
                                       cmocka_unit_test(test_no_instance)};

    return cmocka_run_group_tests(tests, start, stop);
}
