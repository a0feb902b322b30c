/* The pipeline whole: file or stdin in, events out at an output that keeps them. Most of it runs on the tiny model, whose two
 * tones a test can predict; what is fed through the pipe is analysed as fast as it comes. */
#include "daemon/pipeline.h"

#include "base/log.h"
#include "event/event.h"
#include "tests/tiny_model.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define RATE                TINY_RATE
#define EVENTS              256
#define WINDOW_QUEUE_LENGTH 16

/* An output that keeps what it is told, and can be made to hang. */
struct recorder {
    struct output output;
    pthread_mutex_t lock;
    pthread_cond_t change;
    bool hang;
    size_t n;
    struct event events[EVENTS];
};

static void record(struct output *o, const struct event *e)
{
    struct recorder *r = (struct recorder *)o;

    pthread_mutex_lock(&r->lock);
    if (r->n < EVENTS)
        r->events[r->n++] = *e;
    pthread_cond_broadcast(&r->change);
    while (r->hang)
        pthread_cond_wait(&r->change, &r->lock);
    pthread_mutex_unlock(&r->lock);
}

static void hang(struct recorder *r, bool on)
{
    pthread_mutex_lock(&r->lock);
    r->hang = on;
    pthread_cond_broadcast(&r->change);
    pthread_mutex_unlock(&r->lock);
}

/* Events of that type and label ("" : any) so far. */
static size_t count(struct recorder *r, enum event_type type, const char *label)
{
    size_t n = 0;
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->n; i++)
        n += r->events[i].type == type && (!*label || strcmp(r->events[i].label, label) == 0);
    pthread_mutex_unlock(&r->lock);
    return n;
}

struct bench {
    struct pipeline *pipeline;
    struct recorder recorder;
    struct output *outputs[1];
    struct config config;
    char model[64];
    int feed; /* write end of stdin */
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void nap(void)
{
    nanosleep(&(struct timespec){0, 2000000}, NULL);
}

#define WAIT_FOR(condition)                                                                                            \
    do {                                                                                                               \
        for (double until_ = now() + 10; !(condition) && now() < until_;)                                              \
            nap();                                                                                                     \
        assert_true(condition);                                                                                        \
    } while (0)

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    struct err err;

    if (!b || config_init(&b->config, &err) < 0 || tiny_model_write(b->model, sizeof b->model, "1") < 0)
        return -1;
    log_open(LOG_PLAIN, LOG_LEVEL_ERROR);
    b->feed = -1;
    pthread_mutex_init(&b->recorder.lock, NULL);
    pthread_cond_init(&b->recorder.change, NULL);
    b->recorder.output = (struct output){.name = "recorder", .event = record};
    b->outputs[0] = &b->recorder.output;
    snprintf(b->config.model.file, sizeof b->config.model.file, "%s", b->model);
    snprintf(b->config.input.device, sizeof b->config.input.device, "-");
    b->config.input.rate = RATE;
    b->config.gate.threshold = (struct gate_threshold){THRESHOLD_FIXED, -40};
    b->config.decision.release = 1;
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;

    hang(&b->recorder, false);
    pipeline_free(b->pipeline);
    if (b->feed >= 0)
        close(b->feed);
    unlink(b->model);
    config_free(&b->config);
    pthread_cond_destroy(&b->recorder.change);
    pthread_mutex_destroy(&b->recorder.lock);
    free(b);
    return 0;
}

static void begin(struct bench *b, bool fast)
{
    struct err err = {""};

    if (strcmp(b->config.input.device, "-") == 0) {
        int ends[2];
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        dup2(ends[0], STDIN_FILENO);
        close(ends[0]);
        b->feed = ends[1];
    }
    b->pipeline = pipeline_new(&b->config, fast, &err);
    if (!b->pipeline)
        fail_msg("%s", err.text);
    if (pipeline_start(b->pipeline, b->outputs, 1, &err) < 0)
        fail_msg("%s", err.text);
}

/* A tone over the faint noise of a room; hz 0: the room alone. */
static void feed(struct bench *b, double seconds, double hz, double amplitude)
{
    size_t n = (size_t)(seconds * RATE);
    float *x = calloc(n, sizeof *x);
    int16_t *raw = malloc(n * sizeof *raw);
    static uint32_t seed = 1;

    assert_true(x && raw);
    if (hz > 0)
        tiny_tone(x, RATE, 0, seconds, hz, amplitude);
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525 + 1013904223;
        raw[i] = (int16_t)(x[i] * 32767 + (float)(seed >> 28) - 8);
    }
    for (size_t at = 0; at < n * sizeof *raw;) {
        ssize_t w = write(b->feed, (char *)raw + at, n * sizeof *raw - at);
        assert_true(w > 0);
        at += (size_t)w;
    }
    free(x);
    free(raw);
}

