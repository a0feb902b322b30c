#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/classify.h"
#include "daemon/classify_print.h"
#include "model/recogniser.h"
#include "tests/tiny_model.h"

#include <jansson.h>
#include <math.h>
#include <sndfile.h>
#include <string.h>
#include <sys/stat.h>

enum { LOW, HIGH, BACKGROUND };
#define HOP 0.5

static char model_path[64], folder[] = "/tmp/earshot-classify-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(folder) ? tiny_model_write(model_path, sizeof model_path, "1.0") : -1;
}

static int tear_down(void **state)
{
    char command[sizeof folder + 16];
    (void)state;

    unlink(model_path);
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command);
}

static const char *in_folder(const char *name)
{
    static char path[256];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* All channels alike. */
static const char *write_sound(const char *name, const float *x, size_t n, unsigned rate, int channels, int format)
{
    SF_INFO info = {.samplerate = (int)rate, .channels = channels, .format = format};
    SNDFILE *f = sf_open(in_folder(name), SFM_WRITE, &info);
    float *frames = calloc(n + 1, (size_t)channels * sizeof *frames);

    assert_non_null(f);
    assert_non_null(frames);
    for (size_t i = 0; i < n * (size_t)channels; i++)
        frames[i] = x[i / (size_t)channels];
    assert_int_equal(sf_writef_float(f, frames, (sf_count_t)n), n);
    free(frames);
    sf_close(f);
    return in_folder(name);
}

static struct classify_params usual(void)
{
    struct classify_params p = {.hop_s = HOP};

    p.gate = (struct gate_params){.threshold = {THRESHOLD_FIXED, -40},
                                  .hysteresis_db = 3,
                                  .hold_s = 0.3,
                                  .preroll_s = 0.2,
                                  .min_duration_s = 0.03,
                                  .highpass_hz = 40,
                                  .floor_dbfs = -60};
    p.decision =
        (struct decision_params){.confirm = 2, .release_s = 3, .close_ratio = 0.6, .hop_s = HOP, .context_s = -1};
    return p;
}

static struct classifier *make(const struct classify_params *p, size_t n_models)
{
    const char *const models[] = {model_path, model_path};
    struct err err = {""};
    struct classifier *c = classifier_new(p, models, n_models, &err);

    if (!c)
        fail_msg("%s", err.text);
    return c;
}

static const struct classification *hear(struct classifier *c, const char *path)
{
    struct err err = {""};
    const struct classification *result = classifier_do(c, path, NULL, NULL, &err);

    if (!result)
        fail_msg("%s", err.text);
    return result;
}

/* A quiet room of 12 s; a low tone from 3 to 6 s, a high one from 4.5 to 6 s over it, a short low one at 10 s. */
static float *room(unsigned rate, size_t *n)
{
    float *x = calloc(12 * rate, sizeof *x);
    float noise = 0.001f * sqrtf((float)rate / TINY_RATE); /* the same to a model, whatever the rate */
    unsigned seed = 1;

    assert_non_null(x);
    *n = 12 * rate;
    for (size_t i = 0; i < *n; i++) {
        seed = seed * 1664525 + 1013904223;
        x[i] = noise * ((float)(seed >> 8) / (1 << 23) - 1);
    }
    tiny_tone(x, rate, 3, 6, 400, 0.3);
    tiny_tone(x, rate, 4.5, 6, 4000, 0.3);
    tiny_tone(x, rate, 10, 10.6, 400, 0.3);
    return x;
}

static void test_events(void **state)
{
    static const struct {
        unsigned rate;
        int channels, format;
        const char *name;
    } rows[] = {
        {16000, 1, SF_FORMAT_WAV | SF_FORMAT_FLOAT, "a.wav"},    {48000, 2, SF_FORMAT_WAV | SF_FORMAT_PCM_16, "b.wav"},
        {44100, 1, SF_FORMAT_FLAC | SF_FORMAT_PCM_16, "c.flac"}, {8000, 6, SF_FORMAT_WAV | SF_FORMAT_PCM_24, "d.wav"},
        {192000, 1, SF_FORMAT_WAV | SF_FORMAT_PCM_16, "e.wav"},  {48000, 1, SF_FORMAT_OGG | SF_FORMAT_VORBIS, "f.ogg"}};
    struct classify_params p = usual();
    struct classifier *c = make(&p, 1);
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t n;
        float *x = room(rows[i].rate, &n);
        bool high = rows[i].rate > 8000; /* 4 kHz is beyond the reach of 8000 Hz */
        const struct classification *r =
            hear(c, write_sound(rows[i].name, x, n, rows[i].rate, rows[i].channels, rows[i].format));
        free(x);
        assert_float_equal(r->duration_s, 12, 1e-3);
        assert_int_equal(r->n_verdicts, 1);
        const struct verdict *v = &r->verdicts[0];
        assert_int_equal(v->n_events, high ? 3 : 2);
        double rate = v->events[0].device_rate;
        assert_string_equal(v->events[0].label, "low_tone");
        assert_int_equal(v->events[0].type, EVENT_END);
        assert_float_equal((double)v->events[0].start_position / rate, 3, 0.02);
        assert_in_range(v->events[0].end_position, (uint64_t)(5.9 * rate), (uint64_t)(7 * rate));
        assert_float_equal(v->events[0].peak_dbfs, high ? 20 * log10(0.6) : 20 * log10(0.3), 0.6);
        if (high) {
            assert_string_equal(v->events[1].label, "high_tone");
            assert_float_equal((double)v->events[1].start_position / rate, 4.5,
                               0.75); /* the first window with a vote */
        }
        const struct event *last = &v->events[v->n_events - 1];
        assert_string_equal(last->label, "low_tone");
        assert_float_equal((double)last->start_position / rate, 10, 0.02);
        if (!(v->scores[LOW] > 0.1f && v->scores[LOW] < 0.5f))
            fail_msg("%s: mean %f", rows[i].name, (double)v->scores[LOW]);
        assert_true(v->scores[BACKGROUND] < 0.01f);
    }
    classifier_free(c);
}

