/* What a command may look like, what is kept of it over a restart, and which sounds can be acknowledged. */
#include "daemon/alarms_file.h"
#include "daemon/command.h"
#include "daemon/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <glob.h>
#include <jansson.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- payloads ------------------------------------------------------------------------------------------------------- */

static int read_text(const char *text, struct command_payload *p, struct err *err)
{
    return command_payload_read(text, strlen(text), p, err);
}

static void test_values(void **state)
{
    (void)state;
    static const struct {
        const char *payload, *value;
        bool persist, reset;
    } rows[] = {
        {"-40 dBFS", "-40 dBFS", false, false},
        {" ON\r\n", "ON", false, false},
        {"K\xc3\xbc", "K\xc3\xbc", false, false},
        {"[1]", "[1]", false, false}, /* no object: taken as it is, and for the option to refuse */
        {"{\"value\": \"auto+12 dB\", \"persist\": true}", "auto+12 dB", true, false},
        {"  {\"value\":\" off \"}", "off", false, false},
        {"{\"value\": -40}", "-40", false, false},
        {"{\"value\": 0.25, \"persist\": false}", "0.25", false, false},
        {"{\"value\": true}", "on", false, false},
        {"{\"value\": false, \"persist\": true}", "off", true, false},
        {"{\"value\": null}", "", false, true},
    };
    struct command_payload p;
    struct err err;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(read_text(rows[i].payload, &p, &err), 0);
        assert_string_equal(p.value, rows[i].value);
        assert_int_equal(p.persist, rows[i].persist);
        assert_int_equal(p.reset, rows[i].reset);
    }
}

static void test_no_values(void **state)
{
    (void)state;
    static const struct {
        const char *payload;
        size_t size;
        const char *why;
    } rows[] = {
        {"", 0, "empty"},
        {NULL, 0, "empty"},
        {"  \n", 3, "empty"},
        {"O\0N", 3, "control character"},
        {"O\x1bN", 3, "control character"},
        {"\xff\xfe", 2, "not UTF-8"},
        {"\xc3", 1, "not UTF-8"},
        {"{", 1, "no JSON object"},
        {"{\"value\":1}x", 12, "no JSON object"},
        {"{\"value\":1,\"value\":2}", 21, "no JSON object"},
        {"{\"value\":\"a\\u0000b\"}", 20, "no JSON object"},
        {"{\"value\":\"a\\nb\"}", 16, "control character"},
        {"{\"value\":\"\"}", 12, "empty"},
        {"{\"value\":[]}", 12, "\"value\""},
        {"{\"value\":{}}", 12, "\"value\""},
        {"{}", 2, "\"value\""},
        {"{\"persist\":true}", 16, "\"value\""},
        {"{\"value\":1,\"persist\":1}", 23, "\"persist\""},
        {"{\"value\":1,\"other\":1}", 21, "\"other\""},
        {"{\"value\":1e999}", 15, "no JSON object"},
    };
    struct command_payload p;
    struct err err;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(command_payload_read(rows[i].payload, rows[i].size, &p, &err), -1);
        assert_non_null(strstr(err.text, rows[i].why));
    }
}

static void test_sizes(void **state)
{
    (void)state;
    char *big = malloc(1 << 16);
    struct command_payload p;
    struct err err;

    memset(big, 'x', 1 << 16);
    assert_int_equal(command_payload_read(big, COMMAND_VALUE - 1, &p, &err), 0);
    assert_int_equal(command_payload_read(big, COMMAND_VALUE, &p, &err), -1);
    assert_int_equal(command_payload_read(big, 1 << 16, &p, &err), -1);
    assert_non_null(strstr(err.text, "65536 bytes"));
    memset(big, '[', 1 << 16); /* nested as deep as it can be */
    memcpy(big, "{\"value\":", 9);
    assert_int_equal(command_payload_read(big, COMMAND_PAYLOAD, &p, &err), -1);
    free(big);
}

static void test_result(void **state)
{
    (void)state;
    struct command_result r = {.name = "threshold", .ok = true, .value = "-40 dBFS"};
    char *text = command_result_json(&r);
    json_t *o = json_loads(text, 0, NULL);

    assert_true(json_is_true(json_object_get(o, "ok")));
    assert_string_equal(json_string_value(json_object_get(o, "value")), "-40 dBFS");
    assert_true(json_is_null(json_object_get(o, "error")));
    json_decref(o);
    free(text);
    r = (struct command_result){.name = "x", .error = "no such \"command\""};
    text = command_result_json(&r);
    o = json_loads(text, 0, NULL);
    assert_true(json_is_false(json_object_get(o, "ok")));
    assert_true(json_is_null(json_object_get(o, "value")));
    assert_string_equal(json_string_value(json_object_get(o, "error")), "no such \"command\"");
    json_decref(o);
    free(text);
}

