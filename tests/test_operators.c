/* Operators that slide a window or multiply a matrix, against a naive evaluation of the same graph, on random shapes and attributes.
 * SEED=N repeats a run. */
#include "tests/operators.h"

static void test_conv(void **state)
{
    (void)state;
    for (int i = 0; i < 2 * TRIES; i++) {
        struct build *b = build_new(13);
        int64_t d[4], channels;
        size_t spatial = i % 4 ? 2 : 1;

        image(b, d, spatial == 1);
        random_conv(b, d, spatial, &channels);
        if (between(0, 1)) { /* folded into its clamp */
            build_node(b, "Relu", "y", "r");
            build_output(b, "r");
        }
        if (b->graph.n_output == 0 || between(0, 1)) /* and not folded where it is read as well */
            build_output(b, "y");
        check(b, "Conv");
    }
}

static void test_grouped_conv(void **state)
{
    (void)state;
    struct build *b = build_new(13);
    int64_t d[4] = {1, 6, 7, 8}, w[4] = {9, 2, 3, 2}, k[2] = {3, 2};

    build_input(b, "x", 4, d);
    weights(b, "w", 4, w);
    Onnx__NodeProto *n = build_node(b, "Conv", "x,w", "y");
    build_int(b, n, "group", 3);
    build_ints(b, n, "kernel_shape", 2, k);
    build_output(b, "y");
    check(b, "grouped Conv");
}

static void test_pools(void **state)
{
    (void)state;
    for (int i = 0; i < 4 * TRIES; i++) {
        struct build *b = build_new(13);
        int64_t d[4], k[2] = {between(1, 4), between(1, 4)};
        bool max = i & 1, include = false;

        image(b, d, i % 8 > 5);
        size_t spatial = i % 8 > 5 ? 1 : 2;
        Onnx__NodeProto *n = build_node(b, max ? "MaxPool" : "AveragePool", "x", "y");
        random_window(b, n, spatial, k, true);
        if (!max && (include = between(0, 1)))
            build_int(b, n, "count_include_pad", 1);
        if (!include && between(0, 2) == 0 && !naive_attr(n, "auto_pad"))
            build_int(b, n, "ceil_mode", 1);
        build_node(b, "Sigmoid", "y", "z"); /* a pool of 1 x 1 alone would be the input itself */
        build_output(b, "z");
        check(b, max ? "MaxPool" : "AveragePool");
    }
}

static void test_global_average(void **state)
{
    (void)state;
    struct build *b = build_new(13);
    int64_t d[4];

    image(b, d, false);
    build_node(b, "GlobalAveragePool", "x", "y");
    build_output(b, "y");
    check(b, "GlobalAveragePool");
}

static void test_reduce_mean(void **state)
{
    (void)state;
    for (int i = 0; i < TRIES; i++) {
        struct build *b = build_new(i % 2 ? 13 : 18);
        int64_t d[4], axes[4], channels;
        size_t n = 0;

        image(b, d, false);
        random_conv(b, d, 2, &channels);
        for (int64_t a = 0; a < 4; a++)
            if (between(0, 1))
                axes[n++] = between(0, 1) ? a : a - 4;
        Onnx__NodeProto *node;
        if (i % 2) {
            node = build_node(b, "ReduceMean", between(0, 1) ? "y" : "x", "z");
            if (n)
                build_ints(b, node, "axes", n, axes);
        } else {
            build_list(b, "axes", n, axes);
            node = build_node(b, "ReduceMean", n ? "y,axes" : "y", "z");
        }
        build_int(b, node, "keepdims", between(0, 1));
        build_output(b, "z");
        check(b, "ReduceMean");
    }
}

