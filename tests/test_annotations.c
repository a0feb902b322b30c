#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "evaluate/annotations.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/earshot-annotations-XXXXXX";
static const char *const labels[] = {"dog_bark", "siren", "rain"};
enum { DOG, SIREN, RAIN, N_LABELS };

static struct annotation_params params;
static struct timed_list list;
static char told[4096];
static unsigned n_wrong, n_notices;

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

static int fresh(void **state)
{
    (void)state;
    params = (struct annotation_params){.sound = "/somewhere/a.wav", .labels = labels, .n_labels = N_LABELS};
    return 0;
}

static int drop(void **state)
{
    (void)state;
    timed_free(&list);
    return 0;
}

/* Texts without the path, one after the other. */
static void note(void *ctx, bool wrong, const char *text)
{
    (void)ctx;
    n_wrong += wrong;
    n_notices += !wrong;
    const char *rest = strncmp(text, path, strlen(path)) == 0 ? text + strlen(path) : text;
    snprintf(told + strlen(told), sizeof told - strlen(told), "%s\n", rest);
}

static int read_bytes(const char *text, size_t n)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    timed_free(&list);
    told[0] = 0;
    n_wrong = n_notices = 0;
    return annotations_read(path, &params, &list, note, NULL);
}

static int read_text(const char *text)
{
    return read_bytes(text, strlen(text));
}

static void expect(size_t i, unsigned label, double onset, double offset)
{
    assert_true(i < list.n);
    assert_int_equal(list.item[i].label, label);
    assert_float_equal(list.item[i].onset, onset, 1e-9);
    assert_float_equal(list.item[i].offset, offset, 1e-9);
}

static void a_header_in_any_order_with_further_columns(void **state)
{
    (void)state;
    assert_int_equal(
        read_text("clip,label,offset,onset,group,snr\nx.ogg,siren,4.5,1.25,alarm,10\ny.ogg,dog_bark,6,5,,\n"), 0);
    assert_int_equal(n_wrong + n_notices, 0);
    assert_int_equal(list.n, 2);
    expect(0, DOG, 5, 6);
    expect(1, SIREN, 1.25, 4.5);
    assert_true(isnan(list.item[0].snr));
    assert_float_equal(list.item[1].snr, 10, 1e-6);
    assert_int_equal(list.item[0].line, 3);
    assert_int_equal(list.item[1].line, 2);
}

static void columns_by_their_other_names(void **state)
{
    (void)state;
    assert_int_equal(read_text("start_s,end_s,label\n1.0,9.0,siren\n"), 0);
    expect(0, SIREN, 1, 9);
}

static void tabs_without_a_header(void **state)
{
    (void)state;
    assert_int_equal(read_text("0.5\t1.5\train\n2\t3\tdog_bark\r\n"), 0);
    assert_int_equal(list.n, 2);
    expect(0, DOG, 2, 3);
    expect(1, RAIN, 0.5, 1.5);
}

static void file_names_choose_the_rows(void **state)
{
    (void)state;
    params.sound = "/somewhere/audio/a.wav";
    assert_int_equal(read_text("audio/a.wav\t0.5\t1.5\train\naudio/b.wav\t0\t1\tnonsense\n"), 0);
    assert_int_equal(list.n, 1);
    expect(0, RAIN, 0.5, 1.5);
    assert_int_equal(n_notices, 1);
    assert_string_equal(told, ": 1 lines are for other files than a.wav and were passed over\n");
    /* DESED: a header, and files without events */
    assert_int_equal(read_text("filename\tonset\toffset\tevent_label\na.wav\t1\t2\train\na.wav\t\t\t\n"), 0);
    assert_int_equal(list.n, 1);
    assert_int_equal(n_wrong + n_notices, 0);
}

