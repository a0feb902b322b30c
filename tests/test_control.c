#include "daemon/control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64], path[96];
static atomic_int floods; /* calls of `flood` */

static int cmd_echo(void *ctx, struct control_call *call, struct err *err)
{
    const json_t *value = json_object_get(call->request, "value");
    if (!value)
        return err_set(err, "echo what? (%s)", (const char *)ctx);
    call->reply = json_pack("{s:O}", "value", value);
    return 0;
}

/* Three replies, with something kept in between. */
static int cmd_count(void *ctx, struct control_call *call, struct err *err)
{
    (void)ctx;
    (void)err;
    json_int_t sum = json_integer_value(json_object_get(call->memo, "sum")) + call->n;
    json_object_set_new(call->memo, "sum", json_integer(sum));
    call->again_ms = call->n < 2 ? 20 : 0;
    if (call->n != 1)
        call->reply = json_pack("{s:I}", "sum", sum);
    return 0;
}

static int cmd_flood(void *ctx, struct control_call *call, struct err *err)
{
    static char kilobytes[8000];
    (void)ctx;
    (void)err;
    memset(kilobytes, 'x', sizeof kilobytes - 1);
    atomic_fetch_add(&floods, 1);
    call->reply = json_pack("{s:s}", "x", kilobytes);
    call->again_ms = 1;
    return 0;
}

static const struct control_command commands[] = {
    {"echo", cmd_echo}, {"count", cmd_count}, {"flood", cmd_flood}, {NULL, NULL}};

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/test_control.%ld", (long)getpid());
    snprintf(path, sizeof path, "%s/control", folder);
    setenv("RUNTIME_DIRECTORY", folder, 1);
    unsetenv("XDG_RUNTIME_DIR");
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    rmdir(folder);
    return 0;
}

static struct control *serve(void)
{
    struct err err = {""};
    static char context[] = "context";
    struct control *c = control_new(path, commands, context, &err);
    if (!c)
        fail_msg("%s", err.text);
    return c;
}

static int raw_connect(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    return connect(fd, (struct sockaddr *)&a, sizeof a) == 0 ? fd : -1;
}

/* Sends bytes as they are and gives what comes until the peer closes or `lines` lines are there. */
static const char *raw_ask(int fd, const char *text, size_t n, int lines)
{
    static char out[4096];
    size_t at = 0;
    if (n > 0)
        assert_int_equal(send(fd, text, n, MSG_NOSIGNAL), n);
    while (lines > 0) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&p, 1, 5000), 1);
        ssize_t r = recv(fd, out + at, sizeof out - 1 - at, 0);
        if (r <= 0)
            break;
        for (ssize_t i = 0; i < r; i++)
            lines -= out[at + (size_t)i] == '\n';
        at += (size_t)r;
    }
    out[at] = '\0';
    return out;
}

static void asks_and_answers(void **state)
{
    struct err err = {""};
    struct stat st;
    (void)state;
    struct control *c = serve();
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0660);

    struct control_client *k = control_connect(NULL, &err);
    assert_non_null(k);
    assert_int_equal(control_send(k, json_pack("{s:s, s:s}", "cmd", "echo", "value", "h\xc3\xb6rt"), &err), 0);
    json_t *reply = control_receive(k, 5, &err);
    assert_string_equal(json_string_value(json_object_get(reply, "value")), "h\xc3\xb6rt");
    json_decref(reply);
    /* an error, and the connection goes on */
    control_send(k, json_pack("{s:s}", "cmd", "echo"), &err);
    assert_null(control_receive(k, 5, &err));
    assert_string_equal(err.text, "echo what? (context)");
    control_send(k, json_pack("{s:s}", "cmd", "count"), &err);
    for (int want = 0; want <= 3; want += 3) {
        reply = control_receive(k, 5, &err);
        assert_int_equal(json_integer_value(json_object_get(reply, "sum")), want);
        json_decref(reply);
    }
    assert_null(control_receive(k, 0.1, &err));
    assert_string_equal(err.text, "the daemon does not answer");
    control_free(c);
    assert_null(control_receive(k, 5, &err));
    assert_string_equal(err.text, "the daemon went away");
    control_close(k);
    assert_int_equal(stat(path, &st), -1);
    assert_null(control_connect(NULL, &err));
    assert_string_equal(err.text, "no earshot daemon is running here");
}

