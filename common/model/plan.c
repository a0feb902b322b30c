#include "model/ops.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LAYERS_PER_NODE 16

/* Every operator: the attributes that it knows (one that it does not could change its meaning), the inputs that it takes. */
static const struct op {
    const char *name;
    op_fn *fn;
    size_t min_in, max_in;
    const char *attributes;
} ops[] = {
    {"Add", op_binary, 2, 2, " "},
    {"AveragePool", op_average_pool, 1, 1,
     " auto_pad ceil_mode count_include_pad dilations kernel_shape pads strides "},
    {"BatchNormalization", op_batch_norm, 5, 5, " epsilon momentum spatial training_mode "},
    {"Cast", op_cast, 1, 1, " to saturate "},
    {"Clip", op_clip, 1, 3, " min max "},
    {"Conv", op_conv, 2, 3, " auto_pad dilations group kernel_shape pads strides "},
    {"Div", op_binary, 2, 2, " "},
    {"DequantizeLinear", op_dequantize, 2, 3, " axis "},
    {"Dropout", op_same, 1, 3, " ratio seed "},
    {"Elu", op_elu, 1, 1, " alpha "},
    {"Flatten", op_flatten, 1, 1, " axis "},
    {"Gemm", op_gemm, 2, 3, " alpha beta transA transB "},
    {"GlobalAveragePool", op_global_average, 1, 1, " "},
    {"HardSigmoid", op_hard_sigmoid, 1, 1, " alpha beta "},
    {"HardSwish", op_hard_swish, 1, 1, " "},
    {"Identity", op_same, 1, 1, " "},
    {"LeakyRelu", op_leaky_relu, 1, 1, " alpha "},
    {"MatMul", op_matmul, 2, 2, " "},
    {"MaxPool", op_max_pool, 1, 1, " auto_pad ceil_mode dilations kernel_shape pads storage_order strides "},
    {"Mul", op_binary, 2, 2, " "},
    {"Pad", op_pad, 1, 4, " mode pads value "},
    {"QuantizeLinear", op_quantize, 2, 3, " axis saturate "},
    {"ReduceMean", op_reduce_mean, 1, 2, " axes keepdims noop_with_empty_axes "},
    {"Relu", op_relu, 1, 1, " "},
    {"Reshape", op_reshape, 2, 2, " allowzero "},
    {"Selu", op_selu, 1, 1, " alpha gamma "},
    {"Sigmoid", op_sigmoid, 1, 1, " "},
    {"Softmax", op_softmax, 1, 1, " axis "},
    {"Squeeze", op_squeeze, 1, 2, " axes "},
    {"Sub", op_binary, 2, 2, " "},
    {"Tanh", op_tanh, 1, 1, " "},
    {"Transpose", op_transpose, 1, 1, " perm "},
    {"Unsqueeze", op_unsqueeze, 1, 2, " axes "},
};

static const char *const layer_names[LAYER_OPS] = {
    [LAYER_CONV] = "conv",
    [LAYER_DEPTHWISE] = "depthwise conv",
    [LAYER_DENSE] = "dense",
    [LAYER_MAX_POOL] = "max pool",
    [LAYER_AVERAGE_POOL] = "average pool",
    [LAYER_GLOBAL_AVERAGE] = "mean",
    [LAYER_ADD] = "add",
    [LAYER_SUB] = "subtract",
    [LAYER_MUL] = "multiply",
    [LAYER_DIV] = "divide",
    [LAYER_CLAMP] = "clamp",
    [LAYER_SIGMOID] = "sigmoid",
    [LAYER_SOFTMAX] = "softmax",
    [LAYER_ELU] = "elu",
    [LAYER_LEAKY_RELU] = "leaky relu",
    [LAYER_HARDSWISH] = "hardswish",
    [LAYER_PAD] = "pad",
    [LAYER_RESHAPE] = "reshape",
    [LAYER_QUANTIZE] = "quantise",
    [LAYER_DEQUANTIZE] = "dequantise",
};

