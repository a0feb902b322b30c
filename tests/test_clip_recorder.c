/* Which samples a clip holds, to the last one; and that none of them is somebody talking. Samples count up, so that each says where it
 * stood; where a judge listens, its model knows two tones, of which one is called speech. */
#include "base/clock.h"
#include "base/config.h"
#include "base/log.h"
#include "daemon/clips/clip_folder.h"
#include "daemon/clips/clip_name.h"
#include "daemon/clips/clip_recorder.h"
#include "daemon/clips/clips_private.h"
#include "tests/tiny_model.h"

#include <dirent.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <sndfile.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define RATE  TINY_RATE
#define S     INT64_C(1000000000)
#define T0    (INT64_C(1795253100) * S)
#define LIMIT (200 * RATE) /* samples of a whole test */

static char dir[64], model[64];
static struct config config;
static int16_t stream[LIMIT], got[LIMIT];
static uint64_t dropped[16];
static enum clip_fate fates[16];
static unsigned n_dropped;
static atomic_long clock_set_s; /* by which the clock on the wall was set */

/* In the place of the C library's own. */
int clock_gettime(clockid_t id, struct timespec *t)
{
    int rc = (int)syscall(SYS_clock_gettime, id, t);

    if (id == CLOCK_REALTIME)
        t->tv_sec += clock_set_s;
    return rc;
}

static int16_t value(uint64_t position)
{
    return (int16_t)(position * 40503 % 65536 - 32768);
}

static int setup(void **state)
{
    struct err err;
    (void)state;

    snprintf(dir, sizeof dir, "/tmp/test_recorder.XXXXXX");
    n_dropped = 0;
    for (uint64_t i = 0; i < LIMIT; i++)
        stream[i] = value(i);
    if (!mkdtemp(dir) || config_init(&config, &err) < 0)
        return -1;
    config.clips.record = CLIPS_SOUNDS;
    config.clips.preroll = 2;
    config.clips.postroll = 0.5;
    return 0;
}

static int teardown(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    config_free(&config);
    return system(command);
}

static void on_fate(void *ctx, uint64_t serial, enum clip_fate fate)
{
    (void)ctx;
    if (n_dropped < 16) {
        fates[n_dropped] = fate;
        dropped[n_dropped++] = serial;
    }
}

static struct clip_recorder *recorder(struct clip_judge *judge)
{
    struct clip_recorder *r = clip_recorder_new(&config, dir, 1, judge, on_fate, NULL);
    assert_non_null(r);
    clip_recorder_tick(r, T0 / 1000000);
    return r;
}

static struct clip_judge *judge(void)
{
    struct err err;
    struct clip_judge *j = clip_judge_new(model, VOCABULARY_OWN, 0.5, 0.2, false, &err);
    if (!j)
        fail_msg("%s", err.text);
    return j;
}

/* Samples [from, to) of the stream, in blocks of no even size. */
static void feed_as(struct clip_recorder *r, uint64_t from, uint64_t to, uint32_t number, uint32_t lost, bool ends)
{
    struct clip_block b = {.stream = number, .rate = RATE, .lost = lost};

    for (uint64_t at = from, k = 1; at < to; at += b.frames, k = k * 7 % 1019 + 1) {
        b.frames = (uint16_t)(to - at < k ? to - at : k);
        b.position = at;
        b.utc_ns = T0 + (int64_t)(at * S / RATE);
        b.ends = ends && at + b.frames == to;
        memcpy(b.samples, stream + at, b.frames * sizeof *b.samples);
        clip_recorder_block(r, &b);
        b.lost = 0;
    }
}

static void feed(struct clip_recorder *r, uint64_t from, uint64_t to)
{
    feed_as(r, from, to, 1, 0, false);
}

/* Names that tests can tell: the label and the serial as id. */
static const char *name_of(const char *label, uint64_t serial, uint64_t from, const char *extension)
{
    static char text[CLIP_SIZE];
    struct clip_name n = {.utc_ms = (T0 + (int64_t)(from * S / RATE)) / 1000000};

    snprintf(n.label, sizeof n.label, "%s", label);
    snprintf(n.id, sizeof n.id, "%08x", (unsigned)serial);
    snprintf(n.extension, sizeof n.extension, "%s", extension);
    clip_name_write(&n, text);
    return text;
}

