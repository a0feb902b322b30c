/* Operators that change what a tensor is called and not where it lies, and Pad and ReduceMean. */
#include "model/ops.h"

#include <string.h>

/* The same data with other dimensions; of a constant too. */
static int relabel(struct plan *p, const struct graph_node *node, size_t rank, const size_t *dims, struct err *err)
{
    const struct plan_value *v = &p->values[node->in[0]];
    struct layout layout;

    if (layout_reshape(&v->layout, rank, dims, &layout) != 0)
        return node_err(node, err, "its new shape does not fit the way its data lies in memory");
    op_alias(p, node, v, &layout);
    return 0;
}

/* Input 0: floats, constant or not. */
static const struct layout *shape_of(const struct plan *p, const struct graph_node *node, struct err *err)
{
    const struct plan_value *v = op_has(node, 0) ? &p->values[node->in[0]] : NULL;

    if (v && v->kind == VALUE_STORE && p->stores[v->store].int8) {
        node_err(node, err, "input 0 holds 8-bit numbers; a DequantizeLinear must stand between");
        return NULL;
    }
    if (v && (v->kind == VALUE_STORE || (v->kind == VALUE_CONSTANT && v->tensor->f)))
        return &v->layout;
    node_err(node, err, "input 0 must be there and hold floats");
    return NULL;
}

int op_same(struct plan *p, const struct graph_node *node, struct err *err)
{
    const struct plan_value *v = op_has(node, 0) ? &p->values[node->in[0]] : NULL;

    if (!v || v->kind == VALUE_NONE)
        return node_err(node, err, "input 0 is missing");
    if (op_has(node, 2))
        return node_err(node, err, "training mode is not supported");
    op_alias(p, node, v, &v->layout);
    return 0;
}

int op_cast(struct plan *p, const struct graph_node *node, struct err *err)
{
    int64_t to = 0;

    if (!shape_of(p, node, err) || node_int(node, "to", &to, err) != 0)
        return -1;
    if (to != 1 && to != 10)
        return node_err(node, err, "to data type %lld; float (1) and float16 (10) are supported", (long long)to);
    return op_same(p, node, err);
}

int op_flatten(struct plan *p, const struct graph_node *node, struct err *err)
{
    const struct layout *l = shape_of(p, node, err);
    size_t dims[2] = {1, 1};
    int64_t axis = 1;

    if (!l || node_int(node, "axis", &axis, err) != 0)
        return -1;
    if (axis < -(int64_t)l->rank || axis > (int64_t)l->rank)
        return node_err(node, err, "axis %lld of %zu dimensions", (long long)axis, l->rank);
    axis += axis < 0 ? (int64_t)l->rank : 0;
    for (size_t i = 0; i < l->rank; i++)
        dims[i >= (size_t)axis] *= l->dims[i];
    return relabel(p, node, 2, dims, err);
}

int op_reshape(struct plan *p, const struct graph_node *node, struct err *err)
{
    const struct layout *l = shape_of(p, node, err);
    size_t dims[GRAPH_RANK], n, known = 1, open = GRAPH_ABSENT, count;
    int64_t keep_zero = 0;
    const int64_t *shape;

    if (!l || op_ints(p, node, 1, &shape, &n, err) != 0 || node_int(node, "allowzero", &keep_zero, err) != 0)
        return -1;
    if (n > GRAPH_RANK)
        return node_err(node, err, "%zu dimensions, at most %d are allowed", n, GRAPH_RANK);
    count = layout_count(l);
    for (size_t i = 0; i < n; i++) {
        bool copy = shape[i] == 0 && !keep_zero && i < l->rank;

        dims[i] = copy ? l->dims[i] : shape[i] > 0 ? (size_t)shape[i] : 1;
        if (shape[i] == -1 && open == GRAPH_ABSENT)
            open = i;
        else if (shape[i] < (copy ? 0 : 1) || dims[i] > count)
            return node_err(node, err, "its new dimension %zu is %lld for %zu elements", i, (long long)shape[i], count);
        known *= dims[i];
        if (known > count)
            return node_err(node, err, "its new shape has more than the %zu elements that are there", count);
    }
    if (open != GRAPH_ABSENT)
        dims[open] = count / known;
    if (known * (open == GRAPH_ABSENT ? 1 : dims[open]) != count)
        return node_err(node, err, "its new shape does not have the %zu elements that are there", count);
    return relabel(p, node, n, dims, err);
}

/* Dimension numbers from an attribute or, in newer operator sets, an input, as a bit set over `rank`. *given: they are there. */
static int axes(const struct plan *p, const struct graph_node *node, size_t rank, unsigned *set, bool *given,
                struct err *err)
{
    const int64_t *v = NULL;
    size_t n = 0;

    *set = 0;
    if (op_has(node, 1) ? op_ints(p, node, 1, &v, &n, err) != 0 : node_ints(node, "axes", &v, &n, err) != 0)
        return -1;
    *given = n > 0;
    for (size_t i = 0; i < n; i++) {
        int64_t axis = v[i] < 0 ? v[i] + (int64_t)rank : v[i];

        if (axis < 0 || axis >= (int64_t)rank || *set >> axis & 1)
            return node_err(node, err, "axis %lld of %zu dimensions, or given twice", (long long)v[i], rank);
        *set |= 1u << axis;
    }
    return 0;
}

