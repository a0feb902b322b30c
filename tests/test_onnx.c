/* Files that are not what they claim: every one is an error that says what is wrong, and none reads or writes out of bounds (run
 * under ASan by `make sanitize`). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/engine.h"
#include "tests/onnx_build.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

/* x [1,2,8,8] > Conv 3x3 to 4 channels > Relu > MaxPool > Flatten > Gemm to 3 > scores */
enum { CONV, RELU, POOL, FLATTEN, GEMM };
enum { W, BIAS, DENSE };

static struct build *small(void)
{
    struct build *b = build_new(13);
    int64_t x[4] = {1, 2, 8, 8}, w[4] = {4, 2, 3, 3}, bias[1] = {4}, dense[2] = {4 * 3 * 3, 3}, k3[2] = {3, 3},
            k2[2] = {2, 2};
    float numbers[4 * 3 * 3 * 3];

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        numbers[i] = (float)(i % 7) - 3;
    build_input(b, "x", 4, x);
    build_floats(b, "w", 4, w, numbers);
    build_floats(b, "bias", 1, bias, numbers);
    build_floats(b, "dense", 2, dense, numbers);
    build_ints(b, build_node(b, "Conv", "x,w,bias", "c"), "kernel_shape", 2, k3);
    build_node(b, "Relu", "c", "r");
    build_ints(b, build_node(b, "MaxPool", "r", "p"), "kernel_shape", 2, k2);
    build_ints(b, b->graph.node[POOL], "strides", 2, k2);
    build_node(b, "Flatten", "p", "f");
    build_node(b, "Gemm", "f,dense", "scores");
    build_output(b, "scores");
    return b;
}

static struct engine *engine_of(const uint8_t *bytes, size_t size, struct err *err)
{
    struct graph *g = graph_parse(bytes, size, err);
    struct engine *e = g ? engine_new(g, err) : NULL;

    graph_free(g);
    return e;
}

static void dims(Onnx__TensorProto *t, int64_t a, int64_t b)
{
    t->n_dims = 2;
    t->dims[0] = a;
    t->dims[1] = b;
}

static Onnx__TensorShapeProto__Dimension *input_dim(struct build *b, int i)
{
    return b->graph.input[0]->type->tensor_type->shape->dim[i];
}

static void rename_output(struct build *b, int node, const char *name)
{
    b->graph.node[node]->output[0] = build_text(b, name);
}

static void rename_input(struct build *b, int node, int i, const char *name)
{
    b->graph.node[node]->input[i] = build_text(b, name);
}

static void sub_graph(struct build *b)
{
    Onnx__GraphProto *g = build_own(b, malloc(sizeof *g));

    onnx__graph_proto__init(g);
    build_attr(b, b->graph.node[RELU], "body", ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH)->g = g;
}

static void window_ints(struct build *b, int node, const char *name, int64_t v, size_t n)
{
    int64_t list[4] = {v, v, v, v};

    build_ints(b, b->graph.node[node], name, n, list);
}

/* The tensor as n float16, in raw data or in a list. Returns them: all zero. */
static uint16_t *halve(Onnx__TensorProto *t, size_t n)
{
    t->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16;
    t->raw_data.len = n * sizeof(uint16_t);
    memset(t->raw_data.data, 0, t->raw_data.len);
    return (uint16_t *)(void *)t->raw_data.data;
}

static int32_t *list_halves(struct build *b, Onnx__TensorProto *t, size_t n)
{
    t->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16;
    t->has_raw_data = 0;
    t->n_int32_data = n;
    return t->int32_data = build_own(b, calloc(n, sizeof *t->int32_data));
}

