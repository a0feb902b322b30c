/* Models: metadata checked against the graph, scores after the activation, the search for a name, memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/engine.h"
#include "model/labels.h"
#include "model/model.h"
#include "tests/onnx_build.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROWS 8
#define COLS 16

static char folder[64], path[128];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/earshot-test-model-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/small.onnx", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void write_file(const struct build *b, const char *to)
{
    size_t size;
    uint8_t *bytes = build_pack(b, &size);
    FILE *f = fopen(to, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
    free(bytes);
}

/* x [1,1,8,16] > Flatten > Gemm > embedding [1,4] > Gemm > scores [1,3], and no metadata */
static struct build *graph(float scale)
{
    struct build *b = build_new(13);
    int64_t x[4] = {1, 1, ROWS, COLS}, w1[2] = {ROWS * COLS, 4}, w2[2] = {4, 3};
    float numbers[ROWS * COLS * 4];

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        numbers[i] = scale * ((float)(i * 7 % 11) - 5) / 5;
    build_input(b, "x", 4, x);
    build_floats(b, "w1", 2, w1, numbers);
    build_floats(b, "w2", 2, w2, numbers);
    build_node(b, "Flatten", "x", "f");
    build_node(b, "Gemm", "f,w1", "embedding");
    build_node(b, "Gemm", "embedding,w2", "scores");
    build_output(b, "embedding");
    build_output(b, "scores");
    return b;
}

static const char *const keys[][2] = {
    {"earshot.feature", "logmel"},
    {"earshot.window_s", "0.1"},
    {"earshot.labels", "dog_bark\nsiren\ndoor_knock\n"},
    {"earshot.activation", "sigmoid"},
    {"earshot.thresholds", "0.5\n0.25\n0.75"},
    {"earshot.licence", "MIT"},
};
enum { KEYS = sizeof keys / sizeof *keys };

/* All keys, `key` with another value, or left out where that is NULL. */
static void metadata(struct build *b, const char *key, const char *value)
{
    size_t n;
    const struct param_spec *spec = feature_type_params(0, &n);
    bool done = false;

    assert_string_equal(feature_type_name(0), "logmel");
    for (size_t i = 0; i < KEYS + n; i++) {
        char name[96];
        const char *v;

        if (i < KEYS) {
            snprintf(name, sizeof name, "%s", keys[i][0]);
            v = keys[i][1];
        } else {
            snprintf(name, sizeof name, "earshot.feature.%s", spec[i - KEYS].name);
            v = strcmp(spec[i - KEYS].name, "frames") == 0      ? "8"
                : strcmp(spec[i - KEYS].name, "mel_bands") == 0 ? "16"
                                                                : spec[i - KEYS].default_value;
        }
        bool other = key && strcmp(name, key) == 0;
        done = done || other;
        if (!other || value)
            build_metadata(b, name, other ? value : v);
    }
    if (key && !done && value)
        build_metadata(b, key, value);
}

static struct model *load(struct build *b, struct err *err)
{
    struct model *m;

    write_file(b, path);
    m = model_load(path, err);
    build_free(b);
    return m;
}

static void refused(struct build *b, const char *text)
{
    struct err err = {""};
    struct model *m = load(b, &err);

    if (m)
        fail_msg("accepted, where '%s' was expected", text);
    if (!strstr(err.text, text) || strncmp(err.text, path, strlen(path)) != 0)
        fail_msg("\"%s\" does not say \"%s\"", err.text, text);
}