/* Equal names in other folders are other files. */
static void folders_choose_the_rows(void **state)
{
    char text[200], *name = realpath(path, NULL);
    (void)state;

    assert_non_null(name);
    params.sound = "/somewhere/night/a.wav";
    assert_int_equal(read_text("day/a.wav,1,2,rain\nnight/a.wav,3,4,rain\nght/a.wav,5,6,rain\na.wav,7,8,rain\n"
                               "./night/a.wav,9,10,rain\n/somewhere/night/a.wav,11,12,rain\n"),
                     0);
    assert_int_equal(list.n, 4);
    expect(0, RAIN, 3, 4);
    expect(1, RAIN, 7, 8);
    expect(3, RAIN, 11, 12);
    /* from the list's folder on */
    params.sound = name;
    snprintf(text, sizeof text, "../tmp/%s,1,2,rain\n../usr/%s,3,4,rain\n", strrchr(name, '/') + 1,
             strrchr(name, '/') + 1);
    assert_int_equal(read_text(text), 0);
    assert_int_equal(list.n, 1);
    free(name);
}

static void lists_without_the_stream(void **state)
{
    (void)state;
    assert_int_equal(read_text("filename,onset,offset,label\nb.wav,1,2,rain\n"), -1);
    assert_int_equal(n_wrong, 1);
    assert_non_null(strstr(told, ": no line is for /somewhere/a.wav; its name with empty fields says that"));
    assert_int_equal(read_text("filename,onset,offset,label\nelsewhere/a.wav,1,2,rain\n"), -1);
    assert_non_null(
        strstr(told, ": no line is for /somewhere/a.wav; there is one for elsewhere/a.wav, which is another"));
    assert_int_equal(read_text("filename,onset,offset,label\n"), -1);
    /* two streams of that name read this list */
    params.twin = "/elsewhere/a.wav";
    assert_int_equal(read_text("filename,onset,offset,label\na.wav,1,2,rain\na.wav,3,4,rain\n"), -1);
    assert_int_equal(n_wrong, 1);
    assert_non_null(strstr(told, ":2: a.wav may be /somewhere/a.wav or /elsewhere/a.wav; its folder is needed"));
    assert_int_equal(read_text("filename,onset,offset,label\nsomewhere/a.wav,1,2,rain\nelsewhere/a.wav,3,4,dog\n"), 0);
    assert_int_equal(list.n, 1);
    expect(0, RAIN, 1, 2);
}

static void no_events(void **state)
{
    (void)state;
    assert_int_equal(read_text(""), 0);
    assert_string_equal(told, ": no events for a.wav\n");
    assert_int_equal(read_text("onset,offset,label\n"), 0);
    assert_string_equal(told, ": no events for a.wav\n");
    assert_int_equal(n_notices, 1);
}

static void out_of_order_is_put_in_order_and_said(void **state)
{
    (void)state;
    assert_int_equal(read_text("onset,offset,label\n5,6,rain\n1,2,rain\n0,1,siren\n"), 0);
    assert_string_equal(told, ":3: begins before the event above it; the events were put in order\n");
    assert_int_equal(n_notices, 1);
    expect(0, SIREN, 0, 1);
    expect(1, RAIN, 1, 2);
    expect(2, RAIN, 5, 6);
}

