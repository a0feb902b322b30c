#include "daemon/outputs/action.h"
#include "daemon/outputs/child.h"
#include "daemon/outputs/event_filter.h"
#include "daemon/outputs/output.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char dir[64];
static struct config config;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static const char *in_dir(const char *name)
{
    static char path[4][128];
    static unsigned turn;
    char *p = path[turn++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

static void program(const char *name, const char *text, mode_t mode)
{
    FILE *f = fopen(in_dir(name), "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(in_dir(name), mode), 0);
}

/* The whole file; "" where there is none. The caller's until the next call but one. */
static const char *contents(const char *name)
{
    static char text[2][1 << 17];
    static unsigned turn;
    char *out = text[turn++ % 2];
    FILE *f = fopen(in_dir(name), "r");
    size_t n = f ? fread(out, 1, sizeof text[0] - 1, f) : 0;
    out[n] = '\0';
    if (f)
        fclose(f);
    return out;
}

static unsigned count(const char *text, const char *what)
{
    unsigned n = 0;
    for (; (text = strstr(text, what)); text += strlen(what))
        n++;
    return n;
}

static int set_up(void **state)
{
    (void)state;
    struct err err;
    snprintf(dir, sizeof dir, "/tmp/test_actions.XXXXXX");
    return mkdtemp(dir) && config_init(&config, &err) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    config_free(&config);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static void set(const char *fmt, ...)
{
    char text[512];
    struct err err;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (config_set(&config, text, &err) < 0)
        fail_msg("%s: %s", text, err.text);
}

static struct event event(enum event_type type, const char *label)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    int64_t utc = t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
    struct event e = {.type = type, .score = 0.9f, .start_ns = utc, .end_ns = utc, .notify = true};
    snprintf(e.label, sizeof e.label, "%s", label);
    uuid7(e.id, utc);
    uuid7(e.event_id, utc);
    return e;
}

static int saved_stderr = -1;

/* The log goes to the file "log" from here on. */
static struct output *open_output(void)
{
    static const char *const labels[] = {"siren", "dog_bark", "smoke_alarm"};
    static const struct daemon_control control = {.labels = labels, .n_labels = 3};
    struct err err = {""};
    int fd = open(in_dir("log"), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);

    saved_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    dup2(fd, STDERR_FILENO);
    close(fd);
    struct output *o = output_actions_new(&config, &control, &err);
    if (!o) {
        dup2(saved_stderr, STDERR_FILENO);
        fail_msg("%s", err.text);
    }
    return o;
}

static void close_output(struct output *o, double flush_s)
{
    o->stop(o, flush_s);
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
}

static bool wait_ran(struct output *o, uint64_t ran, double seconds)
{
    uint64_t queued, dropped, sent = 0;
    for (double end = now() + seconds; now() < end && sent < ran; usleep(2000))
        o->counters(o, &queued, &dropped, &sent);
    return sent >= ran;
}

static void test_environment_and_stdin(void **state)
{
    (void)state;
    program("run",
            "#!/bin/sh\nenv >\"$1/env\"; cat >\"$1/json\"; pwd >\"$1/pwd\"; ls -l /proc/self/fd >\"$1/fds\"\n"
            "grep -E 'Sig(Blk|Ign)' /proc/self/status >\"$1/signals\"; echo \"$2|$3\"; echo oops >&2; exit 3\n",
            0700);
    set("action.a.exec=%s %s 'two words' $HOME", in_dir("run"), dir);
    set("action.a.label=siren");
    set("mqtt.node=hall");
    setenv("EARSHOT_MQTT_PASSWORD", "secret", 1);
    setenv("NOTIFY_SOCKET", "/run/x", 1);
    struct output *o = open_output();
    struct event e = event(EVENT_START, "siren");
    o->event(o, &e);
    assert_true(wait_ran(o, 1, 10));
    close_output(o, 1);

    const char *env = contents("env");
    assert_non_null(strstr(env, "EARSHOT_LABEL=siren\n"));
    assert_non_null(strstr(env, "EARSHOT_SCORE=0.90\n"));
    assert_non_null(strstr(env, "EARSHOT_NODE=hall\n"));
    assert_non_null(strstr(env, "EARSHOT_EVENT_TYPE=start\n"));
    assert_non_null(strstr(env, "EARSHOT_ACTION=a\n"));
    assert_non_null(strstr(env, e.id));
    assert_non_null(strstr(env, "PATH="));
    assert_null(strstr(env, "secret"));
    assert_null(strstr(env, "NOTIFY_SOCKET"));
    char json[4096];
    int n = event_json(&e, json, sizeof json);
    json[n] = '\n';
    json[n + 1] = '\0';
    assert_string_equal(contents("json"), json);
    assert_string_equal(contents("pwd"), "/\n");
    /* 0, 1, 2 and ls's own look at the folder */
    assert_int_equal(count(contents("fds"), " -> "), 4);
    assert_non_null(strstr(contents("signals"), "SigBlk:\t0000000000000000\n"));
    /* 32 and 33 are the C library's own; it leaves them ignored; an emulator makes 34 and 35 of them */
    unsigned long long ignored = strtoull(strstr(contents("signals"), "SigIgn:") + 7, NULL, 16);
    assert_int_equal(ignored & ~(getenv("EARSHOT_EMULATED") ? 0x780000000ULL : 0x180000000ULL), 0);
    const char *log = contents("log");
    assert_non_null(strstr(log, "action a: two words|$HOME\n"));
    assert_non_null(strstr(log, "action a: oops\n"));
    assert_non_null(strstr(log, "action a: siren start: exit status 3 after "));
}

static void test_which_events(void **state)
{
    (void)state;
    program("run", "#!/bin/sh\necho \"$EARSHOT_LABEL $EARSHOT_EVENT_TYPE\"\n", 0700);
    set("action.a.exec=%s", in_dir("run"));
    set("action.a.event=both");
    set("action.a.min_score=0.5");
    struct output *o = open_output();
    struct event e = event(EVENT_START, "held_back");
    e.notify = false;
    o->event(o, &e);
    e = event(EVENT_START, "test");
    e.test = true;
    o->event(o, &e);
    char text[200] = "";
    assert_int_equal(o->acknowledged(o, e.id, text, sizeof text), 1);
    assert_non_null(strstr(text, "test = on"));
    e = event(EVENT_START, "late");
    e.start_ns -= INT64_C(40000000000);
    o->event(o, &e);
    e = event(EVENT_UPDATE, "update");
    o->event(o, &e);
    e = event(EVENT_START, "weak");
    e.score = 0.4f;
    o->event(o, &e);
    e = event(EVENT_START, "siren");
    o->event(o, &e);
    e.type = EVENT_END;
    o->event(o, &e);
    assert_true(wait_ran(o, 2, 10));
    close_output(o, 1);
    const char *log = contents("log");
    assert_int_equal(count(log, "exit status"), 2);
    const char *begin = strstr(log, "siren start\n"), *ended = strstr(log, "siren end\n");
    assert_true(begin && ended && begin < ended);
    assert_non_null(strstr(log, "late start left out: late"));

    set("action.a.test=on");
    set("action.a.late=on");
    o = open_output();
    e = event(EVENT_START, "siren");
    e.test = true;
    o->event(o, &e);
    e = event(EVENT_START, "late");
    e.start_ns -= INT64_C(40000000000);
    o->event(o, &e);
    assert_true(wait_ran(o, 2, 10));
    close_output(o, 1);
    assert_int_equal(count(contents("log"), "exit status 0"), 2);
}

/* A program that will not end, nor what it started; another that floods: both are over in time, and a third is not held up. */
static void test_hang_and_flood(void **state)
{
    (void)state;
    program("hang", "#!/bin/sh\ntrap '' TERM\nsleep 98765 &\necho $! >$1/pid\nwait; sleep 98765\n", 0700);
    program("flood", "#!/bin/sh\nyes 'a line of output'\n", 0700);
    program("noise",
            "#!/bin/sh\nhead -c 3000 /dev/zero | tr '\\0' x; echo; printf 'a\\033[2Jb\\377c\\n'; printf tail\n", 0700);
    set("action.hang.exec=%s %s", in_dir("hang"), dir);
    set("action.hang.timeout=0.3");
    set("action.flood.exec=%s", in_dir("flood"));
    set("action.flood.timeout=1");
    set("action.noise.exec=%s", in_dir("noise"));
    struct output *o = open_output();
    double began = now();
    struct event e = event(EVENT_START, "siren");
    o->event(o, &e);
    assert_true(wait_ran(o, 1, 10));
    assert_true(now() - began < 1); /* noise did not wait for the others' time limits */
    assert_true(wait_ran(o, 3, 20));
    double took = now() - began;
    close_output(o, 1);
    if (took < 2.3 || took > 8) /* 0.3 s, 2 s from SIGTERM to SIGKILL; the rest is the machine's */
        fail_msg("took %.2f s", took);
    const char *log = contents("log");
    assert_int_equal(count(log, "action flood: a line of output\n"), 100);
    assert_non_null(strstr(log, "action flood: (more than 100 lines: the rest is left out)"));
    assert_non_null(strstr(log, "action flood: siren start: signal 15 (Terminated) after "));
    assert_non_null(strstr(log, "action hang: not done after 0."));
    assert_non_null(strstr(log, "action hang: siren start: signal 9 (Killed) after 2."));
    char line[1100];
    memset(line, 'x', ACTION_LINE_BYTES);
    strcpy(line + ACTION_LINE_BYTES, "\n");
    assert_non_null(strstr(log, line));
    assert_non_null(strstr(log, "action noise: a?[2Jb?c\n"));
    assert_non_null(strstr(log, "action noise: tail\n"));
    assert_non_null(strstr(log, "action noise: 2100 bytes of its output are not shown"));
    int pid = atoi(contents("pid"));
    assert_true(pid > 1);
    double end = now() + 2;
    while (kill(pid, 0) == 0 && now() < end) { /* killed; its new parent may take a moment to reap it */
        char path[32], stat[256] = "";
        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        FILE *f = fopen(path, "r");
        if (!f || !fgets(stat, sizeof stat, f) || strstr(stat, ") Z "))
            end = 0;
        if (f)
            fclose(f);
        usleep(10000);
    }
    assert_true(end == 0 || kill(pid, 0) < 0);
}

/* What a program left behind in its group goes with it. */
static void test_left_behind(void **state)
{
    (void)state;
    program("run", "#!/bin/sh\n(sleep 1; touch $1/still_there) &\n", 0700);
    set("action.a.exec=%s %s", in_dir("run"), dir);
    struct output *o = open_output();
    struct event e = event(EVENT_START, "siren");
    double began = now();
    o->event(o, &e);
    assert_true(wait_ran(o, 1, 10));
    assert_true(now() - began < 1);
    sleep(2);
    close_output(o, 1);
    assert_int_equal(access(in_dir("still_there"), F_OK), -1);
}

static void test_one_at_a_time(void **state)
{
    (void)state;
    program("run",
            "#!/bin/sh\nmkdir $1/lock || echo twice at once\nsleep 0.1\nrmdir $1/lock\necho \"ran $EARSHOT_LABEL\"\n",
            0700);
    set("action.a.exec=%s %s", in_dir("run"), dir);
    struct output *o = open_output();
    for (int i = 0; i < 30; i++) { /* the rate allows 10 */
        char label[16];
        snprintf(label, sizeof label, "l%d", i);
        struct event e = event(EVENT_START, label);
        o->event(o, &e);
    }
    assert_true(wait_ran(o, 10, 20));
    uint64_t queued, dropped, sent;
    for (double end = now() + 5; o->counters(o, &queued, &dropped, &sent), queued && now() < end;)
        usleep(1000);
    close_output(o, 1);
    assert_int_equal(queued, 0);
    assert_true(sent == 10 && dropped == 20);
    const char *log = contents("log");
    assert_int_equal(count(log, "twice at once"), 0);
    assert_int_equal(count(log, "ran l"), (unsigned)sent);
    assert_int_equal(count(log, "left out"), 1); /* said once, not twenty times */
}

static void test_queue(void **state)
{
    (void)state;
    program("run", "#!/bin/sh\necho begun\nread go <$1/fifo\necho \"ran $EARSHOT_LABEL\"\n", 0700);
    assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
    set("action.a.exec=%s %s", in_dir("run"), dir);
    set("action.a.rate=off");
    struct output *o = open_output();
    uint64_t queued = 0, dropped = 0, sent;
    for (int i = 0; i < 30; i++) {
        char label[16];
        snprintf(label, sizeof label, "l%d", i);
        struct event e = event(EVENT_START, label);
        o->event(o, &e);
        for (double end = now() + 20; i == 0 && !strstr(contents("log"), "begun") && now() < end;) /* it runs */
            usleep(1000);
    }
    for (double end = now() + 20; dropped < 30 - 1 - ACTION_QUEUE && now() < end; usleep(1000))
        o->counters(o, &queued, &dropped, &sent);
    assert_int_equal(dropped, 30 - 1 - ACTION_QUEUE);
    for (uint64_t i = 0; i < 1 + ACTION_QUEUE; i++) {
        int fd = open(in_dir("fifo"), O_WRONLY);
        assert_int_equal(write(fd, "\n", 1), 1);
        close(fd);
        assert_true(wait_ran(o, i + 1, 10));
    }
    close_output(o, 1);
    const char *log = contents("log");
    assert_int_equal(count(log, "ran l"), 1 + ACTION_QUEUE);
    assert_non_null(strstr(log, "l1 start left out: too many wait for the one that runs"));
    assert_true(strstr(log, "ran l0\n") && !strstr(log, "ran l13\n"));
    assert_true(strstr(log, "ran l14\n") && strstr(log, "ran l29\n"));
}

/* Whether the program said that it was told to end: it has 0.1 s for that, in which a busy machine may not even have run it. */
static bool told_to_end(void)
{
    program("run", "#!/bin/sh\ntrap 'echo told to end; exit 0' TERM\necho begun\nsleep 98765 & wait\n", 0700);
    set("action.a.exec=%s", in_dir("run"));
    struct output *o = open_output();
    struct event e = event(EVENT_START, "siren");
    o->event(o, &e);
    o->event(o, &e);
    for (double end = now() + 5; !strstr(contents("log"), "begun") && now() < end;)
        usleep(1000);
    double began = now();
    close_output(o, 0.45);
    assert_true(now() - began < 20);
    const char *log = contents("log");
    assert_non_null(strstr(log, "1 events that waited for a program were left out"));
    return strstr(log, "told to end");
}

static void test_stop(void **state)
{
    bool told = false;

    for (int i = 0; i < 10 && !told; i++) {
        if (i) {
            tear_down(state);
            set_up(state);
        }
        told = told_to_end();
    }
    assert_true(told);
}

static void test_programs_that_cannot_be(void **state)
{
    (void)state;
    struct err err;
    static const struct {
        const char *program, *says;
    } rows[] = {
        {"/nix/da", "/nix/da: No such file or directory"},
        {"/tmp", "/tmp: not a file; allowed: a program"},
        {"plain", "plain: cannot be executed by the service's user: Permission denied (chmod +x?)"},
    };
    program("plain", "hello\n", 0600);
    for (size_t i = 0; i < 3; i++) {
        set("action.bad.exec=%s", rows[i].program[0] == '/' ? rows[i].program : in_dir(rows[i].program));
        assert_null(output_actions_new(&config, NULL, &err));
        if (!strstr(err.text, "[action bad] exec: ") || !strstr(err.text, rows[i].says))
            fail_msg("%s", err.text);
    }
    if (getenv("EARSHOT_EMULATED"))
        return; /* it does not hand back why a program cannot be executed */
    program("nothing", "\x01\x02\x03", 0700);
    set("action.bad.exec=%s", in_dir("nothing"));
    set("action.bad.test=on");
    struct output *o = open_output();
    struct event e = event(EVENT_START, "siren");
    char text[200] = "";
    e.test = true;
    o->event(o, &e);
    for (double end = now() + 5; !o->acknowledged(o, e.id, text, sizeof text) && now() < end;)
        usleep(1000);
    assert_int_equal(o->acknowledged(o, e.id, text, sizeof text), -1);
    assert_non_null(strstr(text, "Exec format error (a script begins with a line such as #!/bin/sh)"));
    assert_int_equal(unlink(in_dir("nothing")), 0); /* gone while it runs */
    e = event(EVENT_START, "siren");
    o->event(o, &e);
    for (double end = now() + 5; !strstr(contents("log"), "No such file") && now() < end;)
        usleep(1000);
    close_output(o, 1);
    assert_int_equal(count(contents("log"), "action bad: not started: "), 2);
}

static void *start_from_real_time(void *arg)
{
    char *const argv[] = {"/bin/sh", "-c", "cut -d' ' -f41 /proc/self/stat >$0/policy", dir, NULL}, *const none[] = {
                                                                                                        NULL};
    const struct sched_param real_time = {.sched_priority = 1};
    struct child c;
    struct err err;

    *(int *)arg = -1;
    if (pthread_setschedparam(pthread_self(), SCHED_FIFO, &real_time) != 0)
        return NULL;
    char **envp = child_environment(none);
    int rc = child_start(&c, argv, envp, 0, 1, 2, &err);
    free(envp);
    *(int *)arg = rc < 0 ? 1 : child_finish(&c);
    return NULL;
}

static void test_real_time_is_not_inherited(void **state)
{
    (void)state;
    pthread_t t;
    int status;
    pthread_create(&t, NULL, start_from_real_time, &status);
    pthread_join(t, NULL);
    if (status == -1)
        skip();                                      /* not allowed real-time scheduling here */
    assert_true(status == 0 || WIFSIGNALED(status)); /* finish kills what has not ended */
}

static void test_filter(void **state)
{
    (void)state;
    struct event_choice when = {.label = "siren, dog_bark", .event = CHOICE_BOTH, .cooldown = 10, .rate = 3};
    struct err err;
    struct event_filter *f = event_filter_new(&when, "x", NULL, 0, &err);
    assert_non_null(f);
    struct event siren = event(EVENT_START, "siren"), dog = event(EVENT_START, "dog_bark"),
                 other = event(EVENT_START, "rain");
    assert_true(event_filter_wants(f, &siren));
    assert_false(event_filter_wants(f, &other));
    assert_int_equal(event_filter_pass(f, &siren, 100), EVENT_GO);
    assert_int_equal(event_filter_pass(f, &dog, 101), EVENT_GO); /* each class has a cooldown of its own */
    struct event again = event(EVENT_START, "siren");
    assert_int_equal(event_filter_pass(f, &again, 109), EVENT_COOLING);
    siren.type = again.type = dog.type = EVENT_END;
    assert_int_equal(event_filter_pass(f, &siren, 109.5), EVENT_GO);      /* as its start went */
    assert_int_equal(event_filter_pass(f, &again, 109.5), EVENT_COOLING); /* as its start did not */
    struct event third = event(EVENT_START, "siren"), fourth = event(EVENT_START, "siren");
    assert_int_equal(event_filter_pass(f, &third, 111), EVENT_GO);
    assert_int_equal(event_filter_pass(f, &fourth, 125), EVENT_TOO_MANY); /* 3 in any minute */
    assert_int_equal(event_filter_pass(f, &dog, 126), EVENT_GO);          /* the lamp goes off all the same */
    fourth = event(EVENT_START, "siren");
    assert_int_equal(event_filter_pass(f, &fourth, 160.5), EVENT_GO);
    event_filter_free(f);

    when = (struct event_choice){.group = "alarm", .event = CHOICE_END};
    static const char *const labels[] = {"speech", "baby_cry_infant_cry"}; /* AudioSet's name of a crying baby */
    f = event_filter_new(&when, "x", labels, 2, &err);
    if (!f)
        fail_msg("%s", err.text);
    struct event smoke = event(EVENT_END, "smoke_alarm"), baby = event(EVENT_END, "baby_cry_infant_cry"),
                 speech = event(EVENT_END, "speech");
    assert_true(event_filter_wants(f, &smoke) && event_filter_wants(f, &baby));
    assert_false(event_filter_wants(f, &speech));
    smoke.type = EVENT_START;
    assert_false(event_filter_wants(f, &smoke));
    event_filter_free(f);
    event_filter_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_filter, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_environment_and_stdin, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_which_events, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hang_and_flood, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_left_behind, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_queue, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stop, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_programs_that_cannot_be, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_real_time_is_not_inherited, set_up, tear_down),
    };
    signal(SIGPIPE, SIG_IGN);              /* as the daemon does: a child may end before it has read what it is told */
    setenv("EARSHOT_MODELS", "models", 0); /* labels.csv; run.sh runs at the top of the tree */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