/* One thing done to the small graph, and what the message must say. */
enum { MUTATIONS = 74 };
static const char *mutate(struct build *b, int i)
{
    Onnx__TensorProto *w = b->graph.initializer[W], *bias = b->graph.initializer[BIAS],
                      *dense = b->graph.initializer[DENSE];
    Onnx__NodeProto **node = b->graph.node;
    float bad;

    switch (i) {
    case 0:
        return b->graph.n_node = 0, "nothing in the graph makes its output";
    case 1:
        return b->model.graph = NULL, "holds no graph";
    case 2:
        return b->opset.version = 6, "operator set version 6";
    case 3:
        return b->opset.version = 99, "operator set version 99";
    case 4:
        return b->model.n_opset_import = 0, "operator set version 0";
    case 5:
        return b->opset.domain = (char *)"com.example", "operator set version 0";
    case 6:
        return node[RELU]->op_type = (char *)"Einsum", "node 'r' (Einsum): this operator is not supported";
    case 7:
        return node[RELU]->domain = (char *)"com.microsoft", "operator of domain 'com.microsoft'";
    case 8:
        return node[RELU]->op_type = NULL, "this operator is not supported";
    case 9:
        return rename_input(b, RELU, 0, "nowhere"), "node 'r' (Relu): reads 'nowhere', which nothing makes";
    case 10:
        return rename_input(b, CONV, 0, "r"), "reads 'r' before it is made: a cycle";
    case 11:
        return rename_output(b, POOL, "c"), "makes 'c', which is there already";
    case 12:
        return rename_output(b, POOL, "w"), "makes 'w', which is there already";
    case 13:
        return rename_output(b, RELU, "x"), "makes 'x', which is there already";
    case 14:
        return bias->name = w->name, "initialiser 'w' is defined twice";
    case 15:
        return w->name = NULL, "initialiser 0 has no name";
    case 16:
        return w->raw_data.len -= 4, "initialiser 'w': its shape needs 288 bytes of data, 284 are there";
    case 17:
        return w->has_raw_data = 0, "initialiser 'w': its shape needs 72 elements, 0 are there";
    case 18:
        return w->dims[0] = 0, "initialiser 'w': dimension 0 is 0";
    case 19:
        return w->dims[0] = -4, "initialiser 'w': dimension 0 is -4";
    case 20:
        return w->dims[0] = INT64_MAX, "initialiser 'w': dimension 0 is 9223372036854775807";
    case 21:
        return dims(w, 1 << 20, 1 << 20), "initialiser 'w': more than";
    case 22:
        return w->n_dims = 0, "initialiser 'w': its shape needs 4 bytes";
    case 23:
        return w->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__INT16, "initialiser 'w': data type 5;";
    case 24:
        return w->has_data_type = 0, "initialiser 'w': data type 0;";
    case 25:
        return w->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16, "elements of float16 are needed";
    case 26:
        w->has_data_location = 1;
        return w->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL,
               "initialiser 'w': its data lies in another file";
    case 27:
        bad = NAN;
        return memcpy(w->raw_data.data + 8, &bad, 4), "initialiser 'w': element 2 is not a finite number";
    case 28:
        bad = INFINITY;
        return memcpy(w->raw_data.data, &bad, 4), "initialiser 'w': element 0 is not a finite number";
    case 29:
        return dims(w, 4, 18), "node 'c' (Conv): its weights have 2 dimensions, not 4";
    case 30:
        return w->dims[0] = 2, w->dims[1] = 4, "node 'c' (Conv): 1 groups, 2 channels in, weights of 2 x 4";
    case 31:
        return build_int(b, node[CONV], "group", 0), "node 'c' (Conv): 0 groups";
    case 32:
        return build_int(b, node[CONV], "group", INT64_MIN), "groups, 2 channels in";
    case 33:
        return node[CONV]->attribute[0]->ints[0] = 5, "kernel_shape differs";
    case 34:
        return node[CONV]->attribute[0]->n_ints = 1, "attribute 'kernel_shape' has 1 elements, not 2";
    case 35:
        return window_ints(b, CONV, "strides", 0, 2), "attribute 'strides' holds 0";
    case 36:
        return window_ints(b, CONV, "strides", INT64_MAX, 2), "attribute 'strides' holds 9223372036854775807";
    case 37:
        return window_ints(b, CONV, "dilations", 60000, 2), "does not fit an input of 8";
    case 38:
        return window_ints(b, CONV, "pads", -1, 4), "attribute 'pads' holds -1";
    case 39:
        return window_ints(b, CONV, "pads", 65536, 4), "its result would have more than";
    case 40:
        return window_ints(b, CONV, "pads", 1, 3), "attribute 'pads' has 3 elements, not 4";
    case 41:
        return window_ints(b, POOL, "pads", 2, 4), "is not smaller than its window";
    case 42:
        return node[POOL]->attribute[1]->ints[0] = 3, "its stride (3) is larger than its kernel";
    case 43:
        return node[POOL]->n_attribute = 0, "attribute 'kernel_shape' is missing";
    case 44:
        return build_string(b, node[CONV], "auto_pad", "\033[31m"), "auto_pad is ?[31m;";
    case 45:
        return build_float(b, node[CONV], "group", 1), "attribute 'group' must be an integer";
    case 46:
        return build_int(b, node[CONV], "fancy", 1), "attribute 'fancy' is not supported";
    case 47:
        return window_ints(b, CONV, "kernel_shape", 3, 2), "attribute 'kernel_shape' is given twice";
    case 48:
        return sub_graph(b), "loops and branches (attribute 'body' holds a graph)";
    case 49:
        return bias->dims[0] = 2, bias->raw_data.len = 8, "its bias has 2 elements for 4 channels";
    case 50:
        return dense->dims[0] = 18, dense->dims[1] = 6, "node 'scores' (Gemm): 36 inputs meet weights for 18";
    case 51:
        return rename_input(b, GEMM, 1, "f"), "input 1 ('f') must be a constant";
    case 52:
        return rename_input(b, RELU, 0, "w"), "node 'r' (Relu): input 0 ('w') must not be a constant";
    case 53:
        return node[RELU]->n_input = 0, "node 'r' (Relu): 0 inputs, 1 to 1 are allowed";
    case 54:
        return node[RELU]->n_output = 0, "reads 'r', which nothing makes";
    case 55:
        return b->graph.n_input = 0, "the graph has no input";
    case 56:
        return build_input(b, "y", 0, NULL), "input 'y' has 0 dimensions|two inputs";
    case 57:
        return b->graph.input[0]->type = NULL, "input 'x' has no tensor shape";
    case 58:
        return input_dim(b, 2)->dim_value = 0, "input 'x': dimension 2 is 0";
    case 59:
        return input_dim(b, 2)->dim_value = INT64_MAX, "input 'x': dimension 2 is 9223372036854775807";
    case 60:
        return input_dim(b, 2)->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE__NOT_SET,
                            "input 'x': dimension 2 is left open";
    case 61:
        return input_dim(b, 2)->dim_value = 1 << 13, input_dim(b, 3)->dim_value = 1 << 12, "elements";
    case 62:
        return b->graph.n_output = 0, "the graph has 0 outputs";
    case 63:
        return halve(w, 71), "initialiser 'w': 72 elements of float16 are needed, 71 are there";
    case 64:
        return halve(w, 72)[5] = 0x7c00, "initialiser 'w': element 5 is not a finite number";
    case 65:
        return halve(w, 72)[71] = 0xfe01, "initialiser 'w': element 71 is not a finite number";
    case 66:
        return list_halves(b, w, 71), "initialiser 'w': 72 elements of float16 are needed, 71 are there";
    case 67:
        return list_halves(b, w, 72)[3] = 65536, "initialiser 'w': element 3 is 65536, which is no float16";
    case 68:
        return list_halves(b, w, 72)[0] = -1, "initialiser 'w': element 0 is -1, which is no float16";
    case 69:
        return w->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__INT8,
               "initialiser 'w': its shape needs 72 elements, 288 are there";
    case 70:
        w->raw_data.len = 72;
        return w->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__UINT8,
               "node 'c' (Conv): input 1 ('w') must be a constant of floats";
    case 71:
        list_halves(b, w, 72)[7] = 128;
        return w->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__INT8,
               "initialiser 'w': element 7 is 128, -128 to 127 are allowed";
    case 72:
        return w->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__INT32, w->raw_data.len = 284,
               "initialiser 'w': its shape needs 72 elements, 71 are there";
    default:
        return build_output(b, "scores"), "output 'scores' is listed twice";
    }
}