int op_squeeze(struct plan *p, const struct graph_node *node, struct err *err)
{
    const struct layout *l = shape_of(p, node, err);
    size_t dims[GRAPH_RANK], rank = 0;
    unsigned set;
    bool given;

    if (!l || axes(p, node, l->rank, &set, &given, err) != 0)
        return -1;
    for (size_t i = 0; i < l->rank; i++) {
        bool drop = given ? set >> i & 1 : l->dims[i] == 1;

        if (drop && l->dims[i] != 1)
            return node_err(node, err, "dimension %zu is %zu, not 1", i, l->dims[i]);
        if (!drop)
            dims[rank++] = l->dims[i];
    }
    return relabel(p, node, rank, dims, err);
}

int op_unsqueeze(struct plan *p, const struct graph_node *node, struct err *err)
{
    const struct layout *l = shape_of(p, node, err);
    const int64_t *list = NULL;
    size_t dims[GRAPH_RANK], n = 0, k = 0;
    unsigned set;
    bool given;

    if (!l || (op_has(node, 1) ? op_ints(p, node, 1, &list, &n, err) : node_ints(node, "axes", &list, &n, err)) != 0)
        return -1;
    if (n == 0 || l->rank + n > GRAPH_RANK)
        return node_err(node, err, "%zu new dimensions beside %zu; 1 to %d together are allowed", n, l->rank,
                        GRAPH_RANK);
    if (axes(p, node, l->rank + n, &set, &given, err) != 0)
        return -1;
    for (size_t i = 0; i < l->rank + n; i++)
        dims[i] = set >> i & 1 ? 1 : l->dims[k++];
    return relabel(p, node, l->rank + n, dims, err);
}

int op_transpose(struct plan *p, const struct graph_node *node, struct err *err)
{
    const struct layout *l = shape_of(p, node, err);
    const int64_t *v = NULL;
    size_t perm[GRAPH_RANK], n = 0;
    struct layout layout;
    unsigned seen = 0;

    if (!l || node_ints(node, "perm", &v, &n, err) != 0)
        return -1;
    if (v && n != l->rank)
        return node_err(node, err, "attribute 'perm' has %zu elements for %zu dimensions", n, l->rank);
    for (size_t i = 0; i < l->rank; i++) {
        if (v && (v[i] < 0 || v[i] >= (int64_t)l->rank || seen >> v[i] & 1))
            return node_err(node, err, "attribute 'perm' is no permutation");
        perm[i] = v ? (size_t)v[i] : l->rank - 1 - i;
        seen |= 1u << perm[i];
    }
    layout_transpose(l, perm, &layout);
    op_alias(p, node, &p->values[node->in[0]], &layout);
    return 0;
}

/* Pads of all dimensions, [begin..., end...], from the attribute or the inputs of the newer form. */
static int pad_sizes(const struct plan *p, const struct graph_node *node, size_t rank, size_t *pre, size_t *post,
                     float *value, struct err *err)
{
    const int64_t *v = NULL, *some = NULL;
    char mode[NODE_STRING] = "constant";
    size_t n = 0, n_some = 0;

    if (node_string(node, "mode", mode, err) != 0 || node_float(node, "value", value, err) != 0 ||
        (op_has(node, 1) ? op_ints(p, node, 1, &v, &n, err) : node_ints(node, "pads", &v, &n, err)) != 0 ||
        (op_has(node, 2) && op_scalar(p, node, 2, value, err) != 0) ||
        (op_has(node, 3) && op_ints(p, node, 3, &some, &n_some, err) != 0))
        return -1;
    if (strcmp(mode, "constant") != 0)
        return node_err(node, err, "mode is %s; constant is supported", mode);
    if (n != 2 * (some ? n_some : rank))
        return node_err(node, err, "%zu pads for %zu dimensions", n, rank);
    for (size_t i = 0; i < n / 2; i++) {
        int64_t axis = some ? some[i] + (some[i] < 0 ? (int64_t)rank : 0) : (int64_t)i;

        if (axis < 0 || axis >= (int64_t)rank)
            return node_err(node, err, "axis %lld of %zu dimensions", (long long)axis, rank);
        if (v[i] < 0 || v[i + n / 2] < 0 || v[i] > 65536 || v[i + n / 2] > 65536)
            return node_err(node, err, "pads of %lld and %lld; 0 to 65536 are allowed", (long long)v[i],
                            (long long)v[i + n / 2]);
        pre[axis] = (size_t)v[i];
        post[axis] = (size_t)v[i + n / 2];
    }
    return 0;
}

