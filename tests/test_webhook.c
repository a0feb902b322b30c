#include "daemon/outputs/webhook.h"
#include "daemon/outputs/webhook_helper.h"
#include "daemon/outputs/webhook_secret.h"
#include "emulated.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/store_help.h"
#include <cmocka.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char dir[64];
static _Atomic long clock_set_s; /* by which the clock on the wall was set */

/* In the place of the C library's own. */
int clock_gettime(clockid_t id, struct timespec *t)
{
    int rc = (int)syscall(SYS_clock_gettime, id, t);

    if (id == CLOCK_REALTIME)
        t->tv_sec += clock_set_s;
    return rc;
}

static int set_up(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/test_webhook.XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static const char *file(const char *name, const char *text, size_t size)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fwrite(text, 1, size, f);
    assert_int_equal(fclose(f), 0);
    return path;
}

static void test_secret(void **state)
{
    (void)state;
    struct webhook_config c = {.name = "x"};
    struct webhook_secret s;
    struct err err = {""};
    static const char text[] =
        "# of my telephone\r\n\n  Authorization: Bearer abc def  \r\nX-Priority:5\nhttps://h/secret?a=b";

    snprintf(c.secret_file, sizeof c.secret_file, "%s", file("secret", text, strlen(text)));
    assert_int_equal(webhook_secret_read(&s, &c, &err), 0);
    assert_int_equal(s.n, 2);
    assert_string_equal(s.headers[0], "Authorization: Bearer abc def");
    assert_string_equal(s.headers[1], "X-Priority:5");
    assert_null(s.headers[2]);
    assert_string_equal(s.url, "https://h/secret?a=b");
    webhook_secret_wipe(&s);

    /* the credential, where no file is named */
    c.secret_file[0] = '\0';
    snprintf(c.url, sizeof c.url, "http://h/");
    file("webhook-x", "A: b\n", 5);
    setenv("CREDENTIALS_DIRECTORY", dir, 1);
    assert_int_equal(webhook_secret_read(&s, &c, &err), 0);
    assert_int_equal(s.n, 1);
    assert_string_equal(s.url, "http://h/");
    snprintf(c.name, sizeof c.name, "other");
    assert_int_equal(webhook_secret_read(&s, &c, &err), 0);
    assert_int_equal(s.n, 0);
    unsetenv("CREDENTIALS_DIRECTORY");
    c.url[0] = '\0';
    assert_int_equal(webhook_secret_read(&s, &c, &err), -1);
    assert_non_null(strstr(err.text, "there is no address"));
}

static void test_bad_secrets(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t size;
        const char *says;
    } rows[] = {
        {"Authorization\n", 14, "secret:1: neither a header nor an address; allowed: lines such as"},
        {"\nBad Name: x\n", 13, "secret:2: neither"},
        {": x\n", 4, "secret:1: neither"},
        {"A:\n", 3, "secret:1: neither"},
        {"A: \x01\n", 5, "secret:1: neither"},
        {"A: b\0c", 6, "holds a NUL byte"},
        {"ftp://h/x\n", 10, "secret:1: neither"},
        {"http://me:secret@h/\n", 20, "secret:1: a name and password in the address"},
        {"http://h/\nhttp://h/\n", 20, "secret:2: a second address"},
        {"A: b\n", 5, "there is no address"},
        {"", 0, "there is no address"},
    };
    struct webhook_config c = {.name = "x"};
    struct webhook_secret s;
    struct err err;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(c.secret_file, sizeof c.secret_file, "%s", file("secret", rows[i].text, rows[i].size));
        err.text[0] = '\0';
        assert_int_equal(webhook_secret_read(&s, &c, &err), -1);
        if (!strstr(err.text, rows[i].says) || strstr(err.text, "secret@"))
            fail_msg("row %zu, wanted %s, got %s", i, rows[i].says, err.text);
    }
    char large[SECRET_SIZE + 10];
    memset(large, 'a', sizeof large);
    file("secret", large, sizeof large);
    assert_int_equal(webhook_secret_read(&s, &c, &err), -1);
    assert_non_null(strstr(err.text, "longer than 8191 bytes"));
    char many[SECRET_SIZE] = "";
    for (int i = 0; i <= SECRET_HEADERS; i++)
        strcat(many, "A: b\n");
    file("secret", many, strlen(many));
    assert_int_equal(webhook_secret_read(&s, &c, &err), -1);
    assert_non_null(strstr(err.text, "secret:17: more than 16 headers"));
    snprintf(c.secret_file, sizeof c.secret_file, "/nix/da");
    assert_int_equal(webhook_secret_read(&s, &c, &err), -1);
    assert_non_null(strstr(err.text, "/nix/da: No such file"));
    snprintf(c.secret_file, sizeof c.secret_file, "%s", dir);
    assert_int_equal(webhook_secret_read(&s, &c, &err), -1);
    assert_non_null(strstr(err.text, "directory"));
}

static void test_place(void **state)
{
    (void)state;
    static const char *const rows[][2] = {{"https://h:8123/api/secret", "https://h:8123"},
                                          {"http://[::1]?x", "http://[::1]"},
                                          {"https://ntfy.sh", "https://ntfy.sh"}};
    char out[64];
    for (size_t i = 0; i < 3; i++) {
        webhook_secret_place(rows[i][0], out, sizeof out);
        assert_string_equal(out, rows[i][1]);
    }
}