static void test_mutations(void **state)
{
    (void)state;
    for (int i = 0; i < MUTATIONS; i++) {
        struct build *b = small();
        char want[160];
        struct err err = {""};
        size_t size;

        snprintf(want, sizeof want, "%s", mutate(b, i));
        uint8_t *bytes = build_pack(b, &size);
        struct engine *e = engine_of(bytes, size, &err);
        char *other = strchr(want, '|');
        if (other)
            *other++ = '\0';
        if (e)
            fail_msg("case %d (%s) was accepted", i, want);
        if (!strstr(err.text, want) && !(other && strstr(err.text, other)))
            fail_msg("case %d: \"%s\" does not say \"%s\"", i, err.text, want);
        for (const char *p = err.text; *p; p++)
            assert_true((unsigned char)*p >= ' '); /* one line, nothing for the terminal to obey */
        free(bytes);
        build_free(b);
    }
}

static void test_good(void **state)
{
    (void)state;
    struct build *b = small();
    struct err err = {""};
    size_t size;
    uint8_t *bytes = build_pack(b, &size);
    struct engine *e = engine_of(bytes, size, &err);
    float x[128] = {0}, y[3], *out = y;

    assert_non_null(e);
    assert_int_equal(engine_run(e, x, &out), 0);
    assert_int_equal(engine_stats(e)->n_layers, 3); /* the Relu went into the Conv, Flatten is nothing */
    engine_free(e);
    free(bytes);
    build_free(b);
}