static void note(struct clip_recorder *r, enum clip_note_type type, uint64_t serial, const char *label, uint64_t from,
                 uint64_t to)
{
    struct clip_note n = {.type = type, .stream = 1, .serial = serial, .from = from, .to = to};

    n.start_ns = T0 + (int64_t)(from * S / RATE);
    snprintf(n.label, sizeof n.label, "%s", label);
    if (*label)
        snprintf(n.name, sizeof n.name, "%s", name_of(label, serial, from, "flac"));
    assert_true(clip_recorder_note(r, &n));
}

/* Is the file exactly samples [from, to) of the stream? */
static void holds(const char *name, uint64_t from, uint64_t to)
{
    char path[512];
    SF_INFO info = {0};

    snprintf(path, sizeof path, "%s/%s", dir, name);
    SNDFILE *f = sf_open(path, SFM_READ, &info);
    if (!f)
        fail_msg("%s: %s", path, sf_strerror(NULL));
    assert_int_equal(info.samplerate, RATE);
    assert_int_equal(info.channels, 1);
    sf_count_t n = sf_read_short(f, got, LIMIT);
    sf_close(f);
    if ((uint64_t)n != to - from)
        fail_msg("%s: %lld samples, not %llu", name, (long long)n, (unsigned long long)(to - from));
    for (uint64_t i = 0; i < to - from; i++)
        if (got[i] != stream[from + i])
            fail_msg("%s: sample %llu is another one", name, (unsigned long long)i);
}

/* Files in the folder, temporary ones among them. */
static int files(void)
{
    DIR *d = opendir(dir);
    int n = 0;
    for (struct dirent *e; (e = readdir(d));)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return n;
}

/* --- which samples */

static void test_exact(void **state)
{
    struct clip_recorder *r = recorder(NULL);
    const uint64_t start = 5 * RATE + 123, end = 9 * RATE + 77;
    (void)state;

    feed(r, 0, 6 * RATE + 500);
    note(r, NOTE_START, 1, "dog_bark", start, start + RATE);
    feed(r, 6 * RATE + 500, 7 * RATE);
    note(r, NOTE_HEARD, 1, "", 0, 7 * RATE);
    feed(r, 7 * RATE, 12 * RATE); /* up to three seconds of quiet before the end is sure: none of it belongs to it */
    assert_true(clip_recorder_active(r));
    note(r, NOTE_END, 1, "dog_bark", 0, end);
    assert_false(clip_recorder_active(r));
    holds(name_of("dog_bark", 1, start, "flac"), start - 2 * RATE, end + RATE / 2);
    assert_int_equal(files(), 1);
    assert_int_equal(clip_recorder_figures(r)->stored, 1);
    assert_int_equal(clip_recorder_figures(r)->lost_frames, 0);
    clip_recorder_free(r);
    assert_int_equal(n_dropped, 0);
}

static void test_edges(void **state)
{
    struct clip_recorder *r;
    (void)state;

    config.clips.format = 1;
    r = recorder(NULL);
    feed(r, 0, RATE);
    note(r, NOTE_START, 1, "siren", RATE / 2, RATE); /* less was heard before than the pre-roll wants */
    note(r, NOTE_END, 1, "siren", 0, RATE);          /* and the post-roll is yet to come */
    feed(r, RATE, RATE + RATE / 2 - 1);
    assert_true(clip_recorder_active(r));
    feed(r, RATE + RATE / 2 - 1, RATE + RATE / 2);
    assert_false(clip_recorder_active(r));
    holds(name_of("siren", 1, RATE / 2, "flac"), 0, RATE + RATE / 2); /* the name is the worker's business */

    note(r, NOTE_START, 2, "siren", 4 * RATE, 5 * RATE); /* a word that is ahead of its samples */
    feed(r, RATE + RATE / 2, 6 * RATE);
    clip_recorder_finish(r); /* the input ends in it */
    holds(name_of("siren", 2, 4 * RATE, "flac"), 2 * RATE, 5 * RATE + RATE / 2);
    clip_recorder_free(r);

    r = recorder(NULL);
    feed(r, 0, 5 * RATE);
    note(r, NOTE_START, 3, "siren", 4 * RATE, 5 * RATE);
    clip_recorder_free(r); /* without its post-roll: what there is */
    holds(name_of("siren", 3, 4 * RATE, "flac"), 2 * RATE, 5 * RATE);
}

