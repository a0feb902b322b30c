/* Random graphs of several operators against the naive evaluation: what one operator leaves in memory, the next must understand.
 * The engine may refuse a graph that needs data moved (counted), but never compute another one. SEED=N repeats a run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/engine.h"
#include "tests/onnx_build.h"
#include "tests/onnx_naive.h"

#include <time.h>

#define GRAPHS    300
#define NODES     10
#define ELEMENTS  20000
#define TOLERANCE 1e-4 /* of the largest element */

static unsigned seed, state_;

static long between(long lo, long hi)
{
    state_ = state_ * 1664525 + 1013904223;
    return lo + (long)((state_ >> 8) % (unsigned long)(hi - lo + 1));
}

struct grow {
    struct build *b;
    float *in;
    const struct nt *at; /* the tensor at hand */
    char names[64][8], text[64];
    int n;
};

static const char *fresh(struct grow *g)
{
    snprintf(g->names[g->n], sizeof g->names[0], "v%d", g->n);
    return g->names[g->n++];
}

static const char *constant(struct grow *g, size_t rank, const int64_t *dims, float scale)
{
    size_t n = 1;
    float *x;

    for (size_t i = 0; i < rank; i++)
        n *= (size_t)dims[i];
    x = build_own(g->b, malloc((n + 1) * sizeof *x));
    for (size_t i = 0; i < n; i++)
        x[i] = (float)between(-1000, 1000) / 1000 * scale;
    const char *name = fresh(g);
    build_floats(g->b, name, rank, dims, x);
    return name;
}

static const char *list(struct grow *g, size_t n, const int64_t *v)
{
    const char *name = fresh(g);
    build_list(g->b, name, n, v);
    return name;
}

/* "a,b" */
static const char *and_(struct grow *g, const char *a, const char *b)
{
    snprintf(g->text, sizeof g->text, "%s,%s", a, b);
    return g->text;
}

static void unary(struct grow *g)
{
    static const char *const ops[] = {"Relu", "Sigmoid", "Elu", "HardSwish", "LeakyRelu", "Tanh", "Identity", "Selu"};
    build_node(g->b, ops[between(0, 7)], g->at->name, fresh(g));
}

static void with_constant(struct grow *g)
{
    static const char *const ops[] = {"Add", "Sub", "Mul"};
    int64_t dims[8], rank = between(0, g->at->rank);
    for (int64_t i = 0; i < rank; i++)
        dims[i] = between(0, 1) ? g->at->dims[g->at->rank - rank + i] : 1;
    const char *c = constant(g, (size_t)rank, dims, 2), *op = ops[between(0, 2)];
    const char *in = between(0, 1) ? and_(g, c, g->at->name) : and_(g, g->at->name, c);
    build_node(g->b, op, in, fresh(g));
}

/* With an earlier result that fits, itself included. */
static bool with_earlier(struct grow *g, const struct naive *v)
{
    const struct nt *t = &v->t[between(0, v->n - 1)];
    if (t->rank > g->at->rank || g->b->graph.n_node == 0)
        return false;
    for (size_t i = 0; i < g->b->graph.n_initializer; i++)
        if (strcmp(g->b->graph.initializer[i]->name, t->name) == 0)
            return false; /* perhaps a list of integers */
    for (int i = 0; i < t->rank; i++)
        if (t->dims[i] != 1 && t->dims[i] != g->at->dims[g->at->rank - t->rank + i])
            return false;
    build_node(g->b, between(0, 1) ? "Add" : "Mul",
               between(0, 1) ? and_(g, t->name, g->at->name) : and_(g, g->at->name, t->name), fresh(g));
    return true;
}