static void hostile_lines(void **state)
{
    static const struct {
        const char *line, *answer;
    } cases[] = {
        {"\n", "not a JSON object"},
        {"{\n", "not a JSON object"},
        {"[1,2]\n", "no \\\"cmd\\\""},
        {"null\n", "not a JSON object"}, /* Jansson takes only arrays and objects */
        {"{\"cmd\":7}\n", "no \\\"cmd\\\""},
        {"{\"cmd\":\"nope\"}\n", "unknown cmd \\\"nope\\\"; there are: echo count flood"},
        {"{\"cmd\":\"echo\",\"cmd\":\"echo\"}\n", "not a JSON object"},
        {"{\"cmd\":\"\xff\xfe\"}\n", "not a JSON object"},
        {"GET / HTTP/1.1\r\n", "not a JSON object"},
    };
    (void)state;
    struct control *c = serve();
    int fd = raw_connect();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *out = raw_ask(fd, cases[i].line, strlen(cases[i].line), 1);
        if (strncmp(out, "{\"ok\":false,", 12) != 0 || !strstr(out, cases[i].answer))
            fail_msg("%s -> %s", cases[i].line, out);
    }
    /* several requests in one piece, and one in two pieces */
    static const char two[] = "{\"cmd\":\"echo\",\"value\":1}\n{\"cmd\":\"echo\",\"value\":2}\n{\"cmd\":";
    assert_string_equal(raw_ask(fd, two, sizeof two - 1, 2), "{\"value\":1,\"ok\":true}\n{\"value\":2,\"ok\":true}\n");
    assert_string_equal(raw_ask(fd, "\"echo\",\"value\":3}\n", 18, 1), "{\"value\":3,\"ok\":true}\n");
    /* what is asked during a longer request waits for its end */
    static const char queue[] = "{\"cmd\":\"count\"}\n{\"cmd\":\"echo\",\"value\":4}\n";
    assert_string_equal(raw_ask(fd, queue, sizeof queue - 1, 3),
                        "{\"sum\":0,\"ok\":true}\n{\"sum\":3,\"ok\":true}\n{\"value\":4,\"ok\":true}\n");
    /* asked and gone at once: it is answered */
    assert_int_equal(send(fd, two, 25, 0), 25);
    shutdown(fd, SHUT_WR);
    assert_string_equal(raw_ask(fd, "", 0, 9), "{\"value\":1,\"ok\":true}\n");
    close(fd);
    control_free(c);
}

static void long_line_is_refused(void **state)
{
    static char line[2 * CONTROL_LINE];
    (void)state;
    struct control *c = serve();
    memset(line, '[', sizeof line);
    int fd = raw_connect();
    assert_string_equal(raw_ask(fd, line, CONTROL_LINE, 9), "{\"ok\":false,\"error\":\"the line is too long\"}\n");
    close(fd);
    fd = raw_connect(); /* NUL bytes and no line at all */
    memset(line, 0, sizeof line);
    assert_string_equal(raw_ask(fd, line, CONTROL_LINE, 9), "{\"ok\":false,\"error\":\"the line is too long\"}\n");
    close(fd);
    control_free(c);
}

static void too_many_clients(void **state)
{
    int fd[CONTROL_CLIENTS];
    (void)state;
    struct control *c = serve();
    for (int i = 0; i < CONTROL_CLIENTS; i++) {
        fd[i] = raw_connect();
        assert_string_equal(raw_ask(fd[i], "{\"cmd\":\"echo\",\"value\":1}\n", 25, 1), "{\"value\":1,\"ok\":true}\n");
    }
    int more = raw_connect();
    assert_string_equal(raw_ask(more, "", 0, 1), "{\"ok\":false,\"error\":\"too many clients\"}\n");
    close(more);
    struct err err = {""}; /* a client that asks after it was hung up on is told why */
    struct control_client *late = control_connect(NULL, &err);
    assert_non_null(late);
    nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
    assert_int_equal(control_send(late, json_pack("{s:s}", "cmd", "echo"), &err), 0);
    assert_null(control_receive(late, 2, &err));
    assert_string_equal(err.text, "too many clients");
    control_close(late);
    close(fd[3]);
    for (int tries = 0; tries < 200; tries++) { /* the place is free as soon as the server has seen the end */
        more = raw_connect();
        const char *out = raw_ask(more, "{\"cmd\":\"echo\",\"value\":1}\n", 25, 1);
        close(more);
        if (strcmp(out, "{\"value\":1,\"ok\":true}\n") == 0)
            tries = 1000;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
        assert_true(tries != 199);
    }
    for (int i = 0; i < CONTROL_CLIENTS; i++)
        if (i != 3)
            close(fd[i]);
    control_free(c);
}