int op_pad(struct plan *p, const struct graph_node *node, struct err *err)
{
    size_t pre[GRAPH_RANK] = {0}, post[GRAPH_RANK] = {0}, order[GRAPH_RANK], in[GRAPH_RANK], out[GRAPH_RANK];
    size_t dims[GRAPH_RANK], rank, store, result, added = 0;
    struct layout layout;
    struct plan_value x;
    struct layer *l;
    float value = 0;

    if (op_value(p, node, 0, &x, err) != 0)
        return -1;
    rank = x.layout.rank;
    if (pad_sizes(p, node, rank, pre, post, &value, err) != 0)
        return -1;
    layout_channels_last(rank, order);
    if (rank < 3 || (!layout_is_ordered(&x.layout, order) && !p->stores[x.store].input))
        for (size_t i = 0; i < rank; i++)
            order[i] = i;
    if (op_arrange(p, node, &x, order, err) != 0)
        return -1;
    for (size_t i = 0; i < rank; i++) {
        in[i] = x.layout.dims[order[i]];
        out[i] = in[i] + pre[order[i]] + post[order[i]];
        dims[order[i]] = out[i];
        added += out[i] - in[i];
    }
    if (added == 0) {
        op_alias(p, node, &x, &x.layout);
        return 0;
    }
    store = op_shaped(p, node, x.store, rank, in, err);
    result = store == GRAPH_ABSENT ? store : op_store(p, node, rank, out, err);
    l = result == GRAPH_ABSENT ? NULL : op_layer(p, node, LAYER_PAD, store, store, result, err);
    if (!l)
        return -1;
    l->alpha = value;
    for (size_t i = 0; i < rank; i++) {
        l->pre[i] = pre[order[i]];
        l->post[i] = post[order[i]];
    }
    layout_ordered(&layout, rank, dims, order);
    op_result(p, node, &layout, result);
    return 0;
}

/* One run of neighbours in memory, places from .. to - 1, averaged away. */
static int mean_run(struct plan *p, const struct graph_node *node, struct plan_value *x, size_t from, size_t to,
                    struct err *err)
{
    size_t shape[4] = {1, 1, 1, 1}, store, out;
    const size_t *s;

    for (size_t i = 0; i < x->layout.factors; i++)
        shape[x->layout.place[i] < from ? 0 : x->layout.place[i] < to ? 1 : 3] *= x->layout.size[i];
    s = p->stores[x->store].dims;
    if (p->stores[x->store].rank == 4 && s[0] == shape[0] && s[1] * s[2] == shape[1])
        store = x->store; /* an image as it is */
    else
        store = op_shaped(p, node, x->store, 4, shape, err);
    shape[1] = 1;
    out = store == GRAPH_ABSENT ? store : op_store(p, node, 4, shape, err);
    if (out == GRAPH_ABSENT || !op_layer(p, node, LAYER_GLOBAL_AVERAGE, store, store, out, err))
        return -1;
    x->store = out;
    x->sole = true;
    return 0;
}

/* Leaves out the factors at places from .. to - 1; their dimensions become 1 or, for part of them, smaller. */
static void drop_factors(struct layout *l, size_t from, size_t to)
{
    size_t n = 0, f = 0;

    for (size_t axis = 0; axis < l->rank; axis++)
        for (size_t left = l->dims[axis]; left > 1; f++) {
            size_t size = l->size[f], place = l->place[f];

            left /= size;
            if (place >= from && place < to) {
                l->dims[axis] /= size;
                continue;
            }
            l->size[n] = size;
            l->place[n++] = place < from ? place : place - (to - from);
        }
    l->factors = n;
}

int op_reduce_mean(struct plan *p, const struct graph_node *node, struct err *err)
{
    int64_t keep = 1, no_op = 0;
    size_t dims[GRAPH_RANK], rank = 0, drop = 0, first;
    struct plan_value x;
    unsigned set;
    bool given;

    if (op_value(p, node, 0, &x, err) != 0 || axes(p, node, x.layout.rank, &set, &given, err) != 0 ||
        node_int(node, "keepdims", &keep, err) != 0 || node_int(node, "noop_with_empty_axes", &no_op, err) != 0)
        return -1;
    if (!given)
        set = no_op ? 0 : (1u << x.layout.rank) - 1;
    for (size_t i = 0; i < x.layout.rank; i++) {
        size_t n = layout_axis(&x.layout, i, &first);

        for (size_t k = 0; set >> i & 1 && k < n; k++)
            drop |= (size_t)1 << x.layout.place[first + k];
        if (!(set >> i & 1) || keep)
            dims[rank++] = set >> i & 1 ? 1 : x.layout.dims[i];
    }
    for (size_t to = x.layout.factors, from; to > 0; to = from) { /* innermost first, so that places stay */
        bool dropped = drop >> (to - 1) & 1;

        for (from = to - 1; from > 0 && (drop >> (from - 1) & 1) == dropped; from--)
            ;
        if (!dropped)
            continue;
        if (mean_run(p, node, &x, from, to, err) != 0)
            return -1;
        drop_factors(&x.layout, from, to);
    }
    if (layout_reshape(&x.layout, rank, dims, &x.layout) != 0)
        return node_err(node, err, "its result does not fit the way its data lies in memory");
    op_alias(p, node, &x, &x.layout);
    return 0;
}