/* `top` written down once more, from its definition. */
static void expected_top(const float *x, size_t n, float mean[TINY_LABELS])
{
    struct err err;
    struct decision_params d = {.confirm = 1};
    struct recogniser *r = recogniser_new(model_path, VOCABULARY_OWN, &d, &err);
    const size_t window = TINY_RATE, hop = TINY_RATE / 2;
    double sum[2][TINY_LABELS] = {{0}};
    size_t count[2] = {0};

    assert_non_null(r);
    for (size_t at = 0; at == 0 || at - hop + window < n; at += hop) {
        size_t m = at + window < n ? window : n - at;
        double energy = 0;
        for (size_t i = 0; i < m; i++)
            energy += (double)x[at + i] * x[at + i];
        bool loud = 10 * log10(energy / (double)m) >= -70;
        const float *s = recogniser_scores(r, x + at, m);
        for (int k = 0; k < TINY_LABELS; k++)
            sum[loud][k] += s[k];
        count[loud]++;
    }
    bool loud = count[1] > 0;
    for (int k = 0; k < TINY_LABELS; k++)
        mean[k] = (float)(sum[loud][k] / (double)count[loud]);
    recogniser_free(r);
}

static void test_top(void **state)
{
    static const size_t lengths[] = {1, 100, 15999, 16000, 16001, 23999, 24000, 24001, 5 * 16000 + 7, 12 * 16000};
    struct classify_params p = usual(), always_open = usual(), deaf = usual();
    (void)state;

    always_open.no_gate = true;
    deaf.gate.threshold.db = -1; /* nothing opens the gate: top does not mind */
    struct classifier *c[] = {make(&p, 1), make(&always_open, 1), make(&deaf, 1)};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        for (int silent = 0; silent < 2; silent++) {
            size_t n;
            float *x = room(TINY_RATE, &n), mean[TINY_LABELS];
            n = lengths[i];
            memmove(x, x + 12 * TINY_RATE - (silent ? 12 * TINY_RATE : n), n * sizeof *x);
            if (silent && n > TINY_RATE * 3 / 2) /* a part of it below -70 dBFS */
                memset(x + TINY_RATE / 4, 0, (n - TINY_RATE / 2) * sizeof *x);
            expected_top(x, n, mean);
            const char *path = write_sound("top.wav", x, n, TINY_RATE, 1, SF_FORMAT_WAV | SF_FORMAT_FLOAT);
            for (int k = 0; k < 3; k++) {
                const struct verdict *v = &hear(c[k], path)->verdicts[0];
                for (int label = 0; label < TINY_LABELS; label++)
                    if (fabsf(v->scores[label] - mean[label]) > 1e-5f)
                        fail_msg("%zu samples, silent %d, way %d: %s %f, not %f", n, silent, k, v->model->labels[label],
                                 (double)v->scores[label], (double)mean[label]);
                if (k == 2)
                    assert_int_equal(v->n_events, 0);
            }
            free(x);
        }
    }
    for (int k = 0; k < 3; k++)
        classifier_free(c[k]);
}

