#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/outfile.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/earshot-outfile-XXXXXX", path[64], part[72];

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/x", folder);
    snprintf(part, sizeof part, "%s.part", path);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder); /* fails where a part was left */
}

static const char *content(void)
{
    static char text[64];
    FILE *f = fopen(path, "r");

    if (!f)
        return NULL;
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
    return text;
}

static void whole_or_not_at_all(void **state)
{
    struct outfile o;
    struct err err;
    (void)state;

    assert_int_equal(outfile_open(&o, path, &err), 0);
    fputs("first", o.f);
    assert_null(content());
    assert_int_equal(outfile_finish(&o, &err), 0);
    assert_string_equal(content(), "first");
    assert_int_equal(access(part, F_OK), -1);

    assert_int_equal(outfile_open(&o, path, &err), 0);
    fputs("second", o.f);
    outfile_abandon(&o);
    assert_string_equal(content(), "first");
    assert_int_equal(access(part, F_OK), -1);
    outfile_abandon(&o); /* nothing is open any more */
    assert_int_equal(outfile_finish(&o, &err), 0);
}

static void places_that_are_none(void **state)
{
    struct outfile o;
    struct err err;
    (void)state;

    assert_int_equal(outfile_open(&o, "/nonexistent/x", &err), -1);
    assert_string_equal(err.text, "/nonexistent/x: No such file or directory");
    assert_int_equal(outfile_open(&o, "/tmp", &err), -1);
    assert_string_equal(err.text, "/tmp: Is a directory");
}

/* A name that the system gives to an open file stays. */
static void file_behind_a_descriptor(void **state)
{
    struct outfile o;
    struct err err;
    char name[32];
    FILE *f = fopen(path, "w");
    (void)state;

    assert_non_null(f);
    snprintf(name, sizeof name, "/dev/fd/%d", fileno(f));
    assert_int_equal(outfile_open(&o, name, &err), 0);
    fputs("direct", o.f);
    assert_int_equal(outfile_finish(&o, &err), 0);
    fclose(f);
    assert_string_equal(content(), "direct");
}

static void full_disk(void **state)
{
    struct outfile o;
    struct err err;
    (void)state;

    if (access("/dev/full", W_OK) < 0)
        skip();
    assert_int_equal(outfile_open(&o, "/dev/full", &err), 0);
    fputs("text", o.f);
    assert_int_equal(outfile_finish(&o, &err), -1);
    assert_string_equal(err.text, "/dev/full: No space left on device");
    assert_int_equal(access("/dev/full", F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_or_not_at_all),
        cmocka_unit_test(places_that_are_none),
        cmocka_unit_test(file_behind_a_descriptor),
        cmocka_unit_test(full_disk),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
