/* Names, quota and folder of clips. */
#include "base/config.h"
#include "daemon/clips/clip_buffer.h"
#include "daemon/clips/clip_choice.h"
#include "daemon/clips/clip_file.h"
#include "daemon/clips/clip_folder.h"
#include "daemon/clips/clip_name.h"
#include "model/speech.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sndfile.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define DAY      INT64_C(86400000)
#define NOW      INT64_C(1795253100123) /* 2026-11-21T09:25:00.123Z */

/* --- names */

static void test_name(void **state)
{
    struct clip_name n = {.utc_ms = NOW, .label = "smoke_alarm", .id = "3f9a1c2b", .extension = "flac"}, back;
    char text[CLIP_SIZE], part[CLIP_PART_SIZE];
    bool unfinished;
    (void)state;

    clip_name_write(&n, text);
    assert_string_equal(text, "20261121T092500.123Z_smoke_alarm_3f9a1c2b.flac");
    assert_true(clip_name_read(text, &back, NULL));
    assert_true(back.utc_ms == NOW);
    assert_string_equal(back.label, "smoke_alarm");
    assert_string_equal(back.id, "3f9a1c2b");
    assert_string_equal(back.extension, "flac");

    clip_name_part(text, part);
    assert_string_equal(part, ".20261121T092500.123Z_smoke_alarm_3f9a1c2b.flac.part");
    assert_false(clip_name_read(part, &back, NULL));
    assert_true(clip_name_read(part, &back, &unfinished) && unfinished);
    assert_string_equal(back.label, "smoke_alarm");
    assert_true(clip_name_read(text, &back, &unfinished) && !unfinished);

    memset(n.label, 'x', sizeof n.label - 1); /* the longest there is */
    clip_name_write(&n, text);
    assert_true(clip_name_read(text, &back, NULL));
    assert_int_equal(strlen(back.label), LABEL_SIZE - 1);

    clip_name_id("0198c0de-0001-7000-8000-0123456789ab", back.id);
    assert_string_equal(back.id, "456789ab");
}

static void test_foreign_names(void **state)
{
    static const char *const foreign[] = {
        "",
        ".",
        "..",
        "history.db",
        "20261121T092500.123Z.flac",
        "20261121T092500.123Z_smoke_alarm.flac",
        "20261121T092500.123Z_smoke_alarm_3f9a1c2b",
        "20261121T092500.123Z_smoke_alarm_3f9a1c2b.mp3",
        "20261121T092500.123Z_smoke_alarm_3f9a1c2b.flac.bak",
        "20261121T092500.123Z_smoke_alarm_3F9A1C2B.flac",
        "20261121T092500.123Z_Smoke_3f9a1c2b.flac",
        "20261121T092500.123Z__3f9a1c2b.flac",
        "20261321T092500.123Z_smoke_alarm_3f9a1c2b.flac",
        "2026-11-21T092500Z_smoke_alarm_3f9a1c2b.flac",
        "x20261121T092500.123Z_smoke_alarm_3f9a1c2b.flac",
        ".20261121T092500.123Z_smoke_alarm_3f9a1c2b.flac",
        "20261121T092500.123Z_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx_3f9a1c2b.flac",
    };
    struct clip_name n;
    bool part;
    (void)state;

    for (size_t i = 0; i < COUNT(foreign); i++)
        if (clip_name_read(foreign[i], &n, NULL) || clip_name_read(foreign[i], &n, &part))
            fail_msg("taken for a clip: %s", foreign[i]);
}

/* --- quota */

static struct clip_entry entry(int64_t age_ms, const char *label, uint64_t bytes)
{
    struct clip_entry e = {.utc_ms = NOW - age_ms, .bytes = bytes};
    snprintf(e.label, sizeof e.label, "%s", label);
    snprintf(e.name, sizeof e.name, "%s", label);
    return e;
}

/* Which go, as a row of - and x. */
static const char *gone(const struct clip_quota *q, struct clip_entry *e, size_t n, const struct clip_entry *coming)
{
    static char row[64];
    long count = clip_quota_apply(q, e, n, coming, NOW), marked = 0;

    for (size_t i = 0; i < n; i++) {
        row[i] = e[i].gone ? 'x' : '-';
        marked += e[i].gone;
    }
    row[n] = '\0';
    assert_true(count == marked);
    return row;
}

