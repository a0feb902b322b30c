/* Graphs with QuantizeLinear and DequantizeLinear against the naive evaluation of the same graph: never more than one step of 8 bits
 * off, seldom that, and computed in 8 bits where that can be. SEED=N repeats a run. Steps are odd numbers, so that few sums lie half-way
 * between two. */
#include "tests/operators.h"

enum {
    F32 = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT,
    U8 = ONNX__TENSOR_PROTO__DATA_TYPE__UINT8,
    S8 = ONNX__TENSOR_PROTO__DATA_TYPE__INT8,
    S32 = ONNX__TENSOR_PROTO__DATA_TYPE__INT32
};

static const char *text(struct build *b, const char *name, const char *end)
{
    char joined[64];

    snprintf(joined, sizeof joined, "%s%s", name, end);
    return build_text(b, joined);
}

static const char *list(struct build *b, const char *a, const char *c, const char *d)
{
    char joined[128];

    snprintf(joined, sizeof joined, "%s,%s,%s", a, c, d);
    return build_text(b, joined);
}

static void constant(struct build *b, const char *name, size_t rank, const int64_t *dims, int32_t type,
                     const void *data, size_t bytes)
{
    b->graph.initializer[b->graph.n_initializer++] = build_tensor(b, name, rank, dims, type, data, bytes);
}

/* NAME -> QuantizeLinear -> NAME.q -> DequantizeLinear -> NAME.d, with the constants NAME.s and NAME.z */
static void pair(struct build *b, const char *name, float scale, int zero, int32_t type)
{
    const char *q = text(b, name, ".q"), *s = text(b, name, ".s"), *z = text(b, name, ".z");
    int8_t byte = (int8_t)(uint8_t)zero;

    scalar(b, s, scale);
    constant(b, z, 0, NULL, type, &byte, 1);
    build_node(b, "QuantizeLinear", list(b, name, s, z), q);
    build_node(b, "DequantizeLinear", list(b, q, s, z), text(b, name, ".d"));
}

/* 8-bit weights NAME.q -> DequantizeLinear -> NAME, `scales` of them along the axis */
static void small_weights(struct build *b, const char *name, size_t rank, const int64_t *dims, int64_t scales, int axis)
{
    const char *q = text(b, name, ".q"), *s = text(b, name, ".s"), *z = text(b, name, ".z");
    size_t n = 1;
    int8_t *w, zeros[128] = {0};
    float scale[128];

    for (size_t i = 0; i < rank; i++)
        n *= (size_t)dims[i];
    w = build_own(b, malloc(n + 1));
    for (size_t i = 0; i < n; i++)
        w[i] = (int8_t)between(-127, 127);
    for (int64_t i = 0; i < scales; i++)
        scale[i] = ((float)between(50, 100) + 0.01f * (float)i) / 8000; /* no two alike: those were one for all */
    constant(b, q, rank, dims, S8, w, n);
    build_floats(b, s, scales > 1, &scales, scale);
    constant(b, z, scales > 1, &scales, S8, zeros, (size_t)scales);
    build_int(b, build_node(b, "DequantizeLinear", list(b, q, s, z), name), "axis", axis);
}

/* Compares, frees. Some layer must be `wanted`, and no more than one in fifty numbers a step off: where a sum lies half-way between
 * two, float and double round apart. */
static void check_steps(struct build *b, float step, const char *wanted)
{
    struct err err = {""};
    struct engine *e = build_engine(b, &err);
    bool found = false;
    size_t off = 0;

    if (!e)
        fail_msg("SEED=%u %s: %s", seed, wanted, err.text);
    size_t n = engine_input(e)->n, n_out = engine_output(e, 0)->n;
    float *in = malloc(n * sizeof *in), *out = malloc(n_out * sizeof *out), *outs[2] = {out, NULL};
    for (size_t i = 0; i < n; i++)
        in[i] = (float)between(-3000, 3000) / 1000;
    for (size_t i = 0; i < engine_stats(e)->n_layers; i++)
        found = found || strcmp(engine_layer(e, i)->op, wanted) == 0;
    if (!found)
        fail_msg("SEED=%u: no layer is '%s'", seed, wanted);
    struct naive *v = naive_run(&b->model, in);
    const struct nt *want = naive_get(v, engine_output(e, 0)->name);
    assert_int_equal(engine_run(e, in, outs), 0);
    for (size_t i = 0; i < n_out; i++) {
        double d = fabs((double)out[i] - want->x[i]);
        if (d > 1.01 * (double)step + 1e-6) /* and what float leaves of a sum that cancels */
            fail_msg("SEED=%u %s: [%zu] is %g, not %g", seed, wanted, i, (double)out[i], want->x[i]);
        off += d > 0.01 * (double)step;
    }
    if (off > 2 + n_out / 50)
        fail_msg("SEED=%u %s: %zu of %zu are a step off", seed, wanted, off, n_out);
    naive_free(v);
    engine_free(e);
    build_free(b);
    free(in);
    free(out);
}

