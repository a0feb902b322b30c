/* What all operators need: stores, layers, inputs. */
#include "model/ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

size_t op_store(struct plan *p, const struct graph_node *node, size_t rank, const size_t *dims, struct err *err)
{
    struct store *s = &p->stores[p->n_stores];
    size_t n = 1;

    if (p->n_stores == p->max_stores) {
        node_err(node, err, "it becomes too many layers");
        return GRAPH_ABSENT;
    }
    for (size_t i = 0; i < rank; i++) {
        s->dims[i] = dims[i];
        if (dims[i] == 0 || dims[i] > PLAN_STORE_MAX || (n *= dims[i]) > PLAN_STORE_MAX) {
            node_err(node, err, "its result would have more than %zu elements, or none", PLAN_STORE_MAX);
            return GRAPH_ABSENT;
        }
    }
    s->rank = rank;
    p->elements += n;
    if (p->elements > PLAN_STORES_MAX) {
        node_err(node, err, "the results up to here have more than %zu elements together", PLAN_STORES_MAX);
        return GRAPH_ABSENT;
    }
    return p->n_stores++;
}

float *op_floats(size_t n)
{
    return calloc(1, n * sizeof(float) + PLAN_SLACK);
}

size_t op_static(struct plan *p, const struct graph_node *node, size_t rank, const size_t *dims, struct err *err)
{
    size_t s = op_store(p, node, rank, dims, err), n = 1;

    if (s == GRAPH_ABSENT)
        return s;
    for (size_t i = 0; i < rank; i++)
        n *= dims[i];
    p->stores[s].data = op_floats(n);
    if (p->stores[s].data)
        return s;
    node_err(node, err, "out of memory");
    return GRAPH_ABSENT;
}

size_t op_shaped(struct plan *p, const struct graph_node *node, size_t store, size_t rank, const size_t *dims,
                 struct err *err)
{
    struct store *s = &p->stores[store];
    size_t out;

    if (s->rank == rank && memcmp(s->dims, dims, rank * sizeof *dims) == 0)
        return store;
    if ((s->input || s->data) && !s->used) {
        s->rank = rank;
        memcpy(s->dims, dims, rank * sizeof *dims);
        return store;
    }
    out = op_store(p, node, rank, dims, err);
    if (out == GRAPH_ABSENT || !op_layer(p, node, LAYER_RESHAPE, store, store, out, err))
        return GRAPH_ABSENT;
    return out;
}

struct layer *op_layer(struct plan *p, const struct graph_node *node, enum layer_op op, size_t in0, size_t in1,
                       size_t out, struct err *err)
{
    struct layer *l = &p->layers[p->n_layers];

    if (p->n_layers == p->max_layers) {
        node_err(node, err, "it becomes too many layers");
        return NULL;
    }
    *l = (struct layer){.op = op, .name = node->name, .in = {in0, in1}, .out = out, .min = -INFINITY, .max = INFINITY};
    l->groups = 1;
    l->rank = p->stores[out].rank;
    memcpy(l->dims, p->stores[out].dims, sizeof l->dims);
    p->stores[in0].used = p->stores[in1].used = p->stores[out].used = true;
    p->stores[out].producer = p->n_layers++;
    return l;
}

static bool still_sole(const struct plan *p, size_t value)
{
    return p->graph->values[value].uses == 1 && !p->graph->values[value].output;
}

void op_result(struct plan *p, const struct graph_node *node, const struct layout *layout, size_t store)
{
    struct layer *l = &p->layers[p->stores[store].producer];

    p->values[node->out[0]] = (struct plan_value){
        .kind = VALUE_STORE, .layout = *layout, .store = store, .sole = still_sole(p, node->out[0])};
    l->rank = layout->rank;
    memcpy(l->dims, layout->dims, sizeof l->dims);
}

void op_alias(struct plan *p, const struct graph_node *node, const struct plan_value *from, const struct layout *layout)
{
    struct plan_value *v = &p->values[node->out[0]];

    *v = *from;
    v->layout = *layout;
    v->sole = from->sole && still_sole(p, node->out[0]);
}

/* Another view of the graph's input: the same values fed in another order. */
static int feed_again(struct plan *p, const struct graph_node *node, struct plan_value *v, const struct layout *wanted,
                      struct err *err)
{
    const uint32_t *fed = p->stores[v->store].gather;
    size_t n = layout_count(wanted), s = op_store(p, node, wanted->rank, wanted->dims, err);
    uint32_t *from, *to, *gather;

    if (s == GRAPH_ABSENT)
        return -1;
    from = layout_map(&v->layout);
    to = layout_map(wanted);
    p->stores[s].gather = gather = malloc(n * sizeof *gather);
    for (size_t i = 0; from && to && gather && i < n; i++)
        gather[to[i]] = fed ? fed[from[i]] : from[i];
    free(from);
    free(to);
    if (!from || !to || !gather)
        return node_err(node, err, "out of memory");
    p->stores[s].input = true;
    v->store = s;
    v->layout = *wanted;
    return 0;
}

int op_arrange(struct plan *p, const struct graph_node *node, struct plan_value *v, const size_t *order,
               struct err *err)
{
    struct layout wanted;

