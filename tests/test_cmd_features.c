#include "audio/audiofile.h"
#include "base/npy.h"
#include "daemon/cmd.h"
#include "model/recogniser.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tiny_model.h"

#define CHIRP "tests/data/chirp_16k.flac" /* 32,000 samples at 16 kHz */
#define OTHER "tests/data/chirp_22k.flac"

static char folder[] = "/tmp/earshot-features-XXXXXX";
static char out[64], csv[64], list[64], said[64], tiny[64];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(out, sizeof out, "%s/out.npy", folder);
    snprintf(csv, sizeof csv, "%s/index.csv", folder);
    snprintf(list, sizeof list, "%s/list", folder);
    snprintf(said, sizeof said, "%s/said", folder);
    return tiny_model_write(tiny, sizeof tiny, "1");
}

static int remove_folder(void **state)
{
    (void)state;
    char command[200];
    snprintf(command, sizeof command, "rm -rf '%s' '%s'", folder, tiny);
    return system(command);
}

/* The words of `arguments`, @OUT, @CSV, @LIST and @MODEL replaced; what it says on stderr goes to the file `said`. */
static int run(const char *arguments)
{
    char text[1024], *argv[64] = {(char[]){"features"}}, *save = NULL;
    int argc = 1;
    snprintf(text, sizeof text, "%s", arguments);
    for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save))
        argv[argc++] = strcmp(word, "@OUT") == 0     ? out
                       : strcmp(word, "@CSV") == 0   ? csv
                       : strcmp(word, "@LIST") == 0  ? list
                       : strcmp(word, "@MODEL") == 0 ? tiny
                                                     : word;
    unlink(out);
    fflush(stderr);
    int was = dup(STDERR_FILENO);
    FILE *to = fopen(said, "w");
    dup2(fileno(to), STDERR_FILENO);
    struct cmd_context cx = {.config_path = ""};
    int code = cmd_features.run(&cx, argc, argv);
    fflush(stderr);
    dup2(was, STDERR_FILENO);
    close(was);
    fclose(to);
    return code;
}

static void text_of(const char *path, char *text, size_t size)
{
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(text, 1, size - 1, f) : 0;
    text[n] = '\0';
    if (f)
        fclose(f);
}

static float *read_out(size_t shape[NPY_DIMS], size_t *dims)
{
    struct err err;
    float *data = npy_read(out, shape, dims, &err);
    if (!data)
        fail_msg("%s", err.text);
    return data;
}