/* Sends a request and waits for what comes; NULL with err where the helper ended. */
static json_t *ask(struct webhook_helper *h, const char *line, struct err *err)
{
    json_t *answer = NULL;
    int got = 0;

    if (webhook_helper_send(h, line, err) < 0)
        return NULL;
    for (int i = 0; i < 5000 && (got = webhook_helper_read(h, &answer, err)) == 0; i++)
        usleep(1000);
    return got > 0 ? answer : NULL;
}

/* Programs in its place that do not do what they should. */
static void test_bad_helpers(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"#!/bin/sh\nexit 3\n", "the helper program ended: exit status 3"},
        {"#!/bin/sh\nread x; kill -9 $$\n", "the helper program ended: signal 9 (Killed)"},
        {"#!/bin/sh\nread x; echo what; sleep 100\n", "says what nobody understands"},
        {"#!/bin/sh\nyes | tr -d '\\n'\n", "says what nobody understands"},
        {"\x7f", "Exec format error"},
    };
    struct webhook_helper h;
    struct err err;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *path = file("helper", rows[i][0], strlen(rows[i][0]));
        assert_int_equal(chmod(path, 0700), 0);
        webhook_helper_init(&h, path);
        err.text[0] = '\0';
        assert_null(ask(&h, "{}", &err));
        /* one that ends at once may do so before the request is written */
        bool told = strstr(err.text, rows[i][1]) || (i == 0 && strstr(err.text, "takes nothing"));
        if (emulated()) /* it does not hand back why a program cannot be executed */
            told = told || strstr(err.text, "exit status 127");
        if (!told)
            fail_msg("row %zu: %s", i, err.text);
        webhook_helper_end(&h);
        assert_int_equal(h.child.pid, 0);
    }
}

static void test_the_helper(void **state)
{
    (void)state;
    if (emulated()) {
        print_message("skipped: the emulator starts no program of its own processor\n");
        skip();
    }
    char path[4096];
    struct webhook_helper h;
    struct err err;

    if (webhook_helper_find(path, sizeof path, &err) < 0)
        fail_msg("%s", err.text);
    webhook_helper_init(&h, path);
    static const char *const rows[][2] = {
        {"{}", "no request"},
        {"nonsense", "no request"},
        {"{\"url\": \"file:///etc/passwd\", \"body\": \"\"}", "rotocol"}, /* "Protocol "file" not supported ..." */
        {"{\"url\": \"http://127.0.0.1:1/\", \"body\": \"\", \"timeout_s\": 2}", "connect"},
        {"{\"url\": \"gopher://x/\", \"body\": \"\"}", "rotocol"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *answer = ask(&h, rows[i][0], &err);
        if (!answer)
            fail_msg("%s", err.text);
        const char *error = json_string_value(json_object_get(answer, "error"));
        assert_int_equal(json_integer_value(json_object_get(answer, "status")), 0);
        if (!strstr(error, rows[i][1]))
            fail_msg("%s: %s", rows[i][0], error);
        json_decref(answer);
    }
    webhook_helper_end(&h);
}

static double monotonic_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* A box that learns what day it is when its network comes up gives no message up for that. */
static void test_clock_set(void **state)
{
    (void)state;
    struct store_params params = store_defaults(dir);
    struct event e = make_event(EVENT_START, "siren", true);
    struct webhook_figures f;
    struct config c;
    struct err err;
    double began = monotonic_s();
    unsigned asked = 0;

    assert_int_equal(config_init(&c, &err), 0);
    assert_int_equal(config_set(&c, "webhook.x.url=http://127.0.0.1:9/", &err), 0);
    struct store *s = store_new(&params, &err);
    struct webhook *w = webhook_new(&c.webhooks[0], NULL, 0, "node", 30, "/bin/cat", s, NULL, &err); /* no answer */
    assert_non_null(w);
    webhook_put(w, &e, began);
    for (double now = began; asked < 2 && now < began + 30; now = monotonic_s()) {
        bool before = webhook_busy(w);
        webhook_turn(w, now);
        asked += before && !webhook_busy(w);
        if (asked == 1)
            clock_set_s = 3L * 86400;
        nap_ms(10);
    }
    webhook_get_figures(w, &f);
    assert_true(asked >= 2);
    assert_int_equal(f.dropped, 0);
    webhook_free(w);
    store_free(s, 5);
    clock_set_s = 0;
    config_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_secret, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_secrets, set_up, tear_down),
        cmocka_unit_test(test_place),
        cmocka_unit_test_setup_teardown(test_bad_helpers, set_up, tear_down),
        cmocka_unit_test(test_the_helper),
        cmocka_unit_test_setup_teardown(test_clock_set, set_up, tear_down),
    };
    signal(SIGPIPE, SIG_IGN); /* as the daemon does: a child may end before it has read what it is told */
    char exe[4096];           /* BUILD/tests/test_webhook: the helper lies in BUILD */
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    for (int i = 0; i < 2 && n > 0; i++)
        while (n > 0 && exe[--n] != '/')
            ;
    exe[n > 0 ? n : 0] = '\0';
    setenv("EARSHOT_LIBEXEC", exe, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