static void test_quota_age_and_size(void **state)
{
    struct clip_entry e[] = {entry(40 * DAY, "dog_bark", 10), entry(20 * DAY, "siren", 10), entry(DAY, "dog_bark", 10),
                             entry(3, "siren", 10)};
    struct clip_entry coming = entry(0, "siren", 25);
    struct clip_quota q = {.bytes = 1000, .files = 100, .age_ms = 30 * DAY, .class_share = 1};
    (void)state;

    assert_string_equal(gone(&q, e, 4, NULL), "x---");
    q.age_ms = 0;
    assert_string_equal(gone(&q, e, 4, NULL), "----");
    q.bytes = 40;
    assert_string_equal(gone(&q, e, 4, NULL), "----");
    q.bytes = 39; /* both hold the same: the older clip goes */
    assert_string_equal(gone(&q, e, 4, NULL), "x---");
    q.bytes =
        40; /* with what comes siren holds 45: its own go first, then it holds 25, still the most, but nothing that can go */
    assert_string_equal(gone(&q, e, 4, &coming), "xx-x");
    q.bytes = 1000;
    q.files = 3;
    assert_string_equal(gone(&q, e, 4, NULL), "x---");
    q.files = 1;
    assert_string_equal(gone(&q, e, 4, &coming), "xxxx");
    assert_string_equal(gone(&q, e, 0, &coming), "");
}

/* A dog that barked twenty times beside one alarm that is older than all of it. */
static void test_quota_shares(void **state)
{
    struct clip_entry e[21], coming = entry(0, "dog_bark", 10), alarm = entry(0, "smoke_alarm", 10);
    struct clip_quota q = {.bytes = 1000, .files = 10, .age_ms = 0, .class_share = 0.4};
    (void)state;

    e[0] = entry(25, "smoke_alarm", 10);
    for (int i = 1; i < 21; i++)
        e[i] = entry(21 - i, "dog_bark", 10);
    assert_string_equal(gone(&q, e, 21, NULL), "-xxxxxxxxxxxxxxxx----"); /* four of ten files */
    assert_string_equal(gone(&q, e, 21, &coming), "-xxxxxxxxxxxxxxxxx---");
    assert_string_equal(gone(&q, e, 21, &alarm), "-xxxxxxxxxxxxxxxx----");
    q.files = 1000;
    q.bytes = 200; /* 80 bytes are its share */
    assert_string_equal(gone(&q, e, 21, NULL), "-xxxxxxxxxxxx--------");
    q.class_share = 1; /* no share: the total alone, and the class that has most pays */
    assert_string_equal(gone(&q, e, 21, NULL), "-x-------------------");
    q.class_share = 0.01; /* a share smaller than a clip holds none but what comes */
    assert_string_equal(gone(&q, e, 21, &alarm), "xxxxxxxxxxxxxxxxxxxxx");
    for (int i = 0; i < 21; i++)
        snprintf(e[i].label, sizeof e[i].label, CLIP_ALL);
    assert_string_equal(gone(&q, e, 21, NULL), "x--------------------"); /* `all` has no share, only the total */
}

/* --- buffer */

static void test_buffer(void **state)
{
    struct clip_buffer b;
    int16_t x[1000];
    const int16_t *p;
    (void)state;

    for (int i = 0; i < 1000; i++)
        x[i] = (int16_t)(i + 1);
    assert_int_equal(clip_buffer_init(&b, 64), 0);
    clip_buffer_reset(&b, 100);
    assert_int_equal(clip_buffer_read(&b, 100, &p), 0);
    for (size_t n = 0, k = 1; n < 900; n += k, k = k % 37 + 1) {
        clip_buffer_push(&b, x + n, k);
        assert_true(b.end == 100 + n + k);
        assert_true(b.end - b.first == (n + k < 64 ? n + k : 64));
        uint64_t at = b.first;
        for (size_t m; (m = clip_buffer_read(&b, at, &p)) > 0; at += m)
            assert_memory_equal(p, x + (at - 100), m * sizeof *p);
        assert_true(at == b.end);
        assert_int_equal(clip_buffer_read(&b, b.first - 1, &p), 0);
    }
    clip_buffer_push(&b, NULL, 3);
    assert_true(clip_buffer_read(&b, b.end - 1, &p) == 1 && *p == 0);
    clip_buffer_free(&b);
}

/* --- files and folder */

static char dir[64];

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/test_clips.XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command);
}

static void path_of(const char *name, char out[512])
{
    snprintf(out, 512, "%s/%s", dir, name);
}

