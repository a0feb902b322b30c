#include "daemon/args.h"
#include "daemon/cmdline.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* A command that says what reached it. */
static int probe(struct cmd_context *cx, int argc, char **argv)
{
    enum { FLAG_OUTPUT, FLAG_FAST, FLAG_COUNT };
    static const struct arg_flag flags[] = {
        [FLAG_OUTPUT] = {"output", 'o', "FILE"},
        [FLAG_FAST] = {"fast", 'f', NULL},
        [FLAG_COUNT] = {"count", 0, "N"},
        {NULL, 0, NULL},
    };
    struct args a = {.flags = flags, .argc = argc, .argv = argv};
    long n;
    double d;

    printf("%s|hold=%g|device=%s|rate=%d|json=%d|state=%s|", argv[0], cx->config.gate.hold_s, cx->config.input.device,
           cx->config.input.rate, cx->json, cx->state_dir ? cx->state_dir : "-");
    for (int flag; (flag = args_next(&a)) != ARGS_END;)
        switch (flag) {
        case FLAG_OUTPUT:
            printf("o=%s|", a.value);
            break;
        case FLAG_FAST:
            printf("fast|");
            break;
        case FLAG_COUNT:
            if (args_int(&a, 1, 10, &n) < 0 || args_number(&a, 0, 9.5, &d) < 0)
                return EXIT_USAGE;
            printf("n=%ld=%g|", n, d);
            break;
        case ARGS_PLAIN:
            if (strcmp(a.value, "unexpected") == 0)
                return args_unexpected(&a);
            printf("<%s>|", a.value);
            break;
        default:
            return EXIT_USAGE;
        }
    puts("end");
    return strcmp(argv[argc - 1], "fail") == 0 ? EXIT_FAILED : EXIT_GOOD;
}

/* Reloads as the daemon does at SIGHUP. */
static int reload(struct cmd_context *cx, int argc, char **argv)
{
    struct config fresh;
    struct err err = {""};

    if (argc > 2 && cmdline_set(cx, argv[1], argv[2], &err) < 0)
        return cmd_fail(EXIT_USAGE, argv[0], "%s", err.text);
    if (cmdline_reload(cx, &fresh, &err) < 0)
        return cmd_fail(EXIT_FAILED, argv[0], "%s", err.text);
    printf("%g %g\n", cx->config.gate.hold_s, fresh.gate.hold_s);
    config_free(&fresh);
    return EXIT_GOOD;
}

/* Prints until nobody reads. */
static int chatter(struct cmd_context *cx, int argc, char **argv)
{
    (void)cx;
    (void)argc;
    (void)argv;
    for (int i = 0; i < 1000000; i++) {
        puts("some line of text that fills the pipe in the end");
        if (cmd_flush() < 0)
            return EXIT_GOOD;
    }
    return EXIT_FAILED;
}

static int raw(struct cmd_context *cx, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("%s %g\n", cx->config_path, cx->config.gate.hold_s);
    return EXIT_GOOD;
}

static const struct command
    cmd_probe = {.name = "probe",
                 .summary = "looks",
                 .usage = "usage: earshot probe\n",
                 .run = probe,
                 .input_flags = true},
    cmd_plain = {.name = "plain", .summary = "looks", .usage = "usage: earshot plain\n", .run = probe},
    cmd_reload = {.name = "reload", .summary = "again", .usage = "usage: earshot reload\n", .run = reload},
    cmd_chatter = {.name = "chatter", .summary = "talks", .usage = "usage: earshot chatter\n", .run = chatter},
    cmd_raw = {.name = "raw", .summary = "bare", .usage = "usage: earshot raw\n", .run = raw, .raw_config = true};
static const struct command *const commands[] = {&cmd_probe, &cmd_plain, &cmd_reload, &cmd_chatter, &cmd_raw, NULL};

enum stdout_kind { TO_FILE, TO_FULL, TO_CLOSED_PIPE, TO_NOTHING };

struct result {
    int code;
    char out[4096], err[4096];
};

static void read_all(int fd, char *out, size_t size)
{
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    ssize_t n = read(fd, out, size - 1);
    assert_true(n >= 0);
    out[n] = '\0';
    close(fd);
}

static int scratch(void)
{
    char name[] = "/tmp/earshot-cmdline.XXXXXX";
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    unlink(name);
    return fd;
}

static void child_stdout(enum stdout_kind kind, int file)
{
    int pipe_fds[2];
    switch (kind) {
    case TO_FILE:
        dup2(file, 1);
        break;
    case TO_FULL:
        dup2(open("/dev/full", O_WRONLY), 1);
        break;
    case TO_CLOSED_PIPE:
        if (pipe(pipe_fds) == 0)
            dup2(pipe_fds[1], 1);
        close(pipe_fds[0]);
        close(pipe_fds[1]);
        break;
    case TO_NOTHING:
        close(1);
        break;
    }
}

