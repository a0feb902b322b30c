/* Operators that work element by element, or change how a tensor is looked at. As test_operators. */
#include "tests/operators.h"

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

/* Fusing looks at a Clip before anything has counted its inputs. */
static void test_hardswish_clip_inputs(void **state)
{
    struct build *b = build_new(13);
    int64_t d[2] = {2, 50};
    struct err err = {""};

    (void)state;
    build_input(b, "x", 2, d);
    scalar(b, "three", 3);
    scalar(b, "zero", 0);
    scalar(b, "six", 6);
    build_node(b, "Add", "x,three", "a");
    build_node(b, "Clip", "a,zero,six,six,six,six", "c");
    build_node(b, "Mul", "x,c", "m");
    build_node(b, "Div", "m,six", "y");
    build_output(b, "y");
    assert_null(build_engine(b, &err));
    assert_non_null(strstr(err.text, "6 inputs, 1 to 3 are allowed"));
    build_free(b);
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

/* All finite float16 there are, each times one. */
static void test_float16_values(void **state)
{
    (void)state;
    enum { VALUES = 2 * 31 * 1024 }; /* sign, exponents but for that of infinity and NaN, fraction */
    struct build *b = build_new(13);
    int64_t d[2] = {1, 1}, w[2] = {1, VALUES};
    uint16_t *h = malloc(VALUES * sizeof *h);
    float one = 1, *y = malloc(VALUES * sizeof *y);
    struct err err = {""};

    for (unsigned i = 0; i < VALUES; i++)
        h[i] = (uint16_t)(i < VALUES / 2 ? i : 0x8000 + i - VALUES / 2);
    build_input(b, "x", 2, d);
    b->graph.initializer[b->graph.n_initializer++] =
        build_tensor(b, "w", 2, w, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16, h, VALUES * sizeof *h);
    build_node(b, "MatMul", "x,w", "y");
    build_output(b, "y");
    struct engine *e = build_engine(b, &err);
    assert_non_null(e);
    assert_int_equal(engine_run(e, &one, &y), 0);
    for (unsigned i = 0; i < VALUES; i++) {
        int exponent = h[i] >> 10 & 31, fraction = h[i] & 1023;
        double want = exponent ? ldexp(1 + fraction / 1024.0, exponent - 15) : ldexp(fraction / 1024.0, -14);
        if ((double)y[i] != (h[i] & 0x8000 ? -want : want))
            fail_msg("float16 %#x became %g", h[i], (double)y[i]);
    }
    assert_true(y[0x7bff] == 65504);
    engine_free(e);
    free(h);
    free(y);
    build_free(b);
}

/* Weights of half precision in a graph of floats, as they are stored to halve a file: a Cast before every operator that reads them. */
static void test_float16_weights(void **state)
{
    (void)state;
    struct build *b = build_new(13);
    int64_t d[4] = {1, 2, 6, 5}, w[4] = {3, 2, 3, 3}, dense[2] = {3, 4}, bias[1] = {4};
    uint16_t h[54];

    for (int i = 0; i < 54; i++)
        h[i] = i < 2 ? 0x03ff : to_half((float)between(-1024, 1024) / 512);
    build_input(b, "x", 4, d);
    b->graph.initializer[b->graph.n_initializer++] =
        build_tensor(b, "w16", 4, w, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16, h, sizeof h);
    b->graph.initializer[b->graph.n_initializer++] =
        build_tensor(b, "d16", 2, dense, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16, h + 2, 12 * sizeof *h);
    weights(b, "bias", 1, bias);
    build_int(b, build_node(b, "Cast", "d16", "d"), "to", 1);
    build_int(b, build_node(b, "Cast", "w16", "w"), "to", 1);
    build_node(b, "Conv", "x,w", "c");
    build_node(b, "Conv", "x,w", "again"); /* one constant read twice */
    build_node(b, "Add", "c,again", "a");
    build_node(b, "GlobalAveragePool", "a", "g");
    build_node(b, "Flatten", "g", "f");
    build_node(b, "Gemm", "f,d,bias", "y");
    build_output(b, "y");
    check(b, "float16 weights");
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
        cmocka_unit_test(test_unary),
        cmocka_unit_test(test_clip_inputs),
        cmocka_unit_test(test_binary),
        cmocka_unit_test(test_squeeze_excite),
        cmocka_unit_test(test_softmax),
        cmocka_unit_test(test_hardswish_chain),
        cmocka_unit_test(test_hardswish_clip_inputs),
        cmocka_unit_test(test_float16),
        cmocka_unit_test(test_float16_values),
        cmocka_unit_test(test_float16_weights),
        cmocka_unit_test(test_views),
    };
    return run_operators(tests, sizeof tests / sizeof *tests);
}