static void touch(const char *name, size_t bytes)
{
    char path[512];
    path_of(name, path);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (size_t i = 0; i < bytes; i++)
        fputc('x', f);
    fclose(f);
}

static bool there(const char *name)
{
    char path[512];
    struct stat st;
    path_of(name, path);
    return lstat(path, &st) == 0;
}

static size_t read_all(const char *name, int16_t *out, size_t room, int *rate)
{
    char path[512];
    SF_INFO info = {0};
    path_of(name, path);
    SNDFILE *f = sf_open(path, SFM_READ, &info);
    assert_non_null(f);
    sf_count_t n = sf_read_short(f, out, (sf_count_t)room);
    assert_true(n == info.frames);
    *rate = info.samplerate;
    sf_close(f);
    return (size_t)n;
}

static void test_file(void **state)
{
    static const char *const names[] = {"20261121T092500.123Z_dog_bark_00000001.flac",
                                        "20261121T092500.123Z_dog_bark_00000002.wav"};
    static int16_t x[50000], back[50001];
    char part[CLIP_PART_SIZE];
    struct err err;
    struct stat st;
    int rate;
    (void)state;

    for (size_t i = 0; i < COUNT(x); i++)
        x[i] = (int16_t)(i * 40503 % 65536 - 32768);
    for (int format = CLIP_FLAC; format <= CLIP_WAV; format++) {
        const char *name = names[format];
        struct clip_file *f = clip_file_create(dir, name, format, 44100, "dog_bark", "a comment", &err);
        assert_non_null(f);
        clip_name_part(name, part);
        for (size_t at = 0, n; at < COUNT(x); at += n) {
            n = COUNT(x) - at < 777 ? COUNT(x) - at : 777;
            assert_int_equal(clip_file_write(f, x + at, n, &err), 0);
        }
        assert_true(there(part) && !there(name));
        assert_int_equal(clip_file_finish(f, name, &err), 0);
        assert_true(!there(part) && there(name));
        assert_int_equal(read_all(name, back, COUNT(back), &rate), COUNT(x));
        assert_memory_equal(x, back, sizeof x);
        assert_int_equal(rate, 44100);
        char path[512];
        path_of(name, path);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07, 0); /* nobody else's business */
    }
    struct clip_file *f = clip_file_create(dir, names[0], CLIP_FLAC, 8000, "dog_bark", "", &err);
    assert_non_null(f);
    assert_int_equal(clip_file_write(f, x, 8000, &err), 0);
    assert_null(clip_file_create(dir, names[0], CLIP_FLAC, 8000, "dog_bark", "", &err)); /* one at a time */
    clip_name_part(names[0], part);
    assert_true(there(part)); /* and the second try has not taken it away */
    clip_file_abandon(f);
    assert_false(there(part));
    assert_null(clip_file_create("/nowhere/at/all", names[0], CLIP_FLAC, 8000, "", "", &err));
    assert_non_null(strstr(err.text, "/nowhere/at/all: No such file"));
}

static void test_folder_leaves_foreign_alone(void **state)
{
    static const char *const foreign[] = {"notes.txt", "20261121T092500.123Z_dog_bark.flac", ".hidden.part",
                                          "history.db"};
    struct clip_quota q = {.bytes = 1, .files = 1, .age_ms = 1, .class_share = 1};
    char path[512], target[512];
    struct err err;
    size_t n;
    long removed;
    (void)state;

    for (size_t i = 0; i < COUNT(foreign); i++)
        touch(foreign[i], 100);
    path_of("notes.txt", target);
    path_of("20200101T000000.000Z_dog_bark_00000001.flac", path);
    assert_int_equal(symlink(target, path), 0); /* a link that is called like a clip */
    path_of("20200101T000000.000Z_dog_bark_00000002.flac", path);
    assert_int_equal(mkdir(path, 0700), 0); /* a folder that is */
    path_of(".20200101T000000.000Z_dog_bark_00000003.flac.part", path);
    assert_int_equal(symlink(target, path), 0);
    path_of(".20200101T000000.000Z_all_00000006.wav.part", path);
    assert_int_equal(mkfifo(path, 0600), 0); /* nobody would ever write to it */
    touch("20200101T000000.000Z_dog_bark_00000004.flac", 10);
    touch("20200102T000000.000Z_dog_bark_00000005.wav", 10);

    struct clip_entry *list = clip_folder_list(dir, &n, &err);
    assert_non_null(list);
    assert_int_equal(n, 2);
    assert_string_equal(list[0].name, "20200101T000000.000Z_dog_bark_00000004.flac");
    free(list);
    assert_int_equal(clip_folder_recover(dir, &removed), 0);
    assert_int_equal(clip_folder_keep(dir, &q, NULL, NOW, &err), 2);
    for (size_t i = 0; i < COUNT(foreign); i++)
        assert_true(there(foreign[i]));
    assert_true(there("20200101T000000.000Z_dog_bark_00000001.flac"));
    assert_true(there("20200101T000000.000Z_dog_bark_00000002.flac"));
    assert_true(there(".20200101T000000.000Z_dog_bark_00000003.flac.part"));
    assert_false(there("20200101T000000.000Z_dog_bark_00000004.flac"));
    assert_false(there("20200102T000000.000Z_dog_bark_00000005.wav"));
}

