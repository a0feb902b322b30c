/* Manifests: good ones, bad lines, conditions; and what labels are called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "evaluate/labelmap.h"
#include "evaluate/manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/earshot-manifest-XXXXXX", path[64];

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/m.csv", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

/* The problems told, without folder and ": " before, one a line. */
static char problems[2000];

static void note(void *ctx, const char *text)
{
    (void)ctx;
    size_t n = strlen(problems);
    assert_int_equal(strncmp(text, path, strlen(path)), 0);
    snprintf(problems + n, sizeof problems - n, "%s\n", text + strlen(path));
}

/* -1: error, without the folder. */
static int read_text(struct manifest *m, const char *text, struct err *err)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
    *problems = 0;
    return manifest_read(m, path, note, NULL, err);
}

static void assert_refused(const char *text, const char *why)
{
    struct manifest m;
    struct err err = {""};

    assert_int_equal(read_text(&m, text, &err), -1);
    assert_non_null(strstr(err.text, path));
    if (!strstr(err.text, why))
        fail_msg("\"%s\" is not in \"%s\"", why, err.text);
}

static void columns_in_any_order(void **state)
{
    struct manifest m;
    struct err err;
    char joined[80];
    (void)state;

    assert_int_equal(read_text(&m, "label,seconds,path,fold\ndog,5,a/b.wav,1\n\"mouse click\",4,/c.wav,\n", &err), 0);
    assert_int_equal(m.n, 2);
    assert_int_equal(m.n_bad, 0);
    snprintf(joined, sizeof joined, "%s/a/b.wav", folder);
    assert_string_equal(m.clips[0].path, joined);
    assert_string_equal(m.clips[0].name, "a/b.wav");
    assert_string_equal(m.clips[0].label, "dog");
    assert_string_equal(m.clips[0].fold, "1");
    assert_null(m.clips[0].dataset);
    assert_int_equal(m.clips[0].line, 2);
    assert_string_equal(m.clips[1].path, "/c.wav");
    assert_string_equal(m.clips[1].label, "mouse click");
    assert_string_equal(m.clips[1].fold, "");
    manifest_free(&m);
    assert_int_equal(read_text(&m, "file,label\nx.wav,rain\n", &err), 0);
    assert_string_equal(m.clips[0].name, "x.wav");
    manifest_free(&m);
}

static void headers_that_are_none(void **state)
{
    (void)state;
    assert_refused("", ": is empty; the first line is to name the columns");
    assert_refused("a.wav,dog\nb.wav,cat\n", ":1: no column path; there are a.wav, dog;");
    assert_refused("path,labels\n", ":1: no column label; there are path, labels (did you mean labels?)");
    assert_refused("path,label,path\n", ":1: the column path is there twice");
    assert_refused("path,label,,path,\n", ":1: the column path is there twice");
    assert_refused("path,,,\n", ":1: no column label; there is path;");
    assert_refused("path,label\n", ": no clip is listed under the header");
    assert_refused("path,label\n,\n", ": no clip is listed that can be used");
    assert_refused("path,label\na.wav,\"dog\n", ":2: a quote");
}

static void bad_lines_are_told_and_left_out(void **state)
{
    struct manifest m;
    struct err err;
    (void)state;

    assert_int_equal(read_text(&m,
                               "path,label,fold\na.wav,dog,1\nb.wav,dog\n,dog,1\nc.wav,,1\nd.wav,cat,1,5\na.wav,cat,"
                               "2\ne.wav,cat,2\na.wav,dog,1\n",
                               &err),
                     0);
    assert_string_equal(problems, ":3: 2 fields where the header has 3\n"
                                  ":4: the path is missing\n"
                                  ":5: the label is missing\n"
                                  ":6: 4 fields where the header has 3\n"
                                  ":7: a.wav stands in line 2 already\n"
                                  ":9: a.wav stands in line 2 already\n");
    assert_int_equal(m.n_bad, 6);
    assert_int_equal(m.n, 2);
    assert_int_equal(m.clips[0].line, 2);
    assert_int_equal(m.clips[1].line, 8);
    manifest_free(&m);
}

/* Spreadsheets put commas behind the last column. */
static void columns_without_names(void **state)
{
    struct manifest m;
    struct err err;
    (void)state;

    assert_int_equal(read_text(&m, "path,,label,,\na.wav,x,dog,,\nb.wav,,cat\nc.wav,,dog,5,\nd.wav,dog\n", &err), 0);
    assert_string_equal(problems, ":4: 5 fields where the header has 3\n"
                                  ":5: 2 fields where the header has 3\n");
    assert_int_equal(m.n, 2);
    assert_string_equal(m.clips[1].label, "cat");
    manifest_free(&m);
}

