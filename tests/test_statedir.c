#include "daemon/statedir.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char root[64];
    struct cmd_context cx;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    snprintf(f->root, sizeof f->root, "/tmp/earshot-state.XXXXXX");
    if (!mkdtemp(f->root))
        return -1;
    f->cx.config_path = "";
    setenv("HOME", f->root, 1);
    unsetenv("STATE_DIRECTORY");
    unsetenv("XDG_STATE_HOME");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", f->root);
    int rc = system(command);
    free(f);
    return rc;
}

static const char *path_in(const struct fixture *f, const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", f->root, name);
    return path;
}

static void put(const char *path, const char *text, size_t size)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void expect_dir(struct fixture *f, const char *want)
{
    char dir[256], expected[256];
    struct err err = {""};
    struct stat st;
    snprintf(expected, sizeof expected, "%s/%s", f->root, want);
    if (state_dir_find(&f->cx, dir, sizeof dir, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(dir, expected);
    assert_int_equal(stat(dir, &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    assert_int_equal(st.st_mode & 07, 0); /* nothing for others */
}

/* From the last resort to the first, each new one winning over those before. */
static void test_order(void **state)
{
    struct fixture *f = *state;
    char env[256], flag[128];

    if (access("/var/lib/earshot", F_OK) != 0) {
        expect_dir(f, ".local/state/earshot");
        setenv("XDG_STATE_HOME", "relative", 1);
        expect_dir(f, ".local/state/earshot");
        setenv("XDG_STATE_HOME", path_in(f, "xdg"), 1);
        expect_dir(f, "xdg/earshot");
    }
    snprintf(f->cx.config.state.dir, sizeof f->cx.config.state.dir, "%s", path_in(f, "a/b/option"));
    expect_dir(f, "a/b/option");
    snprintf(env, sizeof env, "%s/env:%s/second", f->root, f->root);
    setenv("STATE_DIRECTORY", env, 1);
    expect_dir(f, "env");
    snprintf(flag, sizeof flag, "%s", path_in(f, "flag"));
    f->cx.state_dir = flag;
    expect_dir(f, "flag");
    expect_dir(f, "flag"); /* there already */
}

/* Where one only looks, nothing is made, and a folder that is not there is named as it would be chosen: never what is above it. */
static void test_look(void **state)
{
    struct fixture *f = *state;
    char dir[256];
    struct err err;
    struct stat st;

    assert_int_equal(state_dir_look(&f->cx, dir, sizeof dir, &err), 0);
    if (access("/var/lib/earshot", F_OK) == 0) {
        assert_string_equal(dir, "/var/lib/earshot");
    } else {
        assert_string_equal(dir, path_in(f, ".local/state/earshot"));
        assert_int_equal(stat(dir, &st), -1);
    }
    f->cx.state_dir = path_in(f, "none");
    assert_int_equal(state_dir_look(&f->cx, dir, sizeof dir, &err), 0);
    assert_string_equal(dir, path_in(f, "none"));
}

static void test_bad_dir(void **state)
{
    struct fixture *f = *state;
    char dir[256], small[8], path[128];
    struct err err = {""};

    put(path_in(f, "file"), "x", 1);
    snprintf(path, sizeof path, "%s", path_in(f, "file"));
    f->cx.state_dir = path;
    assert_int_equal(state_dir_find(&f->cx, dir, sizeof dir, &err), -1);
    assert_non_null(strstr(err.text, "--state-dir"));
    assert_non_null(strstr(err.text, path));
    snprintf(path, sizeof path, "%s", path_in(f, "file/below"));
    assert_int_equal(state_dir_find(&f->cx, dir, sizeof dir, &err), -1);
    assert_non_null(strstr(err.text, "Not a directory"));
    f->cx.state_dir = "";
    assert_int_equal(state_dir_find(&f->cx, dir, sizeof dir, &err), -1);
    f->cx.state_dir = f->root;
    assert_int_equal(state_dir_find(&f->cx, small, sizeof small, &err), -1);
    assert_non_null(strstr(err.text, "too long"));
}

static void test_lock(void **state)
{
    struct fixture *f = *state;
    struct err err = {""};
    struct state_lock *first = state_lock(f->root, &err);
    char pid[32];

    assert_non_null(first);
    assert_null(state_lock(f->root, &err));
    snprintf(pid, sizeof pid, "process %ld ", (long)getpid());
    assert_non_null(strstr(err.text, pid));
    assert_non_null(strstr(err.text, f->root));
    state_unlock(first);
    struct state_lock *again = state_lock(f->root, &err);
    assert_non_null(again);
    state_unlock(again);
    state_unlock(NULL);
    assert_null(state_lock(path_in(f, "absent"), &err));
    assert_non_null(strstr(err.text, "absent"));
}

/* A daemon that is killed leaves no lock behind. */
static void test_lock_of_a_killed_one(void **state)
{
    struct fixture *f = *state;
    struct err err = {""};
    int ready[2];
    char byte;

    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        if (state_lock(f->root, NULL) && write(ready[1], "x", 1) == 1)
            pause();
        _exit(1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_null(state_lock(f->root, &err));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    struct state_lock *lock = state_lock(f->root, &err);
    assert_non_null(lock);
    state_unlock(lock);
    close(ready[0]);
    close(ready[1]);
}

static void test_floor(void **state)
{
    struct fixture *f = *state;
    static const double good[] = {-120, -57.25, -0.01, 0};
    static const double bad[] = {-120.5, 0.1, NAN, INFINITY, -INFINITY};
    struct err err = {""};
    double value = 99;

    assert_int_equal(state_load_floor(f->root, &value, &err), -1);
    assert_non_null(strstr(err.text, "No such file"));
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(state_save_floor(f->root, good[i], &err), 0);
        assert_int_equal(state_load_floor(f->root, &value, &err), 0);
        assert_true(fabs(value - good[i]) < 0.005 + 1e-9); /* two decimals */
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(state_save_floor(f->root, bad[i], &err), -1);
    assert_int_equal(state_load_floor(f->root, &value, &err), 0);
    assert_true(value == 0); /* the refused ones left the last good one */
    assert_int_equal(access(path_in(f, "floor.new"), F_OK), -1);
    assert_int_equal(state_save_floor(path_in(f, "absent"), -50, &err), -1);
}

static void test_bad_floor(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text;
        size_t size;
    } rows[] = {
        {"", 0},
        {"-50", 3},
        {"-50 dBFS", 8},
        {"-50 dBFS\n\n", 10},
        {"nan dBFS\n", 9},
        {"-inf dBFS\n", 10},
        {"5 dBFS\n", 7},
        {"-121 dBFS\n", 10},
        {"0x10 dBFS\n", 10},
        {"-50 dBFS\n\0x", 11},
        {"\0-50 dBFS\n", 10},
        {"-1e999 dBFS\n", 12},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = {""};
        double value = 77;
        put(path_in(f, "floor"), rows[i].text, rows[i].size);
        if (state_load_floor(f->root, &value, &err) != -1)
            fail_msg("row %zu was taken", i);
        assert_true(value == 77);
        assert_non_null(strstr(err.text, "floor"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_look, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_dir, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lock, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lock_of_a_killed_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_floor, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_floor, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("statedir", tests, NULL, NULL);
}
