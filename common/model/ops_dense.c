/* Gemm, MatMul, Softmax, ReduceMean: what runs along the innermost elements in memory. */
#include "model/ops.h"

#include <stdlib.h>
#include <string.h>

/* For each element along dimension `axis`, in ONNX's order, its place in memory relative to the first. The dimension must be the
 * innermost in memory, in whatever order within itself. NULL with err. */
static uint32_t *innermost(const struct plan *p, const struct graph_node *node, const struct layout *l, size_t axis,
                           struct err *err)
{
    size_t first, n = layout_axis(l, axis, &first);
    struct layout alone = {.rank = 1, .dims = {l->dims[axis]}, .factors = n};
    uint32_t *map;

    (void)p;
    for (size_t i = 0; i < n; i++) {
        if (l->place[first + i] < l->factors - n) {
            node_err(node, err, "its input would have to be transposed in memory, which is not supported here");
            return NULL;
        }
        alone.size[i] = l->size[first + i];
        alone.place[i] = l->place[first + i] - (l->factors - n);
    }
    map = layout_map(&alone);
    if (!map)
        node_err(node, err, "out of memory");
    return map;
}

struct product {
    struct constant b;
    bool transposed; /* b is [out][in], else [in][out] */
    size_t in, out;
    float alpha;
};

/* x [.., in] times b -> [.., out] */
static struct layer *dense(struct plan *p, const struct graph_node *node, const struct plan_value *x,
                           const struct product *m, struct err *err)
{
    size_t rank = x->layout.rank, rows = layout_count(&x->layout) / m->in, shape[2] = {rows, m->out}, out, first;
    uint32_t *place = innermost(p, node, &x->layout, rank - 1, err);
    struct layout layout = x->layout;
    struct layer *l = NULL;

    if (!place)
        return NULL;
    out = op_store(p, node, 2, shape, err);
    if (out != GRAPH_ABSENT)
        l = op_layer(p, node, LAYER_DENSE, x->store, x->store, out, err);
    if (l) {
        l->group_in = m->in;
        l->group_out = m->out;
        l->parameters = m->b.n;
        l->w = op_floats(m->b.n);
        l->b = op_floats(m->out);
        if (!l->w || !l->b)
            node_err(node, err, "out of memory");
        if (!l->w || !l->b || op_macs(p, node, l, rows, m->in, m->out, err) != 0)
            l = NULL;
    }
    for (size_t o = 0; l && o < m->out; o++)
        for (size_t i = 0; i < m->in; i++)
            l->w[o * m->in + place[i]] = m->alpha * constant_at(&m->b, m->transposed ? o * m->in + i : i * m->out + o);
    free(place);
    if (!l)
        return NULL;
    layout.factors -= layout_axis(&layout, rank - 1, &first); /* the rest keeps its order, one factor comes innermost */
    layout.dims[rank - 1] = m->out;
    if (m->out > 1) {
        layout.size[layout.factors] = m->out;
        layout.place[layout.factors] = layout.factors;
        layout.factors++;
    }
    op_result(p, node, &layout, out);
    return l;
}

static int gemm_bias(const struct plan *p, const struct graph_node *node, struct layer *l, float beta, struct err *err)
{
    struct constant c;
    int rc = 0;

    if (!op_has(node, 2))
        return 0;
    if (op_constant_input(p, node, 2, &c, err) != 0)
        return -1;
    if (c.n != 1 && (c.n != l->group_out || c.layout.dims[c.layout.rank - 1] != c.n))
        rc = node_err(node, err, "its third input has %zu elements for %zu outputs", c.n, l->group_out);
    for (size_t o = 0; rc == 0 && o < l->group_out; o++)
        l->b[o] = beta * constant_at(&c, c.n == 1 ? 0 : o);
    l->parameters += c.n;
    free(c.map);
    return rc;
}

