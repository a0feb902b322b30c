/* The sounds of examples that are kept: how much of a recording, whose, and what is taken away. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#include "daemon/teach/kept.h"

enum { RATE = 16000, LENGTH_S = 40 };

static char dir[] = "/tmp/earshot_kept_XXXXXX";

/* Silence, with a click of half a second `at` there. */
static struct take make_take(double at, float loud)
{
    struct take t = {
        .samples = calloc((size_t)RATE * LENGTH_S, sizeof(float)), .n = (size_t)RATE * LENGTH_S, .rate = RATE};

    assert_non_null(t.samples);
    for (size_t i = 0; i < RATE / 2; i++)
        t.samples[(size_t)(at * RATE) + i] = i % 2 ? loud : -loud;
    return t;
}

static struct taught_example example(const char *source, enum taught_kind kind)
{
    struct taught_example e = {.kind = kind};

    snprintf(e.source, sizeof e.source, "%s", source);
    return e;
}

static float loudest(const struct take *t)
{
    float most = 0;

    for (size_t i = 0; i < t->n; i++)
        most = fmaxf(most, fabsf(t->samples[i]));
    return most;
}

static int in_folder(const char *command)
{
    char line[300];

    snprintf(line, sizeof line, "cd %s/" KEPT_FOLDER " && %s", dir, command);
    return system(line);
}

/* What the gate let through and a little around it; of what is long, the part around its loudest. */
static void test_part(void **state)
{
    struct taught_example e = example("/a/bell.wav", TAUGHT_FROM_FILE);
    struct take t = make_take(30, 0.5f), got;
    struct err err;

    (void)state;
    assert_false(kept_has(dir, "bell", &e));
    assert_int_equal(kept_take(dir, "bell", &e, &got, &err), -1);
    assert_int_equal(kept_put(dir, "bell", &e, &t, 30, 31, &err), 0);
    assert_true(kept_has(dir, "bell", &e));
    assert_int_equal(kept_take(dir, "bell", &e, &got, &err), 0);
    assert_int_equal(got.rate, RATE);
    assert_int_equal(got.n, (size_t)(RATE * (1 + 2 * KEPT_AROUND)));
    assert_true(fabsf(loudest(&got) - 0.5f) < 1e-3f);
    take_free(&got);

    assert_int_equal(kept_put(dir, "bell", &e, &t, 0, LENGTH_S, &err), 0); /* in its place */
    assert_int_equal(kept_take(dir, "bell", &e, &got, &err), 0);
    assert_int_equal(got.n, (size_t)(RATE * KEPT_MOST));
    assert_true(fabsf(loudest(&got) - 0.5f) < 1e-3f);
    assert_true(fabsf(got.samples[got.n / 2]) > 0.4f); /* in its middle */
    take_free(&got);

    assert_int_equal(kept_put(dir, "bell", &e, &t, LENGTH_S - 0.2, LENGTH_S + 5, &err),
                     0); /* the gate's end may lie behind */
    assert_int_equal(kept_take(dir, "bell", &e, &got, &err), 0);
    assert_true(got.n <= (size_t)(0.7 * RATE) + 1 && got.n > 0);
    take_free(&got);
    take_free(&t);
}

static void test_whose(void **state)
{
    struct taught_example a = example("/a/bell.wav", TAUGHT_FROM_FILE), b = example("/a/bell.wav", TAUGHT_FROM_HISTORY),
                          c = example("/b/bell.wav", TAUGHT_FROM_FILE);
    struct taught_class bell = {.label = "bell", .n_examples = 2, .examples = (struct taught_example[]){a, c}};
    struct taughtfile f = {.n_classes = 1, .classes = &bell}, none = {0};
    struct take t = make_take(1, 0.3f);
    struct err err;

    (void)state;
    assert_int_equal(kept_put(dir, "bell", &a, &t, 1, 2, &err), 0);
    assert_int_equal(kept_put(dir, "bell", &b, &t, 1, 2, &err), 0);
    assert_int_equal(kept_put(dir, "bell_two", &a, &t, 1, 2, &err), 0);
    assert_int_equal(in_folder("touch bell-of-mine.flac .bell-0123456789abcdef.flac.part && test $(ls -A | wc -l) = 5"),
                     0);
    assert_int_equal(in_folder("test -z \"$(find . -type f -name '*-????????????????.flac' -perm /027)\""), 0);
    assert_int_equal(kept_count(dir, &bell), 1);
    kept_sweep(dir, "bell", &f);
    assert_true(kept_has(dir, "bell", &a) && !kept_has(dir, "bell", &b) && kept_has(dir, "bell_two", &a));
    kept_sweep(dir, "bell", &none);
    assert_true(!kept_has(dir, "bell", &a) && kept_has(dir, "bell_two", &a));
    assert_int_equal(in_folder("test -e bell-of-mine.flac && test ! -e .bell-0123456789abcdef.flac.part"), 0);
    take_free(&t);
}

static void test_full(void **state)
{
    struct taught_example e = example("/a/bell.wav", TAUGHT_FROM_FILE);
    struct take t = make_take(1, 0.3f), got;
    struct err err;

    (void)state;
    assert_int_equal(kept_put(dir, "bell", &e, &t, 1, 2, &err), 0);
    assert_int_equal(in_folder("truncate -s 200M large"), 0);
    assert_int_equal(kept_put(dir, "bell", &e, &t, 1, 2, &err), -1);
    assert_non_null(strstr(err.text, "holds 200 MB already"));
    assert_false(kept_has(dir, "bell", &e)); /* better none than that of before */
    assert_int_equal(in_folder("rm large"), 0);

    /* what lies there instead of it */
    assert_int_equal(kept_put(dir, "bell", &e, &t, 1, 2, &err), 0);
    assert_int_equal(in_folder("for f in bell-*[0-9a-f].flac; do echo no sound >$f; done"), 0);
    assert_int_equal(kept_take(dir, "bell", &e, &got, &err), -1);
    assert_int_equal(in_folder("rm -f bell* && cd .. && rm -rf " KEPT_FOLDER " && touch " KEPT_FOLDER " && cd /"), 0);
    assert_int_equal(kept_put(dir, "bell", &e, &t, 1, 2, &err), -1);
    kept_sweep(dir, "bell", &(struct taughtfile){0});
    take_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_part), cmocka_unit_test(test_whose),
                                       cmocka_unit_test(test_full)};
    char line[100];

    if (!mkdtemp(dir))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    snprintf(line, sizeof line, "rm -rf %s", dir);
    return system(line) != 0 || failed;
}