static void test_good(void **state)
{
    (void)state;
    struct build *b = graph(1);
    struct err err;
    float x[ROWS * COLS], s[3], e[4];

    metadata(b, NULL, NULL);
    struct model *m = load(b, &err);
    if (!m)
        fail_msg("%s", err.text);
    const struct model_info *info = model_info(m);
    assert_string_equal(info->name, "small");
    assert_string_equal(info->path, path);
    assert_string_equal(info->feature, "logmel");
    assert_int_equal(info->n_labels, 3);
    assert_string_equal(info->labels[2], "door_knock");
    assert_true(info->thresholds[1] == 0.25f && info->window_s == 0.1);
    assert_int_equal(info->embedding_size, 4);
    assert_int_equal(info->rows, ROWS);
    assert_int_equal(info->cols, COLS);
    assert_int_equal(info->parameters, ROWS * COLS * 4 + 12);
    assert_int_equal(info->macs, ROWS * COLS * 4 + 12);
    assert_int_equal(info->weight_bytes, info->parameters * 4);
    assert_string_equal(model_metadata(m, "earshot.licence"), "MIT");
    assert_null(model_metadata(m, "earshot.nothing"));
    for (int i = 0; i < ROWS * COLS; i++)
        x[i] = (float)(i % 5) / 100;
    model_run(m, x, s, e);
    for (int i = 0; i < 3; i++) { /* from the embedding on by hand */
        double sum = 0;
        for (int k = 0; k < 4; k++)
            sum += (double)e[k] * ((k * 3 + i) * 7 % 11 - 5) / 5.0;
        assert_float_equal(s[i], 1 / (1 + exp(-sum)), 1e-5);
    }
    float again[3];
    model_run(m, x, again, NULL);
    assert_memory_equal(s, again, sizeof s);
    model_free(m);
    model_free(NULL);
}

static void test_activations(void **state)
{
    (void)state;
    float x[ROWS * COLS], s[3];
    struct err err;

    for (int i = 0; i < ROWS * COLS; i++)
        x[i] = (float)i;
    for (int big = 0; big < 2; big++)
        for (int k = 0; k < 3; k++) {
            static const char *const names[] = {"none", "sigmoid", "softmax"};
            struct build *b = graph(big ? 1e36f : 1); /* overflows to infinity on the way */
            metadata(b, "earshot.activation", names[k]);
            struct model *m = load(b, &err);
            float sum = 0;
            assert_non_null(m);
            assert_int_equal(model_info(m)->activation, k);
            model_run(m, x, s, NULL);
            for (int i = 0; i < 3; i++) {
                assert_true(s[i] >= 0 && s[i] <= 1); /* no NaN either */
                sum += s[i];
            }
            if (k == 2)
                assert_float_equal(sum, 1, 1e-5);
            model_free(m);
        }
}

static void test_missing_keys(void **state)
{
    (void)state;
    size_t n;
    const struct param_spec *spec = feature_type_params(0, &n);

    for (size_t i = 0; i + 1 < KEYS + n; i++) { /* the licence is not required */
        char name[96], text[160];
        struct build *b = graph(1);

        if (i < KEYS - 1)
            snprintf(name, sizeof name, "%s", keys[i][0]);
        else
            snprintf(name, sizeof name, "earshot.feature.%s", spec[i + 1 - KEYS].name);
        metadata(b, name, NULL);
        snprintf(text, sizeof text, "metadata key %s is missing; it must hold ", name);
        if (strcmp(name, "earshot.feature.frames") == 0 || strcmp(name, "earshot.feature.mel_bands") == 0)
            snprintf(text, sizeof text, "metadata key %s is missing", name);
        refused(b, text);
    }
}

