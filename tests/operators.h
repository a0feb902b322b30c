/* What test_operators and test_elementwise share: random tensors, and the comparison of the engine with onnx_naive.h. */
#ifndef EARSHOT_TESTS_OPERATORS_H
#define EARSHOT_TESTS_OPERATORS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/engine.h"
#include "tests/onnx_build.h"
#include "tests/onnx_naive.h"

#include <time.h>

#define TRIES 60
/* Of the largest value that the graph meets, since that is what rounds: a sum of some hundred products whose terms cancel has the
 * error of its terms, not of its result. float here against double there. */
#define TOLERANCE 1e-5

static unsigned seed, state_;

static inline long between(long lo, long hi)
{
    state_ = state_ * 1664525 + 1013904223;
    return lo + (long)((state_ >> 8) % (unsigned long)(hi - lo + 1));
}

static inline float *noise(struct build *b, size_t n)
{
    float *x = build_own(b, malloc((n + 1) * sizeof *x));

    for (size_t i = 0; i < n; i++)
        x[i] = (float)between(-2000, 2000) / 1000;
    return x;
}

static inline void weights(struct build *b, const char *name, size_t rank, const int64_t *dims)
{
    size_t n = 1;

    for (size_t i = 0; i < rank; i++)
        n *= (size_t)dims[i];
    build_floats(b, name, rank, dims, noise(b, n));
}

static inline void scalar(struct build *b, const char *name, float v)
{
    build_floats(b, name, 0, NULL, &v);
}

static inline struct engine *build_engine(const struct build *b, struct err *err)
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

static inline void compare(const struct build *b, struct engine *e, const char *what)
{
    size_t n = engine_input(e)->n, outputs = engine_outputs(e);
    float *in = malloc(n * sizeof *in), *out[4] = {0};

    for (size_t i = 0; i < n; i++)
        in[i] = (float)between(-3000, 3000) / 1000;
    struct naive *v = naive_run(&b->model, in);
    double largest = 0.1;
    for (int i = 0; i < v->n; i++)
        for (long k = 0; k < nt_count(&v->t[i]); k++)
            largest = fmax(largest, isfinite(v->t[i].x[k]) ? fabs(v->t[i].x[k]) : 0);
    for (size_t i = 0; i < outputs; i++)
        out[i] = malloc(engine_output(e, i)->n * sizeof(float));
    for (int twice = 0; twice < 2; twice++) /* the second run meets what the first left behind */
        assert_int_equal(engine_run(e, in, out), 0);
    for (size_t i = 0; i < outputs; i++) {
        const struct engine_tensor *t = engine_output(e, i);
        const struct nt *want = naive_get(v, t->name);

        if (t->rank != (size_t)want->rank)
            fail_msg("SEED=%u %s: '%s' has rank %zu, not %d", seed, what, t->name, t->rank, want->rank);
        for (size_t k = 0; k < t->rank; k++)
            if (t->dims[k] != (size_t)want->dims[k])
                fail_msg("SEED=%u %s: '%s' dimension %zu is %zu, not %ld", seed, what, t->name, k, t->dims[k],
                         want->dims[k]);
        for (size_t k = 0; k < t->n; k++)
            if (!(fabs((double)out[i][k] - want->x[k]) <= TOLERANCE * largest))
                fail_msg("SEED=%u %s: '%s'[%zu] is %g, not %g", seed, what, t->name, k, (double)out[i][k], want->x[k]);
        free(out[i]);
    }
    naive_free(v);
    free(in);
}

/* Builds, compares, frees. */
static inline void check(struct build *b, const char *what)
{
    struct err err = {""};
    struct engine *e = build_engine(b, &err);

    if (!e)
        fail_msg("SEED=%u %s: %s", seed, what, err.text);
    compare(b, e, what);
    engine_free(e);
    build_free(b);
}

static inline void image(struct build *b, int64_t *d, bool flat)
{
    d[0] = between(1, 2);
    d[1] = between(1, 5);
    d[2] = between(6, 12);
    d[3] = between(6, 12);
    build_input(b, "x", flat ? 3 : 4, d);
}

static inline void random_window(struct build *b, Onnx__NodeProto *n, size_t spatial, const int64_t *k, bool pool)
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
static inline void random_conv(struct build *b, const int64_t *d, size_t spatial, int64_t *channels)
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

static inline int run_operators(const struct CMUnitTest *tests, size_t n)
{
    const char *given = getenv("SEED");

    seed = state_ = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
    print_message("SEED=%u\n", seed);
    return _cmocka_run_group_tests("operators", tests, n, NULL, NULL);
}

#endif