/* --- what is kept --------------------------------------------------------------------------------------------------- */

static char dir[] = "/tmp/test_commands.XXXXXX", path[64];

static int make_dir(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/" SETTINGS_FILE, dir);
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    char all[64];
    glob_t g;

    snprintf(all, sizeof all, "%s/*", dir);
    if (glob(all, 0, NULL, &g) == 0)
        for (size_t i = 0; i < g.gl_pathc; i++)
            if (unlink(g.gl_pathv[i]))
                rmdir(g.gl_pathv[i]);
    globfree(&g);
    return rmdir(dir);
}

static size_t set_aside(void)
{
    char all[96];
    glob_t g;

    snprintf(all, sizeof all, "%s.bad-*", path);
    size_t n = glob(all, 0, NULL, &g) == 0 ? g.gl_pathc : 0;
    for (size_t i = 0; i < n; i++)
        if (unlink(g.gl_pathv[i]))
            rmdir(g.gl_pathv[i]);
    globfree(&g);
    return n;
}

static void test_kept(void **state)
{
    (void)state;
    static struct settings s, again;
    struct config c;
    struct err err;

    settings_open(&s, dir);
    assert_int_equal(s.n, 0);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(settings_keep(&s, "gate.threshold", "-45 dBFS", &err), 0);
    assert_int_equal(settings_keep(&s, "input.listening", "off", &err), 0);
    assert_int_equal(settings_keep(&s, "gate.threshold", "auto+9 dB", &err), 0);
    settings_open(&again, dir);
    assert_int_equal(again.n, 2);
    assert_string_equal(settings_find(&again, "gate.threshold"), "auto+9 dB");
    assert_null(settings_find(&again, "model.file"));
    assert_int_equal(config_init(&c, &err), 0);
    assert_int_equal(settings_apply(&again, &c, &err), 0);
    assert_false(c.input.listening);
    assert_int_equal(c.gate.threshold.kind, THRESHOLD_AUTO);
    assert_true(c.gate.threshold.db == 9);
    config_free(&c);
    assert_int_equal(settings_keep(&again, "gate.threshold", NULL, &err), 0);
    settings_open(&s, dir);
    assert_int_equal(s.n, 1);
    assert_int_equal(settings_keep(&s, "model.file", "a\nb", &err), -1);
    assert_int_equal(settings_keep(&s, "model.file", "a ;b", &err), -1);
    assert_int_equal(settings_keep(&s, "clips.record", "all", &err), -1);
    assert_int_equal(s.n, 1);
    assert_int_equal(set_aside(), 0);
    assert_int_equal(unlink(path), 0);
}

static void test_broken(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "threshold = -45 dBFS\n",
        "[gate]\nthreshold = loud\n",
        "[gate]\nthresh",
        "[class dog_bark]\nthreshold = 0.5\n",
        "[nothing]\na = b\n",
        "[mqtt]\nhost = elsewhere\n",
        "[gate]\nthreshold = off\n[clips]\nrecord = all\nspeech = keep\n",
        "[action x]\nexec = /bin/true\n",
    };
    static struct settings s;
    struct err err;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        fputs(bad[i], f);
        fclose(f);
        settings_open(&s, dir);
        assert_int_equal(s.n, 0);
        assert_int_equal(set_aside(), 1);
        assert_int_equal(settings_keep(&s, "gate.threshold", "off", &err), 0); /* and a new one is begun */
        assert_int_equal(unlink(path), 0);
    }
    char noise[4096];
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (char)(i * 7919 >> 3);
    FILE *f = fopen(path, "w");
    fwrite(noise, 1, sizeof noise, f);
    fclose(f);
    settings_open(&s, dir);
    assert_int_equal(set_aside(), 1);
    assert_int_equal(mkdir(path, 0700), 0);
    settings_open(&s, dir);
    assert_int_equal(s.n, 0);
    assert_int_equal(set_aside(), 1);
    assert_int_equal(mkfifo(path, 0600), 0); /* opening it would wait for ever */
    settings_open(&s, dir);
    assert_int_equal(set_aside(), 1);
}

static void test_nowhere(void **state)
{
    (void)state;
    static struct settings s;
    struct err err;

    settings_open(&s, NULL);
    assert_int_equal(settings_keep(&s, "gate.threshold", "off", &err), -1);
    assert_non_null(strstr(err.text, "no state directory"));
    settings_open(&s, "/nothing/there");
    assert_int_equal(settings_keep(&s, "gate.threshold", "off", &err), -1);
    assert_int_equal(s.n, 0);
}

/* --- acknowledging -------------------------------------------------------------------------------------------------- */