/* A file that breaks off gives what there is, and says so; one that cannot be read at all gives nothing. */
static void test_broken(void **state)
{
    struct classify_params p = usual();
    struct classifier *c = make(&p, 1);
    struct err err = {""};
    size_t n;
    float *x = room(TINY_RATE, &n);
    const char *path = write_sound("cut.flac", x, n, TINY_RATE, 1, SF_FORMAT_FLAC | SF_FORMAT_PCM_16);
    struct stat st;
    (void)state;

    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size / 2), 0);
    const struct classification *r = classifier_do(c, path, NULL, NULL, &err);
    assert_non_null(r);
    assert_true(r->duration_s > 2 && r->duration_s < 12);
    assert_int_equal(r->broken, err.text[0] != '\0');

    path = write_sound("gone.wav", x, 0, TINY_RATE, 1, SF_FORMAT_WAV | SF_FORMAT_PCM_16);
    assert_null(classifier_do(c, path, NULL, NULL, &err));
    assert_non_null(strstr(err.text, "gone.wav"));
    assert_null(classifier_do(c, "/nowhere/x.wav", NULL, NULL, &err));
    assert_non_null(strstr(err.text, "/nowhere/x.wav"));

    path = write_sound("ok.wav", x, n, TINY_RATE, 1, SF_FORMAT_WAV | SF_FORMAT_PCM_16); /* and goes on */
    assert_int_equal(hear(c, path)->verdicts[0].n_events, 3);
    free(x);
    classifier_free(c);
}

static void count_progress(void *ctx, double seconds)
{
    *(double *)ctx += seconds;
}

static void test_progress(void **state)
{
    struct classify_params p = usual();
    struct classifier *c = make(&p, 1);
    struct err err = {""};
    double sum = 0;
    size_t n;
    float *x = room(TINY_RATE, &n);
    (void)state;

    assert_non_null(classifier_do(c, write_sound("p.wav", x, n, TINY_RATE, 1, SF_FORMAT_WAV | SF_FORMAT_PCM_16),
                                  count_progress, &sum, &err));
    assert_float_equal(sum, 12, 1e-6);
    free(x);
    classifier_free(c);
}

static json_t *as_json(const struct classification *r, const char *file, size_t top)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    assert_int_equal(classify_json(out, file, r, top), 0);
    fclose(out);
    assert_non_null(strchr(text, '\n'));
    assert_int_equal(strchr(text, '\n') - text, size - 1); /* one line */
    json_t *o = json_loads(text, 0, NULL);
    assert_non_null(o);
    free(text);
    return o;
}

static void test_json(void **state)
{
    struct classify_params p = usual();
    size_t n;
    float *x = room(TINY_RATE, &n);
    const char *path = write_sound("j.wav", x, n, TINY_RATE, 1, SF_FORMAT_WAV | SF_FORMAT_PCM_16);
    struct classifier *one = make(&p, 1), *two = make(&p, 2);
    (void)state;

    json_t *o = as_json(hear(one, path), "M\xfcll\n.wav", 2), *event;
    assert_int_equal(json_object_size(o), 4);
    assert_string_equal(json_string_value(json_object_get(o, "file")), "M\xef\xbf\xbdll\n.wav");
    assert_float_equal(json_number_value(json_object_get(o, "duration_s")), 12, 1e-6);
    json_t *top = json_object_get(o, "top"), *events = json_object_get(o, "events");
    assert_int_equal(json_array_size(top), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(top, 0), "label")), "low_tone");
    assert_true(json_is_real(json_object_get(json_array_get(top, 0), "score")));
    assert_int_equal(json_array_size(events), 3);
    event = json_array_get(events, 0);
    assert_int_equal(json_object_size(event), 7);
    static const char *const keys[] = {"score", "start_s", "end_s", "peak_dbfs", "rms_dbfs"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        assert_true(json_is_real(json_object_get(event, keys[i])));
    assert_true(json_is_array(json_object_get(event, "top")));
    json_decref(o);

    o = as_json(hear(one, path), "j", 0);
    assert_int_equal(json_array_size(json_object_get(o, "top")), TINY_LABELS);
    json_decref(o);

    o = as_json(hear(two, path), "j", 5);
    json_t *models = json_object_get(o, "models");
    assert_int_equal(json_object_size(o), 3);
    assert_int_equal(json_array_size(models), 2);
    assert_int_equal(json_array_size(json_object_get(json_array_get(models, 1), "events")), 3);
    json_decref(o);
    free(x);
    classifier_free(one);
    classifier_free(two);
}

/* No sound is sure: told as unknown where it was asked for. */
static void test_unknown(void **state)
{
    struct classify_params p = usual();
    float x[3 * TINY_RATE] = {0};
    (void)state;

    tiny_tone(x, TINY_RATE, 1, 2, 1500, 0.3); /* a band that neither class listens to */
    write_sound("u.wav", x, 3 * TINY_RATE, TINY_RATE, 1, SF_FORMAT_WAV | SF_FORMAT_FLOAT);
    for (int asked = 0; asked < 2; asked++) {
        p.decision.unknown = asked;
        struct classifier *c = make(&p, 1);
        const struct verdict *v = &hear(c, in_folder("u.wav"))->verdicts[0];
        assert_int_equal(v->n_events, asked);
        if (asked)
            assert_string_equal(v->events[0].label, "unknown");
        classifier_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events),   cmocka_unit_test(test_top),  cmocka_unit_test(test_broken),
        cmocka_unit_test(test_progress), cmocka_unit_test(test_json), cmocka_unit_test(test_unknown),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