/* A child begins files and is killed: nothing has a final name, and the next start sees to the rest. */
static void test_recovery(void **state)
{
    static const char *const all[] = {"20261121T092500.123Z_all_00000001.flac",
                                      "20261121T092500.123Z_all_00000002.wav"};
    static const char sound[] = "20261121T092500.123Z_siren_00000003.flac";
    static int16_t x[200000], back[200001];
    char part[CLIP_PART_SIZE];
    struct err err;
    long removed;
    int status, rate;
    (void)state;

    for (size_t i = 0; i < COUNT(x); i++)
        x[i] = (int16_t)(i * 40503 % 65536 - 32768);
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 3; i++) {
            const char *name = i < 2 ? all[i] : sound;
            struct clip_file *f = clip_file_create(dir, name, i == 1, 48000, "", "", &err);
            if (!f || clip_file_write(f, x, COUNT(x), &err) < 0)
                _exit(1);
        }
        kill(getpid(), SIGKILL);
    }
    assert_true(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
    struct clip_file *busy =
        clip_file_create(dir, "20261121T092500.123Z_all_00000004.flac", CLIP_FLAC, 48000, "", "", &err);
    assert_non_null(busy); /* another process' (a lock is the open file's, so this stands for one) */
    touch(".20261121T092500.123Z_all_00000005.flac.part", 3);

    assert_int_equal(clip_folder_recover(dir, &removed), 2);
    assert_int_equal(removed, 2);
    for (int i = 0; i < 2; i++) {
        size_t n = read_all(all[i], back, COUNT(back), &rate);
        if (i == 1)
            assert_int_equal(n, COUNT(x)); /* WAV: every sample that was written */
        assert_true(n > COUNT(x) - 3 * 4608 &&
                    n <= COUNT(x)); /* FLAC: but for the frames that its encoder still held */
        assert_memory_equal(x, back, n * sizeof *x);
        clip_name_part(all[i], part);
        assert_false(there(part));
    }
    assert_false(there(sound));
    clip_name_part(sound, part);
    assert_false(there(part));
    assert_true(there(".20261121T092500.123Z_all_00000004.flac.part"));
    clip_file_abandon(busy);
}

static void test_folder_errors(void **state)
{
    struct err err;
    struct config c;
    char path[512], file[512];
    (void)state;

    assert_int_equal(config_init(&c, &err), 0);
    assert_int_equal(clip_folder_path(&c, "/state", path, sizeof path, &err), 0);
    assert_string_equal(path, "/state/clips");
    assert_int_equal(clip_folder_path(&c, NULL, path, sizeof path, &err), -1);
    snprintf(c.clips.dir, sizeof c.clips.dir, "/elsewhere");
    assert_int_equal(clip_folder_path(&c, NULL, path, sizeof path, &err), 0);
    assert_string_equal(path, "/elsewhere");
    touch("file", 1);
    path_of("file", file);
    assert_int_equal(clip_folder_make(file, &err), -1);
    assert_non_null(strstr(err.text, "not a folder"));
    assert_int_equal(clip_folder_make("/proc/none/clips", &err), -1);
    config_free(&c);
}

/* --- which classes */