static void client_that_does_not_read_is_dropped(void **state)
{
    (void)state;
    struct control *c = serve();
    int fd = raw_connect(), before = -1;
    raw_ask(fd, "{\"cmd\":\"flood\"}\n", 16, 0);
    for (int i = 0; i < 100 && (before <= 5 || before != atomic_load(&floods)); i++) { /* until it is called no more */
        before = atomic_load(&floods);
        nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
    }
    assert_true(before > 5);
    assert_int_equal(before, atomic_load(&floods));
    int other = raw_connect();
    assert_string_equal(raw_ask(other, "{\"cmd\":\"echo\",\"value\":1}\n", 25, 1), "{\"value\":1,\"ok\":true}\n");
    close(other);
    close(fd);
    control_free(c);
}

static void socket_files(void **state)
{
    struct err err = {""};
    (void)state;
    struct control *c = serve();
    assert_null(control_new(path, commands, NULL, &err));
    assert_non_null(strstr(err.text, "another earshot answers at"));
    control_free(c);

    /* left over from a daemon that was killed */
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    close(fd);
    c = serve();
    control_free(c);

    fd = open(path, O_CREAT | O_WRONLY, 0600);
    close(fd);
    assert_null(control_new(path, commands, NULL, &err));
    assert_non_null(strstr(err.text, "it is no socket"));
    assert_int_equal(unlink(path), 0); /* it was left alone */

    char longer[200];
    memset(longer, 'a', sizeof longer);
    longer[0] = '/';
    longer[sizeof longer - 1] = '\0';
    assert_null(control_new(longer, commands, NULL, &err));
    assert_non_null(strstr(err.text, "too long for a socket"));
    assert_null(control_new("/nonexistent/folder/control", commands, NULL, &err));
    assert_non_null(strstr(err.text, "/nonexistent/folder/control: No such file"));
    control_free(NULL);
}

static void finds_its_place(void **state)
{
    static char longer[300];
    memset(longer, 'a', sizeof longer - 1);
    const struct {
        const char *runtime, *session, *state_dir, *path;
    } cases[] = {
        {"/run/earshot", "/run/user/1", "/var/lib/earshot", "/run/earshot/control"},
        {"/run/earshot:/run/other", NULL, NULL, "/run/earshot/control"},
        {NULL, "/run/user/1", "/var/lib/earshot", "/run/user/1/earshot/control"},
        {"", "", "/var/lib/earshot", "/var/lib/earshot/control"},
        {NULL, NULL, NULL, NULL},
        {longer, "/run/user/1", NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[200] = "";
        struct err err = {""};
        unsetenv("RUNTIME_DIRECTORY");
        unsetenv("XDG_RUNTIME_DIR");
        if (cases[i].runtime)
            setenv("RUNTIME_DIRECTORY", cases[i].runtime, 1);
        if (cases[i].session)
            setenv("XDG_RUNTIME_DIR", cases[i].session, 1);
        int e = control_path(cases[i].state_dir, out, sizeof out, &err);
        assert_int_equal(e, cases[i].path ? 0 : -1);
        if (cases[i].path)
            assert_string_equal(out, cases[i].path);
        else
            assert_true(err.text[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_and_answers),
        cmocka_unit_test(hostile_lines),
        cmocka_unit_test(long_line_is_refused),
        cmocka_unit_test(too_many_clients),
        cmocka_unit_test(client_that_does_not_read_is_dropped),
        cmocka_unit_test(socket_files),
        cmocka_unit_test(finds_its_place),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
