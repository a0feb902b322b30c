#include "daemon/capture.h"
#include "daemon/capture_rt.h"
#include "daemon/capture_stdin.h"
#include "daemon/devices.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sndfile.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define MS 1000000LL

/* s; some milliseconds on an idle machine. Where it hung it would be for ever, or for as long as the file plays. */
#define AT_ONCE 5

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void sleep_ms(int ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * MS}, NULL);
}

/* The next block, waited for; fails after five seconds. */
static const struct audio_block *next(struct ring *r)
{
    for (double end = now() + 5; now() < end; sleep_ms(1)) {
        const struct audio_block *b = ring_peek(r);
        if (b)
            return b;
    }
    fail_msg("no block came");
    return NULL;
}

/* --- the callback's part --- */

static void rt_blocks(void **state)
{
    static float x[2 * 3000];
    struct capture_rt rt = {.ring = ring_new(sizeof(struct audio_block), 8)};
    (void)state;
    for (int i = 0; i < 2 * 3000; i++)
        x[i] = (float)i;
    capture_rt_begin(&rt, 48000, 2, 0);
    capture_rt_push(&rt, x, 1100, 5000 * MS, 20 * MS, false); /* 512 + 512 + 76 frames of two channels */
    static const unsigned length[] = {512, 512, 76};
    uint64_t frame = 0;
    for (int k = 0; k < 3; k++) {
        const struct audio_block *b = ring_peek(rt.ring);
        assert_non_null(b);
        assert_int_equal(b->frames, length[k]);
        assert_int_equal(b->frame, frame);
        assert_int_equal(b->channels, 2);
        assert_int_equal(b->rate, 48000);
        assert_int_equal(b->flags, 0);
        assert_int_equal(b->mono_ns, 4980 * MS + (int64_t)(frame * 1000000000 / 48000));
        assert_memory_equal(b->samples, x + 2 * frame, sizeof(float) * 2 * length[k]);
        frame += length[k];
        ring_release(rt.ring);
    }
    assert_null(ring_peek(rt.ring));
    ring_free(rt.ring);
}

static void rt_full_ring_drops_the_newest(void **state)
{
    static const float x[480];
    struct capture_rt rt = {.ring = ring_new(sizeof(struct audio_block), 4)};
    (void)state;
    capture_rt_begin(&rt, 48000, 1, 0);
    for (int i = 0; i < 7; i++)
        capture_rt_push(&rt, x, 480, i * 10 * MS, 0, false);
    assert_int_equal(atomic_load(&rt.lost_frames), 3 * 480);
    assert_int_equal(atomic_load(&rt.overruns), 1); /* one overrun, three callbacks long */
    for (uint64_t i = 0; i < 4; i++) {
        assert_int_equal(((const struct audio_block *)ring_peek(rt.ring))->frame, i * 480);
        ring_release(rt.ring);
    }
    capture_rt_push(&rt, x, 480, 70 * MS, 0, true);
    const struct audio_block *b = ring_peek(rt.ring);
    assert_int_equal(b->frame, 7 * 480); /* the gap shows */
    assert_int_equal(b->flags, BLOCK_OVERFLOW);
    assert_int_equal(atomic_load(&rt.overruns), 2);
    capture_rt_push(&rt, NULL, 480, 80 * MS, 0, false); /* PortAudio had no data */
    assert_int_equal(atomic_load(&rt.lost_frames), 4 * 480);
    ring_free(rt.ring);
}

static void rt_pause_is_a_new_epoch(void **state)
{
    static const float x[480];
    struct capture_rt rt = {.ring = ring_new(sizeof(struct audio_block), 8)};
    (void)state;
    capture_rt_begin(&rt, 48000, 1, 0);
    uint32_t epoch = rt.epoch;
    capture_rt_push(&rt, x, 480, 1000 * MS, 0, false);
    capture_rt_push(&rt, x, 480, 1900 * MS, 0, false); /* late, but the same stream */
    capture_rt_push(&rt, x, 480, 4000 * MS, 0, false);
    static const struct {
        unsigned later;
        uint64_t frame;
    } want[] = {{0, 0}, {0, 480}, {1, 0}};
    for (int i = 0; i < 3; i++) {
        const struct audio_block *b = ring_peek(rt.ring);
        assert_int_equal(b->epoch, epoch + want[i].later);
        assert_int_equal(b->frame, want[i].frame);
        ring_release(rt.ring);
    }
    ring_free(rt.ring);
}

/* --- which device --- */