static void test_length_limit(void **state)
{
    struct clip_recorder *r;
    (void)state;

    config.clips.max_length = 10;
    r = recorder(NULL);
    feed(r, 0, 5 * RATE);
    note(r, NOTE_START, 1, "siren", 4 * RATE, 5 * RATE);
    for (unsigned s = 5; s < 60; s++) {
        feed(r, s * RATE, (s + 1) * RATE);
        note(r, NOTE_HEARD, 1, "", 0, (s + 1) * RATE);
        if (s == 12)
            assert_false(clip_recorder_active(r)); /* has its name long before the sound is over */
    }
    note(r, NOTE_END, 1, "siren", 0, 60 * RATE);
    holds(name_of("siren", 1, 4 * RATE, "flac"), 2 * RATE, 12 * RATE);
    assert_int_equal(files(), 1);
    clip_recorder_free(r);
}

/* Quiet within a sound that lasts longer than what is held: it goes into the file, and nothing is missing. */
static void test_long_release(void **state)
{
    struct clip_recorder *r;
    (void)state;

    config.decision.release = 60;
    r = recorder(NULL);
    feed(r, 0, 5 * RATE);
    note(r, NOTE_START, 1, "siren", 4 * RATE, 5 * RATE);
    feed(r, 5 * RATE, 45 * RATE);
    note(r, NOTE_HEARD, 1, "", 0, 45 * RATE);
    feed(r, 45 * RATE, 50 * RATE);
    note(r, NOTE_END, 1, "siren", 0, 45 * RATE);
    holds(name_of("siren", 1, 4 * RATE, "flac"), 2 * RATE, 45 * RATE + RATE / 2);
    assert_int_equal(clip_recorder_figures(r)->lost_frames, 0);
    clip_recorder_free(r);
}

static void test_two_at_once(void **state)
{
    struct clip_recorder *r = recorder(NULL);
    (void)state;

    feed(r, 0, 6 * RATE);
    note(r, NOTE_START, 1, "siren", 5 * RATE, 6 * RATE);
    feed(r, 6 * RATE, 7 * RATE);
    note(r, NOTE_START, 2, "car_horn", 4 * RATE + 5, 7 * RATE); /* was sure later, began earlier */
    feed(r, 7 * RATE, 11 * RATE);
    note(r, NOTE_END, 1, "siren", 0, 8 * RATE);
    note(r, NOTE_END, 2, "car_horn", 0, 9 * RATE);
    holds(name_of("siren", 1, 5 * RATE, "flac"), 3 * RATE, 8 * RATE + RATE / 2);
    holds(name_of("car_horn", 2, 4 * RATE + 5, "flac"), 2 * RATE + 5, 9 * RATE + RATE / 2);
    for (uint64_t i = 3; i < 20; i++) /* more than can be: said, counted, and the others are none the worse */
        note(r, NOTE_START, i, "dog_bark", 10 * RATE, 11 * RATE);
    assert_int_equal(clip_recorder_figures(r)->failed, 17 - 12);
    assert_int_equal(n_dropped, 17 - 12);
    feed(r, 11 * RATE, 12 * RATE);
    note(r, NOTE_CLOSE, 0, "", 0, 0); /* their ends were lost: the sound's end is one for all */
    assert_false(clip_recorder_active(r));
    holds(name_of("dog_bark", 3, 10 * RATE, "flac"), 8 * RATE, 11 * RATE + RATE / 2);
    clip_recorder_free(r);
}

