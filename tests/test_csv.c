#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/csv.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/earshot-csv-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(path);
}

static const char *write_bytes(const char *text, size_t n)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    return path;
}

/* Rows as "line:field|field;" one after the other; an error as "!" and its text behind the path. */
static const char *rows(const char *text)
{
    static char out[1024];
    struct csv c;
    struct err err;
    int n = 0, rc;

    assert_int_equal(csv_open(&c, write_bytes(text, strlen(text)), &err), 0);
    while ((rc = csv_next(&c, &err)) == 1) {
        n += snprintf(out + n, sizeof out - (size_t)n, "%u:", c.line);
        for (size_t i = 0; i < c.n; i++)
            n += snprintf(out + n, sizeof out - (size_t)n, "%s%s", i ? "|" : "", c.field[i]);
        n += snprintf(out + n, sizeof out - (size_t)n, ";");
    }
    if (rc < 0)
        n += snprintf(out + n, sizeof out - (size_t)n, "!%s", err.text + strlen(path));
    out[n] = 0;
    csv_close(&c);
    return out;
}

static void plain_and_quoted_fields(void **state)
{
    (void)state;
    assert_string_equal(rows("path,label\na.wav,dog\n"), "1:path|label;2:a.wav|dog;");
    assert_string_equal(rows("a,b"), "1:a|b;");
    assert_string_equal(rows("a,\n,\n"), "1:a|;2:|;");
    assert_string_equal(rows("\"a, b\",\"say \"\"hi\"\"\",c\n"), "1:a, b|say \"hi\"|c;");
    assert_string_equal(rows("\"\",x\n"), "1:|x;");
    assert_string_equal(rows("5\" pipe,x\n"), "1:5\" pipe|x;");
}

static void lines_are_counted(void **state)
{
    (void)state;
    assert_string_equal(rows("\n\na\n\nb\r\n\r\nc\r\n"), "3:a;5:b;7:c;");
    assert_string_equal(rows("\"two\nlines\",x\ny\n"), "1:two\nlines|x;3:y;");
    assert_string_equal(rows("\"a\"\r\nb\r\n"), "1:a;2:b;");
    assert_string_equal(rows(""), "");
    assert_string_equal(rows("\xef\xbb\xbfpath,label\n"), "1:path|label;");
}

static void tabs_separate_where_the_first_line_has_no_comma(void **state)
{
    (void)state;
    assert_string_equal(rows("a\tb\nc, d\te\n"), "1:a|b;2:c, d|e;");
    assert_string_equal(rows("a,b\nc\td,e\n"), "1:a|b;2:c\td|e;");
}

static void bad_quotes_name_their_line(void **state)
{
    (void)state;
    assert_non_null(strstr(rows("a,b\nc,\"d\ne\n"), "1:a|b;!:2: a quote"));
    assert_non_null(strstr(rows("a,b\nx,y\n\"c\" d,e\n"), "2:x|y;!:3: text behind"));
    assert_non_null(strstr(rows("\""), "!:1: a quote"));
}

static void files_that_are_none(void **state)
{
    struct csv c;
    struct err err;
    (void)state;

    assert_int_equal(csv_open(&c, "/nonexistent/m.csv", &err), -1);
    assert_string_equal(err.text, "/nonexistent/m.csv: No such file or directory");
    assert_int_equal(csv_open(&c, "/tmp", &err), -1);
    assert_string_equal(err.text, "/tmp: is a folder, not a file");
    assert_int_equal(csv_open(&c, write_bytes("a\0b", 3), &err), -1);
    assert_non_null(strstr(err.text, "NUL"));
}

/* More than one buffer, more than one array of fields. */
static void long_files(void **state)
{
    enum { ROWS = 3000, FIELDS = 40 };
    struct csv c;
    struct err err;
    FILE *f = fopen(path, "w");
    (void)state;

    assert_non_null(f);
    for (int r = 0; r < ROWS; r++)
        for (int i = 0; i < FIELDS; i++)
            fprintf(f, "%d%c", r * i, i + 1 < FIELDS ? ',' : '\n');
    assert_int_equal(fclose(f), 0);
    assert_int_equal(csv_open(&c, path, &err), 0);
    for (int r = 0; r < ROWS; r++) {
        assert_int_equal(csv_next(&c, &err), 1);
        assert_int_equal(c.n, FIELDS);
        assert_int_equal(c.line, r + 1);
        for (int i = 0; i < FIELDS; i++)
            assert_int_equal(strtol(c.field[i], NULL, 10), r * i);
    }
    assert_int_equal(csv_next(&c, &err), 0);
    csv_close(&c);
}

/* What is written is read again. */
static void round_trip(void **state)
{
    static const char *const fields[] = {"plain", "", "a,b", "say \"hi\"", "two\nlines", "tab\there", " blank "};
    enum { N = sizeof fields / sizeof fields[0] };
    struct csv c;
    struct err err;
    FILE *f = fopen(path, "w");
    (void)state;

    assert_non_null(f);
    for (size_t i = 0; i < N; i++) {
        if (i)
            fputc(',', f);
        csv_write(f, fields[i]);
    }
    fputc('\n', f);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(csv_open(&c, path, &err), 0);
    assert_int_equal(csv_next(&c, &err), 1);
    assert_int_equal(c.n, N);
    for (size_t i = 0; i < N; i++)
        assert_string_equal(c.field[i], fields[i]);
    assert_int_equal(csv_next(&c, &err), 0);
    csv_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_and_quoted_fields),
        cmocka_unit_test(lines_are_counted),
        cmocka_unit_test(tabs_separate_where_the_first_line_has_no_comma),
        cmocka_unit_test(bad_quotes_name_their_line),
        cmocka_unit_test(files_that_are_none),
        cmocka_unit_test(long_files),
        cmocka_unit_test(round_trip),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
