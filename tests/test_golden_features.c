#include "audio/audiofile.h"
#include "base/npy.h"
#include "tests/feature_help.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PATH = 512 };

static float *load(const char *path, size_t *n)
{
    struct err err;
    struct audiofile *f = audiofile_open(path, &err);
    if (!f)
        fail_msg("%s", err.text);
    enum { ROOM = 1 << 19 };
    float *x = malloc(ROOM * sizeof *x);
    long got = audiofile_read_mono(f, -1, x, ROOM, &err);
    assert_true(got > 0 && got < ROOM);
    audiofile_close(f);
    *n = (size_t)got;
    return x;
}

#define LIBROSA_13                                                                                                     \
    "sample_rate=16000 window=512 hop=160 fft_size=512 mel_bands=40 mel_scale=htk n_mfcc=13 "                          \
    "window_symmetry=periodic"
#define LIBROSA_MEL                                                                                                    \
    "window=2048 window_place=centre fft_size=2048 hop=512 centre=true spectrum=power fmin=0 fmax=0 mel_triangles=hz " \
    "mel_norm=slaney log_offset=0 layout=bands_frames "
/* Largest difference of the values, beyond `relative` of the wanted one. */
static double difference(const float *got, const float *want, size_t n, double relative)
{
    double worst = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)got[i] - want[i]) - relative * fabs((double)want[i]);
        worst = !(d <= worst) ? d : worst; /* NaN stays */
    }
    return worst;
}

struct golden {
    const char *feature, *params;
    const char *vector; /* path below the folder; %s: the input's name */
    const char *inputs; /* names, separated by blanks */
    double absolute, relative;
    unsigned hop; /* samples from patch to patch, where the vector is [patches, rows, columns] */
};

static void compare(const struct golden *g, const char *wav, const char *npy)
{
    struct err err;
    size_t n, shape[NPY_DIMS], dims, rows, cols, total = 1;
    float *x = load(wav, &n), *want = npy_read(npy, shape, &dims, &err);
    if (!want)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < dims; i++)
        total *= shape[i];

    size_t patches = g->hop ? shape[0] : 1, window = g->hop ? 15600 : n;
    struct feature *f = make(g->feature, g->params, window, &err);
    if (!f)
        fail_msg("%s", err.text);
    feature_shape(f, window, &rows, &cols);
    assert_int_equal(rows * cols * patches, total);
    if (dims >= 2)
        assert_int_equal(cols, shape[dims - 1]);

    float *got = malloc(total * sizeof *got);
    for (size_t p = 0; p < patches; p++) {
        size_t from = p * g->hop;
        assert_true(from < n);
        feature_do(f, x + from, n - from < window ? n - from : window, got + p * rows * cols);
    }
    double worst = difference(got, want, total, g->relative);
    if (!(worst <= g->absolute))
        fail_msg("%s: differs by %g, allowed is %g", npy, worst, g->absolute);
    feature_free(f);
    free(got);
    free(want);
    free(x);
}

static void test_golden_here(void **state)
{
    (void)state;
    /* Tolerances: ten times what was measured at most, and within those that the references came with (1e-2 librosa, 1e-3
     * VGGish and EfficientAT, 1e-5 relative NRDT). */
    static const struct golden rows[] = {
        {"mfcc", LIBROSA_13, "mfcc13_%s", "chirp_16k", 1e-3, 0, 0},
        {"mfcc", "", "mfcc40_%s", "chirp_22k", 1e-3, 0, 0},
        {"mfcc", "pooling=mean", "mfcc40mean_%s", "chirp_22k", 5e-4, 0, 0},
        {"mfcc", "pooling=mean pad_mode=reflect", "mfcc40mean_reflect_%s", "chirp_22k", 5e-4, 0, 0},
        {"logmel", "log_offset=0.01", "vggish_logmel_%s", "chirp_16k", 2e-4, 0, 0},
        {"logmel", "", "yamnet_logmel_%s", "chirp_16k", 6e-4, 0, 0},
        {"logmel", MN04 "mel_bands=64 fmin=50 fmax=7600", "mel_reflect_%s", "chirp_16k", 2e-4, 0, 0},
        {"nrdt", "", "nrdt_flag0_float_%s", "chirp_44k", 1e-7, 1e-5, 0},
        {"nrdt", "sample_scale=32768", "nrdt_flag0_int16_%s", "chirp_44k", 1e-7, 1e-5, 0},
        {"nrdt", "sample_scale=32768 flag=1", "nrdt_flag1_int16_%s", "chirp_44k", 1e-7, 1e-5, 0},
        {"nrdt", "flag=1", "nrdt_flag1_int16_%s", "chirp_44k", 1e-7, 1e-5, 0}, /* free of scale */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char name[PATH], npy[2 * PATH], wav[PATH];
        snprintf(name, sizeof name, "tests/data/%s.npy", rows[i].vector);
        char *at = strstr(name, "%s");
        snprintf(npy, sizeof npy, "%.*s%s%s", (int)(at - name), name, rows[i].inputs, at + 2);
        snprintf(wav, sizeof wav, "tests/data/%s.flac", rows[i].inputs);
        compare(&rows[i], wav, npy);
    }
}