static void test_bad_values(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value, *text;
    } cases[] = {
        {"earshot.feature", "spectrogram", "unknown feature \"spectrogram\""},
        {"earshot.feature.hop", "fast", "hop = \"fast\""},
        {"earshot.feature.mel_bands", "0", "mel_bands = \"0\""},
        {"earshot.feature.bogus", "1", "unknown parameter \"bogus\""},
        {"earshot.feature.mel_bands", "20",
         "the feature logmel gives 8 x 20, but the graph's input 'x' takes 1 x 1 x 8 x 16"},
        {"earshot.feature.layout", "bands_frames", "the feature logmel gives 16 x 8"},
        {"earshot.window_s", "", "earshot.window_s is ''; 0.02 to 30 seconds"},
        {"earshot.window_s", "nan", "earshot.window_s is 'nan'"},
        {"earshot.window_s", "-1", "earshot.window_s is '-1'"},
        {"earshot.window_s", "1e300", "earshot.window_s is '1e300'"},
        {"earshot.window_s", "1 s", "earshot.window_s is '1 s'"},
        {"earshot.labels", "", "it holds no label"},
        {"earshot.labels", "dog_bark\nsiren", "earshot.thresholds holds 3 lines for 2 labels"},
        {"earshot.labels", "a\nb\na", "label 'a' is there twice"},
        {"earshot.labels", "a\n\nb", "line 2, '': a label is"},
        {"earshot.labels", "a\nDog Bark\nb", "line 2, 'Dog Bark': a label is"},
        {"earshot.labels", "a\nb/#\nc", "line 2, 'b/#'"},
        {"earshot.labels", "a\nb\r\nc", "line 2, 'b?'"},
        {"earshot.activation", "relu", "earshot.activation is 'relu'; none, sigmoid and softmax"},
        {"earshot.thresholds", "0.5\n0.5", "earshot.thresholds holds 2 lines for 3 labels"},
        {"earshot.thresholds", "0.5\n0.5\n0.5\n0.5", "earshot.thresholds holds 4 lines"},
        {"earshot.thresholds", "0.5\n1.5\n0.5", "earshot.thresholds, line 2: '1.5'"},
        {"earshot.thresholds", "0.5\nhalf\n0.5", "earshot.thresholds, line 2: 'half'"},
        {"earshot.calibration", "1 0\n1 0", "earshot.calibration holds 2 lines for 3 labels"},
        {"earshot.calibration", "1 0\n1 0\n1 0\n1 0", "earshot.calibration holds 4 lines"},
        {"earshot.calibration", "", "earshot.calibration holds 0 lines"},
        {"earshot.calibration", "1 0\n0 0\n1 0", "earshot.calibration, line 2: '0 0'; a scale from 0.01 to 100"},
        {"earshot.calibration", "1 0\n1 0\n-1 0", "earshot.calibration, line 3: '-1 0'"},
        {"earshot.calibration", "1\n1 0\n1 0", "earshot.calibration, line 1: '1'"},
        {"earshot.calibration", "1 0 0\n1 0\n1 0", "earshot.calibration, line 1: '1 0 0'"},
        {"earshot.calibration", "1 0\n1 nan\n1 0", "earshot.calibration, line 2: '1 nan'"},
        {"earshot.calibration", "1 0\n1 101\n1 0", "a bias from -100 to 100"},
        {"earshot.pooling", "median", "earshot.pooling is 'median'; mean_score, mean_logit and loud_logit"},
        {"earshot.context_s", "11", "earshot.context_s is '11'; 0 to 10 seconds"},
        {"earshot.context_s", "long", "earshot.context_s is 'long'"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct build *b = graph(1);
        metadata(b, cases[i].key, cases[i].value);
        refused(b, cases[i].text);
    }
}