static bool window(struct grow *g)
{
    int64_t sp = g->at->rank - 2, k[2], pads[4], strides[2];
    long kind = between(0, 3);
    if (sp != 1 && sp != 2)
        return false;
    for (int64_t i = 0; i < sp; i++) {
        long in = g->at->dims[2 + i];
        k[i] = between(1, in < 3 ? in : 3);
        strides[i] = between(1, k[i]);
        pads[i] = between(0, k[i] - 1);
        pads[i + sp] = between(0, k[i] - 1);
    }
    Onnx__NodeProto *n;
    if (kind < 2) {
        int64_t groups = kind == 0 ? 1 : g->at->dims[1],
                w[4] = {groups * between(1, 3), g->at->dims[1] / groups, k[0], k[1]};
        const char *c = constant(g, (size_t)g->at->rank, w, 1);
        n = build_node(g->b, "Conv", and_(g, g->at->name, c), fresh(g));
        build_int(g->b, n, "group", groups);
    } else {
        n = build_node(g->b, kind == 2 ? "MaxPool" : "AveragePool", g->at->name, fresh(g));
    }
    build_ints(g->b, n, "kernel_shape", (size_t)sp, k);
    build_ints(g->b, n, "strides", (size_t)sp, strides);
    build_ints(g->b, n, "pads", 2 * (size_t)sp, pads);
    return true;
}

static void transpose(struct grow *g)
{
    int64_t perm[8];
    for (int i = 0; i < g->at->rank; i++) {
        int k = (int)between(0, i);
        perm[i] = perm[k];
        perm[k] = i;
    }
    build_ints(g->b, build_node(g->b, "Transpose", g->at->name, fresh(g)), "perm", (size_t)g->at->rank, perm);
}

/* Joins two neighbouring dimensions, splits one, flattens, or adds and drops dimensions of 1. */
static bool reshape(struct grow *g)
{
    int64_t dims[8], rank = 0, cut = between(0, g->at->rank - 1), kind = between(0, 3),
                     axis[1] = {between(0, g->at->rank)};
    if (kind == 3 && g->at->rank < 6) {
        const char *a = list(g, 1, axis);
        build_node(g->b, "Unsqueeze", and_(g, g->at->name, a), fresh(g));
        return true;
    }
    if (kind == 2) {
        build_int(g->b, build_node(g->b, "Flatten", g->at->name, fresh(g)), "axis", axis[0]);
        return true;
    }
    if (kind == 1 && g->at->rank > 5)
        return false;
    for (int64_t i = 0; i < g->at->rank; i++) {
        long d = g->at->dims[i], f = 2;
        while (f < d && d % f)
            f++;
        if (kind == 1 && i == cut && d > 1) {
            dims[rank++] = f;
            dims[rank++] = d / f;
        } else if (kind == 0 && i == cut && i + 1 < g->at->rank) {
            dims[rank++] = d * g->at->dims[++i];
        } else {
            dims[rank++] = d;
        }
    }
    const char *s = list(g, (size_t)rank, dims);
    build_node(g->b, "Reshape", and_(g, g->at->name, s), fresh(g));
    return true;
}

static void mean(struct grow *g)
{
    int64_t axes[8];
    size_t n = 0;
    for (int64_t i = 0; i < g->at->rank; i++)
        if (between(0, 2) == 0)
            axes[n++] = i;
    Onnx__NodeProto *p = build_node(g->b, "ReduceMean", g->at->name, fresh(g));
    if (n)
        build_ints(g->b, p, "axes", n, axes);
    build_int(g->b, p, "keepdims", n ? between(0, 1) : 1);
}

static void dense(struct grow *g)
{
    int64_t w[2] = {g->at->dims[g->at->rank - 1], between(1, 6)};
    const char *c = constant(g, 2, w, 1);
    build_node(g->b, "MatMul", and_(g, g->at->name, c), fresh(g));
}

static void norm(struct grow *g)
{
    int64_t c = g->at->rank > 1 ? g->at->dims[1] : 1;
    char in[64];
    const char *s = constant(g, 1, &c, 1), *t = constant(g, 1, &c, 1), *m = constant(g, 1, &c, 1),
               *v = constant(g, 1, &c, 1);
    float *x = (float *)(void *)g->b->graph.initializer[g->b->graph.n_initializer - 1]->raw_data.data;
    for (int64_t i = 0; i < c; i++)
        x[i] = fabsf(x[i]) + 0.5f;
    snprintf(in, sizeof in, "%s,%s,%s,%s,%s", g->at->name, s, t, m, v);
    build_node(g->b, "BatchNormalization", in, fresh(g));
}