/* of the input: a power of two, so that dividing by it rounds nothing */
#define IN_STEP 0.03125f

static void test_conv(void **state)
{
    (void)state;
    for (int i = 0; i < TRIES; i++) {
        struct build *b = build_new(13);
        int64_t d[4] = {1, between(1, 9), between(5, 12), between(5, 12)};
        int64_t groups = i % 3 ? 1 : d[1], w[4] = {groups * between(1, 9), d[1] / groups, between(1, 3), between(1, 3)};
        int64_t k[2] = {w[2], w[3]}, bias[1] = {w[0]};
        float step = (float)between(8, 30) / 98.7f;
        int32_t type = i & 1 ? S8 : U8;
        bool depthwise = groups > 1 && d[1] == groups, relu = between(0, 1), per_channel = between(0, 3) > 0;

        build_input(b, "x", 4, d);
        pair(b, "x", IN_STEP, type == U8 ? (int)between(100, 150) : (int)between(-20, 20), type);
        small_weights(b, "w", 4, w, per_channel ? w[0] : 1, 0);
        weights(b, "bias", 1, bias);
        Onnx__NodeProto *n = build_node(b, "Conv", "x.d,w,bias", "y");
        build_int(b, n, "group", groups);
        random_window(b, n, 2, k, false);
        if (relu)
            build_node(b, "Relu", "y", "r");
        pair(b, relu ? "r" : "y", step, type == U8 ? (int)between(0, 128) : (int)between(-128, 0), type);
        build_output(b, relu ? "r.d" : "y.d");
        check_steps(b, step, depthwise ? "int8 depthwise conv" : "int8 conv");
    }
}

static void test_add(void **state)
{
    (void)state;
    for (int i = 0; i < TRIES; i++) {
        struct build *b = build_new(13);
        int64_t d[4];
        /* of a prime: sums are whole 64ths below 7, and none of them lies half-way between two steps */
        float step = (float)between(20, 60) / 991;
        bool relu = i & 1;

        image(b, d, false);
        build_node(b, "Identity", "x", "a"); /* the input in two sorts of steps */
        build_node(b, "Identity", "x", "c");
        pair(b, "a", IN_STEP, (int)between(-20, 20), S8);
        pair(b, "c", IN_STEP / 2, (int)between(-20, 20), S8);
        build_node(b, "Add", "a.d,c.d", "y");
        if (relu)
            build_node(b, "Relu", "y", "r");
        pair(b, relu ? "r" : "y", step, (int)between(-30, 30), S8);
        build_output(b, relu ? "r.d" : "y.d");
        check_steps(b, step, "int8 add");
    }
}

/* One scale for all weights: 8 bits. One for each output: XNNPACK has no such operator, so float. */
static void test_dense(void **state)
{
    (void)state;
    for (int i = 0; i < TRIES; i++) {
        struct build *b = build_new(13);
        int64_t d[2] = {between(1, 3), between(1, 40)}, out = between(2, 20), w[2] = {d[1], out}, t[2] = {out, d[1]};
        float step = (float)between(20, 60) / 98.7f;
        bool per_channel = i % 4 == 0, transposed = i & 1;

        build_input(b, "x", 2, d);
        pair(b, "x", IN_STEP, (int)between(-20, 20), S8);
        small_weights(b, "w", 2, transposed ? t : w, per_channel ? out : 1, transposed ? -2 : 1);
        weights(b, "bias", 1, &out);
        build_int(b, build_node(b, "Gemm", "x.d,w,bias", "y"), "transB", transposed);
        pair(b, "y", step, (int)between(-20, 20), S8);
        build_output(b, "y.d");
        check_steps(b, step, per_channel ? "dense" : "int8 dense");
    }
}

