#include "daemon/doctor.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

struct result {
    bool failed;
    char out[4096];
};

/* The check's lines, from a child, since it prints to stdout. */
static struct result look(void (*check)(struct doctor *), const char *const *flags, const char *state_dir)
{
    struct result r = {0};
    char name[] = "/tmp/earshot-doctor.XXXXXX";
    int fd = mkstemp(name), status;

    assert_true(fd >= 0);
    unlink(name);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        struct cmd_context cx = {.config_path = "", .json = true, .state_dir = state_dir};
        struct doctor d = {.cx = &cx};
        struct err err;
        dup2(fd, 1);
        if (config_init(&cx.config, &err) < 0)
            exit(9);
        for (; *flags; flags++)
            if (config_set(&cx.config, *flags, &err) < 0)
                exit(9);
        check(&d);
        config_free(&cx.config);
        exit(d.failed);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
    r.failed = WEXITSTATUS(status);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_true(read(fd, r.out, sizeof r.out - 1) >= 0);
    close(fd);
    return r;
}

#define FLAGS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void expect(struct result r, bool failed, const char *says)
{
    if (r.failed != failed || !strstr(r.out, says))
        fail_msg("wanted %s, %s, got %s", failed ? "a failure" : "none", says, r.out);
}

/* A listener on a port of its own. */
static int listener(char flag[32])
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, n), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    snprintf(flag, 32, "mqtt.port=%d", ntohs(a.sin_port));
    return fd;
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void test_broker(void **state)
{
    (void)state;
    char port[32];
    expect(look(doctor_broker, FLAGS("mqtt.enabled=off"), NULL), false, "switched off");

    int fd = listener(port);
    double start = seconds();
    struct result r = look(doctor_broker, FLAGS("mqtt.host=127.0.0.1", port), NULL);
    double took = seconds() - start;
    expect(r, true, "it does not answer within 5 s");
    if (took < 4.5 || took > 8) /* 5 s and a loaded machine */
        fail_msg("took %g s", took);
    close(fd);
    expect(look(doctor_broker, FLAGS("mqtt.host=127.0.0.1", port), NULL), true, "Connection refused");
    expect(look(doctor_broker, FLAGS("mqtt.host=127.0.0.1", port), NULL), true, "systemctl status mosquitto");
}

/* Something that is no broker. */
static void test_no_broker(void **state)
{
    (void)state;
    static const char *const greetings[] = {"HTTP/1.1 400 Bad Request\r\n\r\n", ""};
    for (size_t i = 0; i < 2; i++) {
        char port[32];
        int fd = listener(port);
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
            for (;;) {
                int peer = accept(fd, NULL, NULL);
                if (write(peer, greetings[i], strlen(greetings[i])) < 0)
                    _exit(1);
                usleep(50000);
                close(peer);
            }
        }
        expect(look(doctor_broker, FLAGS("mqtt.host=127.0.0.1", port), NULL), true, "\"result\":\"fail\"");
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        close(fd);
    }
}

static void test_others(void **state)
{
    (void)state;
    expect(look(doctor_sound, FLAGS("input.device=file:/nonexistent.wav"), NULL), true, "No such file");
    expect(look(doctor_sound, FLAGS("input.device=file:/dev/null"), NULL), false, "\"result\":\"ok\"");
    expect(look(doctor_sound, FLAGS("input.device=-"), NULL), false, "standard input");
    expect(look(doctor_state, FLAGS("log.level=info"), "/proc/nonexistent"), true, "--state-dir");
    char dir[] = "/tmp/earshot-doctor.XXXXXX", lock[64];
    assert_non_null(mkdtemp(dir));
    expect(look(doctor_state, FLAGS("log.level=info"), dir), false, "\"result\":\"ok\"");
    snprintf(lock, sizeof lock, "%s/lock", dir);
    assert_int_equal(unlink(lock), 0);
    assert_int_equal(rmdir(dir), 0);
    expect(look(doctor_model, FLAGS("model.file=/nonexistent.onnx"), NULL), true, "/nonexistent.onnx");
    expect(look(doctor_model, FLAGS("model.file=/etc/passwd"), NULL), true, "\"result\":\"fail\"");
    expect(look(doctor_clock, FLAGS("log.level=info"), NULL), false, "\"check\":\"clock\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_broker),
        cmocka_unit_test(test_no_broker),
        cmocka_unit_test(test_others),
    };
    return cmocka_run_group_tests_name("doctor", tests, NULL, NULL);
}
