/* Every operator against a naive evaluation of the same graph, on random shapes and attributes. SEED=N repeats a run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/engine.h"
#include "tests/onnx_build.h"
#include "tests/onnx_naive.h"

#include <time.h>

#define TRIES     60
#define TOLERANCE 2e-5 /* of the largest element: float against double sums of up to some hundred products */

static unsigned seed, state_;

static long between(long lo, long hi)
{
    state_ = state_ * 1664525 + 1013904223;
    return lo + (long)((state_ >> 8) % (unsigned long)(hi - lo + 1));
}

static float *noise(struct build *b, size_t n)
{
    float *x = build_own(b, malloc((n + 1) * sizeof *x));

    for (size_t i = 0; i < n; i++)
        x[i] = (float)between(-2000, 2000) / 1000;
    return x;
}

static void weights(struct build *b, const char *name, size_t rank, const int64_t *dims)
{
    size_t n = 1;

    for (size_t i = 0; i < rank; i++)
        n *= (size_t)dims[i];
    build_floats(b, name, rank, dims, noise(b, n));
}

static void scalar(struct build *b, const char *name, float v)
{
    build_floats(b, name, 0, NULL, &v);
}

static struct engine *build_engine(const struct build *b, struct err *err)
{
    size_t size;
    uint8_t *bytes = build_pack(b, &size);
    struct graph *g = graph_parse(bytes, size, err);
    struct engine *e = g ? engine_new(g, err) : NULL;

    if (getenv("SAVE")) { /* seeds for fuzz_onnx */
        static int number;
        char path[256];
        snprintf(path, sizeof path, "%s/%d.onnx", getenv("SAVE"), number++);
        FILE *f = fopen(path, "wb");
        if (f && fwrite(bytes, 1, size, f) != size)
            abort();
        if (f)
            fclose(f);
    }
    free(bytes);
    graph_free(g); /* the engine must not need it */
    return e;
}

static void compare(const struct build *b, struct engine *e, const char *what)
{
    size_t n = engine_input(e)->n, outputs = engine_outputs(e);
    float *in = malloc(n * sizeof *in), *out[4] = {0};

    for (size_t i = 0; i < n; i++)
        in[i] = (float)between(-3000, 3000) / 1000;
    struct naive *v = naive_run(&b->model, in);
    for (size_t i = 0; i < outputs; i++)
        out[i] = malloc(engine_output(e, i)->n * sizeof(float));
    for (int twice = 0; twice < 2; twice++) /* the second run meets what the first left behind */
        assert_int_equal(engine_run(e, in, out), 0);
    for (size_t i = 0; i < outputs; i++) {
        const struct engine_tensor *t = engine_output(e, i);
        const struct nt *want = naive_get(v, t->name);
        double largest = 0.1;

        if (t->rank != (size_t)want->rank)
            fail_msg("SEED=%u %s: '%s' has rank %zu, not %d", seed, what, t->name, t->rank, want->rank);
        for (size_t k = 0; k < t->rank; k++)
            if (t->dims[k] != (size_t)want->dims[k])
                fail_msg("SEED=%u %s: '%s' dimension %zu is %zu, not %ld", seed, what, t->name, k, t->dims[k],
                         want->dims[k]);
        for (size_t k = 0; k < t->n; k++)
            largest = fmax(largest, fabs(want->x[k]));
        for (size_t k = 0; k < t->n; k++)
            if (!(fabs((double)out[i][k] - want->x[k]) <= TOLERANCE * largest))
                fail_msg("SEED=%u %s: '%s'[%zu] is %g, not %g", seed, what, t->name, k, (double)out[i][k], want->x[k]);
        free(out[i]);
    }
    naive_free(v);
    free(in);
}

/* Builds, compares, frees. */
static void check(struct build *b, const char *what)
{
    struct err err = {""};
    struct engine *e = build_engine(b, &err);

    if (!e)
        fail_msg("SEED=%u %s: %s", seed, what, err.text);
    compare(b, e, what);
    engine_free(e);
    build_free(b);
}

static void image(struct build *b, int64_t *d, bool flat)
{
    d[0] = between(1, 2);
    d[1] = between(1, 5);
    d[2] = between(6, 12);
    d[3] = between(6, 12);
    build_input(b, "x", flat ? 3 : 4, d);
}