static void test_choice(void **state)
{
    static const char *const labels[] = {"dog_bark", "smoke_alarm", "siren", "speech", "rain"};
    static const struct {
        const char *classes, *wanted; /* NULL: refused */
    } rows[] = {
        {"dog_bark", "x----"}, {"alarm", "-xx--"},   {" rain , siren,,", "--x-x"}, {"alarm, animal nature", "xxx-x"},
        {"music", "-----"}, /* a class that the model does not hear is no mistake */
        {"dog_barc", NULL},    {"everything", NULL},
    };
    struct config c;
    struct err err;
    bool wanted[5];
    (void)state;

    assert_int_equal(config_init(&c, &err), 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        memset(wanted, 0, sizeof wanted);
        snprintf(c.clips.classes, sizeof c.clips.classes, "%s", rows[i].classes);
        int rc = clip_choice(&c, labels, 5, wanted, &err);
        assert_int_equal(rc, rows[i].wanted ? 0 : -1);
        for (int k = 0; rows[i].wanted && k < 5; k++)
            assert_int_equal(wanted[k], rows[i].wanted[k] == 'x');
    }
    assert_non_null(strstr(err.text, "\"everything\" is neither a class"));
    setenv("EARSHOT_MODELS", "/nowhere", 1);
    snprintf(c.clips.classes, sizeof c.clips.classes, "alarm, dog_bark");
    assert_int_equal(clip_choice(&c, labels, 5, wanted, &err), 0); /* what an alarm is stands in the program */
    snprintf(c.clips.classes, sizeof c.clips.classes, "animal");
    assert_int_equal(clip_choice(&c, labels, 5, wanted, &err), -1);
    assert_non_null(strstr(err.text, "nobody can tell what \"animal\" comprises"));
    setenv("EARSHOT_MODELS", "models", 1);
    config_free(&c);

    assert_true(label_is_speech("speech") && label_is_private("speech"));
    assert_true(label_is_private("laughing") && label_is_private("children_playing") && !label_is_speech("laughing"));
    assert_false(label_is_private("crying_baby") || label_is_private("smoke_alarm") || label_is_private("music"));
}

/* --- what options say together */

static void test_config(void **state)
{
    static const struct {
        const char *options[4], *says; /* NULL: fine */
    } rows[] = {
        {{"record=sounds"}, NULL},
        {{"record=all"}, NULL},
        {{"record=off", "max_size=0.1 MB"}, NULL},
        {{"record=sounds", "max_size=2 MB"}, "max_size = 2 MB is less than one file: max_length = 60 s"},
        {{"record=sounds", "max_size=10 MB"}, "class_share = 40 % of max_size = 10 MB is less than one file"},
        {{"record=sounds", "max_size=10 MB", "max_length=20 s"}, NULL},
        {{"record=all", "file_length=86400 s"}, "file_length = 86400 s"},
        {{"record=all", "file_length=86400 s", "max_size=9 GB"}, NULL},
        {{"record=all", "speech=features"}, "speech = features goes with record = sounds alone"},
        {{"record=sounds", "classes="}, "nothing is asked for"},
        {{"record=sounds", "classes=", "unknown=on"}, NULL},
        {{"record=sounds", "classes=Dog bark"}, "\"Dog\" is not a class"},
        {{"record=sounds", "classes=siren, speech"}, "classes has speech, but with speech = drop"},
        {{"record=sounds", "classes=siren, speech", "speech=features"}, NULL},
        {{"record=sounds", "max_length=2 s"}, "leaves no room for a sound"},
    };
    (void)state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct config c;
        struct err err;
        char assignment[128];
        assert_int_equal(config_init(&c, &err), 0);
        for (int k = 0; k < 4 && rows[i].options[k]; k++) {
            snprintf(assignment, sizeof assignment, "clips.%s", rows[i].options[k]);
            if (config_set(&c, assignment, &err) < 0)
                fail_msg("%s: %s", assignment, err.text);
        }
        int rc = config_check(&c, &err);
        if (rc != (rows[i].says ? -1 : 0) || (rows[i].says && !strstr(err.text, rows[i].says)))
            fail_msg("row %zu: %s", i, rc ? err.text : "taken");
        config_free(&c);
    }
}

int main(void)
{
    setenv("EARSHOT_MODELS", "models", 1); /* labels.csv; tests run at the top of the tree */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_name),
        cmocka_unit_test(test_foreign_names),
        cmocka_unit_test(test_quota_age_and_size),
        cmocka_unit_test(test_quota_shares),
        cmocka_unit_test(test_buffer),
        cmocka_unit_test_setup_teardown(test_file, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_folder_leaves_foreign_alone, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_recovery, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_folder_errors, make_dir, remove_dir),
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_config),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