/* Flatten of an image of several channels: the weights must follow the order in memory. */
static void test_dense(void **state)
{
    (void)state;
    for (int i = 0; i < TRIES; i++) {
        struct build *b = build_new(13);
        int64_t d[4], channels, out = between(1, 7);
        struct err err;
        bool gemm = between(0, 1), trans = gemm && between(0, 1);

        image(b, d, false);
        random_conv(b, d, 2, &channels);
        build_node(b, "Flatten", "y", "flat");
        build_output(b, "flat");
        struct engine *e = build_engine(b, &err); /* tells the size */
        assert_non_null(e);
        int64_t in = (int64_t)engine_output(e, 0)->dims[1];
        engine_free(e);
        int64_t w[2] = {trans ? out : in, trans ? in : out}, bias[2] = {1, out};
        weights(b, "W", 2, w);
        bool row = between(0, 1);
        weights(b, "B", row ? 2 : 1, row ? bias : bias + 1);
        Onnx__NodeProto *n = build_node(b, gemm ? "Gemm" : "MatMul", gemm ? "flat,W,B" : "flat,W", "z");
        if (gemm) {
            build_int(b, n, "transB", trans);
            build_float(b, n, "alpha", 0.5f);
            build_float(b, n, "beta", 2);
        } else {
            build_node(b, "Add", "z,B", "zb");
            build_output(b, "zb");
        }
        build_output(b, "z");
        check(b, "Flatten, Gemm or MatMul");
    }
}

static void test_matmul_3d(void **state)
{
    (void)state;
    struct build *b = build_new(13);
    int64_t d[3] = {2, 5, 6}, w[2] = {6, 4};

    build_input(b, "x", 3, d);
    weights(b, "w", 2, w);
    build_node(b, "MatMul", "x,w", "y");
    build_node(b, "Softmax", "y", "z");
    build_output(b, "z");
    check(b, "MatMul of rank 3");
}

static void test_batch_norm(void **state)
{
    (void)state;
    for (int i = 0; i < TRIES; i++) {
        struct build *b = build_new(13);
        int64_t d[4], channels;
        bool before = i % 3 == 0;

        image(b, d, i % 3 == 1);
        channels = d[1];
        if (!before)
            random_conv(b, d, i % 3 == 1 ? 1 : 2, &channels);
        for (size_t k = 0; k < 4; k++) {
            static const char *const names[] = {"scale", "shift", "mean", "var"};
            float *x = noise(b, (size_t)channels);

            for (int64_t c = 0; c < channels && k == 3; c++)
                x[c] = fabsf(x[c]) + 0.1f;
            build_floats(b, names[k], 1, &channels, x);
        }
        build_node(b, "BatchNormalization", before ? "x,scale,shift,mean,var" : "y,scale,shift,mean,var", "n");
        build_node(b, "Relu", "n", "z");
        build_output(b, "z");
        struct err err;
        struct engine *e = build_engine(b, &err);
        assert_non_null(e);
        if (!before) /* folded away, the Relu too */
            assert_int_equal(engine_stats(e)->n_layers, 1);
        engine_free(e);
        check(b, "BatchNormalization");
    }
}

static void test_pad(void **state)
{
    (void)state;
    for (int i = 0; i < TRIES; i++) {
        struct build *b = build_new(i % 2 ? 13 : 10);
        int64_t d[4], channels, pads[8];

        image(b, d, false);
        random_conv(b, d, 2, &channels);
        for (int k = 0; k < 8; k++)
            pads[k] = i % 3 == 0 && k % 4 < 2 ? 0 : between(k % 4 > 1, 2);
        if (i % 2) {
            build_list(b, "pads", 8, pads);
            scalar(b, "value", 0.5f);
            build_node(b, "Pad", between(0, 1) ? "y,pads,value" : "y,pads", "z");
        } else {
            build_ints(b, build_node(b, "Pad", between(0, 1) ? "y" : "x", "z"), "pads", 8, pads);
        }
        build_node(b, "MaxPool", "z", "m");
        int64_t k2[2] = {2, 2};
        build_ints(b, b->graph.node[b->graph.n_node - 1], "kernel_shape", 2, k2);
        build_output(b, "m");
        check(b, "Pad");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv),           cmocka_unit_test(test_grouped_conv), cmocka_unit_test(test_pools),
        cmocka_unit_test(test_global_average), cmocka_unit_test(test_reduce_mean),  cmocka_unit_test(test_dense),
        cmocka_unit_test(test_matmul_3d),      cmocka_unit_test(test_batch_norm),   cmocka_unit_test(test_pad),
    };
    return run_operators(tests, sizeof tests / sizeof *tests);
}