static void random_window(struct build *b, Onnx__NodeProto *n, size_t spatial, const int64_t *k, bool pool)
{
    int64_t pads[4], strides[2], dilations[2] = {1, 1};

    for (size_t i = 0; i < spatial; i++) {
        strides[i] = between(1, pool ? k[i] : 3);
        if (n->op_type[0] != 'A' && k[i] < 4)
            dilations[i] = between(1, 2);
        pads[i] = between(0, k[i] - 1);
        pads[i + spatial] = between(0, k[i] - 1);
    }
    build_ints(b, n, "kernel_shape", spatial, k);
    build_ints(b, n, "strides", spatial, strides);
    if (dilations[0] > 1 || dilations[1] > 1)
        build_ints(b, n, "dilations", spatial, dilations);
    static const char *const autos[] = {"SAME_UPPER", "SAME_LOWER", "VALID"};
    if (between(0, 3) == 0)
        build_string(b, n, "auto_pad", autos[between(0, 2)]);
    else
        build_ints(b, n, "pads", 2 * spatial, pads);
}

/* A convolution of "x" to "y" */
static void random_conv(struct build *b, const int64_t *d, size_t spatial, int64_t *channels)
{
    int64_t groups = between(0, 2) ? 1 : d[1], w[4] = {groups * between(1, 4), d[1] / groups}, k[2];
    bool bias = between(0, 1);

    for (size_t i = 0; i < spatial; i++)
        k[i] = w[2 + i] = between(1, 4);
    weights(b, "w", spatial + 2, w);
    if (bias)
        weights(b, "bias", 1, w);
    Onnx__NodeProto *n = build_node(b, "Conv", bias ? "x,w,bias" : "x,w", "y");
    build_int(b, n, "group", groups);
    random_window(b, n, spatial, k, false);
    *channels = w[0];
}

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

static void test_unary(void **state)
{
    (void)state;
    static const struct {
        const char *op, *attr[2];
        float value[2];
    } ops[] = {
        {"Relu", {NULL}, {0}},
        {"Sigmoid", {NULL}, {0}},
        {"Tanh", {NULL}, {0}},
        {"HardSwish", {NULL}, {0}},
        {"HardSigmoid", {NULL}, {0}},
        {"HardSigmoid", {"alpha", "beta"}, {0.4f, 0.3f}},
        {"Elu", {NULL}, {0}},
        {"Elu", {"alpha", NULL}, {0.3f, 0}},
        {"Elu", {"alpha", NULL}, {0, 0}},
        {"Selu", {NULL}, {0}},
        {"Selu", {"alpha", "gamma"}, {1.2f, 0.7f}},
        {"LeakyRelu", {NULL}, {0}},
        {"LeakyRelu", {"alpha", NULL}, {0.3f, 0}},
        {"LeakyRelu", {"alpha", NULL}, {0, 0}},
        {"Clip", {"min", "max"}, {-0.5f, 0.7f}},
        {"Clip", {"max", NULL}, {0.7f, 0}},
        {"Clip", {NULL}, {0}},
        {"Identity", {NULL}, {0}},
        {"Dropout", {"ratio", NULL}, {0.5f, 0}},
    };
    for (size_t i = 0; i < 2 * sizeof ops / sizeof *ops; i++) {
        size_t k = i / 2;
        struct build *b = build_new(strcmp(ops[k].op, "Clip") == 0 ? 10 : 14);
        int64_t d[4], channels;

        image(b, d, false);
        random_conv(b, d, 2, &channels);
        Onnx__NodeProto *n = build_node(b, ops[k].op, "y", "z");
        for (int a = 0; a < 2 && ops[k].attr[a]; a++)
            build_float(b, n, ops[k].attr[a], ops[k].value[a]);
        build_node(b, "Sigmoid", "z", "s");
        build_output(b, "s");
        if (i % 2)
            build_output(b, "y"); /* so that nothing can be folded */
        check(b, ops[k].op);
    }
}

static void test_clip_inputs(void **state)
{
    (void)state;
    static const char *const inputs[] = {"x,lo,hi", "x,,hi", "x,lo", "x"};
    for (size_t i = 0; i < 4; i++) {
        struct build *b = build_new(13);
        int64_t d[2] = {3, 40};

        build_input(b, "x", 2, d);
        scalar(b, "lo", -0.5f);
        scalar(b, "hi", 1.25f);
        build_node(b, "Clip", inputs[i], "y");
        build_node(b, "Tanh", "y", "z");
        build_output(b, "z");
        check(b, "Clip with inputs");
    }
}

