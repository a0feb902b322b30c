/* Models made elsewhere, in ../shared/models: each loads, and its outputs for golden features agree with what the original
 * networks gave. Skipped where ../shared is absent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/engine.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOLERANCE 1e-4 /* absolute for scores in 0..1 and embeddings; relative to the largest element for logits */

static const char *shared(void)
{
    const char *dir = getenv("EARSHOT_SHARED");

    return dir ? dir : "../shared";
}

static struct engine *load(const char *name)
{
    char path[512];
    struct err err = {""};
    struct engine *e;

    snprintf(path, sizeof path, "%s/models/%s", shared(), name);
    if (access(path, R_OK) != 0) {
        print_message("%s is not there\n", path);
        skip();
    }
    e = engine_load(path, &err);
    if (!e)
        fail_msg("%s", err.text);
    return e;
}

/* A whole file of floats after `header` bytes. */
static float *floats(const char *path, long header, size_t expected)
{
    FILE *f = fopen(path, "rb");
    float *x = malloc((expected + 1) * sizeof *x);

    if (!f)
        fail_msg("%s cannot be read", path);
    assert_int_equal(fseek(f, header, SEEK_SET), 0);
    assert_int_equal(fread(x, sizeof *x, expected + 1, f), expected);
    fclose(f);
    return x;
}

static double difference(const float *a, const float *b, size_t n)
{
    double worst = 0;

    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)a[i] - (double)b[i]);
        worst = d > worst || isnan(d) ? d : worst;
    }
    return worst;
}

/* logmel -> scores, embedding; `windows` of each in one file */
static void golden(const char *model, const char *prefix, size_t windows)
{
    struct engine *e = load(model);
    size_t n_in = engine_input(e)->n;
    int s = engine_find_output(e, "scores"), m = engine_find_output(e, "embedding");
    float *out[2] = {0};
    double worst[2] = {0};

    assert_true(s >= 0 && m >= 0);
    assert_int_equal(engine_outputs(e), 2);
    for (int i = 0; i < 2; i++)
        out[i] = malloc(engine_output(e, (size_t)i)->n * sizeof(float));
    static const char *const clips[] = {"dog", "siren", "door_knock", "crying_baby"};
    for (size_t c = 0; c < 4; c++) {
        const char *kinds[3] = {"logmel", "scores", "embedding"};
        size_t sizes[3] = {n_in, engine_output(e, (size_t)s)->n, engine_output(e, (size_t)m)->n};
        float *x[3] = {0};
        char path[512];

        for (int k = 0; k < 3; k++) {
            snprintf(path, sizeof path, "%s/models/golden/%s_%s_%s.f32", shared(), prefix, clips[c], kinds[k]);
            if (access(path, R_OK) == 0)
                x[k] = floats(path, 0, windows * sizes[k]);
        }
        for (size_t w = 0; x[0] && w < windows; w++) {
            assert_int_equal(engine_run(e, x[0] + w * n_in, out), 0);
            worst[0] = fmax(worst[0], difference(out[s], x[1] + w * sizes[1], sizes[1]));
            worst[1] = fmax(worst[1], difference(out[m], x[2] + w * sizes[2], sizes[2]));
        }
        for (int k = 0; k < 3; k++)
            free(x[k]);
    }
    print_message("%s: scores within %.2g, embedding within %.2g; %llu parameters, %llu MACs\n", prefix, worst[0],
                  worst[1], (unsigned long long)engine_stats(e)->parameters, (unsigned long long)engine_stats(e)->macs);
    assert_true(worst[0] < TOLERANCE);
    assert_true(worst[1] < TOLERANCE);
    assert_true(worst[0] > 0); /* something was compared */
    free(out[0]);
    free(out[1]);
    engine_free(e);
}

static void test_yamnet(void **state)
{
    (void)state;
    golden("yamnet.onnx", "yamnet", 2);
}

static void test_mn04(void **state)
{
    (void)state;
    golden("mn04.onnx", "mn04", 2);
}

static void test_mn04_10s(void **state)
{
    (void)state;
    golden("mn04_10s.onnx", "mn04_10s", 1);
}

static void nrdt(const char *set)
{
    static const char *const clips[] = {"aircon", "dog", "gunshot", "siren"};
    static const char *const scales[] = {"", "int16scale_"};
    char path[512];
    double worst = 0;

    snprintf(path, sizeof path, "%s_nrdt_cnn.onnx", set);
    struct engine *e = load(path);
    size_t n_in = engine_input(e)->n, n = engine_output(e, 0)->n;
    float *out = malloc(n * sizeof *out);

    for (int scale = 0; scale < 2; scale++)
        for (size_t c = 0; c < 4; c++) {
            double largest = 0;

            snprintf(path, sizeof path, "%s/reference/cnn/input_%s_44k.npy", shared(), clips[c]);
            float *x = floats(path, 128, n_in);
            snprintf(path, sizeof path, "%s/reference/cnn/%s_logits_%s%s_44k.npy", shared(), set, scales[scale],
                     clips[c]);
            float *y = floats(path, 128, n);
            for (size_t i = 0; scale && i < n_in; i++)
                x[i] *= 32768;
            for (size_t i = 0; i < n; i++)
                largest = fmax(largest, fabs((double)y[i]));
            assert_int_equal(engine_run(e, x, &out), 0);
            worst = fmax(worst, difference(out, y, n) / largest);
            free(x);
            free(y);
        }
    print_message("%s: logits within %.2g of the largest; %llu parameters, %llu MACs\n", set, worst,
                  (unsigned long long)engine_stats(e)->parameters, (unsigned long long)engine_stats(e)->macs);
    assert_true(worst < TOLERANCE);
    free(out);
    engine_free(e);
}

static void test_nrdt_us8k(void **state)
{
    (void)state;
    nrdt("us8k");
}

static void test_nrdt_esc50(void **state)
{
    (void)state;
    nrdt("esc50");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_yamnet),    cmocka_unit_test(test_mn04),       cmocka_unit_test(test_mn04_10s),
        cmocka_unit_test(test_nrdt_us8k), cmocka_unit_test(test_nrdt_esc50),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