static void end_input(struct bench *b)
{
    struct pollfd p = {.fd = pipeline_end_fd(b->pipeline), .events = POLLIN};

    if (b->feed >= 0)
        close(b->feed);
    b->feed = -1;
    assert_int_equal(poll(&p, 1, 120000), 1); /* an emulated processor takes its time */
}

static struct health health(struct bench *b)
{
    struct health h;
    pipeline_health(b->pipeline, &h);
    return h;
}

static uint64_t position(struct bench *b)
{
    struct analysis_levels l;
    pipeline_levels(b->pipeline, &l);
    return l.position;
}

/* Every start has its end after it, with the same ids and times in order; ends without a start are `unknown`. */
static void assert_paired(const struct recorder *r)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct event *e = &r->events[i];
        size_t starts = 0, ends = 0;
        assert_true(e->start_ns <= e->end_ns && e->start_position <= e->end_position);
        for (size_t k = 0; k < r->n; k++) {
            const struct event *o = &r->events[k];
            if (strcmp(o->event_id, e->event_id) != 0)
                continue;
            assert_string_equal(o->label, e->label);
            assert_int_equal(o->start_ns, e->start_ns);
            starts += o->type == EVENT_START && k <= i;
            ends += o->type == EVENT_END && k >= i;
        }
        assert_int_equal(starts, strcmp(e->label, "unknown") != 0);
        assert_int_equal(ends, 1);
    }
}

/* --- the cases ------------------------------------------------------------------------------------------------------ */

/* The recording that ships, the model that ships: each sound under its name, in order, where models/demo.csv says. */
static void demo(void **state)
{
    struct bench *b = *state;
    FILE *csv = fopen("models/demo.csv", "r");
    double start_s, end_s;
    char label[LABEL_SIZE], line[128];
    size_t at = 0;

    if (!csv) {
        print_message("skip demo: run from the repository's root\n");
        skip();
    }
    snprintf(b->config.model.file, sizeof b->config.model.file, "models/earshot-s.onnx");
    snprintf(b->config.input.device, sizeof b->config.input.device, "file:models/demo.flac");
    b->config.input.rate = 0;
    b->config.gate.threshold = (struct gate_threshold){THRESHOLD_AUTO, 12};
    b->config.decision.release = 3;
    begin(b, true);
    end_input(b);
    pipeline_stop(b->pipeline);
    assert_paired(&b->recorder);
    assert_non_null(fgets(line, sizeof line, csv));
    while (fscanf(csv, "%lf,%lf,%47s", &start_s, &end_s, label) == 3) {
        const struct event *e = b->recorder.events;
        while (at < b->recorder.n && (e[at].type != EVENT_START || strcmp(e[at].label, label) != 0))
            at++;
        if (at == b->recorder.n)
            fail_msg("no %s at %.1f s, in order", label, start_s);
        double heard = (double)e[at].start_position / e[at].device_rate;
        if (heard < start_s - 0.1 || heard > start_s + 0.3)
            fail_msg("%s at %.2f s began at %.2f s", label, start_s, heard);
        at++;
    }
    fclose(csv);
    assert_int_equal(health(b).windows_dropped, 0);
    assert_int_equal(health(b).lost_frames, 0);
}

static void tones(void **state)
{
    struct bench *b = *state;
    const struct recorder *r = &b->recorder;

    begin(b, false);
    feed(b, 1, 0, 0);
    feed(b, 2, 400, 0.3);
    feed(b, 3, 0, 0);
    feed(b, 2, 4000, 0.3);
    feed(b, 1, 0, 0);
    end_input(b);
    pipeline_stop(b->pipeline);
    assert_paired(r);
    assert_int_equal(count(&b->recorder, EVENT_START, ""), 2);
    assert_string_equal(r->events[0].label, "low_tone");
    assert_string_equal(r->events[r->n - 1].label, "high_tone");
    assert_true(fabs((double)r->events[0].start_position / RATE - 1) < 0.02);
    assert_true(fabs((double)r->events[0].start_ns / 1e9 - (double)time(NULL)) < 60);

    struct health h = health(b);
    assert_string_equal(h.input, "stdin");
    assert_string_equal(h.input_state, "ended");
    assert_string_equal(h.threshold, "-40 dBFS");
    assert_non_null(strstr(b->model, h.model));
    assert_int_equal(h.rate, RATE);
    assert_int_equal(h.channels, 1);
    assert_int_equal(h.events, r->n);
    assert_true(h.windows >= 6 && h.windows <= 20);
    assert_int_equal(h.windows_dropped + h.lost_frames + h.overruns, 0);
    assert_int_equal(h.levels.sounds, 2);
    assert_int_equal(h.levels.position, 9 * RATE);
    assert_true(h.listening && h.uptime_s > 0 && !h.levels.open);
}