/* Random broadcasts between two results and with constants, in either order. */
static void test_binary(void **state)
{
    (void)state;
    static const char *const ops[] = {"Add", "Sub", "Mul", "Div"};
    for (int i = 0; i < 6 * TRIES; i++) {
        struct build *b = build_new(13);
        int64_t d[4], channels, c[4], rank = between(0, 4);
        const char *op = ops[between(0, 3)], *in = between(0, 1) ? "a,c" : "c,a";
        bool wide = between(0, 4) == 0; /* the constant is the larger one */

        image(b, d, false);
        int64_t w[4] = {channels = between(1, 4), d[1], 1, 1};
        weights(b, "w", 4, w);
        build_node(b, "Conv", "x,w", "y");
        build_node(b, wide ? "GlobalAveragePool" : between(0, 1) ? "Relu" : "Identity", "y", "a");
        d[1] = channels;
        for (int64_t k = 0; k < rank; k++)
            c[k] = between(0, 1) || wide ? d[4 - rank + k] : 1;
        weights(b, "c", (size_t)rank, c);
        if (strcmp(op, "Div") == 0) { /* away from 0 */
            Onnx__TensorProto *t = b->graph.initializer[b->graph.n_initializer - 1];
            float *x = (float *)(void *)t->raw_data.data;

            in = "a,c";
            for (size_t k = 0; k < t->raw_data.len / 4; k++)
                x[k] += x[k] < 0 ? -1 : 1;
        }
        build_node(b, op, in, "z");
        build_output(b, "z");
        check(b, op);
    }
}