/* Every truncation is an error, but for those between two fields, which may leave a smaller valid file. */
static void test_truncated(void **state)
{
    (void)state;
    struct build *b = small();
    size_t size, accepted = 0;
    uint8_t *bytes = build_pack(b, &size);

    for (size_t n = 0; n < size; n++) {
        uint8_t *copy = malloc(n + 1); /* so that ASan sees a read beyond it */
        struct err err = {""};
        memcpy(copy, bytes, n);
        copy = realloc(copy, n ? n : 1);
        struct engine *e = engine_of(copy, n, &err);
        accepted += e != NULL;
        assert_true(e || *err.text);
        engine_free(e);
        free(copy);
    }
    assert_int_equal(accepted, 0); /* the operator set stands behind the graph */
    free(bytes);
    build_free(b);
}

static void test_garbage(void **state)
{
    (void)state;
    unsigned seed = (unsigned)time(NULL), s = seed;
    struct build *b = small();
    size_t size, refused = 0, tries = 4000;
    uint8_t *bytes = build_pack(b, &size), *copy = malloc(size);

    print_message("SEED=%u\n", seed);
    for (size_t i = 0; i < tries; i++) {
        struct err err = {""};
        memcpy(copy, bytes, size);
        for (size_t k = 0; k <= i % 4; k++) {
            s = s * 1664525 + 1013904223;
            copy[(s >> 8) % size] = (uint8_t)(s >> 24 ^ s >> 11);
        }
        struct engine *e = engine_of(copy, size, &err);
        refused += !e;
        assert_true(e || *err.text);
        if (e && engine_input(e)->n <= 4096) {
            float *x = calloc(engine_input(e)->n, sizeof *x), *none[16] = {NULL};
            assert_int_equal(engine_run(e, x, none), 0);
            free(x);
        }
        engine_free(e);
    }
    print_message("%zu of %zu damaged files refused\n", refused, tries);
    assert_true(refused > tries / 4);
    free(copy);
    free(bytes);
    build_free(b);
}