static int product(struct plan *p, const struct graph_node *node, struct product *m, float beta, struct err *err)
{
    const size_t *d = m->b.layout.dims;
    struct plan_value x;
    struct layer *l;

    if (op_value(p, node, 0, &x, err) != 0 || op_feed_plain(p, node, &x, err) != 0)
        return -1;
    if (x.layout.rank == 0 || m->b.layout.rank != 2)
        return node_err(node, err, "its constant input has %zu dimensions, 2 are supported", m->b.layout.rank);
    m->in = d[m->transposed];
    m->out = d[!m->transposed];
    if (x.layout.dims[x.layout.rank - 1] != m->in)
        return node_err(node, err, "%zu inputs meet weights for %zu", x.layout.dims[x.layout.rank - 1], m->in);
    l = dense(p, node, &x, m, err);
    if (!l || gemm_bias(p, node, l, beta, err) != 0)
        return -1;
    return m->alpha == 1 ? op_weight_scales(p, node, l, !m->transposed, err) : 0;
}

int op_gemm(struct plan *p, const struct graph_node *node, struct err *err)
{
    struct product m = {.alpha = 1};
    int64_t trans_a = 0, trans_b = 0;
    float beta = 1;
    int rc;

    if (node_int(node, "transA", &trans_a, err) != 0 || node_int(node, "transB", &trans_b, err) != 0 ||
        node_float(node, "alpha", &m.alpha, err) != 0 || node_float(node, "beta", &beta, err) != 0)
        return -1;
    if (trans_a)
        return node_err(node, err, "transA is not supported");
    m.transposed = trans_b != 0;
    if (op_constant_input(p, node, 1, &m.b, err) != 0)
        return -1;
    rc = product(p, node, &m, beta, err);
    free(m.b.map);
    return rc;
}

int op_matmul(struct plan *p, const struct graph_node *node, struct err *err)
{
    struct product m = {.alpha = 1};
    int rc;

    if (op_constant_input(p, node, 1, &m.b, err) != 0)
        return -1;
    rc = product(p, node, &m, 0, err);
    free(m.b.map);
    return rc;
}

int op_softmax(struct plan *p, const struct graph_node *node, struct err *err)
{
    int64_t axis = p->graph->opset < 13 ? 1 : -1;
    size_t n = 1, inner = 0, first, shape[2], store, out;
    struct plan_value x;

    if (op_value(p, node, 0, &x, err) != 0 || op_feed_plain(p, node, &x, err) != 0 ||
        node_int(node, "axis", &axis, err) != 0)
        return -1;
    if (axis < -(int64_t)x.layout.rank || axis >= (int64_t)x.layout.rank)
        return node_err(node, err, "axis %lld of %zu dimensions", (long long)axis, x.layout.rank);
    axis += axis < 0 ? (int64_t)x.layout.rank : 0;
    /* Up to operator set 12 it runs over all dimensions from the axis on. */
    for (size_t i = (size_t)axis; i < (p->graph->opset < 13 ? x.layout.rank : (size_t)axis + 1); i++) {
        size_t factors = layout_axis(&x.layout, i, &first);

        n *= x.layout.dims[i];
        for (size_t k = 0; k < factors; k++)
            inner |= (size_t)1 << x.layout.place[first + k];
    }
    for (size_t k = 0, left = n; left > 1; k++) { /* its factors must be the innermost ones in memory */
        size_t f = x.layout.factors - 1 - k, i = 0;

        if (!(inner >> f & 1))
            return node_err(node, err, "it runs over a dimension that is not the last one in memory");
        while (x.layout.place[i] != f)
            i++;
        left /= x.layout.size[i];
    }
    shape[0] = layout_count(&x.layout) / n;
    shape[1] = n;
    store = p->stores[x.store].rank && p->stores[x.store].dims[p->stores[x.store].rank - 1] == n
                ? x.store
                : op_shaped(p, node, x.store, 2, shape, err);
    out = store == GRAPH_ABSENT ? store : op_store(p, node, p->stores[store].rank, p->stores[store].dims, err);
    if (out == GRAPH_ABSENT || !op_layer(p, node, LAYER_SOFTMAX, store, store, out, err))
        return -1;
    op_result(p, node, &x.layout, out);
    return 0;
}