static void listening(void **state)
{
    struct bench *b = *state;
    struct err err;

    begin(b, false);
    feed(b, 3, 400, 0.3);
    WAIT_FOR(count(&b->recorder, EVENT_START, "low_tone") == 1);
    assert_int_equal(pipeline_set(b->pipeline, "listening", "off", &err), 0);
    WAIT_FOR(!health(b).listening);
    WAIT_FOR(count(&b->recorder, EVENT_END, "low_tone") == 1); /* what went on has ended */
    size_t before = b->recorder.n;
    feed(b, 4, 4000, 0.3);
    feed(b, 1, 0, 0);
    WAIT_FOR(position(b) >= 7.5 * RATE);
    assert_int_equal(b->recorder.n, before);
    assert_int_equal(pipeline_set(b->pipeline, "listening", "ON", &err), 0);
    WAIT_FOR(health(b).listening);
    feed(b, 1, 0, 0);
    feed(b, 2, 4000, 0.3);
    end_input(b);
    pipeline_stop(b->pipeline);
    assert_paired(&b->recorder);
    assert_int_equal(count(&b->recorder, EVENT_START, "high_tone"), 1);
    const struct event *last = &b->recorder.events[b->recorder.n - 1];
    assert_true(last->start_position >= 8.5 * RATE); /* positions went on */
    assert_int_equal(last->lost_frames, 0);          /* not heard is not lost */
    assert_int_equal(health(b).levels.lost_frames, 0);
    assert_int_equal(pipeline_set(b->pipeline, "listening", "maybe", &err), -1);
    assert_non_null(strstr(err.text, "ON and OFF"));
}

static void threshold(void **state)
{
    struct bench *b = *state;
    struct err err;

    begin(b, false);
    feed(b, 2, 400, 0.005); /* -49 dBFS */
    feed(b, 1, 0, 0);
    WAIT_FOR(position(b) >= 2.9 * RATE);
    assert_int_equal(health(b).levels.sounds, 0);
    assert_int_equal(pipeline_set(b->pipeline, "threshold", "-55 dBFS", &err), 0);
    assert_string_equal(health(b).threshold, "-55 dBFS");
    static const char *const bad[] = {"", "loud", "2.5", "nan", "-55 dBFS or so"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(pipeline_set(b->pipeline, "threshold", bad[i], &err), -1);
        assert_true(*err.text);
    }
    assert_string_equal(health(b).threshold, "-55 dBFS");
    assert_int_equal(pipeline_set(b->pipeline, "volume", "11", &err), -1);
    assert_non_null(strstr(err.text, "threshold"));
    nap(); /* the analysis takes it between two blocks */
    feed(b, 2, 400, 0.005);
    feed(b, 1, 0, 0);
    WAIT_FOR(health(b).levels.sounds == 1);
    end_input(b);
}