/* Messages in messages: the parser must not be let loose on them. ModelProto.graph is field 7, GraphProto.node 1, NodeProto.attribute
 * 5, AttributeProto.g 6. */
static void test_nesting(void **state)
{
    (void)state;
    enum { LEVELS = 200000 };
    static const uint8_t tags[] = {7 << 3 | 2, 1 << 3 | 2, 5 << 3 | 2, 6 << 3 | 2};
    size_t room = (size_t)LEVELS * 8, at = room;
    uint8_t *bytes = malloc(room);
    struct err err = {""};

    for (size_t level = LEVELS; level-- > 0;) {
        size_t length = room - at;
        uint8_t prefix[8];
        size_t n = 0;

        prefix[n++] = level == 0 ? tags[0] : tags[1 + (level - 1) % 3];
        for (; length > 127; length >>= 7)
            prefix[n++] = (uint8_t)(length | 128);
        prefix[n++] = (uint8_t)length;
        if (at < n)
            break;
        memcpy(bytes + (at -= n), prefix, n);
    }
    assert_null(engine_of(bytes + at, room - at, &err));
    assert_non_null(strstr(err.text, "nested too deeply"));
    free(bytes);
}

/* Two bytes for a node, two hundred in memory: a small file must not take gigabytes. */
static void test_many_nodes(void **state)
{
    (void)state;
    size_t nodes = 3000000, size = nodes * 2 + 5;
    uint8_t *bytes = calloc(1, size);
    struct err err = {""};

    bytes[0] = 7 << 3 | 2;
    for (size_t i = 0, n = nodes * 2; i < 4; i++, n >>= 7)
        bytes[1 + i] = (uint8_t)((n & 127) | (i < 3 ? 128 : 0));
    for (size_t i = 0; i < nodes; i++)
        bytes[5 + 2 * i] = 1 << 3 | 2;
    assert_null(engine_of(bytes, size, &err));
    assert_non_null(strstr(err.text, "not an ONNX model"));
    free(bytes);
}

static void test_cost(void **state)
{
    (void)state;
    struct build *b = build_new(13);
    int64_t x[4] = {1, 64, 2000, 250}, w[4] = {64, 64, 3, 3}, pads[4] = {1, 1, 1, 1};
    float *numbers = calloc(64 * 64 * 9, sizeof *numbers);
    struct err err = {""};
    size_t size;

    build_input(b, "x", 4, x);
    build_floats(b, "w", 4, w, numbers);
    build_ints(b, build_node(b, "Conv", "x,w", "c1"), "pads", 4, pads);
    build_ints(b, build_node(b, "Conv", "c1,w", "c2"), "pads", 4, pads);
    build_output(b, "c2");
    uint8_t *bytes = build_pack(b, &size);
    assert_null(engine_of(bytes, size, &err));
    assert_non_null(strstr(err.text, "multiply-adds"));
    free(bytes);
    free(numbers);
    build_free(b);
}

static void test_files(void **state)
{
    (void)state;
    static const struct {
        const char *path, *text;
    } cases[] = {{"/nonexistent/a.onnx", "No such file"}, {"/tmp", "not a file"}, {"/dev/null", "not a file"}};
    struct err err;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_null(graph_load(cases[i].path, &err));
        if (!strstr(err.text, cases[i].text) || strncmp(err.text, cases[i].path, strlen(cases[i].path)) != 0)
            fail_msg("%s", err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),    cmocka_unit_test(test_mutations), cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_garbage), cmocka_unit_test(test_nesting),   cmocka_unit_test(test_many_nodes),
        cmocka_unit_test(test_cost),    cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