/* Kept only once it is sure that no class was. */
static void test_unknown(void **state)
{
    struct clip_recorder *r = recorder(NULL);
    (void)state;

    feed(r, 0, 5 * RATE);
    note(r, NOTE_MAYBE, 1, "", 4 * RATE, 5 * RATE);
    feed(r, 5 * RATE, 8 * RATE);
    note(r, NOTE_CLOSE, 0, "", 0, 0);
    assert_false(clip_recorder_active(r));
    feed(r, 8 * RATE, 15 * RATE);
    assert_int_equal(files(), 0);

    note(r, NOTE_MAYBE, 2, "", 14 * RATE, 15 * RATE);
    feed(r, 15 * RATE, 40 * RATE); /* longer than what is held: on the disk under a temporary name meanwhile */
    assert_int_equal(files(), 1);
    note(r, NOTE_END, 2, "unknown", 0, 39 * RATE);
    note(r, NOTE_CLOSE, 0, "", 0, 0);
    holds(name_of("unknown", 2, 0, "flac"), 12 * RATE, 39 * RATE + RATE / 2);

    note(r, NOTE_MAYBE, 3, "", 39 * RATE, 40 * RATE);
    feed(r, 40 * RATE, 60 * RATE);
    assert_int_equal(files(), 2);
    note(r, NOTE_CLOSE, 0, "", 0, 0);
    assert_int_equal(files(), 1);
    assert_int_equal(clip_recorder_figures(r)->stored, 1);
    assert_int_equal(clip_recorder_figures(r)->failed, 0);
    clip_recorder_free(r);
}

static void test_lost_and_new_streams(void **state)
{
    struct clip_recorder *r = recorder(NULL);
    (void)state;

    feed(r, 0, 5 * RATE);
    note(r, NOTE_START, 1, "siren", 4 * RATE, 5 * RATE);
    memset(stream + 5 * RATE, 0, 100 * sizeof *stream);
    feed_as(r, 5 * RATE + 100, 8 * RATE, 1, 100, false); /* 100 frames were lost: zeros, and positions go on */
    note(r, NOTE_END, 1, "siren", 0, 7 * RATE);
    holds(name_of("siren", 1, 4 * RATE, "flac"), 2 * RATE, 7 * RATE + RATE / 2);
    assert_int_equal(clip_recorder_figures(r)->lost_frames, 100);

    note(r, NOTE_START, 2, "siren", 7 * RATE, 8 * RATE);
    feed_as(r, 15 * RATE, 16 * RATE, 1, 7 * RATE, false); /* too many */
    holds(name_of("siren", 2, 7 * RATE, "flac"), 5 * RATE, 8 * RATE);
    note(r, NOTE_START, 3, "siren", 15 * RATE, 16 * RATE);
    feed_as(r, 0, 3 * RATE, 2, 0, false); /* the device came back: positions begin again */
    holds(name_of("siren", 3, 15 * RATE, "flac"), 15 * RATE, 16 * RATE);

    struct clip_note n = {.type = NOTE_START, .stream = 3, .serial = 4, .from = RATE, .to = RATE};
    assert_false(clip_recorder_note(r, &n)); /* of a stream that is yet to come */
    n.stream = 1;
    assert_true(clip_recorder_note(r, &n)); /* of one that has gone: no matter */
    assert_false(clip_recorder_active(r));
    clip_recorder_free(r);
}

/* --- everything */

/* The files in their order, one after the other, are the stream. Returns how many. */
static int joined(uint64_t from, uint64_t to, uint64_t each)
{
    struct err err;
    size_t n;
    struct clip_entry *list = clip_folder_list(dir, &n, &err);

    assert_non_null(list);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(list[i].label, "all");
        holds(list[i].name, from, from + each < to ? from + each : to);
        from += each;
    }
    assert_true(from >= to);
    free(list);
    return (int)n;
}

static void test_all_is_continuous(void **state)
{
    struct clip_recorder *r;
    (void)state;

    config.clips.record = CLIPS_ALL;
    config.clips.file_length = 7.001;
    r = recorder(NULL);
    feed(r, 0, 100 * RATE + 17);
    assert_int_equal(files(), 15); /* 14 whole ones and the one under way */
    clip_recorder_free(r);
    assert_int_equal(joined(0, 100 * RATE + 17, 7 * RATE + 16), 15);
}