static void each_wrong_line_is_told(void **state)
{
    static const struct {
        const char *row, *text;
    } cases[] = {
        {"5,4,rain", ":2: offset 4 is not after onset 5\n"},
        {"5,5,rain", ":2: offset 5 is not after onset 5\n"},
        {"-1,4,rain", ":2: onset -1: seconds since the stream began are needed, 0 or more\n"},
        {"x,4,rain", ":2: onset x: seconds since the stream began are needed, 0 or more\n"},
        {"1,,rain", ":2: offset (empty): seconds since the stream began are needed, 0 or more\n"},
        {"1,nan,rain", ":2: offset nan: seconds since the stream began are needed, 0 or more\n"},
        {"1,1e999,rain", ":2: offset 1e999: seconds since the stream began are needed, 0 or more\n"},
        {"1,2 s,rain", ":2: offset 2 s: seconds since the stream began are needed, 0 or more\n"},
        {"1,2", ":2: unknown label (empty): neither the model nor the list of sounds has it\n"},
        {"1,2,sirens", ":2: unknown label sirens; is siren meant?\n"},
        {"1,2,Helicopter", ":2: unknown label Helicopter: neither the model nor the list of sounds has it\n"},
        {"1,2,rain,loud", ":2: snr loud: a number of dB is needed, or nothing\n"},
        {"1,\"2", ":2: a quote (\") that begins in this line does not end\n"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[128];
        snprintf(text, sizeof text, "onset,offset,label,snr\n%s\n", cases[i].row);
        assert_int_equal(read_text(text), -1);
        assert_string_equal(told, cases[i].text);
        assert_int_equal(n_wrong, 1);
    }
    /* all of them at once: what is behind a wrong line is read as well */
    assert_int_equal(read_text("onset,offset,label\n5,4,rain\n1,2,rain\nx,2,fog\n"), -1);
    assert_int_equal(n_wrong, 3);
    assert_string_equal(told, ":2: offset 4 is not after onset 5\n"
                              ":4: onset x: seconds since the stream began are needed, 0 or more\n"
                              ":4: unknown label fog: neither the model nor the list of sounds has it\n");
}

static void files_that_are_no_annotations(void **state)
{
    (void)state;
    assert_int_equal(read_text("hello\nworld\n"), -1);
    assert_string_equal(told,
                        ":1: neither a header with onset, offset and label (comma or tab between them) nor an event\n");
    assert_int_equal(read_text("onset,offset\n1,2\n"), -1);
    assert_int_equal(n_wrong, 1);
    assert_int_equal(read_bytes("onset,offset,label\n1,2,\0rain\n", 28), -1);
    assert_int_equal(n_wrong, 1);
    told[0] = 0;
    assert_int_equal(annotations_read("/nonexistent/a.csv", &params, &list, note, NULL), -1);
    assert_non_null(strstr(told, "/nonexistent/a.csv: No such file"));
}

static void overlaps_of_one_label_are_wrong(void **state)
{
    static const char text[] = "onset,offset,label\n1,3,rain\n2,4,siren\n2.5,5,rain\n4.5,6,rain\n6,7,rain\n";
    (void)state;

    assert_int_equal(read_text(text), -1);
    assert_int_equal(n_wrong, 2);
    assert_non_null(strstr(told, ":4: rain from 2.5 to 5 overlaps the one of line 2, from 1 to 3 (--merge-overlaps"));
    /* events that touch are two */
    params.merge = true;
    assert_int_equal(read_text(text), 0);
    assert_int_equal(n_wrong, 0);
    assert_int_equal(n_notices, 2);
    assert_int_equal(list.n, 3);
    expect(0, SIREN, 2, 4);
    expect(1, RAIN, 1, 6);
    expect(2, RAIN, 6, 7);
    /* one inside of another */
    assert_int_equal(read_text("onset,offset,label\n1,9,rain\n2,4,rain\n8,8.5,rain\n"), 0);
    assert_int_equal(list.n, 1);
    expect(0, RAIN, 1, 9);
}

static void outside_of_the_stream(void **state)
{
    (void)state;
    assert_int_equal(read_text("onset,offset,label\n1,2,rain\n9,10.04,siren\n"), 0);
    assert_int_equal(annotations_check(path, &params, &list, 10, note, NULL), 0);
    expect(0, SIREN, 9, 10); /* rounding */
    assert_string_equal(told, "");
    assert_int_equal(read_text("onset,offset,label\n1,2,rain\n9,10.06,siren\n10,10.01,rain\n"), 0);
    assert_int_equal(annotations_check(path, &params, &list, 10, note, NULL), -1);
    assert_int_equal(n_wrong, 2);
    assert_non_null(strstr(told, ":3: siren from 9 to 10.06 lies outside of a.wav, which is 10 s long\n"));
    assert_non_null(strstr(told, ":4: rain from 10 to 10.01 lies outside of a.wav, which is 10 s long\n"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_header_in_any_order_with_further_columns),
        TEST(columns_by_their_other_names),
        TEST(tabs_without_a_header),
        TEST(file_names_choose_the_rows),
        TEST(folders_choose_the_rows),
        TEST(lists_without_the_stream),
        TEST(no_events),
        TEST(out_of_order_is_put_in_order_and_said),
        TEST(each_wrong_line_is_told),
        TEST(files_that_are_no_annotations),
        TEST(overlaps_of_one_label_are_wrong),
        TEST(outside_of_the_stream),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