static const char *const int8_names[LAYER_OPS] = {
    [LAYER_CONV] = "int8 conv", [LAYER_DEPTHWISE] = "int8 depthwise conv", [LAYER_DENSE] = "int8 dense",
    [LAYER_ADD] = "int8 add",   [LAYER_GLOBAL_AVERAGE] = "int8 mean",      [LAYER_MAX_POOL] = "int8 max pool",
};

const char *layer_name(const struct layer *l)
{
    return l->int8 ? int8_names[l->op] : layer_names[l->op];
}

static int translate(struct plan *p, const struct graph_node *node, struct err *err)
{
    const struct op *op = NULL;

    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (strcmp(ops[i].name, node->op) == 0)
            op = &ops[i];
    if (!op)
        return node_err(node, err, "this operator is not supported");
    if (node->n_in < op->min_in || node->n_in > op->max_in)
        return node_err(node, err, "%zu inputs, %zu to %zu are allowed", node->n_in, op->min_in, op->max_in);
    if (node->n_out == 0 || node->out[0] == GRAPH_ABSENT)
        return node_err(node, err, "it has no first output");
    for (size_t i = 0; i < node->n_attrs; i++) {
        char name[64];

        snprintf(name, sizeof name, " %.60s ", node->attrs[i].name);
        if (!strstr(op->attributes, name))
            return node_err(node, err, "attribute '%.60s' is not supported", node->attrs[i].name);
    }
    return op->fn(p, node, err);
}

/* Images and signals are fed with their channels last, as convolutions want them, but [N, bands, frames] that becomes an image
 * later (no convolution in the graph is one over signals) as it is. */
static bool feed_channels_last(const struct graph *g)
{
    if (g->input_rank != 3)
        return g->input_rank > 3;
    for (size_t i = 0; i < g->n_nodes; i++) {
        const struct graph_node *node = &g->nodes[i];
        size_t w = node->live && node->n_in > 1 ? node->in[1] : GRAPH_ABSENT;

        if (strcmp(node->op, "Conv") == 0 && w != GRAPH_ABSENT && g->values[w].tensor && g->values[w].tensor->rank == 3)
            return true;
    }
    return false;
}

static int make_input(struct plan *p, struct err *err)
{
    const struct graph *g = p->graph;
    struct plan_value *v = &p->values[g->input];
    struct store *s = &p->stores[p->n_stores];
    size_t order[GRAPH_RANK], n;
    uint32_t *map;

    v->kind = VALUE_STORE;
    v->store = p->n_stores++;
    v->sole = false; /* nothing may be folded into what is fed */
    s->input = true;
    s->rank = g->input_rank;
    memcpy(s->dims, g->input_dims, sizeof g->input_dims);
    layout_plain(&v->layout, g->input_rank, g->input_dims);
    n = layout_count(&v->layout);
    if (n > PLAN_STORE_MAX)
        return err_set(err, "input '%.80s' has more than %zu elements", g->values[g->input].name, PLAN_STORE_MAX);
    layout_channels_last(g->input_rank, order);
    if (!feed_channels_last(g))
        return 0;
    for (size_t i = 0; i < s->rank; i++)
        s->dims[i] = g->input_dims[order[i]];
    if (layout_is_ordered(&v->layout, order))
        return 0;
    layout_ordered(&v->layout, g->input_rank, g->input_dims, order);
    map = layout_map(&v->layout);
    s->gather = malloc(n * sizeof *s->gather);
    for (size_t i = 0; map && s->gather && i < n; i++)
        s->gather[map[i]] = (uint32_t)i;
    free(map);
    return map && s->gather ? 0 : err_set(err, "out of memory");
}

static int make_output(struct plan *p, size_t value, struct err *err)
{
    struct plan_value *v = &p->values[value];
    const struct graph_node node = {.name = p->graph->values[value].name, .op = "output"};

    if (v->kind != VALUE_STORE)
        return err_set(err, "output '%.80s' is a constant or a second output", node.name);
    if (p->stores[v->store].int8)
        return err_set(err, "output '%.80s' holds 8-bit numbers; end the graph with a DequantizeLinear", node.name);
    if (p->stores[v->store].input) { /* under another name or shape: XNNPACK wants a layer between */
        size_t copy = op_store(p, &node, p->stores[v->store].rank, p->stores[v->store].dims, err);

        if (copy == GRAPH_ABSENT || !op_layer(p, &node, LAYER_RESHAPE, v->store, v->store, copy, err))
            return -1;
        v->store = copy;
    }
    p->stores[v->store].output = true;
    return 0;
}