static void test_pools(void **state)
{
    (void)state;
    for (int i = 0; i < TRIES; i++) {
        struct build *b = build_new(13);
        int64_t d[4], k[2] = {2, 3};
        float step = i & 1 ? IN_STEP : IN_STEP / 2.97f;

        image(b, d, false);
        pair(b, "x", IN_STEP, 5, S8);
        if (i & 1)
            build_ints(b, build_node(b, "MaxPool", "x.d", "y"), "kernel_shape", 2, k);
        else
            build_node(b, "GlobalAveragePool", "x.d", "y");
        pair(b, "y", step, i & 1 ? 5 : 0, S8);
        build_output(b, "y.d");
        check_steps(b, step, i & 1 ? "int8 max pool" : "int8 mean");
    }
}

/* What cannot be computed in 8 bits is computed in float, between the conversions that the graph asks for. */
static void test_float(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        struct build *b = build_new(13);
        int64_t d[4], w[4] = {3, 0, 3, 3}, three[1] = {3};
        float step = i == 3 ? 1e-9f : 0.0213f;

        image(b, d, false);
        w[1] = d[1];
        pair(b, "x", IN_STEP, 3, S8);
        if (i == 0)
            build_node(b, "Sigmoid", "x.d", "y");
        else if (i == 1) { /* another reads the sum before it is quantised */
            build_node(b, "Add", "x.d,x.d", "y");
            build_node(b, "Sigmoid", "y", "other");
        } else { /* weights of float; steps beyond what XNNPACK can scale to */
            if (i == 2)
                weights(b, "w", 4, w);
            else
                small_weights(b, "w", 4, w, three[0], 0);
            build_node(b, "Conv", "x.d,w", i == 4 ? "sum" : "y");
            if (i == 4) /* the clamp and the zero point leave one number of the output */
                build_node(b, "Relu", "sum", "y");
        }
        pair(b, "y", step, i == 4 ? 127 : 0, S8);
        build_output(b, "y.d");
        if (i == 1)
            build_output(b, "other");
        check_steps(b, step, "dequantise");
    }
}

/* Float weights that the graph quantises itself, as after training for 8 bits. With the small scales some end at -128: not a weight
 * that XNNPACK's sums of pairs can take on every processor, so that layer stays in float. */
static void test_constants(void **state)
{
    (void)state;
    for (int small = 0; small < 2; small++) {
        struct build *b = build_new(13);
        int64_t d[4] = {1, 3, 8, 8}, w[4] = {4, 3, 3, 3}, four[1] = {4};
        const float wide[4] = {0.0457f, 0.0413f, 0.0497f, 0.0611f}, narrow[4] = {0.0057f, 0.0013f, 0.0097f, 0.0011f};
        const int8_t zeros[4] = {0};

        build_input(b, "x", 4, d);
        pair(b, "x", IN_STEP, 0, S8);
        weights(b, "w", 4, w);
        build_floats(b, "ws", 1, four, small ? narrow : wide);
        constant(b, "wz", 1, four, S8, zeros, 4);
        build_int(b, build_node(b, "QuantizeLinear", "w,ws,wz", "wq"), "axis", 0);
        build_int(b, build_node(b, "DequantizeLinear", "wq,ws,wz", "wd"), "axis", 0);
        build_node(b, "Conv", "x.d,wd", "y");
        pair(b, "y", 0.2037f, 0, S8);
        build_output(b, "y.d");
        check_steps(b, 0.2037f, small ? "conv" : "int8 conv");
    }
}