static void tell(struct output *o, enum event_type type, const char *label, const char *id, bool test)
{
    struct event e = {.type = type, .test = test, .notify = strcmp(id, "held") != 0, .start_ns = 1795255270000000000};

    snprintf(e.label, sizeof e.label, "%s", label);
    snprintf(e.event_id, sizeof e.event_id, "%s", id);
    o->event(o, &e);
}

/* The event ids that are acknowledged, newest first, with blanks between. */
static const char *acknowledged(struct output *o, const char *what)
{
    static char list[4096];
    struct err err;
    char *text = alarms_acknowledge(o, what, &err);
    json_t *all = text ? json_loads(text, 0, NULL) : NULL, *one;
    size_t i;

    list[0] = '\0';
    if (!text)
        return NULL;
    assert_string_equal(json_string_value(json_object_get(all, "value")), what);
    json_array_foreach(json_object_get(all, "events"), i, one)
    {
        assert_string_equal(json_string_value(json_object_get(one, "start")), "2026-11-21T10:01:10.000Z");
        strcat(strcat(list, i ? " " : ""), json_string_value(json_object_get(one, "event_id")));
    }
    json_decref(all);
    free(text);
    return list;
}

static void test_acknowledged(void **state)
{
    (void)state;
    struct output *o = output_alarms_new();

    assert_string_equal(acknowledged(o, "all"), "");
    assert_null(acknowledged(o, "siren"));
    tell(o, EVENT_START, "siren", "1", false);
    tell(o, EVENT_UPDATE, "siren", "1", false);
    tell(o, EVENT_START, "smoke_alarm", "2", false);
    tell(o, EVENT_END, "siren", "1", false);
    tell(o, EVENT_START, "siren", "3", false);
    tell(o, EVENT_START, "siren", "4", true);
    assert_string_equal(acknowledged(o, "2"), "2");
    assert_string_equal(acknowledged(o, "4"), "4 2"); /* a test is seen like any other */
    struct alarm kept[ALARMS_KEPT];
    assert_int_equal(alarms_list(o, kept), 4);
    assert_true(kept[0].test && !kept[1].test);
    assert_string_equal(acknowledged(o, "siren"), "4 3 2 1");
    assert_null(acknowledged(o, "dog_bark"));
    tell(o, EVENT_START, "siren", "5", false);
    assert_string_equal(acknowledged(o, "2"), "4 3 2 1"); /* what rings anew is not acknowledged */
    for (int i = 0; i < 2 * ALARMS_KEPT; i++) {
        char id[16];
        snprintf(id, sizeof id, "x%d", i);
        tell(o, EVENT_START, "siren", id, false);
    }
    assert_null(acknowledged(o, "5")); /* too long ago */
    assert_non_null(strstr(acknowledged(o, "all"), "x127 x126 "));
    o->stop(o, 0);
}

static const struct alarm *kept(const struct alarm *list, size_t n, const char *id)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i].event_id, id) == 0)
            return &list[i];
    return NULL;
}