static void test_all_with_judge(void **state)
{
    struct clip_recorder *r;
    (void)state;

    memset(stream, 0, sizeof stream); /* neither tone; not silence either */
    for (uint64_t i = 0; i < LIMIT; i++)
        stream[i] = (int16_t)(i % 7);
    config.clips.record = CLIPS_ALL;
    config.clips.file_length = 10;
    r = recorder(judge());
    feed(r, 0, 60 * RATE + 5);
    clip_recorder_free(r);
    assert_int_equal(joined(0, 60 * RATE + 5, 10 * RATE), 7);
}

static void test_all_pauses(void **state)
{
    struct clip_recorder *r;
    struct err err;
    size_t n;
    (void)state;

    config.clips.record = CLIPS_ALL;
    r = recorder(NULL);
    feed_as(r, 0, 3 * RATE, 1, 0, true); /* listening is switched off */
    assert_int_equal(clip_recorder_figures(r)->stored, 1);
    feed(r, 50 * RATE, 53 * RATE); /* and on again */
    clip_recorder_free(r);
    struct clip_entry *list = clip_folder_list(dir, &n, &err);
    assert_int_equal(n, 2);
    holds(list[0].name, 0, 3 * RATE);
    holds(list[1].name, 50 * RATE, 53 * RATE);
    assert_true(list[1].utc_ms == T0 / 1000000 + 50000);
    free(list);
}

/* --- speech: the model's high tone */

static void quiet_stream(void)
{
    for (uint64_t i = 0; i < LIMIT; i++)
        stream[i] = (int16_t)(i % 7);
}

static void tone(double from_s, double to_s, double hz)
{
    for (uint64_t i = (uint64_t)(from_s * RATE); i < (uint64_t)(to_s * RATE); i++)
        stream[i] = (int16_t)lrint(9830 * sin(2 * M_PI * hz * (double)i / RATE));
}

#define SPEECH_HZ 4000
#define SOUND_HZ  400

static void test_speech_is_not_kept(void **state)
{
    struct clip_recorder *r;
    (void)state;

    quiet_stream();
    tone(5, 9, SOUND_HZ);
    tone(24, 28, SOUND_HZ);
    tone(26, 27.5, SPEECH_HZ);
    tone(43.2, 44.4, SPEECH_HZ); /* before the event, in its pre-roll: no gate was open, no worker ever saw it */
    tone(45, 48, SOUND_HZ);
    tone(65, 68, SOUND_HZ);
    tone(72, 75, SPEECH_HZ); /* long after the end */
    r = recorder(judge());
    feed(r, 0, 6 * RATE);
    note(r, NOTE_START, 1, "dog_bark", 5 * RATE, 6 * RATE);
    feed(r, 6 * RATE, 12 * RATE);
    note(r, NOTE_END, 1, "dog_bark", 0, 9 * RATE);
    holds(name_of("dog_bark", 1, 5 * RATE, "flac"), 3 * RATE, 9 * RATE + RATE / 2);

    feed(r, 12 * RATE, 25 * RATE);
    note(r, NOTE_START, 2, "dog_bark", 24 * RATE, 25 * RATE);
    feed(r, 25 * RATE, 32 * RATE);
    note(r, NOTE_END, 2, "dog_bark", 0, 28 * RATE);
    assert_int_equal(files(), 1);

    feed(r, 32 * RATE, 46 * RATE);
    note(r, NOTE_START, 3, "dog_bark", 45 * RATE, 46 * RATE);
    feed(r, 46 * RATE, 52 * RATE);
    note(r, NOTE_END, 3, "dog_bark", 0, 48 * RATE);
    assert_int_equal(files(), 1);
    assert_int_equal(n_dropped, 2);
    assert_true(dropped[0] == 2 && dropped[1] == 3 && fates[0] == CLIP_SPEECH && fates[1] == CLIP_SPEECH);
    assert_int_equal(clip_recorder_figures(r)->speech, 2);

    feed(r, 52 * RATE, 66 * RATE);
    note(r, NOTE_START, 4, "dog_bark", 65 * RATE, 66 * RATE);
    feed(r, 66 * RATE, 76 * RATE);
    note(r, NOTE_END, 4, "dog_bark", 0, 68 * RATE);
    holds(name_of("dog_bark", 4, 65 * RATE, "flac"), 63 * RATE, 68 * RATE + RATE / 2);

    note(r, NOTE_SPEECH, 0, "", 77 * RATE, 78 * RATE); /* the worker's word counts as well */
    note(r, NOTE_START, 5, "dog_bark", 78 * RATE, 79 * RATE);
    feed(r, 76 * RATE, 82 * RATE);
    note(r, NOTE_END, 5, "dog_bark", 0, 79 * RATE);
    feed(r, 82 * RATE, 84 * RATE);
    assert_int_equal(clip_recorder_figures(r)->speech, 3);
    clip_recorder_free(r);
    assert_int_equal(files(), 2);
}