static void finds_devices(void **state)
{
    static const struct device d[] = {
        {.number = 0, .name = "HDA Intel PCH: ALC236 Analog (hw:0,0)", .channels = 2},
        {.number = 3, .name = "USB PnP Sound Device: Audio (hw:1,0)", .channels = 1},
        {.number = 5, .name = "pulse", .channels = 32},
        {.number = 6, .name = "default", .channels = 32, .is_default = true},
        {.number = 9, .name = "USB PnP Sound Device: Audio (hw:1,0)", .channels = 1, .host_rank = 2},
        {.number = 11, .name = "2 Line In", .channels = 2},
    };
    static const struct {
        const char *wanted, *remembered;
        int number;
    } cases[] = {
        {"", "", 6},
        {"default", "", 6},
        {"default", "pulse", 6},
        {"5", "", 5},
        {"usb", "", 3}, /* the earlier host API of the two */
        {"USB PnP Sound Device: Audio (hw:1,0)", "", 3},
        {"USB PnP Sound Device: Audio (hw:2,0)", "", 3}, /* plugged in elsewhere meanwhile */
        {"3", "USB PnP Sound Device: Audio (hw:2,0)", 3},
        {"0", "USB PnP Sound Device: Audio (hw:1,0)", 3}, /* renumbered: the name counts */
        {"3", "Webcam", -1},                              /* another device has its number now */
        {"7", "", -1},
        {"webcam", "", -1},
        {"line in", "", 11},
        {"2 l", "", 11},
        {"99999999999999999999", "", -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int k = devices_find(d, sizeof d / sizeof *d, cases[i].wanted, cases[i].remembered);
        if ((k < 0 ? -1 : d[k].number) != cases[i].number)
            fail_msg("\"%s\" after \"%s\": device %d", cases[i].wanted, cases[i].remembered, k < 0 ? -1 : d[k].number);
    }
    assert_int_equal(devices_find(d, 0, "default", ""), -1);
    char text[60];
    devices_text(d, 6, text, sizeof text); /* cut, not overrun */
    assert_int_equal(strlen(text), sizeof text - 1);
    devices_text(d, 0, text, sizeof text);
    assert_string_equal(text, "none");
}

/* --- files --- */

static char wav[64];

static int make_wav(void **state)
{
    (void)state;
    snprintf(wav, sizeof wav, "/tmp/test_capture.%ld.wav", (long)getpid());
    return 0;
}

static int remove_wav(void **state)
{
    (void)state;
    unlink(wav);
    return 0;
}

static void write_wav(unsigned rate, int channels, int frames)
{
    SF_INFO info = {.samplerate = (int)rate, .channels = channels, .format = SF_FORMAT_WAV | SF_FORMAT_FLOAT};
    SNDFILE *f = sf_open(wav, SFM_WRITE, &info);
    assert_non_null(f);
    for (int i = 0; i < frames; i++) {
        float x[8];
        for (int c = 0; c < channels; c++)
            x[c] = (float)(i % 1000) / 1024 + (float)c / 8192;
        assert_int_equal(sf_writef_float(f, x, 1), 1);
    }
    sf_close(f);
}

static struct capture *open_input(const char *device, const char *channel, int rate, int channels, bool fast,
                                  struct err *err)
{
    struct config config = {.input = {.rate = rate, .channels = channels}};
    snprintf(config.input.device, sizeof config.input.device, "%s", device);
    snprintf(config.input.channel, sizeof config.input.channel, "%s", channel);
    return capture_new(&config, fast, err);
}

static struct capture *open_wav(const char *channel, bool fast, struct err *err)
{
    char device[80];
    snprintf(device, sizeof device, "file:%s", wav);
    return open_input(device, channel, 0, 0, fast, err);
}

static void file_is_delivered_whole(void **state)
{
    enum { FRAMES = 300001 }; /* more than the ring holds: the source must wait, not drop */
    struct err err = {""};
    (void)state;
    write_wav(44100, 2, FRAMES);
    struct capture *c = open_wav("mix", true, &err);
    assert_non_null(c);
    struct ring *r = capture_ring(c);
    sleep_ms(50);
    uint64_t frame = 0;
    for (bool end = false; !end;) {
        const struct audio_block *b = next(r);
        assert_int_equal(b->frame, frame);
        assert_int_equal(b->rate, 44100);
        assert_int_equal(b->channels, 2);
        for (unsigned i = 0; i < b->frames; i++)
            for (unsigned k = 0; k < 2; k++)
                if (b->samples[2 * i + k] != (float)((frame + i) % 1000) / 1024 + (float)k / 8192)
                    fail_msg("frame %llu differs", (unsigned long long)(frame + i));
        frame += b->frames;
        end = b->flags & BLOCK_END;
        ring_release(r);
    }
    assert_int_equal(frame, FRAMES);
    struct capture_state s;
    capture_get_state(c, &s);
    assert_string_equal(s.state, "ended");
    assert_string_equal(s.reason, "");
    assert_string_equal(s.name, wav);
    assert_int_equal(s.lost_frames, 0);
    assert_false(s.live);
    capture_free(c);
}

static void file_is_paced(void **state)
{
    struct err err = {""};
    (void)state;
    write_wav(8000, 1, 2400);
    struct capture *c = open_wav("mix", false, &err);
    double begin = now();
    int64_t first = 0;
    for (bool end = false; !end;) {
        const struct audio_block *b = next(capture_ring(c));
        if (b->frame == 0)
            first = b->mono_ns;
        assert_int_equal(b->mono_ns - first, (int64_t)b->frame * 125000);
        if (b->frames)
            assert_in_range(b->frames, 160, 160);
        end = b->flags & BLOCK_END;
        ring_release(capture_ring(c));
    }
    double took = now() - begin;
    assert_true(took > 0.29);
    assert_true(took < AT_ONCE); /* 0.3 s on an idle machine */
    capture_free(c);
}

static void file_errors(void **state)
{
    struct err err = {""};
    (void)state;
    assert_null(open_input("file:/nonexistent/x.wav", "mix", 0, 0, true, &err));
    assert_non_null(strstr(err.text, "/nonexistent/x.wav"));
    write_wav(8000, 1, 100);
    assert_null(open_wav("2", true, &err));
    assert_non_null(strstr(err.text, "has 1 channel; [input] channel = 2"));
    assert_null(open_wav("left", true, &err));
    assert_non_null(strstr(err.text, "mix or a number"));
}

static void file_stops_at_once(void **state)
{
    struct err err = {""};
    (void)state;
    write_wav(8000, 1, 80000);
    struct capture *c = open_wav("mix", false, &err);
    sleep_ms(30);
    double begin = now();
    capture_free(c);
    assert_true(now() - begin < AT_ONCE);
    c = open_wav("mix", true, &err); /* nobody empties the ring: the source waits for room */
    begin = now();
    capture_free(c);
    assert_true(now() - begin < AT_ONCE);
    capture_free(NULL);
}

/* --- stdin --- */

static int saved_stdin = -1;

/* Puts a pipe's end in stdin's place; returns the other end. */
static int pipe_to_stdin(void)
{
    int fd[2];
    assert_int_equal(pipe(fd), 0);
    saved_stdin = dup(STDIN_FILENO);
    assert_true(dup2(fd[0], STDIN_FILENO) == STDIN_FILENO);
    close(fd[0]);
    return fd[1];
}

static void restore_stdin(void)
{
    if (saved_stdin >= 0) {
        dup2(saved_stdin, STDIN_FILENO);
        close(saved_stdin);
    }
    saved_stdin = -1;
}

static void stdin_is_delivered_whole(void **state)
{
    struct err err = {""};
    (void)state;
    int fd = pipe_to_stdin();
    struct capture *c = open_input("-", "mix", 22050, 3, false, &err);
    if (!c)
        fail_msg("%s", err.text);
    /* 1000 frames of three channels in odd pieces, and half a sample at the end */
    static int16_t x[3001];
    for (int i = 0; i < 3000; i++)
        x[i] = (int16_t)(i * 21 - 32768);
    x[3000] = 0x7f7f;
    const char *bytes = (const char *)x;
    size_t size = 6001;
    for (size_t at = 0, n; at < size; at += n) {
        n = size - at < 777 ? size - at : 777;
        assert_int_equal(write(fd, bytes + at, n), n);
        sleep_ms(1);
    }
    close(fd);
    uint64_t frame = 0;
    for (bool end = false; !end;) {
        const struct audio_block *b = next(capture_ring(c));
        assert_int_equal(b->frame, frame);
        assert_int_equal(b->rate, 22050);
        assert_int_equal(b->channels, 3);
        for (unsigned i = 0; i < 3U * b->frames; i++)
            assert_true(b->samples[i] == (float)x[3 * frame + i] / 32768);
        frame += b->frames;
        end = b->flags & BLOCK_END;
        ring_release(capture_ring(c));
    }
    assert_int_equal(frame, 1000);
    capture_free(c);
    restore_stdin();
}

static void silent_stdin_stops_at_once(void **state)
{
    struct err err = {""};
    (void)state;
    int fd = pipe_to_stdin();
    struct capture *c = open_input("-", "2", 0, 0, false, &err);
    assert_non_null(c);
    struct capture_state s;
    capture_get_state(c, &s);
    assert_string_equal(s.name, "stdin");
    assert_int_equal(s.rate, 16000);
    assert_int_equal(s.channels, 2); /* as many as `channel` needs */
    double begin = now();
    capture_free(c);
    assert_true(now() - begin < AT_ONCE);
    close(fd);
    restore_stdin();
}

static void stdin_errors(void **state)
{
    struct err err = {""};
    (void)state;
    int fd = pipe_to_stdin();
    assert_null(open_input("-", "mix", 100, 0, false, &err));
    assert_non_null(strstr(err.text, "4000 to 384000 Hz"));
    assert_null(open_input("-", "mix", 16000, 65, false, &err));
    assert_non_null(strstr(err.text, "channels = 65: 1 to 64"));
    assert_null(open_input("-", "3", 16000, 2, false, &err));
    assert_non_null(strstr(err.text, "stdin has 2 channels"));
    close(STDIN_FILENO);
    assert_null(open_input("-", "mix", 0, 0, false, &err));
    assert_non_null(strstr(err.text, "stdin is closed"));
    close(fd);
    restore_stdin();
}

static void pipe_clock_live(void **state)
{
    /* a sender whose clock is 200 ppm fast, jitter of up to 40 ms: the times stay within the jitter of the truth */
    struct pipe_clock c = {.rate = 16000};
    uint32_t random = 1;
    (void)state;
    for (uint64_t i = 0; i < 100000; i++) {
        int64_t truth = (int64_t)((double)i * 10e6 / 1.0002);
        random = random * 1664525 + 1013904223;
        int64_t got = pipe_clock_time(&c, i * 160, 160, truth + 10 * MS + random % (40 * MS));
        if (got < truth - 5 * MS || got > truth + 45 * MS)
            fail_msg("block %d is %.1f ms off", (int)i, (double)(got - truth) / 1e6);
    }
}

static void pipe_clock_file(void **state)
{
    /* ten minutes that arrive within a second keep the pace of their sample rate, to the 500 ppm */
    struct pipe_clock c = {.rate = 16000};
    int64_t at = 0;
    (void)state;
    for (uint64_t i = 0; i < 60000; i++)
        at = pipe_clock_time(&c, i * 160, 160, (int64_t)i * 16000);
    assert_in_range(at, 599000 * MS, 600000 * MS);
    /* a pause: it goes on from its arrival */
    at = pipe_clock_time(&c, 60000 * 160, 160, 700000 * MS);
    assert_int_equal(at, 699990 * MS);
}

/* --- no PortAudio --- */

static void unusable_alsa_is_absent(void **state)
{
    struct err err = {""};
    struct capture_state s = {.state = ""}, later;
    (void)state;
    setenv("ALSA_CONFIG_PATH", "/nonexistent/asound.conf", 1); /* Pa_Initialize would abort the program */
    struct capture *c = open_input("default", "mix", 0, 0, false, &err);
    assert_non_null(c);
    for (double end = now() + 3; now() < end && strcmp(s.state, "absent") != 0; sleep_ms(10))
        capture_get_state(c, &s);
    assert_string_equal(s.state, "absent");
    assert_non_null(strstr(s.reason, "/nonexistent/asound.conf"));
    assert_true(s.live);
    sleep_ms(300);
    capture_get_state(c, &later);
    assert_true(later.progress > s.progress);
    assert_null(ring_peek(capture_ring(c)));
    double begin = now();
    capture_free(c);
    assert_true(now() - begin < AT_ONCE);
    assert_false(capture_any_device());
    unsetenv("ALSA_CONFIG_PATH");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rt_blocks),
        cmocka_unit_test(rt_full_ring_drops_the_newest),
        cmocka_unit_test(rt_pause_is_a_new_epoch),
        cmocka_unit_test(finds_devices),
        cmocka_unit_test(file_is_delivered_whole),
        cmocka_unit_test(file_is_paced),
        cmocka_unit_test(file_errors),
        cmocka_unit_test(file_stops_at_once),
        cmocka_unit_test(stdin_is_delivered_whole),
        cmocka_unit_test(silent_stdin_stops_at_once),
        cmocka_unit_test(stdin_errors),
        cmocka_unit_test(pipe_clock_live),
        cmocka_unit_test(pipe_clock_file),
        cmocka_unit_test(unusable_alsa_is_absent),
    };
    return cmocka_run_group_tests(tests, make_wav, remove_wav);
}
