#include "tests/feature_help.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void test_bad_params(void **state)
{
    (void)state;
    static const struct {
        const char *feature, *params, *says; /* in the error */
    } rows[] = {
        {"fbank", "", "logmel, mfcc, nrdt"},
        {"", "", "logmel"},
        {"logmel", "fmx=3", "did you mean fmax"},
        {"logmel", "xyzzy=3", "there are: sample_rate"},
        {"logmel", "n_mfcc=13", "unknown parameter \"n_mfcc\""},
        {"logmel", "hop=160 hop=160", "hop is given twice"},
        {"logmel", "sample_rate=0", "integer 1000..384000"},
        {"logmel", "sample_rate=1e9", "sample_rate = \"1e9\""},
        {"logmel", "sample_rate=-16000", "sample_rate"},
        {"logmel", "sample_rate=16000.5", "sample_rate"},
        {"logmel", "sample_rate=99999999999999999999", "sample_rate"},
        {"logmel", "window=0", "window"},
        {"logmel", "window=600", "fft_size = 512 is less than window = 600"},
        {"logmel", "window=x", "window = \"x\""},
        {"logmel", "window=", "window"},
        {"logmel", "window=0x190", "window"},
        {"logmel", "fft_size=65538", "integer 4..65536"},
        {"logmel", "fft_size=514", "the next is 540"},
        {"logmel", "fft_size=513", "even"},
        {"logmel", "hop=0", "hop"},
        {"logmel", "hop=1", "64th of fft_size"},
        {"logmel", "centre=yes", "true|false"},
        {"logmel", "centre=", "true|false"},
        {"logmel", "pad_mode=edge", "constant|reflect"},
        {"logmel", "pad_mode=constant|reflect", "pad_mode"},
        {"logmel", "spectrum=complex", "magnitude|power"},
        {"logmel", "mel_bands=0", "mel_bands"},
        {"logmel", "mel_bands=1000000000", "mel_bands"},
        {"logmel", "fmin=nan", "fmin"},
        {"logmel", "fmin=inf", "fmin"},
        {"logmel", "fmin=-1", "fmin"},
        {"logmel", "fmin=1e999", "fmin"},
        {"logmel", "fmin=4000 fmax=4000", "fmin = 4000 Hz is not at least 1 Hz below fmax = 4000"},
        {"logmel", "fmin=5000 fmax=4000", "fmin"},
        {"logmel", "fmin=8000 fmax=0", "fmin"},
        {"logmel", "fmax=8001", "above half of sample_rate"},
        {"logmel", "mel_scale=bark", "htk|slaney"},
        {"logmel", "mel_triangles=erb", "hz|mel"},
        {"logmel", "mel_norm=1", "none|slaney"},
        {"logmel", "pre_emphasis=1.5", "pre_emphasis"},
        {"logmel", "log=log2", "ln|db|none"},
        {"logmel", "log_offset=0", "silence has no logarithm"},
        {"logmel", "log_offset=1e-40", "silence has no logarithm"},
        {"logmel", "log_offset=-1", "log_offset"},
        {"logmel", "top_db=80", "needs log = db"},
        {"logmel", "scale=nan", "scale"},
        {"logmel", "scale=1e30", "scale"},
        {"logmel", "shift=1e30", "shift"},
        {"logmel", "frames=65537", "frames"},
        {"logmel", "frames=65536 mel_bands=1024", "too many"},
        {"logmel", "frames=1000 hop=65536", "too many"},
        {"logmel", "sample_scale=2", "1|32768"},
        {"logmel", "pooling=max", "none|mean"},
        {"logmel", "layout=nchw", "frames_bands|bands_frames"},
        {"mfcc", "n_mfcc=0", "n_mfcc"},
        {"mfcc", "n_mfcc=41 mel_bands=40", "n_mfcc = 41 is more than mel_bands = 40"},
        {"nrdt", "delays=", "delays"},
        {"nrdt", "delays=2,", "delays"},
        {"nrdt", "delays=2,,4", "delays"},
        {"nrdt", "delays=0", "delays"},
        {"nrdt", "delays=2;4", "delays"},
        {"nrdt", "delays=2,300", "300 is more than a quarter of block = 1000"},
        {"nrdt", "block=3", "block"},
        {"nrdt", "flag=2", "0|1"},
        {"nrdt", "block=65536 frames=65536", "too many"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = {""};
        struct feature *f = make(rows[i].feature, rows[i].params, 16000, &err);
        if (f)
            fail_msg("%s %s was taken", rows[i].feature, rows[i].params);
        if (!strstr(err.text, rows[i].says))
            fail_msg("%s %s: \"%s\" does not say \"%s\"", rows[i].feature, rows[i].params, err.text, rows[i].says);
    }

    /* keys and values come from files: an error stays one printable line */
    char value[3000];
    memset(value, 'x', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    strcpy(value + 3, "\n\x1b[31m");
    value[8] = 'm';
    const struct param hostile[] = {{"window", value}, {value, "1"}};
    for (size_t i = 0; i < 2; i++) {
        struct err err = {""};
        assert_null(feature_new("logmel", &hostile[i], 1, 16000, &err));
        for (const char *c = err.text; *c; c++)
            assert_true(*c >= ' ' && *c <= '~');
        assert_true(strlen(err.text) < ERR_TEXT - 1);
    }
    struct err err = {""};
    assert_null(feature_new("logmel", NULL, 0, SIZE_MAX, &err));
    assert_non_null(strstr(err.text, "too many"));
}

static void test_shapes(void **state)
{
    (void)state;
    static const struct {
        const char *feature, *params;
        size_t n, rows, cols;
    } rows[] = {
        {"logmel", "", 16000, 98, 64},
        {"logmel", "", 400, 1, 64},
        {"logmel", "", 559, 1, 64},
        {"logmel", "", 560, 2, 64},
        {"logmel", "", 399, 1, 64}, /* shorter than a frame: one, zero-padded */
        {"logmel", "", 0, 1, 64},
        {"logmel", "frames=96", 16000, 96, 64},
        {"logmel", "frames=96", 10, 96, 64},
        {"logmel", "frames=96 layout=bands_frames", 16000, 64, 96},
        {"logmel", "frames=96 layout=bands_frames pooling=mean", 16000, 1, 64},
        {"logmel", "window_place=centre", 16000, 97, 64},
        {"logmel", "centre=true", 16000, 101, 64},
        {"logmel", "centre=true pre_emphasis=0.97", 16000, 100, 64},
        {"logmel", "centre=true pre_emphasis=0.97", 0, 1, 64},
        {"mfcc", "", 22050, 40, 44},
        {"mfcc", "", 1, 40, 1},
        {"mfcc", "pooling=mean", 22050, 1, 40},
        {"mfcc", "layout=frames_bands n_mfcc=13", 22050, 44, 13},
        {"nrdt", "", 44100, 11, 220},
        {"nrdt", "frames=0", 44100, 11, 44},
        {"nrdt", "frames=0", 999, 11, 1},
        {"nrdt", "frames=0 delays=1,2", 2000, 2, 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = {""};
        size_t height, width;
        struct feature *f = make(rows[i].feature, rows[i].params, rows[i].n, &err);
        if (!f)
            fail_msg("%s", err.text);
        feature_shape(f, rows[i].n, &height, &width);
        if (height != rows[i].rows || width != rows[i].cols)
            fail_msg("%s %s, %zu samples: %zu x %zu", rows[i].feature, rows[i].params, rows[i].n, height, width);
        float *x = calloc(rows[i].n + 1, sizeof *x), *out = calloc(height * width, sizeof *out);
        feature_do(f, x, rows[i].n, out);
        free(out);
        free(x);
        feature_free(f);
    }
}

/* Broken samples count as zeros; short input as zero-padded. */
static void test_broken_and_short_input(void **state)
{
    (void)state;
    static const struct {
        const char *feature, *params;
    } rows[] = {
        {"logmel", ""},
        {"logmel", "log=none spectrum=power sample_scale=32768 scale=1000 fmin=0 mel_norm=slaney"},
        {"logmel", "frames=96"},
        {"logmel", "log=db log_offset=0 log_amin=1e-30 top_db=100 spectrum=power"},
        {"logmel", MN04 "fmax=8000 mel_bands=40 frames=50"},
        {"mfcc", ""},
        {"mfcc", "pooling=mean pad_mode=reflect"},
        {"nrdt", "frames=4"},
        {"nrdt", "frames=4 flag=1 sample_scale=32768"},
    };
    static const float odd[] = {NAN, INFINITY, -INFINITY, FLT_MAX, -FLT_MAX, FLT_MIN, 1e-42f, 9.9e4f, -9.9e4f};
    enum { N = 4000 };
    static float x[N], clean[N];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err;
        size_t height, width, small_rows, small_cols;
        struct feature *f = make(rows[i].feature, rows[i].params, N, &err);
        if (!f)
            fail_msg("%s", err.text);
        feature_shape(f, N, &height, &width);
        size_t size = height * width;
        float *out = malloc(size * sizeof *out), *same = malloc(size * sizeof *same);
        for (int kind = 0; kind < 4; kind++) { /* silence, odd values, the loudest noise, odd values in noise */
            unsigned seed = 1;
            for (size_t k = 0; k < N; k++) {
                seed = seed * 1664525 + 1013904223;
                float noise = ((float)(seed >> 8) / (1 << 23) - 1) * (kind == 2 ? 1e5f : 0.5f);
                x[k] = kind == 0 ? 0 : kind == 1 ? odd[k % 9] : kind == 3 && k % 100 == 7 ? odd[k % 5] : noise;
                clean[k] = fabsf(x[k]) <= 1e5f ? x[k] : 0;
            }
            feature_do(f, x, N, out);
            feature_do(f, clean, N, same);
            for (size_t k = 0; k < size; k++)
                if (!isfinite(out[k]))
                    fail_msg("%s %s gives %g", rows[i].feature, rows[i].params, (double)out[k]);
            assert_memory_equal(out, same, size * sizeof *out);
        }
        /* a short input and the same with its zeros, where the count of frames is fixed */
        feature_shape(f, 1000, &small_rows, &small_cols);
        if (small_rows == height && small_cols == width && strstr(rows[i].params, "frames=")) {
            memset(clean, 0, sizeof clean);
            memcpy(clean, x, 1000 * sizeof *x);
            feature_do(f, x, 1000, out);
            feature_do(f, clean, N, same);
            assert_memory_equal(out, same, size * sizeof *out);
        }
        free(same);
        free(out);
        feature_free(f);
    }
}

static void test_layout_and_pooling(void **state)
{
    (void)state;
    enum { N = 8000 };
    static float x[N];
    for (size_t i = 0; i < N; i++)
        x[i] = (float)(0.3 * sin(0.05 * (double)i) + 0.1 * sin(0.7 * (double)i));
    struct err err;
    size_t frames, bands, rows, cols;
    struct feature *plain = make("logmel", "", N, &err), *turned = make("logmel", "layout=bands_frames", N, &err),
                   *mean = make("logmel", "pooling=mean", N, &err);
    feature_shape(plain, N, &frames, &bands);
    feature_shape(turned, N, &rows, &cols);
    assert_true(rows == bands && cols == frames);

    float *a = malloc(frames * bands * sizeof *a), *b = malloc(frames * bands * sizeof *b), m[64];
    feature_do(plain, x, N, a);
    feature_do(turned, x, N, b);
    feature_do(mean, x, N, m);
    for (size_t k = 0; k < bands; k++) {
        double sum = 0;
        for (size_t t = 0; t < frames; t++) {
            assert_true(a[t * bands + k] == b[k * frames + t]);
            sum += a[t * bands + k];
        }
        assert_true(fabs(sum / (double)frames - m[k]) < 1e-5);
    }
    free(a);
    free(b);
    feature_free(plain);
    feature_free(turned);
    feature_free(mean);
}

/* Any combination either is refused with a text or gives finite numbers. */
static void test_random_params(void **state)
{
    (void)state;
    static const char *const values[] = {
        "0",     "1",       "2",    "3",     "4",      "16",     "64",        "100",       "400", "512",
        "1000",  "1024",    "2048", "8000",  "7999",   "0.97",   "1e-5",      "-1",        "nan", "true",
        "false", "reflect", "db",   "ln",    "none",   "slaney", "htk",       "hz",        "mel", "power",
        "mean",  "start",   "1e9",  "32768", "centre", "1,2,3",  "magnitude", "symmetric", "",    "bands_frames",
        "16000"};
    const char *given = getenv("SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL), s = seed;
    enum { N = 3000, TRIES = 4000 };
    static float x[N];
    size_t made = 0;

    print_message("SEED=%u\n", seed);
    for (size_t i = 0; i < N; i++)
        x[i] = (float)rand_r(&s) / (float)RAND_MAX - 0.5f;
    for (size_t i = 0; i < TRIES; i++) {
        size_t type = (unsigned)rand_r(&s) % feature_type_count(), n_spec, n = 1 + (unsigned)rand_r(&s) % 5;
        const struct param_spec *spec = feature_type_params(type, &n_spec);
        struct param p[5];
        for (size_t k = 0; k < n; k++) {
            p[k].key = spec[(unsigned)rand_r(&s) % n_spec].name;
            p[k].value = values[(unsigned)rand_r(&s) % (sizeof values / sizeof *values)];
        }
        struct err err = {""};
        struct feature *f = feature_new(feature_type_name(type), p, n, N, &err);
        if (!f) {
            assert_true(err.text[0]);
            continue;
        }
        made++;
        size_t rows, cols;
        feature_shape(f, N, &rows, &cols);
        float *out = malloc(rows * cols * sizeof *out);
        feature_do(f, x, N, out);
        for (size_t k = 0; k < rows * cols; k++)
            if (!isfinite(out[k]))
                fail_msg("SEED=%u, try %zu, %s: not finite", seed, i, feature_type_name(type));
        free(out);
        feature_free(f);
    }
    assert_true(made > TRIES / 100);
}

static void test_table(void **state)
{
    (void)state;
    assert_int_equal(feature_type_count(), 3);
    for (size_t i = 0; i < feature_type_count(); i++) {
        struct err err;
        size_t n;
        const struct param_spec *p = feature_type_params(i, &n);
        struct param defaults[40];
        for (size_t k = 0; k < n; k++)
            defaults[k] = (struct param){p[k].name, p[k].default_value};
        /* each default is allowed by its own row */
        struct feature *f = feature_new(feature_type_name(i), defaults, n, 16000, &err);
        if (!f)
            fail_msg("%s", err.text);
        feature_free(f);
        assert_true(strlen(feature_type_help(i)) > 0);
    }
    feature_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_bad_params),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_broken_and_short_input),
        cmocka_unit_test(test_layout_and_pooling),
        cmocka_unit_test(test_random_params),
    };
    return cmocka_run_group_tests_name("features", tests, NULL, NULL);
}