/* The daemon is started again: what nobody has seen is up as before, and nothing else. */
static void test_alarms_outlive(void **state)
{
    (void)state;
    static const struct output_label labels[] = {{.label = "siren", .alarm = true}, {.label = "dog_bark"}};
    static const char *const id = "01912345-6789-7abc-8def-0123456789ab",
                             *const seen = "01912345-6789-7abc-8def-000000000001",
                             *const other = "01912345-6789-7abc-8def-000000000002",
                             *const test = "01912345-6789-7abc-8def-000000000003";
    char folder[] = "/tmp/test_alarms.XXXXXX", file[64];
    struct output *o = output_alarms_new();
    struct alarm list[ALARMS_KEPT];
    struct err err;

    assert_non_null(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/alarms", folder);
    assert_int_equal(alarms_load(o, folder, &err), 0);
    assert_int_equal(alarms_save(o, folder, &err), 0);
    assert_int_not_equal(access(file, F_OK), 0); /* nothing to keep: no file */
    o->labels(o, labels, 2);
    tell(o, EVENT_START, "siren", id, false);
    tell(o, EVENT_START, "siren", seen, false);
    tell(o, EVENT_START, "dog_bark", other, false);
    tell(o, EVENT_START, "siren", test, true);
    free(alarms_acknowledge(o, seen, &err));
    assert_int_equal(alarms_save(o, folder, &err), 0);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(alarms_save(o, folder, &err), 0);
    assert_int_not_equal(access(file, F_OK), 0); /* nothing changed: not written again */
    tell(o, EVENT_UPDATE, "siren", id, false);
    free(alarms_acknowledge(o, seen, &err));
    assert_int_equal(alarms_save(o, folder, &err), 0);
    assert_int_not_equal(access(file, F_OK), 0);
    tell(o, EVENT_START, "siren", "01912345-6789-7abc-8def-000000000004", false);
    assert_int_equal(alarms_save(o, folder, &err), 0);
    o->stop(o, 0);

    o = output_alarms_new();
    assert_int_equal(alarms_load(o, folder, &err), 0);
    assert_int_equal(alarms_list(o, list), 2);
    const struct alarm *up = kept(list, 2, id);
    assert_true(up && up->alarm && up->ended && !up->acknowledged && !up->test && up->start_ns > 0);
    assert_string_equal(up->label, "siren");
    free(alarms_acknowledge(o, "all", &err));
    assert_int_equal(alarms_save(o, folder, &err), 0);
    o->stop(o, 0);

    static const char *const bad[] = {"x\n",
                                      "\n",
                                      "01912345-6789-7abc-8def-0123456789ab siren 5\n",
                                      "01912345-6789-7abc-8def-0123456789ab siren 5 1.5\n",
                                      "01912345-6789-7abc-8def-0123456789ab siren 5 nan\n",
                                      "01912345-6789-7abc-8def-0123456789a siren 5 0.5\n",
                                      "01912345-6789-7abc-8def-0123456789ab Si/ren 5 0.5\n",
                                      "01912345-6789-7abc-8def-0123456789ab siren -5 0.5\n",
                                      "01912345-6789-7abc-8def-0123456789ab siren 5 0.5 more\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        FILE *f = fopen(file, "w");
        fprintf(f, "%s siren 1700000000000000000 0.9000\n%s", id, bad[i]);
        fclose(f);
        o = output_alarms_new();
        assert_int_equal(alarms_load(o, folder, &err), -1);
        assert_non_null(strstr(err.text, "alarms, line 2: "));
        assert_int_equal(alarms_list(o, list), 1);
        o->stop(o, 0);
    }
    o = output_alarms_new();
    unlink(file);
    assert_int_equal(mkdir(file, 0700), 0);
    assert_int_equal(alarms_load(o, folder, &err), -1);
    tell(o, EVENT_START, "siren", id, false);
    o->labels(o, labels, 2);
    tell(o, EVENT_START, "siren", seen, false);
    assert_int_equal(alarms_save(o, folder, &err), -1);
    assert_non_null(strstr(err.text, file));
    o->stop(o, 0);
    rmdir(file);
    assert_int_equal(rmdir(folder), 0); /* no .new is left */
}

/* What people are shown: how each goes on, and that an alarm stays until somebody has seen it, however much else is heard. */
static void test_alarms_stay(void **state)
{
    (void)state;
    static const struct output_label labels[] = {{.label = "siren", .alarm = true}, {.label = "dog_bark"}};
    struct output *o = output_alarms_new();
    struct alarm list[ALARMS_KEPT];

    o->labels(o, labels, 2);
    assert_int_equal(alarms_list(o, list), 0);
    tell(o, EVENT_START, "siren", "1", false);
    tell(o, EVENT_START, "dog_bark", "2", false);
    assert_int_equal(alarms_list(o, list), 2);
    assert_string_equal(list[0].event_id, "2"); /* newest first */
    assert_true(!list[0].alarm && list[1].alarm && !list[1].ended && !list[1].acknowledged);
    tell(o, EVENT_END, "siren", "1", false);
    tell(o, EVENT_START, "siren", "held", false); /* by its cooldown: nobody has to see it */
    assert_int_equal(alarms_list(o, list), 3);
    assert_false(list[0].alarm);
    for (int i = 0; i < 2 * ALARMS_KEPT; i++) {
        char id[16];
        snprintf(id, sizeof id, "x%d", i);
        tell(o, EVENT_START, "dog_bark", id, false);
    }
    assert_int_equal(alarms_list(o, list), ALARMS_KEPT);
    const struct alarm *siren = kept(list, ALARMS_KEPT, "1");
    assert_true(siren && siren->ended && !siren->acknowledged);
    assert_null(kept(list, ALARMS_KEPT, "2"));
    assert_non_null(kept(list, ALARMS_KEPT, "x127"));
    assert_string_equal(acknowledged(o, "siren"), "1");
    alarms_list(o, list);
    assert_true(kept(list, ALARMS_KEPT, "1")->acknowledged);
    tell(o, EVENT_START, "dog_bark", "last", false); /* now it may go */
    alarms_list(o, list);
    assert_null(kept(list, ALARMS_KEPT, "1"));
    o->stop(o, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),         cmocka_unit_test(test_no_values),    cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_result),         cmocka_unit_test(test_kept),         cmocka_unit_test(test_broken),
        cmocka_unit_test(test_nowhere),        cmocka_unit_test(test_acknowledged), cmocka_unit_test(test_alarms_stay),
        cmocka_unit_test(test_alarms_outlive),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