/* One file under several names is there several times; a folder that is not there has but one. */
static void repeats_by_other_names(void **state)
{
    struct manifest m;
    struct err err;
    const char *last = strrchr(folder, '/') + 1;
    char text[400];
    (void)state;

    snprintf(
        text, sizeof text,
        "path,label\na.wav,dog\n./a.wav,cat\n.//./a.wav,cat\n../%s/a.wav,dog\n%s/a.wav,dog\nno/a.wav,dog\nb.wav,dog\n",
        last, folder);
    assert_int_equal(read_text(&m, text, &err), 0);
    snprintf(text, sizeof text,
             ":3: ./a.wav stands in line 2 already\n:4: .//./a.wav stands in line 2 already\n"
             ":5: ../%s/a.wav stands in line 2 already\n:6: %s/a.wav stands in line 2 already\n",
             last, folder);
    assert_string_equal(problems, text);
    assert_int_equal(m.n, 3);
    manifest_free(&m);
}

static void no_file(void **state)
{
    struct manifest m;
    struct err err;
    (void)state;

    assert_int_equal(manifest_read(&m, "/nonexistent/m.csv", note, NULL, &err), -1);
    assert_string_equal(err.text, "/nonexistent/m.csv: No such file or directory");
}

static const char many[] = "path,label,dataset,fold\n1,x,esc50,1\n2,x,esc50,4\n3,x,us8k,1\n4,x,us8k,10\n5,x,,4\n";

/* The names of the clips that are left, or the error behind the last "csv" or "--". */
static const char *left(const char *const *where, size_t n, const char *folds)
{
    static char text[1100];
    struct manifest m;
    struct err err;

    assert_int_equal(read_text(&m, many, &err), 0);
    long gone = manifest_filter(&m, where, n, folds, &err);
    if (gone < 0) {
        snprintf(text, sizeof text, "%s", err.text);
    } else {
        *text = 0;
        for (size_t i = 0; i < m.n; i++)
            strcat(text, m.clips[i].name);
        assert_int_equal(m.n + (size_t)gone, 5);
    }
    manifest_free(&m);
    return text;
}

#define LEFT(folds, ...)                                                                                               \
    left((const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), folds)

static void conditions(void **state)
{
    (void)state;
    assert_string_equal(left(NULL, 0, NULL), "12345");
    assert_string_equal(LEFT(NULL, "dataset=esc50"), "12");
    assert_string_equal(LEFT(NULL, "dataset=esc50,fold=4"), "2");
    assert_string_equal(LEFT(NULL, "dataset=esc50,fold=4", "dataset=us8k,fold=1"), "23");
    assert_string_equal(LEFT(NULL, "dataset="), "5");
    assert_string_equal(left(NULL, 0, "1"), "13"); /* not 10 */
    assert_string_equal(left(NULL, 0, "1,4"), "1235");
    assert_string_equal(LEFT("4,10", "dataset=esc50", "dataset=us8k"), "24");
}

static void conditions_that_cannot_be(void **state)
{
    (void)state;
    assert_non_null(strstr(LEFT(NULL, "dataset"), "--where dataset: column=value is needed"));
    assert_non_null(strstr(LEFT(NULL, "dataset=esc50,"), "column=value is needed"));
    assert_non_null(strstr(LEFT(NULL, "=esc50"), "column=value is needed"));
    assert_non_null(strstr(LEFT(NULL, "datset=esc50"),
                           "no column datset; there are path, label, dataset, fold (did you mean "
                           "dataset?)"));
    assert_non_null(strstr(LEFT(NULL, "fold=3"), "--where fold=3: it holds for no clip of"));
    assert_non_null(strstr(left(NULL, 0, "7"), "has no clip of fold '7'"));
}

static const char *const labels[] = {"clock_alarm", "dog_bark", "engine_idling", "mouse_click"};

static void names_of_data_sets(void **state)
{
    struct labelmap map;
    struct err err;
    (void)state;

    assert_int_equal(labelmap_init(&map, labels, 4, NULL, NULL, &err), 0);
    assert_int_equal(labelmap_find(&map, NULL, "mouse_click"), 3);
    assert_int_equal(labelmap_find(&map, NULL, "Mouse Click"), 3);
    assert_int_equal(labelmap_find(&map, NULL, "mouse-click"), 3);
    assert_int_equal(labelmap_find(&map, NULL, "dog"), 1);
    assert_int_equal(labelmap_find(&map, NULL, "engine"), 2);
    assert_int_equal(labelmap_find(&map, NULL, "dog_barks"), -1);
    assert_string_equal(labelmap_nearest(&map, "dog_barks"), "dog_bark");
    assert_string_equal(labelmap_nearest(&map, "Clock-Alarms"), "clock_alarm");
    assert_null(labelmap_nearest(&map, "xylophone"));
    labelmap_free(&map);
    /* a model without dog_bark has no dog either */
    assert_int_equal(labelmap_init(&map, labels + 2, 2, NULL, NULL, &err), 0);
    assert_int_equal(labelmap_find(&map, NULL, "dog"), -1);
    labelmap_free(&map);
}