static void test_shapes(void **state)
{
    (void)state;
    static const struct {
        const char *arguments;
        size_t dims, shape[3];
    } rows[] = {
        {"--feature logmel " CHIRP " -o @OUT", 2, {198, 64}},
        {"-f logmel -p layout=bands_frames -o @OUT " CHIRP, 2, {64, 198}},
        {"--feature=logmel -o @OUT " CHIRP " " CHIRP, 2, {396, 64}},
        {"--feature mfcc " OTHER " -o @OUT", 2, {40, 87}},
        {"--feature mfcc --param pooling=mean " OTHER " " CHIRP " -o @OUT", 2, {2, 40}},
        {"--feature logmel --window 1 " CHIRP " -o @OUT", 3, {2, 98, 64}},
        {"--feature logmel --window 1 --hop 0.5 " CHIRP " -o @OUT", 3, {3, 98, 64}},
        {"--feature logmel --window 1 --hop 0.3 " CHIRP " -o @OUT", 3, {5, 98, 64}},
        {"--feature logmel --window 3 --hop 0.5 " CHIRP " -o @OUT", 3, {1, 298, 64}},
        {"--feature logmel --window 1 --hop 0.5 " CHIRP " " OTHER " -o @OUT", 3, {6, 98, 64}},
        {"--feature logmel --window 0.01 --param frames=5 " CHIRP " -o @OUT", 3, {200, 5, 64}},
        {"--feature nrdt " OTHER " -o @OUT --resample best", 2, {11, 220}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t shape[NPY_DIMS], dims;
        if (run(rows[i].arguments) != EXIT_GOOD)
            fail_msg("%s failed", rows[i].arguments);
        float *data = read_out(shape, &dims);
        assert_int_equal(dims, rows[i].dims);
        for (size_t k = 0; k < dims; k++)
            if (shape[k] != rows[i].shape[k])
                fail_msg("%s: dimension %zu is %zu", rows[i].arguments, k, shape[k]);
        free(data);
    }
}

/* A window's features are those of its samples alone; the last one is filled up with zeros. */
static void test_windows(void **state)
{
    (void)state;
    size_t shape[NPY_DIMS], dims;
    assert_int_equal(run("-f logmel " CHIRP " -o @OUT"), EXIT_GOOD);
    float *whole = read_out(shape, &dims);
    assert_int_equal(run("-f logmel --window 1 --hop 0.8 " CHIRP " -o @OUT"), EXIT_GOOD);
    float *windows = read_out(shape, &dims);
    assert_int_equal(shape[0], 3); /* from 0, 0.8 and 1.6 s: 0.4 s of the last are there */
    assert_memory_equal(windows + 98 * 64, whole + 80 * 64, 98 * 64 * sizeof *whole);
    assert_memory_equal(windows + 2 * 98 * 64, whole + 160 * 64, 38 * 64 * sizeof *whole);
    for (size_t i = 2 * 98 * 64 + 40 * 64; i < 3 * 98 * 64; i++)
        assert_true(fabsf(windows[i] - logf(0.001f)) < 1e-5f);
    free(whole);
    free(windows);
}

/* The shipped model's files go through the very functions of the recogniser. */
static void test_model(void **state)
{
    (void)state;
    static const char *const give[] = {"-g features", "-g scores", "-g embedding", ""};
    static const size_t want[][3] = {{3, 96, 64}, {3, 0, 0}, {3, 256, 0}, {3, 256, 0}};
    struct err err;
    char arguments[200];
    struct recogniser *r = recogniser_new("models/earshot-s.onnx", VOCABULARY_OWN,
                                          &(struct decision_params){.confirm = 1, .hop_s = 0.5}, &err);
    struct audiofile *file = audiofile_open(CHIRP, &err);
    float *data[4], x[32000];
    size_t shape[NPY_DIMS], dims, labels;

    assert_non_null(r);
    assert_non_null(file);
    assert_int_equal(audiofile_read_mono(file, -1, x, 32000, &err), 32000);
    labels = recogniser_model(r)->n_labels;
    for (size_t i = 0; i < 4; i++) {
        snprintf(arguments, sizeof arguments, "-m models/earshot-s.onnx %s --hop 0.5 " CHIRP " -o @OUT", give[i]);
        assert_int_equal(run(arguments), EXIT_GOOD);
        data[i] = read_out(shape, &dims);
        assert_int_equal(dims, i ? 2 : 3);
        for (size_t k = 0; k < dims; k++)
            assert_int_equal(shape[k], want[i][k] ? want[i][k] : labels);
    }
    for (size_t w = 0; w < 3; w++)
        assert_memory_equal(recogniser_scores(r, x + w * 8000, 16000), data[1] + w * labels, labels * sizeof(float));
    assert_memory_equal(data[2], data[3], 3 * 256 * sizeof(float));
    float largest = 0;
    for (size_t i = 0; i < 256; i++)
        largest = fmaxf(largest, fabsf(data[2][i] - data[2][256 + i]));
    assert_true(largest > 0.01f); /* another window, another embedding */
    for (size_t i = 0; i < 4; i++)
        free(data[i]);
    audiofile_close(file);
    recogniser_free(r);
}

static void test_list_and_index(void **state)
{
    (void)state;
    char text[512];
    size_t shape[NPY_DIMS], dims;
    FILE *f = fopen(list, "w");
    fputs(CHIRP "\n\n/nowhere/\"a\".wav\r\n" OTHER "\n", f);
    fclose(f);

    assert_int_equal(run("-f logmel --window 1 --list @LIST -o @OUT --index @CSV " OTHER), EXIT_FAILED);
    free(read_out(shape, &dims));
    assert_int_equal(shape[0], 6);
    text_of(csv, text, sizeof text);
    assert_string_equal(text, "file,first,count\n\"" CHIRP "\",0,2\n\"" OTHER "\",2,2\n\"" OTHER "\",4,2\n");
    text_of(said, text, sizeof text);
    assert_non_null(strstr(text, "/nowhere/\"a\".wav: No such file"));
}

static void test_wrong_use(void **state)
{
    (void)state;
    static const struct {
        const char *arguments;
        int code;
        const char *says;
    } rows[] = {
        {"", EXIT_USAGE, "--feature is missing"},
        {"-f logmel -m @MODEL " CHIRP " -o @OUT", EXIT_USAGE, "one of them"},
        {"-m @MODEL -p hop=1 " CHIRP " -o @OUT", EXIT_USAGE, "--param goes with --feature"},
        {"-f logmel -g scores " CHIRP " -o @OUT", EXIT_USAGE, "--give goes with --model"},
        {"-m @MODEL -g all " CHIRP " -o @OUT", EXIT_USAGE, "features, embedding, scores"},
        {"-m @MODEL -g scores --window 2 " CHIRP " -o @OUT", EXIT_USAGE, "looks at 1 s"},
        {"-m @MODEL -g scores --hop 2 " CHIRP " -o @OUT", EXIT_USAGE, "not longer than the model's window of 1 s"},
        {"-m @MODEL " CHIRP " -o @OUT", EXIT_USAGE, "no output called \"embedding\""},
        {"-m /nowhere/m.onnx " CHIRP " -o @OUT", EXIT_FAILED, "/nowhere/m.onnx is not there"},
        {"-f logmel", EXIT_USAGE, "no file is named"},
        {"-f logmel " CHIRP, EXIT_USAGE, "--output is missing"},
        {"-f fbank " CHIRP " -o @OUT", EXIT_USAGE, "logmel, mfcc, nrdt"},
        {"-f logmel -p hop " CHIRP " -o @OUT", EXIT_USAGE, "name=value"},
        {"-f logmel -p =3 " CHIRP " -o @OUT", EXIT_USAGE, "name=value"},
        {"-f logmel -p hop=0 " CHIRP " -o @OUT", EXIT_USAGE, "hop = \"0\""},
        {"-f logmel --hop 1 " CHIRP " -o @OUT", EXIT_USAGE, "--hop needs --window"},
        {"-f logmel --window 0 " CHIRP " -o @OUT", EXIT_USAGE, "--window 0"},
        {"-f logmel --window nan " CHIRP " -o @OUT", EXIT_USAGE, "--window nan"},
        {"-f logmel --resample worst " CHIRP " -o @OUT", EXIT_USAGE, "fast, medium, best"},
        {"-f logmel --bogus " CHIRP " -o @OUT", EXIT_USAGE, "unknown flag"},
        {"-f logmel --list @LIST --list @LIST -o @OUT", EXIT_USAGE, "twice"},
        {"-f logmel --list /nowhere/list -o @OUT", EXIT_FAILED, "/nowhere/list"},
        {"-f logmel /nowhere/a.wav -o @OUT", EXIT_FAILED, "/nowhere/a.wav"},
        {"-f logmel README.md -o @OUT", EXIT_FAILED, "README.md"},
        {"-f logmel " CHIRP " -o /nowhere/out.npy", EXIT_FAILED, "/nowhere/out.npy"},
        {"-f logmel " CHIRP " -o @OUT --index /nowhere/a.csv", EXIT_FAILED, "/nowhere/a.csv"},
        {"-f mfcc " CHIRP " tests/data/chirp_44k.flac -p sample_rate=1000 -p fmax=500 -o @OUT", EXIT_GOOD, ""},
        {"-f logmel -p sample_rate=384000 " CHIRP " -o @OUT", EXIT_GOOD, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[2048];
        int code = run(rows[i].arguments);
        text_of(said, text, sizeof text);
        if (code != rows[i].code || !strstr(text, rows[i].says))
            fail_msg("\"%s\": exit code %d, \"%s\"", rows[i].arguments, code, text);
        if (code != EXIT_GOOD)
            assert_int_equal(access(out, F_OK), -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),         cmocka_unit_test(test_windows),   cmocka_unit_test(test_model),
        cmocka_unit_test(test_list_and_index), cmocka_unit_test(test_wrong_use),
    };
    return cmocka_run_group_tests_name("cmd_features", tests, make_folder, remove_folder);
}