/* No sample that is loud in [from, to) is in any file of the folder, whatever it is called. */
static void never_on_disk(uint64_t from, uint64_t to)
{
    DIR *d = opendir(dir);
    char path[512];
    SF_INFO info;

    for (struct dirent *e; (e = readdir(d));) {
        struct clip_name name;
        bool part;
        if (!clip_name_read(e->d_name, &name, &part))
            continue;
        snprintf(path, sizeof path, "%s/%.200s", dir, e->d_name);
        info = (SF_INFO){0};
        SNDFILE *f = sf_open(path, SFM_READ, &info);
        if (!f)
            continue; /* nothing in it yet */
        sf_count_t n = sf_read_short(f, got, LIMIT);
        sf_close(f);
        for (sf_count_t i = 0; i < n; i++)
            if (got[i] > 100 || got[i] < -100)
                fail_msg("%s holds a loud sample while %llu..%llu are heard", path, (unsigned long long)from,
                         (unsigned long long)to);
    }
    closedir(d);
}

static void test_all_silences_speech(void **state)
{
    struct clip_recorder *r;
    (void)state;

    quiet_stream();
    tone(20, 23.3, SPEECH_HZ);
    tone(29.5, 30.6, SPEECH_HZ); /* over the seam of two files */
    config.clips.record = CLIPS_ALL;
    config.clips.file_length = 10;
    config.clips.format = 1; /* what is written is on the disk at once */
    r = recorder(judge());
    for (uint64_t at = 0; at < 60 * RATE; at += RATE / 4) { /* looked at while it is written, too */
        feed(r, at, at + RATE / 4);
        never_on_disk(at, at + RATE / 4);
    }
    clip_recorder_free(r);
    never_on_disk(0, 60 * RATE);

    /* a window that holds speech, and half a second before and after it, are zeros; the rest is as it was */
    uint64_t silenced = 0;
    for (uint64_t i = 0; i < 60 * RATE; i++) {
        bool near = (i >= 18 * RATE && i < 25.4 * RATE) || (i >= 27.5 * RATE && i < 32.6 * RATE);
        if (near)
            stream[i] = -1; /* either: looked at below */
    }
    struct err err;
    size_t n;
    struct clip_entry *list = clip_folder_list(dir, &n, &err);
    assert_int_equal(n, 6);
    for (size_t k = 0; k < n; k++) {
        char path[512];
        SF_INFO info = {0};
        snprintf(path, sizeof path, "%s/%s", dir, list[k].name);
        SNDFILE *f = sf_open(path, SFM_READ, &info);
        assert_true(sf_read_short(f, got, LIMIT) == 10 * RATE);
        sf_close(f);
        for (uint64_t i = 0; i < 10 * RATE; i++) {
            uint64_t at = k * 10 * RATE + i;
            if (stream[at] >= 0)
                assert_int_equal(got[i], stream[at]);
            else
                silenced += got[i] == 0;
        }
    }
    free(list);
    assert_true(silenced > 6 * RATE);
}

/* --- with its threads */

static void nap(void)
{
    nanosleep(&(struct timespec){0, 1000000}, NULL);
}

struct feeder {
    struct clips *clips;
    uint64_t from, to;
    atomic_bool stop;
    atomic_uint_fast64_t at;
};