/* What a set calls a sound goes before what the model does; names of all sets serve where the set is not known. */
static void names_of_a_vocabulary(void **state)
{
    static const char *const own[] = {"cat", "dog_bark", "music", "running_water"};
    static const char csv[] =
        "slug,name,group,audioset,datasets,heard\n"
        "airplane,Airplane,vehicle,,esc50:hum,no\n"
        "cat,Cat,animal,,farm:lion,no\n"
        "dog_bark,Dog,animal,,esc50:dog;odd:cat,no\n"
        "music,Music,music,,instruments:cello;esc50:tap,no\n"
        "running_water,Water,household,,kitchen20:water-flowing;home:tap;farm:hum;farm:draught,no\n"
        "wind,Wind,nature,,home:draught,no\n";
    FILE *f = fopen(path, "w");
    struct labelmap map;
    struct err err;
    (void)state;

    assert_non_null(f);
    fputs(csv, f);
    assert_int_equal(fclose(f), 0);
    struct vocabulary *v = vocabulary_load(path, &err);
    assert_non_null(v);
    assert_int_equal(labelmap_init(&map, own, 4, v, NULL, &err), 0);
    assert_int_equal(labelmap_find(&map, "esc50", "dog"), 1);
    assert_int_equal(labelmap_find(&map, "odd", "cat"), 1);
    assert_int_equal(labelmap_find(&map, "other", "cat"), 0);
    assert_int_equal(labelmap_find(&map, NULL, "cat"), 0);
    assert_int_equal(labelmap_find(&map, NULL, "dog"), 1);
    assert_int_equal(labelmap_find(&map, "", "Water Flowing"), 3);
    assert_int_equal(labelmap_find(&map, "home", "tap"), 3);
    assert_int_equal(labelmap_find(&map, "esc50", "tap"), 2);
    assert_int_equal(labelmap_find(&map, NULL, "tap"), -1);       /* which one? */
    assert_int_equal(labelmap_find(&map, "home", "draught"), -1); /* no wind in the model */
    assert_int_equal(labelmap_find(&map, "farm", "draught"), 3);
    /* several meanings are none, whether the first or the last of them is the one that the model lacks */
    assert_int_equal(labelmap_find(&map, NULL, "hum"), -1);
    assert_int_equal(labelmap_find(&map, NULL, "draught"), -1);
    assert_int_equal(labelmap_find(&map, "farm", "hum"), 3);
    const struct sound *meant[1];
    assert_int_equal(labelmap_meanings(&map, "Hum", meant, 1), 2);
    assert_string_equal(meant[0]->slug, "airplane");
    assert_int_equal(labelmap_meanings(&map, "lion", meant, 1), 1);
    assert_int_equal(labelmap_meanings(&map, "xylophone", meant, 1), 0);
    assert_int_equal(labelmap_find(&map, "esc50", "xylophone"), -1);
    labelmap_free(&map);
    vocabulary_free(v);
}

static int read_map(struct labelmap *map, const char *text, struct err *err)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
    return labelmap_init(map, labels, 4, NULL, path, err);
}

static void names_of_a_file(void **state)
{
    struct labelmap map;
    struct err err;
    (void)state;

    assert_int_equal(read_map(&map, "name,label\nWuff,dog_bark\n\"tick, tock\",clock_alarm\ndog,mouse_click\n", &err),
                     0);
    assert_int_equal(labelmap_find(&map, NULL, "Wuff"), 1);
    assert_int_equal(labelmap_find(&map, NULL, "tick, tock"), 0);
    assert_int_equal(labelmap_find(&map, NULL, "dog"), 3); /* the file goes first */
    assert_int_equal(labelmap_find(&map, NULL, "engine"), 2);
    labelmap_free(&map);

    assert_int_equal(read_map(&map, "name,label\nWuff,dog_barks\n", &err), -1);
    assert_non_null(strstr(err.text, "m.csv:2: the model has no label dog_barks; did you mean dog_bark?"));
    assert_int_equal(read_map(&map, "name,label\nWuff,dog_bark\nWuff,mouse_click\n", &err), -1);
    assert_non_null(strstr(err.text, "m.csv:3: the name Wuff is there twice"));
    assert_int_equal(read_map(&map, "name,label\nWuff\n", &err), -1);
    assert_non_null(strstr(err.text, "m.csv:2: name,label is needed"));
    assert_int_equal(read_map(&map, "label,name\n", &err), -1);
    assert_non_null(strstr(err.text, "m.csv:1: the first line must be name,label"));
    assert_int_equal(read_map(&map, "", &err), -1);
    assert_int_equal(labelmap_init(&map, labels, 4, NULL, "/nonexistent", &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_in_any_order),
        cmocka_unit_test(headers_that_are_none),
        cmocka_unit_test(bad_lines_are_told_and_left_out),
        cmocka_unit_test(columns_without_names),
        cmocka_unit_test(repeats_by_other_names),
        cmocka_unit_test(no_file),
        cmocka_unit_test(conditions),
        cmocka_unit_test(conditions_that_cannot_be),
        cmocka_unit_test(names_of_data_sets),
        cmocka_unit_test(names_of_a_vocabulary),
        cmocka_unit_test(names_of_a_file),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