/* x -> QuantizeLinear -> q -> DequantizeLinear -> y -> Relu -> r, and what is wrong with it */
enum { QUANTISE, DEQUANTISE, RELU };
static const char *damage(struct build *b, int i)
{
    Onnx__NodeProto **node = b->graph.node;
    Onnx__TensorProto *scale = b->graph.initializer[0], *zero = b->graph.initializer[1];
    const float bad[] = {0, -0.5f, 1e-40f};
    const int64_t two[1] = {2};
    const float scales[2] = {0.5f, 0.25f};

    switch (i) {
    case 0:
    case 1:
    case 2:
        memcpy(scale->raw_data.data, &bad[i], 4);
        return "(QuantizeLinear): scale 0 is ";
    case 3:
        scalar(b, "other", 0.25f);
        node[DEQUANTISE]->input[1] = build_text(b, "other");
        return "its scale and zero point are not those that its input was quantised with";
    case 4:
        node[DEQUANTISE]->input[0] = build_text(b, "x");
        return "(DequantizeLinear): its input does not come from a QuantizeLinear";
    case 5:
        node[RELU]->input[0] = build_text(b, "q");
        return "(Relu): input 0 ('q') holds 8-bit numbers; a DequantizeLinear must stand between";
    case 6:
        b->graph.output[0]->name = build_text(b, "q");
        return "output 'q' holds 8-bit numbers; end the graph with a DequantizeLinear";
    case 7:
        build_floats(b, "two", 1, two, scales);
        node[QUANTISE]->input[1] = build_text(b, "two");
        return "(QuantizeLinear): its zero point must be a constant of 8-bit integers, as many as there are scales";
    case 8:
        node[QUANTISE]->input[1] = build_text(b, "x");
        return "(QuantizeLinear): its scale must be a constant of floats";
    case 9:
        zero->data_type = S32;
        zero->raw_data.len = 4;
        zero->raw_data.data = build_own(b, calloc(1, 4));
        return "(QuantizeLinear): 1 scales and data type 6; of what is not constant, one and int8 (3) or uint8 (2)";
    case 10:
        build_floats(b, "two", 1, two, scales);
        constant(b, "zeros", 1, two, S8, "\0\0", 2);
        node[QUANTISE]->input[1] = build_text(b, "two");
        node[QUANTISE]->input[2] = build_text(b, "zeros");
        return "2 scales do not fit axis 1 of its input";
    case 11:
        build_int(b, node[QUANTISE], "axis", INT64_MIN);
        build_floats(b, "two", 1, two, scales);
        constant(b, "zeros", 1, two, S8, "\0\0", 2);
        node[QUANTISE]->input[1] = build_text(b, "two");
        node[QUANTISE]->input[2] = build_text(b, "zeros");
        return "2 scales do not fit axis -92233720368547758";
    case 12:
        build_node(b, "Cast", "q", "c");
        build_int(b, b->graph.node[3], "to", 1);
        b->graph.output[0]->name = build_text(b, "c");
        return "(Cast): input 0 holds 8-bit numbers; a DequantizeLinear must stand between";
    case 13:
        node[DEQUANTISE]->input[0] = build_text(b, "x.s");
        return "(DequantizeLinear): its constant input must hold integers";
    case 14:
        constant(b, "u", 0, NULL, U8, "\7", 1);
        node[DEQUANTISE]->input[0] = build_text(b, "u");
        return "(DequantizeLinear): its zero point has data type 3, its input 2";
    default:
        node[QUANTISE]->input[0] = build_text(b, "x.z");
        return "(QuantizeLinear): its constant input must hold floats";
    }
}

static void test_refused(void **state)
{
    (void)state;
    for (int i = 0; i < 16; i++) {
        struct build *b = build_new(13);
        int64_t d[2] = {1, 6};
        struct err err = {""};

        build_input(b, "x", 2, d);
        pair(b, "x", 0.5f, 3, S8);
        b->graph.node[QUANTISE]->output[0] = b->graph.node[DEQUANTISE]->input[0] = build_text(b, "q");
        build_node(b, "Relu", "x.d", "r");
        build_output(b, "r");
        const char *want = damage(b, i);
        struct engine *e = build_engine(b, &err);
        if (e || !strstr(err.text, want))
            fail_msg("case %d: \"%s\" does not say \"%s\"", i, err.text, want);
        build_free(b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv),    cmocka_unit_test(test_add),   cmocka_unit_test(test_dense),
        cmocka_unit_test(test_pools),   cmocka_unit_test(test_float), cmocka_unit_test(test_constants),
        cmocka_unit_test(test_refused),
    };
    return run_operators(tests, sizeof tests / sizeof *tests);
}