/* The analysis thread's part: at 200 times the pace of a microphone, patient. */
static void *feed_clips(void *arg)
{
    struct feeder *f = arg;
    float x[480];

    for (uint64_t at = f->from; at < f->to; at += 480) {
        for (int i = 0; i < 480; i++)
            x[i] = (float)stream[at + (uint64_t)i] / 32768;
        struct clips_audio a = {.samples = x,
                                .frames = 480,
                                .position = at,
                                .utc_ns = T0 + (int64_t)(at * S / RATE),
                                .stream = 1,
                                .rate = RATE};
        clips_audio(f->clips, &a, true, &f->stop);
        atomic_store(&f->at, at + 480);
        if (at / 480 % 7 == 0)
            nap();
    }
    return NULL;
}

static void await(struct feeder *f, uint64_t position)
{
    while (atomic_load(&f->at) < position)
        nap();
}

static struct event event(enum event_type type, uint64_t from, uint64_t to)
{
    struct event e = {.type = type,
                      .event_id = "0198c0de-0001-7000-8000-0000000000aa",
                      .label = "low_tone",
                      .start_position = from,
                      .end_position = to,
                      .start_ns = T0 + (int64_t)(from * S / RATE),
                      .device_rate = RATE};
    return e;
}

static void test_threads(void **state)
{
    static const char *const labels[] = {"low_tone", "speech", "background"};
    struct feeder f = {.from = 0, .to = 30 * RATE};
    struct err err;
    struct clip_figures figures;
    pthread_t thread;
    (void)state;

    quiet_stream();
    for (uint64_t i = 0; i < LIMIT; i++)
        stream[i] = (int16_t)(i % 50);
    snprintf(config.clips.dir, sizeof config.clips.dir, "%s", dir);
    snprintf(config.clips.classes, sizeof config.clips.classes, "low_tone");
    snprintf(config.model.file, sizeof config.model.file, "%s", model);
    f.clips = clips_new(&config, NULL, labels, 3, &err);
    if (!f.clips)
        fail_msg("%s", err.text);
    assert_int_equal(pthread_create(&thread, NULL, feed_clips, &f), 0);

    /* the worker's part */
    struct window_info w = {
        .stream = 1, .sound = 1, .device_rate = RATE, .open_position = 5 * RATE, .position = 5 * RATE};
    const float scores[] = {0.9f, 0.01f, 0};
    await(&f, 6 * RATE);
    w.end_position = 6 * RATE;
    clips_window(f.clips, &w);
    struct event e = event(EVENT_START, 5 * RATE + 7, 6 * RATE);
    clips_event(f.clips, &e);
    assert_string_equal(e.clip, "");
    clips_scores(f.clips, &w, scores);
    await(&f, 8 * RATE);
    e = event(EVENT_UPDATE, 5 * RATE + 7, 8 * RATE);
    clips_event(f.clips, &e);
    assert_string_equal(e.clip, "");
    await(&f, 13 * RATE);
    w.index = 10;
    w.last = w.empty = true;
    clips_window(f.clips, &w);
    e = event(EVENT_END, 5 * RATE + 7, 9 * RATE + 3);
    clips_event(f.clips, &e);
    clips_scores(f.clips, &w, NULL);
    assert_string_equal(e.clip, name_of("low_tone", 0xaa, 5 * RATE + 7, "flac"));
    pthread_join(thread, NULL);
    clips_pause(f.clips);
    for (int i = 0; i < 5000; i++, nap()) {
        clips_figures(f.clips, &figures);
        if (figures.stored)
            break;
    }
    clips_stop(f.clips, 5);
    assert_int_equal(figures.stored, 1);
    assert_int_equal(figures.lost_frames, 0);
    holds(e.clip, 3 * RATE + 7, 9 * RATE + 3 + RATE / 2);
}