static void test_squeeze_excite(void **state)
{
    (void)state;
    for (int i = 0; i < TRIES; i++) {
        struct build *b = build_new(13);
        int64_t d[4], channels, axes[2] = {2, 3};
        bool dense = i % 2;

        image(b, d, false);
        random_conv(b, d, 2, &channels);
        int64_t w[4] = {channels, channels, 1, 1};
        weights(b, "fc", dense ? 2 : 4, w);
        build_node(b, "GlobalAveragePool", "y", "g");
        if (dense) {
            build_node(b, "Flatten", "g", "gf");
            build_node(b, "MatMul", "gf,fc", "f");
            build_ints(b, build_node(b, "Unsqueeze", "f", "u"), "axes", 2, axes);
            b->opset.version = 12;
        } else {
            build_node(b, "Conv", "g,fc", "u");
        }
        build_node(b, "Sigmoid", "u", "s");
        build_node(b, "Mul", i % 3 ? "y,s" : "s,y", "z");
        build_node(b, "Add", "z,y", "r");
        build_output(b, "r");
        check(b, "squeeze and excite");
    }
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

static void test_softmax(void **state)
{
    (void)state;
    for (int i = 0; i < TRIES; i++) {
        struct build *b = build_new(i % 2 ? 13 : 11);
        int64_t d[4] = {between(1, 3), between(1, 4), between(1, 6), between(2, 6)};

        build_input(b, "x", 4, d);
        Onnx__NodeProto *n = build_node(b, "Softmax", "x", "y");
        build_int(b, n, "axis", i % 2 ? (between(0, 1) ? 3 : -1) : between(0, 3));
        build_output(b, "y");
        check(b, "Softmax");
    }
}

static void test_hardswish_chain(void **state)
{
    (void)state;
    for (int form = 0; form < 6; form++) {
        struct build *b = build_new(13);
        int64_t d[2] = {2, 50};
        struct err err;

        build_input(b, "x", 2, d);
        scalar(b, "three", 3);
        scalar(b, "zero", 0);
        scalar(b, "six", 6);
        scalar(b, "sixth", 1.0f / 6);
        if (form < 4) {
            build_node(b, "Add", form & 1 ? "three,x" : "x,three", "a");
            build_node(b, "Clip", "a,zero,six", "c");
            if (form < 2) {
                build_node(b, "Mul", "x,c", "m");
                build_node(b, form ? "Div" : "Mul", form ? "m,six" : "m,sixth", "y");
            } else {
                build_node(b, form == 2 ? "Div" : "Mul", form == 2 ? "c,six" : "sixth,c", "m");
                build_node(b, "Mul", "m,x", "y");
            }
        } else {
            build_float(b, build_node(b, "HardSigmoid", "x", "h"), "alpha", form == 4 ? 1.0f / 6 : 0.2f);
            build_node(b, "Mul", "x,h", "y");
        }
        build_output(b, "y");
        struct engine *e = build_engine(b, &err);
        assert_non_null(e);
        assert_int_equal(engine_stats(e)->n_layers == 1, form != 5); /* 0.2 is another function */
        engine_free(e);
        check(b, "hardswish");
    }
}

static uint16_t to_half(float f) /* for numbers that binary16 holds exactly */
{
    int e;
    double m = frexp(fabs((double)f), &e);

    return (uint16_t)((f < 0 ? 0x8000 : 0) | (f == 0 ? 0 : (unsigned)(e + 14) << 10 | ((unsigned)(m * 2048) & 1023)));
}

static void test_float16(void **state)
{
    (void)state;
    for (int raw = 0; raw < 2; raw++) {
        struct build *b = build_new(13);
        int64_t d[2] = {1, 8}, w[2] = {8, 5};
        uint16_t h[40];
        Onnx__TensorProto *t;

        for (int i = 0; i < 40; i++)
            h[i] = i == 0 ? 0x0001 : i == 1 ? 0x83ff : to_half((float)between(-1024, 1024) / 128); /* two subnormal */
        build_input(b, "x", 2, d);
        b->graph.initializer[b->graph.n_initializer++] = t =
            build_tensor(b, "w", 2, w, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16, h, sizeof h);
        build_node(b, "MatMul", "x,w", "y");
        build_output(b, "y");
        int32_t list[40];
        if (!raw) { /* the other place where float16 may lie; naive reads raw data, so compare engines */
            for (int i = 0; i < 40; i++)
                list[i] = h[i];
        }
        struct err err = {""};
        struct engine *e = build_engine(b, &err), *other;
        float x[8] = {1, -2, 3, 0.5f, 0.25f, 7, -1, 2}, y[2][5], *out[2] = {y[0], y[1]};
        assert_non_null(e);
        assert_int_equal(engine_run(e, x, &out[0]), 0);
        if (!raw) {
            t->has_raw_data = 0;
            t->n_int32_data = 40;
            t->int32_data = list;
            other = build_engine(b, &err);
            assert_non_null(other);
            assert_int_equal(engine_run(other, x, &out[1]), 0);
            assert_memory_equal(y[0], y[1], sizeof y[0]);
            engine_free(other);
            t->has_raw_data = 1;
        }
        engine_free(e);
        check(b, "float16");
    }
}

/* One input read in two orders of memory; a layout that only outputs see. */
static void test_views(void **state)
{
    (void)state;
    struct build *b = build_new(13);
    int64_t d[4] = {1, 3, 4, 5}, w[4] = {4, 3, 1, 1}, perm[4] = {0, 2, 3, 1}, dense[2] = {60, 2}, shape[3] = {0, 2, -1};

    build_input(b, "x", 4, d);
    weights(b, "w", 4, w);
    weights(b, "v", 2, dense);
    build_list(b, "shape", 3, shape);
    build_node(b, "Conv", "x,w", "y");
    build_ints(b, build_node(b, "Transpose", "y", "t"), "perm", 4, perm);
    build_node(b, "Flatten", "x", "flat");
    build_node(b, "MatMul", "flat,v", "m");
    build_node(b, "Reshape", "y,shape", "r");
    build_output(b, "t");
    build_output(b, "m");
    build_output(b, "r");
    build_output(b, "y");
    check(b, "views");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv),
        cmocka_unit_test(test_grouped_conv),
        cmocka_unit_test(test_pools),
        cmocka_unit_test(test_global_average),
        cmocka_unit_test(test_reduce_mean),
        cmocka_unit_test(test_dense),
        cmocka_unit_test(test_matmul_3d),
        cmocka_unit_test(test_unary),
        cmocka_unit_test(test_clip_inputs),
        cmocka_unit_test(test_binary),
        cmocka_unit_test(test_squeeze_excite),
        cmocka_unit_test(test_batch_norm),
        cmocka_unit_test(test_pad),
        cmocka_unit_test(test_softmax),
        cmocka_unit_test(test_hardswish_chain),
        cmocka_unit_test(test_float16),
        cmocka_unit_test(test_views),
    };
    const char *given = getenv("SEED");

    seed = state_ = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
    print_message("SEED=%u\n", seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