static void pad(struct grow *g)
{
    int64_t pads[16];
    for (int i = 0; i < 2 * g->at->rank; i++)
        pads[i] = between(0, 1);
    const char *p = list(g, 2 * (size_t)g->at->rank, pads);
    build_node(g->b, "Pad", and_(g, g->at->name, p), fresh(g));
}

static bool extend(struct grow *g, const struct naive *v)
{
    switch (between(0, 13)) {
    case 0:
    case 1:
        unary(g);
        return true;
    case 2:
        with_constant(g);
        return true;
    case 3:
        return with_earlier(g, v);
    case 4:
    case 5:
    case 6:
        return window(g);
    case 7:
        transpose(g);
        return true;
    case 8:
        return reshape(g);
    case 9:
        mean(g);
        return true;
    case 10:
        dense(g);
        return true;
    case 11:
        if (g->at->rank < 2)
            return false;
        norm(g);
        return true;
    case 12:
        pad(g);
        return true;
    default:
        build_node(g->b, "Softmax", g->at->name, fresh(g));
        return true;
    }
}

static struct engine *engine_of(const struct build *b, struct err *err)
{
    size_t size;
    uint8_t *bytes = build_pack(b, &size);
    struct graph *graph = graph_parse(bytes, size, err);
    struct engine *e = graph ? engine_new(graph, err) : NULL;
    graph_free(graph);
    free(bytes);
    return e;
}

static void compare(const struct grow *g, struct engine *e, const struct nt *want)
{
    size_t n = engine_output(e, 0)->n;
    float *out = malloc((n + 1) * sizeof *out);
    double largest = 0.1;

    assert_int_equal(n, nt_count(want));
    assert_int_equal(engine_run(e, g->in, &out), 0);
    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs(want->x[i]));
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)out[i] - want->x[i]) <= TOLERANCE * largest)) {
            for (size_t k = 0; k < g->b->graph.n_node; k++)
                print_message("  %s\n", g->b->graph.node[k]->op_type);
            fail_msg("SEED=%u: element %zu of '%s' is %g, not %g", seed, i, want->name, (double)out[i], want->x[i]);
        }
    free(out);
}

/* Adds nodes one by one; one that the engine refuses is taken back. */
static void grow_graph(long *nodes, long *refused)
{
    struct grow g = {.b = build_new(13)};
    int64_t dims[4] = {between(1, 2), between(1, 6), between(2, 9), between(2, 9)};
    size_t rank = (size_t)between(2, 4), count = 1;
    Onnx__GraphProto *graph = &g.b->graph;

    build_input(g.b, "x", rank, dims);
    for (size_t i = 0; i < rank; i++)
        count *= (size_t)dims[i];
    g.in = malloc(count * sizeof *g.in);
    for (size_t i = 0; i < count; i++)
        g.in[i] = (float)between(-2000, 2000) / 1000;
    for (long i = between(2, NODES); i > 0; i--) {
        struct naive *v = naive_run(&g.b->model, g.in), *after;
        size_t before = graph->n_node;
        struct err err = {""};

        g.at = naive_get(v, before ? graph->node[before - 1]->output[0] : "x");
        if (g.at->rank > 0 && nt_count(g.at) < ELEMENTS && extend(&g, v)) {
            graph->n_output = 0;
            build_output(g.b, graph->node[before]->output[0]);
            after = naive_run(&g.b->model, g.in);
            struct engine *e = engine_of(g.b, &err);
            (*nodes)++;
            if (e) {
                compare(&g, e, &after->t[after->n - 1]);
                engine_free(e);
            } else if (strstr(err.text, "memory")) { /* its data would have to be moved */
                (*refused)++;
                graph->n_node--;
            } else {
                fail_msg("SEED=%u: %s", seed, err.text);
            }
            naive_free(after);
        }
        naive_free(v);
    }
    free(g.in);
    build_free(g.b);
}

static void test_random_graphs(void **state)
{
    long nodes = 0, refused = 0;

    (void)state;
    for (int i = 0; i < GRAPHS; i++)
        grow_graph(&nodes, &refused);
    print_message("%ld nodes, %ld of them refused since data would have to be moved\n", nodes, refused);
    assert_true(refused * 3 < nodes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_graphs)};
    const char *given = getenv("SEED");

    seed = state_ = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
    print_message("SEED=%u\n", seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