    if (layout_is_ordered(&v->layout, order))
        return 0;
    layout_ordered(&wanted, v->layout.rank, v->layout.dims, order);
    if (p->stores[v->store].input)
        return feed_again(p, node, v, &wanted, err);
    return node_err(node, err, "its input would have to be transposed in memory, which is not supported here");
}

int op_feed_plain(struct plan *p, const struct graph_node *node, struct plan_value *v, struct err *err)
{
    static const size_t order[GRAPH_RANK] = {0, 1, 2, 3, 4, 5};

    return p->stores[v->store].input ? op_arrange(p, node, v, order, err) : 0;
}

struct layer *op_foldable(struct plan *p, const struct plan_value *v, bool bare)
{
    struct layer *l = v->kind == VALUE_STORE && v->sole ? &p->layers[p->stores[v->store].producer] : NULL;

    if (!l || (l->op != LAYER_CONV && l->op != LAYER_DEPTHWISE && l->op != LAYER_DENSE))
        return NULL;
    return bare && (l->min != -INFINITY || l->max != INFINITY) ? NULL : l;
}

void op_fold(struct layer *l, const float *scale, const float *shift)
{
    size_t out = l->groups * l->group_out;
    size_t each = l->op == LAYER_DENSE ? l->group_in : (size_t)l->kernel[0] * l->kernel[1] * l->group_in;

    for (size_t o = 0; o < out; o++) {
        for (size_t i = 0; i < each; i++)
            l->w[l->op == LAYER_DEPTHWISE ? i * out + o : o * each + i] *= scale[o];
        l->b[o] = l->b[o] * scale[o] + shift[o];
    }
    free(l->w_scale); /* no longer what the file says */
    l->w_scale = NULL;
}

int op_macs(struct plan *p, const struct graph_node *node, struct layer *layer, uint64_t a, uint64_t b, uint64_t c,
            struct err *err)
{
    if (__builtin_mul_overflow(a, b, &layer->macs) || __builtin_mul_overflow(layer->macs, c, &layer->macs) ||
        __builtin_add_overflow(p->macs, layer->macs, &p->macs) || p->macs > PLAN_MACS_MAX)
        return node_err(node, err, "more than %llu multiply-adds an inference up to here",
                        (unsigned long long)PLAN_MACS_MAX);
    return 0;
}

bool op_has(const struct graph_node *node, size_t i)
{
    return i < node->n_in && node->in[i] != GRAPH_ABSENT;
}

int op_value(const struct plan *p, const struct graph_node *node, size_t i, struct plan_value *out, struct err *err)
{
    if (!op_has(node, i))
        return node_err(node, err, "input %zu is missing", i);
    *out = p->values[node->in[i]];
    if (out->kind == VALUE_STORE && p->stores[out->store].int8)
        return node_err(node, err, "input %zu ('%.80s') holds 8-bit numbers; a DequantizeLinear must stand between", i,
                        p->graph->values[node->in[i]].name);
    if (out->kind == VALUE_STORE)
        return 0;
    return node_err(node, err,
                    out->kind == VALUE_NONE ? "input %zu ('%.80s') is a second output, which is not supported"
                                            : "input %zu ('%.80s') must not be a constant",
                    i, p->graph->values[node->in[i]].name);
}

int op_constant_open(const struct plan_value *v, struct constant *c, struct err *err)
{
    struct layout plain;

    *c = (struct constant){.layout = v->layout, .f = v->tensor->f, .n = v->tensor->n};
    layout_plain(&plain, v->layout.rank, v->layout.dims);
    for (size_t i = 0; i < v->layout.factors; i++)
        if (v->layout.place[i] != i) {
            c->map = layout_map(&v->layout);
            return c->map ? 0 : err_set(err, "out of memory");
        }
    return 0;
}

int op_constant_input(const struct plan *p, const struct graph_node *node, size_t i, struct constant *c,
                      struct err *err)
{
    const struct plan_value *v = op_has(node, i) ? &p->values[node->in[i]] : NULL;

    if (!v)
        return node_err(node, err, "input %zu is missing", i);
    if (v->kind != VALUE_CONSTANT || !v->tensor->f)
        return node_err(node, err, "input %zu ('%.80s') must be a constant of floats", i,
                        p->graph->values[node->in[i]].name);
    return op_constant_open(v, c, err);
}

int op_ints(const struct plan *p, const struct graph_node *node, size_t i, const int64_t **out, size_t *n,
            struct err *err)
{
    const struct plan_value *v = op_has(node, i) ? &p->values[node->in[i]] : NULL;

    if (!v || v->kind != VALUE_CONSTANT || !v->tensor->i || v->tensor->rank > 1)
        return node_err(node, err, "input %zu must be a constant list of integers", i);
    *out = v->tensor->i;
    *n = v->tensor->n;
    return 0;
}

int op_scalar(const struct plan *p, const struct graph_node *node, size_t i, float *out, struct err *err)
{
    const struct plan_value *v = op_has(node, i) ? &p->values[node->in[i]] : NULL;

    if (!v || v->kind != VALUE_CONSTANT || !v->tensor->f || v->tensor->n != 1)
        return node_err(node, err, "input %zu must be a constant of one float", i);
    *out = v->tensor->f[0];
    return 0;
}