static void free_weights(struct layer *l)
{
    free(l->w);
    free(l->b);
    free(l->w_scale);
    free(l->qb_scale);
    free(l->qw);
    free(l->qb);
}

/* Drops layers whose result nobody reads (a reshape before an operator that turned out to be nothing): XNNPACK aborts on them. */
static void prune(struct plan *p)
{
    size_t n = 0;

    for (size_t i = 0; i < p->n_stores; i++)
        p->stores[i].used = p->stores[i].output;
    for (size_t i = p->n_layers; i-- > 0;)
        if (p->layers[i].op != LAYER_OPS && p->stores[p->layers[i].out].used)
            p->stores[p->layers[i].in[0]].used = p->stores[p->layers[i].in[1]].used = true;
    for (size_t i = 0; i < p->n_layers; i++) {
        struct layer *l = &p->layers[i];

        if (l->op == LAYER_OPS || !p->stores[l->out].used) {
            free_weights(l);
            p->macs -= l->macs;
            continue;
        }
        p->stores[l->out].producer = n;
        p->layers[n++] = *l;
    }
    p->n_layers = n;
}

static int build(struct plan *p, struct err *err)
{
    const struct graph *g = p->graph;

    for (size_t i = 0; i < g->n_values; i++)
        if (g->values[i].tensor) {
            p->values[i].kind = VALUE_CONSTANT;
            p->values[i].tensor = g->values[i].tensor;
            layout_plain(&p->values[i].layout, g->values[i].tensor->rank, g->values[i].tensor->dims);
        }
    if (make_input(p, err) != 0)
        return -1;
    for (size_t i = 0; i < g->n_nodes; i++) {
        if (!g->nodes[i].live)
            continue;
        if (p->fused[i] == FUSED_AWAY || strcmp(g->nodes[i].op, "Constant") == 0)
            continue;
        if (p->fused[i] != GRAPH_ABSENT ? op_fused_hardswish(p, &g->nodes[i], p->fused[i], err) != 0
                                        : translate(p, &g->nodes[i], err) != 0)
            return -1;
    }
    for (size_t i = 0; i < g->n_outputs; i++)
        if (make_output(p, g->outputs[i], err) != 0)
            return -1;
    if (plan_int8(p, err) != 0)
        return -1;
    prune(p);
    return 0;
}

struct plan *plan_new(const struct graph *g, struct err *err)
{
    struct plan *p = calloc(1, sizeof *p);

    if (!p) {
        err_set(err, "out of memory");
        return NULL;
    }
    p->graph = g;
    p->max_layers = p->max_stores = (g->n_nodes + 1) * LAYERS_PER_NODE;
    p->values = calloc(g->n_values + 1, sizeof *p->values);
    p->stores = calloc(p->max_stores, sizeof *p->stores);
    p->layers = calloc(p->max_layers, sizeof *p->layers);
    p->fused = calloc(g->n_nodes + 1, sizeof *p->fused);
    p->made = calloc(g->n_nodes + 1, sizeof *p->made);
    if (!p->values || !p->stores || !p->layers || !p->fused || !p->made)
        err_set(err, "out of memory");
    else if (fuse_find(g, p->fused, err) == 0 && build(p, err) == 0)
        return p;
    plan_free(p);
    return NULL;
}

void plan_free(struct plan *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n_stores; i++) {
        free(p->stores[i].data);
        free(p->stores[i].gather);
    }
    for (size_t i = 0; i < p->n_layers; i++)
        free_weights(&p->layers[i]);
    for (size_t i = 0; p->made && i < p->graph->n_nodes; i++) {
        free(p->made[i].tensor.owned);
        free(p->made[i].scale);
    }
    free(p->values);
    free(p->stores);
    free(p->layers);
    free(p->fused);
    free(p->made);
    free(p);
}
