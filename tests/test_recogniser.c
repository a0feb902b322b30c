#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/recogniser.h"
#include "tests/tiny_model.h"

#include <string.h>

enum { LOW, HIGH, BACKGROUND };
#define WINDOW (TINY_RATE)

static char model_path[64];

static const struct decision_params usual = {
    .confirm = 2, .release_s = 3, .close_ratio = 0.6, .hop_s = 0.5, .context_s = -1};

static int write_model(void **state)
{
    (void)state;
    return tiny_model_write(model_path, sizeof model_path, "1.0");
}

static int remove_model(void **state)
{
    (void)state;
    return unlink(model_path);
}

static struct recogniser *make(void)
{
    struct err err = {""};
    struct recogniser *r = recogniser_new(model_path, VOCABULARY_OWN, &usual, &err);

    if (!r)
        fail_msg("%s", err.text);
    return r;
}

static void test_facts(void **state)
{
    struct recogniser *r = make();
    (void)state;

    assert_int_equal(recogniser_rate(r), TINY_RATE);
    assert_true(recogniser_window_s(r) == 1.0);
    assert_int_equal(recogniser_model(r)->n_labels, TINY_LABELS);
    assert_string_equal(recogniser_model(r)->labels[HIGH], "high_tone");
    recogniser_free(r);
    recogniser_free(NULL);
}

static void test_scores(void **state)
{
    struct recogniser *r = make();
    float x[WINDOW] = {0}, scores[TINY_LABELS];
    (void)state;

    const float *s = recogniser_scores(r, x, WINDOW);
    for (int i = 0; i < TINY_LABELS; i++)
        assert_true(s[i] >= 0 && s[i] < 0.1f);

    tiny_tone(x, TINY_RATE, 0, 1, 400, 0.3);
    memcpy(scores, recogniser_scores(r, x, WINDOW), sizeof scores);
    assert_true(scores[LOW] > 0.9f && scores[HIGH] < 0.1f && scores[BACKGROUND] < 0.1f);

    tiny_tone(x, TINY_RATE, 0, 1, 4000, 0.3);
    s = recogniser_scores(r, x, WINDOW);
    assert_true(s[LOW] > 0.9f && s[HIGH] > 0.9f);
    recogniser_free(r);
}

/* What is shorter than a window counts as padded with zeros; nothing is left of the window before. */
static void test_short(void **state)
{
    struct recogniser *r = make();
    static const size_t lengths[] = {0, 1, 100, 8000, WINDOW - 1};
    float x[WINDOW] = {0}, padded[WINDOW], scores[TINY_LABELS];
    (void)state;

    tiny_tone(x, TINY_RATE, 0, 1, 400, 0.3);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        memset(padded, 0, sizeof padded);
        memcpy(padded, x, lengths[i] * sizeof *x);
        memcpy(scores, recogniser_scores(r, padded, WINDOW), sizeof scores);
        recogniser_scores(r, x, WINDOW);
        assert_memory_equal(recogniser_scores(r, x, lengths[i]), scores, sizeof scores);
    }
    recogniser_free(r);
}

struct heard {
    struct event events[8];
    size_t n;
};

static void hear(void *ctx, const struct event *e)
{
    struct heard *h = ctx;

    assert_in_range(h->n, 0, 7);
    h->events[h->n++] = *e;
}

static void test_windows_to_events(void **state)
{
    struct recogniser *r = make();
    struct window *w = calloc(1, sizeof *w + WINDOW * sizeof(float));
    struct heard h = {.n = 0};
    (void)state;

    decision_set_source(recogniser_decision(r), "a test");
    w->info =
        (struct window_info){.sound = 1, .valid = WINDOW, .device_rate = TINY_RATE, .peak_dbfs = -10, .rms_dbfs = -13};
    tiny_tone(w->samples, TINY_RATE, 0, 1, 4000, 0.3);
    for (unsigned i = 0; i < 3; i++) {
        w->info.index = i;
        w->info.position = i * WINDOW / 2;
        w->info.end_position = w->info.position + WINDOW;
        w->info.start_ns = w->info.onset_ns = i * INT64_C(500000000);
        w->info.end_ns = w->info.start_ns + 1000000000;
        const float *s = recogniser_do(r, w, hear, &h);
        assert_non_null(s);
        assert_true(s[HIGH] > 0.9f);
        assert_int_equal(decision_busy(recogniser_decision(r)), i >= 1);
    }
    assert_int_equal(h.n, 1);
    assert_int_equal(h.events[0].type, EVENT_START);
    assert_string_equal(h.events[0].label, "high_tone");
    assert_string_equal(h.events[0].source, "a test");
    assert_non_null(strstr(model_path, h.events[0].model)); /* the file's name without .onnx */
    w->info.empty = w->info.last = true;
    assert_null(recogniser_do(r, w, hear, &h));
    assert_int_equal(h.n, 2);
    assert_int_equal(h.events[1].type, EVENT_END);

    w->info = (struct window_info){.sound = 2, .valid = WINDOW, .device_rate = TINY_RATE};
    recogniser_do(r, w, hear, &h);
    recogniser_finish(r, hear, &h); /* a sound of one window */
    assert_int_equal(h.n, 4);
    free(w);
    recogniser_free(r);
}

static void test_errors(void **state)
{
    struct err err = {""};
    char bad[64];
    (void)state;

    assert_null(recogniser_new("/nowhere/x.onnx", VOCABULARY_OWN, &usual, &err));
    assert_non_null(strstr(err.text, "x.onnx"));
    assert_int_equal(tiny_model_write(bad, sizeof bad, "1e300"), 0);
    assert_null(recogniser_new(bad, VOCABULARY_OWN, &usual, &err));
    assert_non_null(strstr(err.text, "window_s"));
    unlink(bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts),  cmocka_unit_test(test_scores),
        cmocka_unit_test(test_short),  cmocka_unit_test(test_windows_to_events),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, write_model, remove_model);
}