/* What goes with one activation only. */
static void test_bad_pairs(void **state)
{
    (void)state;
    static const struct {
        const char *activation, *key, *value, *text;
    } cases[] = {
        {"none", "earshot.calibration", "1 0\n1 0\n1 0", "activation sigmoid only, and that is none"},
        {"softmax", "earshot.calibration", "1 0\n1 0\n1 0", "activation sigmoid only, and that is softmax"},
        {"softmax", "earshot.pooling", "mean_logit", "mean_logit, which does not go with earshot.activation softmax"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct build *b = graph(1);
        metadata(b, "earshot.activation", cases[i].activation);
        build_metadata(b, cases[i].key, cases[i].value);
        refused(b, cases[i].text);
    }
}

/* The calibrated score is the sigmoid of scale * logit + bias; the embedding stays. */
static void test_calibration(void **state)
{
    (void)state;
    static const float scale[] = {0.5f, 1, 2}, bias[] = {0, -1.5f, 0.25f};
    float x[ROWS * COLS], plain[3], s[3], e[2][4];
    struct err err;

    for (int i = 0; i < ROWS * COLS; i++)
        x[i] = (float)(i % 5) / 100;
    struct build *b = graph(1);
    metadata(b, NULL, NULL);
    struct model *m = load(b, &err);
    assert_non_null(m);
    assert_null(model_info(m)->calibration);
    assert_int_equal(model_info(m)->pooling, POOLING_MEAN_SCORE);
    assert_true(model_info(m)->context_s < 0);
    model_run(m, x, plain, e[0]);
    model_free(m);

    b = graph(1);
    metadata(b, "earshot.calibration", "0.5 0\n1 -1.5\n2 0.25\n");
    build_metadata(b, "earshot.pooling", "loud_logit");
    build_metadata(b, "earshot.context_s", "2.5");
    m = load(b, &err);
    if (!m)
        fail_msg("%s", err.text);
    assert_int_equal(model_info(m)->pooling, POOLING_LOUD_LOGIT);
    assert_true(model_info(m)->context_s == 2.5);
    model_run(m, x, s, e[1]);
    for (int i = 0; i < 3; i++) {
        double logit = log((double)plain[i] / (1 - (double)plain[i]));
        assert_true(model_info(m)->calibration[i].scale == scale[i] && model_info(m)->calibration[i].bias == bias[i]);
        assert_float_equal(s[i], 1 / (1 + exp(-((double)scale[i] * logit + (double)bias[i]))), 1e-5);
    }
    assert_memory_equal(e[0], e[1], sizeof e[0]);
    model_free(m);

    b = graph(1e36f); /* infinite on the way */
    metadata(b, "earshot.calibration", "100 -100\n0.01 100\n1 0");
    m = load(b, &err);
    assert_non_null(m);
    for (int i = 0; i < ROWS * COLS; i++)
        x[i] = (float)i;
    model_run(m, x, s, NULL);
    for (int i = 0; i < 3; i++)
        assert_true(s[i] >= 0 && s[i] <= 1);
    model_free(m);
}

static void test_bad_graphs(void **state)
{
    (void)state;
    struct build *b = graph(1);
    metadata(b, NULL, NULL);
    build_metadata(b, "earshot.window_s", "0.1");
    refused(b, "metadata key 'earshot.window_s' is given twice");

    b = graph(1);
    metadata(b, "earshot.labels", "a\nb\nc\nd");
    for (size_t i = 0; i < b->model.n_metadata_props; i++)
        if (strcmp(b->model.metadata_props[i]->key, "earshot.thresholds") == 0)
            b->model.metadata_props[i]->value = build_text(b, "0\n0\n0\n1");
    refused(b, "earshot.labels holds 4 labels, but the graph's output 'scores' is 1 x 3");

    b = graph(1);
    metadata(b, NULL, NULL);
    b->graph.node[2]->output[0] = b->graph.output[1]->name = build_text(b, "guess");
    refused(b, "the graph has 2 outputs, none of them 'scores' or 'logits'");

    b = graph(1);
    metadata(b, NULL, NULL);
    b->graph.input[0]->type->tensor_type->shape->dim[0]->dim_value = 2; /* two windows at once */
    refused(b, "the graph's input 'x' takes 2 x 1 x 8 x 16");

    b = graph(1);
    metadata(b, NULL, NULL);
    write_file(b, path);
    assert_int_equal(truncate(path, 700), 0);
    struct err err;
    assert_null(model_load(path, &err));
    assert_non_null(strstr(err.text, "not an ONNX model, or a damaged one"));
    build_free(b);
}

static void test_labels(void **state)
{
    (void)state;
    char long_[64];

    memset(long_, 'a', sizeof long_);
    long_[48] = '\0';
    assert_false(label_valid(long_));
    long_[47] = '\0';
    assert_true(label_valid(long_));
    assert_true(label_valid("dog_bark2"));
    static const char *const bad[] = {"", "Dog", "a b", "a-b", "a/b", "a+", "\xc3\xa4", "a\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(label_valid(bad[i]));
}

struct seen {
    char text[512];
};

static void see(void *ctx, const char *name, const char *file)
{
    struct seen *s = ctx;

    if (strncmp(file, folder, strlen(folder)) == 0) {
        strcat(s->text, name);
        strcat(s->text, " ");
    }
}

static void test_find(void **state)
{
    (void)state;
    char found[PATH_MAX], sub[128], other[160], env[256];
    struct seen seen = {""};
    struct err err;
    struct build *b = graph(1);

    snprintf(sub, sizeof sub, "%s/more", folder);
    snprintf(other, sizeof other, "%s/small.onnx", sub);
    assert_int_equal(mkdir(sub, 0700), 0);
    write_file(b, path);
    write_file(b, other);
    char extra[160];
    snprintf(extra, sizeof extra, "%s/another.onnx", sub);
    write_file(b, extra);
    build_free(b);
    snprintf(env, sizeof env, "%s:%s", folder, sub);
    setenv("EARSHOT_MODELS", env, 1);
    assert_int_equal(model_find("small", found, sizeof found, &err), 0);
    assert_string_equal(found, path); /* the first folder wins */
    assert_int_equal(model_find("another", found, sizeof found, &err), 0);
    assert_string_equal(found, extra);
    assert_int_equal(model_find(other, found, sizeof found, &err), 0);
    assert_string_equal(found, other); /* a path is a path */
    assert_int_equal(model_find(other, found, 10, &err), -1);
    assert_int_equal(model_find("", found, sizeof found, &err), -1);
    assert_int_equal(model_find("no-such", found, sizeof found, &err), -1);
    assert_non_null(strstr(err.text, folder));
    assert_non_null(strstr(err.text, "there are: small, another"));
    assert_int_equal(model_find("no/such.onnx", found, sizeof found, &err), -1);
    assert_non_null(strstr(err.text, "model file no/such.onnx is not there"));
    assert_true(model_each(see, &seen) >= 2);
    assert_string_equal(seen.text, "small another "); /* the hidden one once */
    unsetenv("EARSHOT_MODELS");
    unlink(other);
    unlink(extra);
    rmdir(sub);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
static long private_kib(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    long kib = -1;

    while (f && fgets(line, sizeof line, f))
        sscanf(line, "RssAnon: %ld", &kib);
    if (f)
        fclose(f);
    return kib;
}
#endif

/* 16 MB of weights in a convolution, 16 MB in a dense layer: what stays is that and little more. */
static void test_weights_once(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    print_message("memory is not measured with a sanitizer\n");
    skip();
#else
    if (getenv("EARSHOT_EMULATED")) {
        print_message("an emulator's own memory is not told from the program's\n");
        skip();
    }
    enum { N = 2048 };
    struct build *b = build_new(13);
    int64_t x[4] = {1, N, 1, 1}, conv[4] = {N, N, 1, 1}, dense[2] = {N, N};
    float *numbers = calloc((size_t)N * N, sizeof *numbers);
    struct err err;

    build_input(b, "x", 4, x);
    build_floats(b, "w1", 4, conv, numbers);
    build_floats(b, "w2", 2, dense, numbers);
    build_node(b, "Conv", "x,w1", "c");
    build_node(b, "Flatten", "c", "f");
    build_node(b, "Gemm", "f,w2", "y");
    build_output(b, "y");
    write_file(b, path);
    build_free(b);
    free(numbers);
    long before = private_kib();
    struct engine *e = engine_load(path, &err);
    long after = private_kib(), weights = (long)(engine_stats(e)->weight_bytes / 1024);
    print_message("%ld KiB of weights, %ld KiB more in memory\n", weights, after - before);
    assert_int_equal(weights, 2 * N * N * 4 / 1024);
    assert_true(after - before < weights * 5 / 4);
    assert_true(after - before > weights * 3 / 4);
    engine_free(e);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),         cmocka_unit_test(test_activations), cmocka_unit_test(test_missing_keys),
        cmocka_unit_test(test_bad_values),   cmocka_unit_test(test_bad_pairs),   cmocka_unit_test(test_calibration),
        cmocka_unit_test(test_bad_graphs),   cmocka_unit_test(test_labels),      cmocka_unit_test(test_find),
        cmocka_unit_test(test_weights_once),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
