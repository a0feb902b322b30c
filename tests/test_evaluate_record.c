/* A stream heard once and decided again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/evaluate_record.h"
#include "tests/tiny_model.h"

#include <math.h>
#include <sndfile.h>
#include <stdlib.h>
#include <string.h>

enum { LOW, HIGH, BACKGROUND, RATE = 16000, SECONDS = 24 };

static char model_path[64], sound_path[] = "/tmp/earshot-record-XXXXXX.wav";

/* Tones over noise: low 2..4, high 8..9, both 12..15, low 20..24, the last of them growing. */
static int set_up(void **state)
{
    static float x[RATE * SECONDS];
    SF_INFO info = {.samplerate = RATE, .channels = 1, .format = SF_FORMAT_WAV | SF_FORMAT_PCM_16};
    int fd = mkstemps(sound_path, 4);
    uint32_t seed = 1;
    (void)state;

    if (fd < 0 || tiny_model_write(model_path, sizeof model_path, "1.0") < 0)
        return -1;
    for (size_t i = 0; i < sizeof x / sizeof *x; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = ((float)(seed >> 8) / (1 << 24) - 0.5f) * 0.002f;
    }
    tiny_tone(x, RATE, 2, 4, 400, 0.3);
    tiny_tone(x, RATE, 8, 9, 4000, 0.3);
    tiny_tone(x, RATE, 12, 15, 400, 0.1);
    tiny_tone(x, RATE, 12, 15, 4000, 0.2);
    tiny_tone(x, RATE, 20, 24, 400, 0.05);
    SNDFILE *f = sf_open_fd(fd, SFM_WRITE, &info, 1);
    if (!f || sf_write_float(f, x, sizeof x / sizeof *x) != sizeof x / sizeof *x)
        return -1;
    return sf_close(f);
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(model_path) | unlink(sound_path);
}

static struct classify_params params(bool no_gate, double threshold)
{
    struct gate_params gate = {.threshold = {THRESHOLD_AUTO, 12},
                               .hysteresis_db = 6,
                               .hold_s = 0.5,
                               .preroll_s = 0.2,
                               .min_duration_s = 0.1,
                               .highpass_hz = 40,
                               .floor_dbfs = -60};
    return (struct classify_params){
        .gate = gate,
        .no_gate = no_gate,
        .hop_s = 0.5,
        .decision = {.threshold = threshold, .confirm = 2, .release_s = 1, .close_ratio = 0.6, .hop_s = 0.5}};
}

static struct recording record(const struct classify_params *p)
{
    struct err err;
    struct recording rec = {0};
    struct recorder *r = recorder_new(p, model_path, &err);

    assert_non_null(r);
    assert_int_equal(recorder_do(r, sound_path, NULL, NULL, &rec, &err), 0);
    recorder_free(r);
    return rec;
}

/* The replay needs a model: the one of a recorder. */
static struct timed_list replay(const struct recording *rec, const struct classify_params *p)
{
    struct err err;
    struct timed_list told = {0};
    struct recorder *r = recorder_new(p, model_path, &err);

    assert_non_null(r);
    assert_int_equal(recording_replay(rec, recorder_model(r), &p->decision, &told, &err), 0);
    recorder_free(r);
    return told;
}

static void assert_same(const struct timed_list *a, const struct timed_list *b)
{
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        assert_int_equal(a->item[i].label, b->item[i].label);
        assert_true(a->item[i].onset == b->item[i].onset);
        assert_true(a->item[i].offset == b->item[i].offset);
        assert_true(a->item[i].known == b->item[i].known);
    }
}

static void the_events_are_those_of_classify(void **state)
{
    struct classify_params p = params(false, 0.5);
    struct recording rec = record(&p);
    struct err err;
    const char *paths[] = {model_path};
    struct classifier *c = classifier_new(&p, paths, 1, &err);
    (void)state;

    assert_non_null(c);
    const struct classification *result = classifier_do(c, sound_path, NULL, NULL, &err);
    assert_non_null(result);
    const struct verdict *v = &result->verdicts[0];
    assert_true(v->n_events >= 5);
    assert_int_equal(rec.told.n, v->n_events);
    assert_float_equal(rec.duration_s, SECONDS, 1e-9);
    assert_int_equal(rec.rate, RATE);
    for (size_t i = 0; i < v->n_events; i++) {
        bool found = false;
        for (size_t k = 0; k < rec.told.n; k++)
            found |= strcmp(v->model->labels[rec.told.item[k].label], v->events[i].label) == 0 &&
                     rec.told.item[k].onset == (double)v->events[i].start_position / RATE &&
                     rec.told.item[k].offset == (double)v->events[i].end_position / RATE;
        assert_true(found);
    }
    classifier_free(c);
    recording_free(&rec);
}