static const char *shared_folder(void)
{
    const char *folder = getenv("EARSHOT_SHARED");
    if (!folder)
        folder = "../shared";
    if (access(folder, R_OK) == 0)
        return folder;
    print_message("%s is not there: the references are not compared\n", folder);
    return NULL;
}

static void compare_all(const struct golden *g, const char *folder)
{
    char inputs[256], *save = NULL;
    snprintf(inputs, sizeof inputs, "%s", g->inputs);
    for (char *input = strtok_r(inputs, " ", &save); input; input = strtok_r(NULL, " ", &save)) {
        char wav[PATH], npy[PATH];
        const char *at = strstr(g->vector, "%s");
        snprintf(wav, sizeof wav, "%s/reference/inputs/real/%s.wav", folder, input);
        if (access(wav, R_OK) != 0)
            snprintf(wav, sizeof wav, "%s/reference/inputs/synth/%s.wav", folder, input);
        snprintf(npy, sizeof npy, "%s/reference/%.*s%s%s.npy", folder, (int)(at - g->vector), g->vector, input, at + 2);
        compare(g, wav, npy);
    }
}

#define ALL_16K   "chirp_16k dog_16k knock_16k noise_16k sine1k_16k siren_16k"
#define ALL_22K   "chirp_22k dog_22k gunshot_22k noise_22k sine1k_22k siren_22k"
#define ALL_44K   "aircon_44k chirp_44k dog_44k gunshot_44k noise_44k sine1k_44k siren_44k"
#define SLANEY_22 LIBROSA_MEL "sample_rate=22050 mel_bands=128 mel_scale=slaney "
#define HTK_16                                                                                                         \
    "window=512 window_place=centre hop=160 centre=true spectrum=power mel_bands=40 fmin=0 fmax=0 mel_triangles=hz "   \
    "mel_norm=slaney log_offset=0 layout=bands_frames "
#define DB "log=db log_amin=1e-10 top_db=80"

