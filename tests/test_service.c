/* The daemon's side of systemd: what it says to $NOTIFY_SOCKET, which is a socket of this test's, and signals. */
#include "daemon/service.h"

#include "base/log.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
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

struct bench {
    int listener;
    struct sockaddr_un address;
    char folder[32], said[1024];
};

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);

    if (!b)
        return -1;
    snprintf(b->folder, sizeof b->folder, "/tmp/earshot-notify-XXXXXX");
    if (!mkdtemp(b->folder))
        return -1;
    b->address.sun_family = AF_UNIX;
    snprintf(b->address.sun_path, sizeof b->address.sun_path, "%s/notify", b->folder);
    b->listener = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (bind(b->listener, (struct sockaddr *)&b->address, sizeof b->address))
        return -1;
    setenv("NOTIFY_SOCKET", b->address.sun_path, 1);
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    log_open(LOG_PLAIN, LOG_LEVEL_ERROR);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;

    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    close(b->listener);
    unlink(b->address.sun_path);
    rmdir(b->folder);
    free(b);
    return 0;
}

/* The next datagram, "" where there is none. Datagrams on Unix sockets are there when send returned. */
static const char *said(struct bench *b)
{
    ssize_t n = recv(b->listener, b->said, sizeof b->said - 1, 0);
    b->said[n > 0 ? n : 0] = '\0';
    return b->said;
}

static struct service *make(void)
{
    struct err err;
    struct service *s = service_new(&err);

    if (!s)
        fail_msg("%s", err.text);
    return s;
}

static void readiness(void **state)
{
    struct bench *b = *state;
    struct service *s = make();

    assert_string_equal(said(b), ""); /* not before it is */
    service_ready(s);
    assert_string_equal(said(b), "READY=1");
    service_reloading(s);
    assert_int_equal(strncmp(said(b), "RELOADING=1\nMONOTONIC_USEC=", 27), 0);
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    long long now_us = t.tv_sec * 1000000LL + t.tv_nsec / 1000, then_us = atoll(b->said + 27);
    assert_true(then_us <= now_us && now_us - then_us < 10000000);
    service_ready(s);
    assert_string_equal(said(b), "READY=1");
    service_stopping(s);
    assert_string_equal(said(b), "STOPPING=1");
    service_free(s);
    service_free(NULL);
}

static void status_text(void **state)
{
    struct bench *b = *state;
    struct service *s = make();
    char name[400];

    service_status(s, "listening to %s", "mic");
    assert_string_equal(said(b), "STATUS=listening to mic");
    service_status(s, "listening to %s", "mic");
    assert_string_equal(said(b), ""); /* the same again is no news */
    service_status(s, "listening to %s", "mic\nWATCHDOG=trigger");
    assert_string_equal(said(b), "STATUS=listening to mic WATCHDOG=trigger"); /* a name makes no second variable */
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    service_status(s, "%s", name);
    assert_int_equal(strncmp(said(b), "STATUS=xxxx", 11), 0);
    assert_true(strlen(b->said) < 250);
    service_free(s);
}

static void watchdog(void **state)
{
    struct bench *b = *state;

    struct service *s = make();
    service_watchdog(s, true);
    assert_string_equal(said(b), ""); /* systemd asked for none */
    service_free(s);

    setenv("WATCHDOG_USEC", "40000", 1);
    s = make();
    service_watchdog(s, true);
    assert_string_equal(said(b), "WATCHDOG=1");
    nanosleep(&(struct timespec){0, 30000000}, NULL);
    service_watchdog(s, false);
    assert_string_equal(said(b), ""); /* no progress: not fed */
    service_watchdog(s, false);
    service_watchdog(s, true);
    assert_string_equal(said(b), "WATCHDOG=1");
    assert_string_equal(said(b), "");
    service_free(s);

    setenv("WATCHDOG_PID", "1", 1); /* meant for another process */
    s = make();
    service_watchdog(s, true);
    assert_string_equal(said(b), "");
    service_free(s);
    unsetenv("WATCHDOG_PID");
}

static void without_systemd(void **state)
{
    (void)state;
    unsetenv("NOTIFY_SOCKET");
    struct service *s = make();
    service_ready(s);
    service_status(s, "all is well");
    service_watchdog(s, true);
    service_stopping(s);
    service_free(s);
}

static enum service_signal take(struct service *s, int signal)
{
    struct pollfd p = {.fd = service_fd(s), .events = POLLIN};

    assert_int_equal(kill(getpid(), signal), 0);
    assert_int_equal(poll(&p, 1, 5000), 1);
    return service_take(s);
}

static void *signal_mask(void *out)
{
    pthread_sigmask(SIG_BLOCK, NULL, out);
    return NULL;
}

static void signals(void **state)
{
    static const int blocked[] = {SIGTERM, SIGINT, SIGHUP};
    struct service *s = make();
    pthread_t thread;
    sigset_t set;
    int ends[2];

    (void)state;
    assert_int_equal(service_take(s), SERVICE_NONE);
    assert_int_equal(take(s, SIGTERM), SERVICE_STOP);
    assert_int_equal(take(s, SIGINT), SERVICE_STOP);
    assert_int_equal(take(s, SIGHUP), SERVICE_RELOAD);
    assert_int_equal(service_take(s), SERVICE_NONE);
    assert_int_equal(pthread_create(&thread, NULL, signal_mask, &set), 0);
    pthread_join(thread, NULL);
    for (size_t i = 0; i < sizeof blocked / sizeof *blocked; i++)
        assert_true(sigismember(&set, blocked[i])); /* threads made after it leave signals to the descriptor */
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    assert_int_equal(write(ends[1], "x", 1), -1); /* a pipe that broke is an error, not the end */
    close(ends[1]);
    service_free(s);
}

static void stderr_is_journal(void **state)
{
    char text[64];
    struct stat st;

    (void)state;
    assert_int_equal(fstat(STDERR_FILENO, &st), 0);
    unsetenv("JOURNAL_STREAM");
    assert_false(service_stderr_is_journal());
    snprintf(text, sizeof text, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    setenv("JOURNAL_STREAM", text, 1);
    assert_true(service_stderr_is_journal());
    snprintf(text, sizeof text, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino + 1);
    setenv("JOURNAL_STREAM", text, 1); /* inherited, but stderr was led elsewhere since */
    assert_false(service_stderr_is_journal());
    static const char *const bad[] = {"", ":", "8", "x:y", "8:"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        setenv("JOURNAL_STREAM", bad[i], 1);
        assert_false(service_stderr_is_journal());
    }
    unsetenv("JOURNAL_STREAM");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(readiness, setup, teardown),
        cmocka_unit_test_setup_teardown(status_text, setup, teardown),
        cmocka_unit_test_setup_teardown(watchdog, setup, teardown),
        cmocka_unit_test_setup_teardown(without_systemd, setup, teardown),
        cmocka_unit_test_setup_teardown(signals, setup, teardown),
        cmocka_unit_test_setup_teardown(stderr_is_journal, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