static void deciding_again_gives_the_same(void **state)
{
    (void)state;
    for (int no_gate = 0; no_gate < 2; no_gate++) {
        struct classify_params p = params(no_gate, 0.5);
        struct recording rec = record(&p);
        struct timed_list again = replay(&rec, &p);
        assert_true(rec.told.n > 0);
        assert_same(&rec.told, &again);
        timed_free(&again);
        recording_free(&rec);
    }
}

static void other_thresholds_give_what_a_run_with_them_gives(void **state)
{
    static const double thresholds[] = {0.02, 0.1, 0.3, 0.7, 0.9, 0.99, 0.9999};
    struct classify_params p = params(true, 0.5); /* without a gate, that the decisions would hold open */
    struct recording rec = record(&p);
    size_t most = 0, fewest = SIZE_MAX;
    (void)state;

    for (size_t i = 0; i < sizeof thresholds / sizeof *thresholds; i++) {
        struct classify_params other = params(true, thresholds[i]);
        struct recording direct = record(&other);
        struct timed_list again = replay(&rec, &other);
        assert_same(&direct.told, &again);
        most = again.n > most ? again.n : most;
        fewest = again.n < fewest ? again.n : fewest;
        timed_free(&again);
        recording_free(&direct);
    }
    assert_true(most > fewest); /* else the thresholds made no difference, and this shows nothing */
    recording_free(&rec);
}

static void a_decision_is_known_when_its_last_window_has_come(void **state)
{
    struct classify_params p = params(false, 0.5);
    struct recording rec;
    (void)state;

    p.decision.confirm = 1;
    rec = record(&p);
    size_t n;
    const struct timed *high = timed_of(&rec.told, HIGH, &n);
    assert_int_equal(n, 2);
    /* 8.0..9.0: the gate opens within a block of 8.0, the first window reaches from 7.8 (pre-roll) to 8.8 */
    assert_float_equal(high[0].onset, 8, 0.02);
    assert_true(high[0].known >= 8.79 && high[0].known < 8.85);
    p.decision.confirm = 2;
    recording_free(&rec);
    rec = record(&p);
    high = timed_of(&rec.told, HIGH, &n);
    assert_int_equal(n, 2);
    assert_true(high[0].known >= 9.29 && high[0].known < 9.35);
    for (size_t i = 0; i < rec.told.n; i++)
        assert_true(rec.told.item[i].known > rec.told.item[i].onset && rec.told.item[i].known <= SECONDS);
    recording_free(&rec);
}

static void what_cannot_be_read(void **state)
{
    struct classify_params p = params(false, 0.5);
    struct recording rec = {0};
    struct err err;
    struct recorder *r = recorder_new(&p, model_path, &err);
    (void)state;

    assert_non_null(r);
    assert_int_equal(recorder_do(r, "/nonexistent.wav", NULL, NULL, &rec, &err), -1);
    assert_non_null(strstr(err.text, "/nonexistent.wav"));
    assert_int_equal(recorder_do(r, model_path, NULL, NULL, &rec, &err), -1); /* no sound */
    assert_non_null(strstr(err.text, model_path));
    assert_int_equal(recorder_do(r, sound_path, NULL, NULL, &rec, &err), 0); /* it goes on */
    assert_true(rec.told.n > 0);
    recording_free(&rec);
    recorder_free(r);
    assert_null(recorder_new(&p, "/nonexistent.onnx", &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_events_are_those_of_classify),
        cmocka_unit_test(deciding_again_gives_the_same),
        cmocka_unit_test(other_thresholds_give_what_a_run_with_them_gives),
        cmocka_unit_test(a_decision_is_known_when_its_last_window_has_come),
        cmocka_unit_test(what_cannot_be_read),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