static struct result run_to(enum stdout_kind kind, char **argv)
{
    struct result r = {0};
    int out = scratch(), err = scratch(), argc = 0, status;

    while (argv[argc])
        argc++;
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        child_stdout(kind, out);
        dup2(err, 2);
        exit(cmdline_run(commands, argc, argv));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    r.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    read_all(out, r.out, sizeof r.out);
    read_all(err, r.err, sizeof r.err);
    return r;
}

#define ARGV(...) ((char *[]){"earshot", __VA_ARGS__, NULL})
#define CLEAN     "--config", "/dev/null"

static void test_good(void **state)
{
    (void)state;
    static const struct {
        char *argv[16];
        const char *out;
    } rows[] = {
        {{"earshot", CLEAN, "probe"}, "probe|hold=0.5|device=default|rate=0|json=0|state=-|end\n"},
        {{"earshot", "probe", CLEAN, "--json", "--state-dir", "/s"},
         "probe|hold=0.5|device=default|rate=0|json=1|state=/s|end\n"},
        {{"earshot", "--state-dir=/s", "--json", "probe", "--config=/dev/null"},
         "probe|hold=0.5|device=default|rate=0|json=1|state=/s|end\n"},
        {{"earshot", CLEAN, "--gate.hold", "1 s", "probe", "--gate.hold=2s", "a"},
         "probe|hold=2|device=default|rate=0|json=0|state=-|<a>|end\n"},
        {{"earshot", CLEAN, "probe", "--gate.threshold", "-40", "--class.dog_bark.threshold=0.5"},
         "probe|hold=0.5|device=default|rate=0|json=0|state=-|end\n"},
        {{"earshot", CLEAN, "probe", "--input", "-", "--rate=8000", "--channels", "2"},
         "probe|hold=0.5|device=-|rate=8000|json=0|state=-|end\n"},
        {{"earshot", CLEAN, "probe", "--input=file:a=b", "--model", "m"},
         "probe|hold=0.5|device=file:a=b|rate=0|json=0|state=-|end\n"},
        {{"earshot", CLEAN, "probe", "-o", "x", "--fast", "-oy", "--output=z", "--output", "-", "-f", "-"},
         "probe|hold=0.5|device=default|rate=0|json=0|state=-|o=x|fast|o=y|o=z|o=-|fast|<->|end\n"},
        {{"earshot", CLEAN, "probe", "--", "--json", "-x", "--", "--gate.hold=9"},
         "probe|hold=0.5|device=default|rate=0|json=0|state=-|<--json>|<-x>|<-->|<--gate.hold=9>|end\n"},
        {{"earshot", CLEAN, "probe", "--count", "9", "--output="},
         "probe|hold=0.5|device=default|rate=0|json=0|state=-|n=9=9|o=|end\n"},
        {{"earshot", CLEAN, "reload", "gate.hold", "3 s"}, "3 3\n"},
        {{"earshot", CLEAN, "reload", "--gate.hold=4"}, "4 4\n"},
        {{"earshot", "--version"}, "earshot " EARSHOT_VERSION "\n"},
        {{"earshot", "probe", "-V"}, "earshot " EARSHOT_VERSION "\n"},
        {{"earshot", "raw", "--config", "/nonexistent"}, "/nonexistent 0.5\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct result r = run_to(TO_FILE, (char **)rows[i].argv);
        if (r.code != 0 || strcmp(r.out, rows[i].out) != 0 || *r.err)
            fail_msg("row %zu: code %d, out %s, err %s", i, r.code, r.out, r.err);
    }
}

static void test_bad(void **state)
{
    (void)state;
    static const struct {
        char *argv[16];
        const char *says;
    } rows[] = {
        {{"earshot"}, "usage: earshot COMMAND"},
        {{"earshot", "prob"}, "earshot: unknown command prob, did you mean probe?"},
        {{"earshot", "zzz"}, "earshot: unknown command zzz (see"},
        {{"earshot", ""}, "unknown command"},
        {{"earshot", "--fast", "probe"}, "unknown flag --fast (flags of a command stand behind its name"},
        {{"earshot", CLEAN, "probe", "--fats"}, "earshot probe: unknown flag --fats; did you mean --fast?"},
        {{"earshot", CLEAN, "probe", "-x"}, "unknown flag -x"},
        {{"earshot", CLEAN, "probe", "--fast=1"}, "no value is taken by --fast"},
        {{"earshot", CLEAN, "probe", "--json=1"}, "no value is taken by --json"},
        {{"earshot", CLEAN, "probe", "--output"}, "a value is missing after --output"},
        {{"earshot", CLEAN, "probe", "--output", "--fast"}, "a value is missing after --output"},
        {{"earshot", CLEAN, "probe", "--count", "11"}, "--count 11: a whole number from 1 to 10 is needed"},
        {{"earshot", CLEAN, "probe", "--count", "1x"}, "whole number"},
        {{"earshot", CLEAN, "probe", "--count=10"}, "a number from 0 to 9.5 is needed"},
        {{"earshot", CLEAN, "probe", "unexpected"}, "unexpected argument unexpected"},
        {{"earshot", CLEAN, "probe", "--gate.hold=x"}, "earshot probe: --gate.hold=x: not a number; allowed"},
        {{"earshot", CLEAN, "probe", "--gate.hold"}, "a value is missing after --gate.hold"},
        {{"earshot", CLEAN, "probe", "--gate.hold", "--json"}, "a value is missing after --gate.hold"},
        {{"earshot", CLEAN, "probe", "--gate.hod", "1"},
         "--gate.hod: unknown option \"hod\" in [gate], did you mean hold?"},
        {{"earshot", CLEAN, "probe", "--gaet.hold=1"}, "did you mean [gate]?"},
        {{"earshot", CLEAN, "probe", "--rate", "fast"}, "--rate=fast: not a number"},
        {{"earshot", CLEAN, "plain", "--rate", "8000"}, "unknown flag --rate"},
        {{"earshot", CLEAN, "probe", "--mqtt.password=x"}, "password_file"},
        {{"earshot", CLEAN, "probe", "--model.window=1", "--model.hop=2"}, "longer than window"},
        {{"earshot", CLEAN, "probe", CLEAN}, "--config is given twice"},
        {{"earshot", "probe", "--config"}, "a value is missing after --config"},
        {{"earshot", "probe", "--config", "/nonexistent"}, "cannot open /nonexistent: No such file"},
        {{"earshot", CLEAN, "reload", "gate.hold", "x"}, "--gate.hold=x: not a number"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct result r = run_to(TO_FILE, (char **)rows[i].argv);
        if (r.code != 2 || !strstr(r.err, rows[i].says))
            fail_msg("row %zu: code %d, out %s, err %s", i, r.code, r.out, r.err);
    }
}

static void test_help(void **state)
{
    (void)state;
    struct result r = run_to(TO_FILE, ARGV("--help"));
    assert_int_equal(r.code, 0);
    assert_non_null(strstr(r.out, "  reload     again\n"));
    assert_non_null(strstr(r.out, "--state-dir DIR"));
    static const char *const ways[][3] = {
        {"probe", "--help", NULL}, {"--help", "probe", NULL}, {"help", "probe", NULL}, {"probe", "-h", NULL}};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        r = run_to(TO_FILE, ARGV((char *)ways[i][0], (char *)ways[i][1]));
        assert_int_equal(r.code, 0);
        assert_memory_equal(r.out, "usage: earshot probe\n", 21);
        assert_non_null(strstr(r.out, "--input WHAT"));
    }
    /* help wins over a configuration that cannot be read */
    r = run_to(TO_FILE, ARGV("probe", "--config", "/nonexistent", "--help"));
    assert_int_equal(r.code, 0);
}

/* What was printed has to arrive; that a reader left early is no failure. */
static void test_stdout(void **state)
{
    (void)state;
    struct result r = run_to(TO_FULL, ARGV(CLEAN, "probe"));
    assert_int_equal(r.code, 1);
    assert_string_equal(r.err, "earshot: cannot write to standard output: No space left on device\n");
    r = run_to(TO_FULL, ARGV(CLEAN, "chatter"));
    assert_int_equal(r.code, 1);
    r = run_to(TO_NOTHING, ARGV(CLEAN, "probe"));
    assert_int_equal(r.code, 1);
    assert_non_null(strstr(r.err, "Bad file descriptor"));
    r = run_to(TO_CLOSED_PIPE, ARGV(CLEAN, "probe"));
    assert_int_equal(r.code, 0);
    assert_string_equal(r.err, "");
    r = run_to(TO_CLOSED_PIPE, ARGV(CLEAN, "chatter"));
    assert_int_equal(r.code, 0);
    assert_string_equal(r.err, "");
    r = run_to(TO_CLOSED_PIPE, ARGV(CLEAN, "probe", "fail"));
    assert_int_equal(r.code, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_stdout),
    };
    return cmocka_run_group_tests_name("cmdline", tests, NULL, NULL);
}