static void reload(void **state)
{
    struct bench *b = *state;
    struct config fresh = b->config;
    struct class_rule ignore = {.label = "low_tone",
                                .threshold = NAN,
                                .confirm = -1,
                                .release_s = -1,
                                .cooldown_s = -1,
                                .active_from = -1,
                                .active_to = -1,
                                .mode = CLASS_IGNORE};
    char other[64];
    struct err err;

    begin(b, false);
    feed(b, 3, 400, 0.3);
    WAIT_FOR(count(&b->recorder, EVENT_START, "low_tone") == 1);
    fresh.rules = &ignore;
    fresh.n_rules = 1;
    fresh.gate.threshold.db = -45;
    assert_int_equal(pipeline_reload(b->pipeline, &fresh, true, &err), 0);
    WAIT_FOR(count(&b->recorder, EVENT_END, "low_tone") == 1); /* in mid sound: ended, nothing left open */
    assert_string_equal(health(b).threshold, "-45 dBFS");
    feed(b, 3, 400, 0.3);
    feed(b, 2, 0, 0);
    feed(b, 3, 4000, 0.3);
    WAIT_FOR(count(&b->recorder, EVENT_START, "high_tone") == 1);
    assert_int_equal(count(&b->recorder, EVENT_START, "low_tone"), 1);

    /* the model's file has been replaced: it is taken, though the configuration is the same */
    fresh.n_rules = 0;
    assert_int_equal(pipeline_reload(b->pipeline, &fresh, false, &err), 0); /* nothing to do: rules stay */
    feed(b, 3, 400, 0.3);
    feed(b, 2, 0, 0);
    feed(b, 3, 4000, 0.3);
    WAIT_FOR(count(&b->recorder, EVENT_START, "high_tone") == 2);
    assert_int_equal(count(&b->recorder, EVENT_START, "low_tone"), 1);
    assert_int_equal(tiny_model_write(other, sizeof other, "1"), 0);
    assert_int_equal(rename(other, b->model), 0);
    assert_int_equal(pipeline_reload(b->pipeline, &fresh, false, &err), 0);
    feed(b, 2, 0, 0);
    feed(b, 3, 400, 0.3);
    WAIT_FOR(count(&b->recorder, EVENT_START, "low_tone") == 2);

    /* windows shorter than the step from one to the next: refused, nothing changes */
    assert_int_equal(tiny_model_write(other, sizeof other, "0.25"), 0);
    snprintf(fresh.model.file, sizeof fresh.model.file, "%s", other);
    fresh.gate.threshold.db = -50;
    assert_int_equal(pipeline_reload(b->pipeline, &fresh, true, &err), -1);
    assert_non_null(strstr(err.text, "hop"));
    unlink(other);
    assert_int_equal(pipeline_reload(b->pipeline, &fresh, true, &err), -1); /* and now it is gone */
    assert_non_null(strstr(err.text, other));
    assert_string_equal(health(b).threshold, "-45 dBFS");
    end_input(b);
    pipeline_stop(b->pipeline);
    assert_paired(&b->recorder);
}

/* Models whose windows have other lengths take over in mid sound, one after the other: what sounds ends and starts anew at the very
 * sample, and not a frame is lost. */
static void other_windows(void **state)
{
    struct bench *b = *state;
    static const char *const lengths[] = {"0.5", "3", "1", "0.6"};
    struct config fresh = b->config;
    char other[64];
    struct err err;
    double fed = 0;

    begin(b, false);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        feed(b, 4, 400, 0.3);
        fed += 4;
        WAIT_FOR(position(b) == (uint64_t)(fed * RATE));
        assert_int_equal(tiny_model_write(other, sizeof other, lengths[i]), 0);
        snprintf(fresh.model.file, sizeof fresh.model.file, "%s", other);
        assert_int_equal(pipeline_reload(b->pipeline, &fresh, true, &err), 0);
        unlink(other);
        assert_int_equal(count(&b->recorder, EVENT_END, "low_tone"), (int)i + 1);
        assert_int_equal(count(&b->recorder, EVENT_START, "low_tone"), (int)i + 1);
    }
    feed(b, 4, 4000, 0.3);
    feed(b, 2, 0, 0);
    fed += 6;
    end_input(b);
    assert_int_equal(count(&b->recorder, EVENT_START, "high_tone"), 1);
    assert_int_equal(position(b), (uint64_t)(fed * RATE));
    assert_int_equal(health(b).lost_frames, 0);
    assert_int_equal(health(b).windows_dropped, 0);
    pipeline_stop(b->pipeline);
    assert_paired(&b->recorder);

    /* the events lie where the sounds were, counted from the stream's beginning */
    uint64_t end = 0;
    for (size_t i = 0; i < b->recorder.n; i++) {
        const struct event *e = &b->recorder.events[i];
        if (e->type != EVENT_END || strcmp(e->label, "low_tone") != 0)
            continue;
        assert_in_range(e->start_position, end, end + RATE / 2);
        end += 4 * RATE;
        assert_in_range(e->end_position, end - RATE / 2, end);
    }
    assert_int_equal(end, 16 * RATE);
}

/* An output that hangs (against its contract) holds up the worker alone: windows that find no room are counted, the watchdog
 * is told, and once it goes on the sound gets its end though its last window had no place. */