/* A writer that does not keep up: what has no room is counted, and told. */
static void test_overrun(void **state)
{
    static const char *const labels[] = {"low_tone", "speech", "background"};
    static float x[RATE];
    struct err err;
    struct clip_figures figures = {0};
    atomic_bool stop = false;
    (void)state;

    config.clips.record = CLIPS_ALL;
    config.clips.speech = SPEECH_KEEP;
    snprintf(config.clips.dir, sizeof config.clips.dir, "%s", dir);
    struct clips *c = clips_new(&config, NULL, labels, 3, &err);
    assert_non_null(c);
    pthread_mutex_lock(&c->figures_lock); /* as a disk does that stands still: the writer waits */
    for (unsigned s = 0; s < 180; s++) {  /* the ring takes 16 s of them */
        struct clips_audio a = {
            .samples = x, .frames = RATE, .position = s * RATE, .utc_ns = T0, .stream = 1, .rate = RATE};
        for (int i = 0; i < RATE; i++)
            x[i] = (float)stream[s * RATE + (unsigned)i] / 32768;
        clips_audio(c, &a, false, &stop);
    }
    pthread_mutex_unlock(&c->figures_lock);
    for (int i = 0; i < 5000 && figures.lost_frames == 0; i++, nap()) {
        struct clips_audio a = {
            .samples = x, .frames = 480, .position = 180 * RATE + (unsigned)i * 480, .stream = 1, .rate = RATE};
        clips_audio(c, &a, false, &stop);
        clips_figures(c, &figures);
    }
    clips_stop(c, 5);
    assert_true(figures.lost_frames > 0);
}

static void test_refusals(void **state)
{
    static const char *const labels[] = {"low_tone", "high_tone", "background"};
    char path[64];
    struct err err;
    (void)state;

    assert_int_equal(tiny_model_write(path, sizeof path, "1"), 0);
    snprintf(config.model.file, sizeof config.model.file, "%s", path);
    snprintf(config.clips.dir, sizeof config.clips.dir, "%s", dir);
    snprintf(config.clips.classes, sizeof config.clips.classes, "low_tone");
    assert_null(clips_new(&config, NULL, labels, 3, &err));
    assert_non_null(strstr(err.text, "has no class for speech"));
    snprintf(config.clips.classes, sizeof config.clips.classes, "low_tome");
    assert_null(clips_new(&config, NULL, labels, 3, &err));
    assert_non_null(strstr(err.text, "did you mean low_tone?"));
    snprintf(config.clips.classes, sizeof config.clips.classes, "low_tone");
    snprintf(config.model.file, sizeof config.model.file, "%s", model);
    config.clips.speech = SPEECH_FEATURES;
    assert_null(clips_new(&config, NULL, labels, 3, &err));
    assert_non_null(strstr(err.text, "gives no embedding"));
    unlink(path);
}

static void leave_clip(int days)
{
    struct clip_name n = {.utc_ms = clock_ms(CLOCK_REALTIME) - days * INT64_C(86400000),
                          .label = "siren",
                          .id = "0123abcd",
                          .extension = "wav"};
    char name[CLIP_SIZE], path[256];

    clip_name_write(&n, name);
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
}

static size_t count_clips(void)
{
    struct err err;
    size_t n;
    struct clip_entry *list = clip_folder_list(dir, &n, &err);

    assert_non_null(list);
    free(list);
    return n;
}

/* What is too old goes; but a clock that is suddenly years ahead makes nothing old. */
static void test_age(void **state)
{
    struct clip_recorder *r = clip_recorder_new(&config, dir, 1, NULL, on_fate, NULL);
    (void)state;

    assert_non_null(r);
    leave_clip((int)config.clips.max_age + 1);
    leave_clip(1);
    clip_recorder_tick(r, clock_ms(CLOCK_REALTIME));
    assert_int_equal(count_clips(), 1);
    clock_set_s = 10L * 365 * 86400;
    clip_recorder_tick(r, clock_ms(CLOCK_REALTIME));
    assert_int_equal(count_clips(), 1);
    clip_recorder_free(r);
    clock_set_s = 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_exact),
        TEST(test_edges),
        TEST(test_length_limit),
        TEST(test_long_release),
        TEST(test_two_at_once),
        TEST(test_unknown),
        TEST(test_lost_and_new_streams),
        TEST(test_all_is_continuous),
        TEST(test_all_with_judge),
        TEST(test_all_pauses),
        TEST(test_speech_is_not_kept),
        TEST(test_all_silences_speech),
        TEST(test_age),
        TEST(test_threads),
        TEST(test_overrun),
        TEST(test_refusals),
    };
    log_open(LOG_PLAIN, LOG_LEVEL_ERROR);
    if (tiny_model_write_labels(model, sizeof model, "1", "low_tone\nspeech\nbackground") < 0)
        return 1;
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(model);
    return rc;
}