static void test_golden_references(void **state)
{
    (void)state;
    const char *folder = shared_folder();
    if (!folder)
        skip();
    /* The tolerances that the references suggest. */
    static const struct golden rows[] = {
        {"mfcc", LIBROSA_13, "mfcc/mfcc13_%s", ALL_16K, 1e-2, 0, 0},
        {"mfcc", "", "mfcc/mfcc40_%s", ALL_22K, 1e-2, 0, 0},
        {"mfcc", "pooling=mean", "mfcc/mfcc40mean_%s", ALL_22K, 1e-2, 0, 0},
        {"mfcc", "pooling=mean pad_mode=reflect", "mfcc/mfcc40mean_reflect_%s", ALL_22K, 1e-2, 0, 0},
        {"logmel", SLANEY_22 "log=none", "mfcc/melspec_%s", "dog_22k", 1e-4, 1e-5, 0},
        {"logmel", SLANEY_22 DB, "mfcc/melspec_db_%s", "dog_22k", 1e-2, 0, 0},
        {"logmel", HTK_16 DB, "mfcc/melspec_db_htk_%s", "knock_16k", 1e-2, 0, 0},
        {"logmel", "log_offset=0.01", "vggish/vggish_logmel_%s", ALL_16K, 1e-3, 0, 0},
        {"logmel", "", "vggish/yamnet_logmel_%s", ALL_16K, 1e-3, 0, 0},
        {"logmel", "log_offset=0.01 frames=96", "vggish/vggish_examples_%s", ALL_16K, 1e-3, 0, 15360},
        {"logmel", "frames=96", "vggish/yamnet_patches_%s", ALL_16K, 1e-3, 0, 7680},
        {"logmel", "frames=96", "vggish/yamnet_padded_patches_%s", "dog_16k knock_16k", 1e-3, 0, 7680},
        {"nrdt", "", "nrdt/nrdt_flag0_float_%s", ALL_44K, 1e-7, 1e-5, 0},
        {"nrdt", "sample_scale=32768", "nrdt/nrdt_flag0_int16_%s", ALL_44K, 1e-7, 1e-5, 0},
        {"nrdt", "sample_scale=32768 flag=1", "nrdt/nrdt_flag1_int16_%s", ALL_44K, 1e-7, 1e-5, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        compare_all(&rows[i], folder);
}

static float *read_raw(const char *folder, const char *name, size_t *n)
{
    char path[PATH];
    snprintf(path, sizeof path, "%s/models/golden/%s.f32", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("%s cannot be read", path);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *n = (size_t)ftell(file) / sizeof(float);
    rewind(file);
    float *data = malloc(*n * sizeof *data);
    assert_int_equal(fread(data, sizeof *data, *n, file), *n);
    fclose(file);
    return data;
}

static void test_golden_models(void **state)
{
    (void)state;
    const char *folder = shared_folder();
    if (!folder)
        skip();
#define MN04_FULL MN04 "sample_rate=32000 mel_bands=128 fmin=0 fmax=15000 "
    static const struct {
        const char *wave, *logmel, *params;
        size_t window;
    } rows[] = {
        {"yamnet_%s_wave16k", "yamnet_%s_logmel", "frames=96", 16000},
        {"mn04_%s_wave32k", "mn04_%s_logmel", MN04_FULL "frames=100", 32000},
        {"mn04_%s_wave32k", "mn04_2s_%s_logmel", MN04_FULL "frames=200", 64000},
        {"mn04_10s_%s_wave32k", "mn04_10s_%s_logmel", MN04_FULL, 320000},
    };
    static const char *const clips[] = {"siren", "dog", "door_knock", "crying_baby"};

    for (size_t i = 0; i < sizeof rows / sizeof *rows * 4; i++) {
        size_t row = i / 4, n, n_want, height, width;
        if (row == 3 && i % 4)
            continue; /* the long one is of the siren only */
        struct err err;
        char name[PATH];
        const char *at = strstr(rows[row].wave, "%s");
        snprintf(name, sizeof name, "%.*s%s%s", (int)(at - rows[row].wave), rows[row].wave, clips[i % 4], at + 2);
        float *x = read_raw(folder, name, &n);
        at = strstr(rows[row].logmel, "%s");
        snprintf(name, sizeof name, "%.*s%s%s", (int)(at - rows[row].logmel), rows[row].logmel, clips[i % 4], at + 2);
        float *want = read_raw(folder, name, &n_want);

        struct feature *f = make("logmel", rows[row].params, rows[row].window, &err);
        if (!f)
            fail_msg("%s", err.text);
        feature_shape(f, rows[row].window, &height, &width);
        assert_int_equal(n / rows[row].window * height * width, n_want);
        float *got = malloc(height * width * sizeof *got);
        for (size_t w = 0; w < n / rows[row].window; w++) {
            feature_do(f, x + w * rows[row].window, rows[row].window, got);
            double worst = difference(got, want + w * height * width, height * width, 0);
            if (!(worst <= 1e-3))
                fail_msg("%s, window %zu: differs by %g", name, w, worst);
        }
        feature_free(f);
        free(got);
        free(want);
        free(x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_here),
        cmocka_unit_test(test_golden_references),
        cmocka_unit_test(test_golden_models),
    };
    return cmocka_run_group_tests_name("golden features", tests, NULL, NULL);
}