static void overflow(void **state)
{
    struct bench *b = *state;

    begin(b, false);
    hang(&b->recorder, true);
    feed(b, 50, 400, 0.3);
    feed(b, 2, 0, 0);
    WAIT_FOR(position(b) >= 51.9 * RATE && !health(b).levels.open);
    assert_int_equal(health(b).queue_depth, WINDOW_QUEUE_LENGTH);
    uint64_t dropped = health(b).windows_dropped;
    assert_in_range(dropped, 94 - WINDOW_QUEUE_LENGTH, 114 - WINDOW_QUEUE_LENGTH); /* of about 104 */
    pipeline_progress(b->pipeline);
    assert_false(pipeline_progress(b->pipeline));
    assert_int_equal(count(&b->recorder, EVENT_END, ""), 0);
    hang(&b->recorder, false);
    WAIT_FOR(count(&b->recorder, EVENT_END, "low_tone") ==
             1); /* while the input goes on: nothing but the owed end ends it */
    assert_true(pipeline_progress(b->pipeline));
    feed(b, 2, 4000, 0.3);
    end_input(b);
    pipeline_stop(b->pipeline);
    assert_paired(&b->recorder);
    assert_int_equal(count(&b->recorder, EVENT_START, ""), 2);
    assert_int_equal(health(b).windows_dropped, dropped);
    uint64_t lost = 0; /* the event that lost its windows says so */
    for (size_t i = 0; i < b->recorder.n; i++)
        if (b->recorder.events[i].type == EVENT_END && strcmp(b->recorder.events[i].label, "low_tone") == 0)
            lost += b->recorder.events[i].lost_frames;
    assert_int_equal(lost, dropped * RATE / 2);
}

/* The rests of an alarm keep the gate open only once the worker has found it: fed faster than it is heard, one alarm must still be
 * one, and every window be looked at. */
static void rests(void **state)
{
    struct bench *b = *state;

    b->config.decision.release = 3;
    begin(b, false);
    for (int i = 0; i < 40; i++) {
        feed(b, 1.5, 400, 0.3);
        feed(b, 1.5, 0, 0);
    }
    end_input(b);
    pipeline_stop(b->pipeline);
    assert_int_equal(count(&b->recorder, EVENT_START, "low_tone"), 1);
    assert_int_equal(count(&b->recorder, EVENT_START, ""), 1);
    assert_int_equal(health(b).levels.sounds, 1);
    assert_int_equal(health(b).windows_dropped, 0);
    assert_paired(&b->recorder);
}

static void stop_in_sound(void **state)
{
    struct bench *b = *state;

    begin(b, false);
    feed(b, 3, 400, 0.3);
    WAIT_FOR(count(&b->recorder, EVENT_START, "low_tone") == 1);
    double began = now();
    pipeline_stop(b->pipeline);
    assert_true(now() - began < 10); /* milliseconds on an idle machine; where it hung it would be for ever */
    assert_int_equal(count(&b->recorder, EVENT_END, "low_tone"), 1);
    assert_paired(&b->recorder);
    began = now();
    pipeline_free(b->pipeline); /* stdin is still open */
    b->pipeline = NULL;
    assert_true(now() - began < 10); /* milliseconds on an idle machine; where it hung it would be for ever */
}

/* A device that gives nothing is the watchdog's matter; a pipe may be quiet for as long as it likes. */
static void quiet_pipe(void **state)
{
    struct bench *b = *state;

    begin(b, false);
    feed(b, 1, 0, 0);
    WAIT_FOR(position(b) >= RATE);
    for (int i = 0; i < 5; i++) {
        assert_true(pipeline_progress(b->pipeline));
        nap();
    }
    end_input(b);
    assert_true(pipeline_progress(b->pipeline));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(demo, setup, teardown),
        cmocka_unit_test_setup_teardown(tones, setup, teardown),
        cmocka_unit_test_setup_teardown(listening, setup, teardown),
        cmocka_unit_test_setup_teardown(threshold, setup, teardown),
        cmocka_unit_test_setup_teardown(reload, setup, teardown),
        cmocka_unit_test_setup_teardown(other_windows, setup, teardown),
        cmocka_unit_test_setup_teardown(overflow, setup, teardown),
        cmocka_unit_test_setup_teardown(rests, setup, teardown),
        cmocka_unit_test_setup_teardown(stop_in_sound, setup, teardown),
        cmocka_unit_test_setup_teardown(quiet_pipe, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
