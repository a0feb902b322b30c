/* Element-wise operators of two inputs, with ONNX's broadcasting, and BatchNormalization, which is two of them. */
#include "model/ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NO_PLACE SIZE_MAX

/* The factors of a result with the place that each has in either operand; sorted by the result's memory order. */
struct meet {
    size_t rank, dims[GRAPH_RANK];
    size_t n, size[LAYOUT_FACTORS], place[2][LAYOUT_FACTORS], key[LAYOUT_FACTORS];
};

static int widen(const struct graph_node *node, struct layout *l, size_t rank, struct err *err)
{
    size_t dims[GRAPH_RANK];

    for (size_t i = 0; i < rank; i++)
        dims[i] = i < rank - l->rank ? 1 : l->dims[i - (rank - l->rank)];
    return layout_reshape(l, rank, dims, l) == 0 ? 0
                                                 : node_err(node, err, "its inputs lie in memory in different ways");
}

static int meet_axis(const struct graph_node *node, struct meet *m, const struct layout *a, const struct layout *b,
                     size_t axis, struct err *err)
{
    size_t fa, fb, na = layout_axis(a, axis, &fa), nb = layout_axis(b, axis, &fb), n = na ? na : nb;

    if (a->dims[axis] != b->dims[axis] && na && nb)
        return node_err(node, err, "dimension %zu is %zu in one input and %zu in the other", axis, a->dims[axis],
                        b->dims[axis]);
    m->dims[axis] = na ? a->dims[axis] : b->dims[axis];
    if (na && nb && (na != nb || memcmp(a->size + fa, b->size + fb, na * sizeof *a->size) != 0))
        return node_err(node, err, "its inputs lie in memory in different ways");
    for (size_t i = 0; i < n; i++, m->n++) {
        if (m->n == LAYOUT_FACTORS)
            return node_err(node, err, "its inputs lie in memory in too many pieces");
        m->size[m->n] = na ? a->size[fa + i] : b->size[fb + i];
        m->place[0][m->n] = na ? a->place[fa + i] : NO_PLACE;
        m->place[1][m->n] = nb ? b->place[fb + i] : NO_PLACE;
        /* where neither operand tells: channels last */
        m->key[m->n] = (m->rank > 2 && axis == 1 ? m->rank : axis) * LAYOUT_FACTORS + i;
    }
    return 0;
}

static bool full(const struct meet *m, int operand)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->place[operand][i] == NO_PLACE)
            return false;
    return true;
}

static int meet_order(const struct graph_node *node, struct meet *m, struct layout *out, struct err *err)
{
    *out = (struct layout){.rank = m->rank, .factors = m->n};
    memcpy(out->dims, m->dims, sizeof out->dims);
    memcpy(out->size, m->size, sizeof out->size);
    for (int k = 1; k >= 0; k--)
        if (full(m, k))
            memcpy(m->key, m->place[k], sizeof m->key);
    for (size_t i = 0; i < m->n; i++)
        for (size_t k = 0; k < m->n; k++) {
            out->place[i] += m->key[k] < m->key[i];
            for (int o = 0; o < 2; o++)
                if (m->place[o][i] != NO_PLACE && m->place[o][k] != NO_PLACE &&
                    (m->place[o][k] < m->place[o][i]) != (m->key[k] < m->key[i]))
                    return node_err(node, err,
                                    "its inputs lie in memory in different orders, and one would have to "
                                    "be transposed, which is not supported here");
        }
    return 0;
}

/* The result's shape for XNNPACK: that of the operand which has all factors if it fits, else the factors. */
static int template(const struct plan *p, const struct graph_node *node, const struct meet *m, const struct layout *out,
                    const size_t *stores, size_t *rank, size_t *dims, size_t *factor, struct err *err)
{
    size_t at[LAYOUT_FACTORS] = {0};

    for (size_t i = 0; i < m->n; i++)
        at[out->place[i]] = i;
    for (int k = 0; k < 2; k++) {
        const struct store *s = &p->stores[stores[k]];
        size_t f = 0, i = 0;

        for (; full(m, k) && i < s->rank; i++) {
            dims[i] = s->dims[i];
            factor[i] = dims[i] == 1 ? NO_PLACE : f < m->n ? at[f++] : NO_PLACE;
            if (dims[i] != 1 && (factor[i] == NO_PLACE || m->size[factor[i]] != dims[i]))
                break;
        }
        if (full(m, k) && i == s->rank && f == m->n) {
            *rank = s->rank;
            return 0;
        }
    }
    if (m->n > GRAPH_RANK)
        return node_err(node, err, "its inputs lie in memory in too many pieces");
    *rank = m->n ? m->n : 1;
    dims[0] = 1;
    factor[0] = NO_PLACE;
    for (size_t i = 0; i < m->n; i++) {
        factor[i] = at[i];
        dims[i] = m->size[at[i]];
    }
    return 0;
}

int op_elementwise(struct plan *p, const struct graph_node *node, enum layer_op op, struct plan_value *a,
                   struct plan_value *b, struct plan_value *result, struct err *err)
{
    struct meet m = {.rank = a->layout.rank > b->layout.rank ? a->layout.rank : b->layout.rank};
    size_t rank = 0, dims[GRAPH_RANK], factor[GRAPH_RANK], stores[2] = {a->store, b->store}, out;
    struct layout layout;
    struct layer *l;

    if (widen(node, &a->layout, m.rank, err) != 0 || widen(node, &b->layout, m.rank, err) != 0)
        return -1;
    for (size_t i = 0; i < m.rank; i++)
        if (meet_axis(node, &m, &a->layout, &b->layout, i, err) != 0)
            return -1;
    if (meet_order(node, &m, &layout, err) != 0 ||
        template(p, node, &m, &layout, stores, &rank, dims, factor, err) != 0)
        return -1;
    for (int k = 0; k < 2; k++) {
        size_t own[GRAPH_RANK];

        for (size_t i = 0; i < rank; i++)
            own[i] = factor[i] != NO_PLACE && m.place[k][factor[i]] != NO_PLACE ? dims[i] : 1;
        stores[k] = op_shaped(p, node, stores[k], rank, own, err);
        if (stores[k] == GRAPH_ABSENT)
            return -1;
    }
    out = op_store(p, node, rank, dims, err);
    l = out == GRAPH_ABSENT ? NULL : op_layer(p, node, op, stores[0], stores[1], out, err);
    if (!l)
        return -1;
    l->rank = layout.rank;
    memcpy(l->dims, layout.dims, sizeof l->dims);
    *result = (struct plan_value){.kind = VALUE_STORE, .layout = layout, .store = out, .sole = true};
    return 0;
}

/* A constant in the order of what it meets: `layout` of its dimensions, each in the factors and the order that x has. */
static bool like(const struct layout *x, const struct constant *c, struct layout *layout)
{
    size_t places[LAYOUT_FACTORS] = {0}, skip = x->rank - c->layout.rank;

    *layout = (struct layout){.rank = c->layout.rank};
    for (size_t i = 0; i < layout->rank; i++) {
        size_t first, n = layout_axis(x, skip + i, &first);

        layout->dims[i] = c->layout.dims[i];
        if (layout->dims[i] == 1)
            continue;
        if (layout->dims[i] != x->dims[skip + i])
            return false;
        for (size_t k = 0; k < n; k++, layout->factors++) {
            layout->size[layout->factors] = x->size[first + k];
            places[layout->factors] = x->place[first + k];
        }
    }
    for (size_t i = 0; i < layout->factors; i++)
        for (size_t k = 0; k < layout->factors; k++)
            layout->place[i] += places[k] < places[i];
    return true;
}

/* A constant that is larger than what it meets: channels last if that is so, else ONNX's order. */
static void unlike(const struct layout *x, const struct constant *c, struct layout *layout)
{
    size_t rank = x->rank > c->layout.rank ? x->rank : c->layout.rank, order[GRAPH_RANK], dims[GRAPH_RANK];

    layout_channels_last(x->rank, order);
    if (rank < 3 || (x->rank > 2 && !layout_is_ordered(x, order))) {
        layout_plain(layout, c->layout.rank, c->layout.dims);
        return;
    }
    for (size_t i = 0; i < rank; i++)
        dims[i] = i < rank - c->layout.rank ? 1 : c->layout.dims[i - (rank - c->layout.rank)];
    layout_channels_last(rank, order);
    layout_ordered(layout, rank, dims, order);
}

/* Does a constant of this layout vary along the last `channels` elements in x's memory alone? */
static bool per_channel(const struct layout *x, const struct layout *c, size_t skip, size_t channels)
{
    if (layout_count(c) == 1)
        return true;
    if (layout_count(c) != channels)
        return false;
    for (size_t i = 0; i < c->rank; i++) {
        size_t first, n = c->dims[i] == 1 ? 0 : layout_axis(x, skip + i, &first);

        for (size_t k = 0; k < n; k++)
            if (x->place[first + k] < x->factors - c->factors)
                return false;
    }
    return true;
}

/* x OP c (or c OP x) worked into the layer that made x. false: it cannot be. */
static bool fold(struct layer *l, enum layer_op op, bool first, const float *c, size_t n)
{
    size_t out = l->groups * l->group_out;
    float *scale = op_floats(out), *shift = op_floats(out);
    bool can = scale && shift && !(op == LAYER_DIV && first);

    for (size_t o = 0; can && o < out; o++) {
        float v = c[n == 1 ? 0 : o];

        scale[o] = op == LAYER_MUL ? v : op == LAYER_DIV ? 1 / v : op == LAYER_SUB && first ? -1 : 1;
        shift[o] = op == LAYER_ADD || (op == LAYER_SUB && first) ? v : op == LAYER_SUB ? -v : 0;
        can = isfinite(scale[o]);
    }
    if (can)
        op_fold(l, scale, shift);
    free(scale);
    free(shift);
    return can;
}

int op_with_constant(struct plan *p, const struct graph_node *node, enum layer_op op, struct plan_value *x,
                     const struct constant *c, bool first, struct plan_value *result, struct err *err)
{
    struct plan_value v = {.kind = VALUE_STORE};
    struct layer *l = op_foldable(p, x, true);
    bool within = c->layout.rank <= x->layout.rank && like(&x->layout, c, &v.layout);
    uint32_t *map;
    float *data;

    if (!within)
        unlike(&x->layout, c, &v.layout);
    v.store = op_static(p, node, 1, &c->n, err);
    if (v.store == GRAPH_ABSENT)
        return -1;
    map = layout_map(&v.layout);
    if (!map)
        return node_err(node, err, "out of memory");
    data = p->stores[v.store].data;
    for (size_t i = 0; i < c->n; i++)
        data[map[i]] = constant_at(c, i);
    free(map);
    if (within && l && per_channel(&x->layout, &v.layout, x->layout.rank - c->layout.rank, l->groups * l->group_out) &&
        fold(l, op, first, data, c->n)) {
        free(data);
        p->stores[v.store].data = NULL; /* and nothing uses the store */
        *result = *x;
        return 0;
    }
    if (first)
        return op_elementwise(p, node, op, &v, x, result, err);
    return op_elementwise(p, node, op, x, &v, result, err);
}

int op_with_scalar(struct plan *p, const struct graph_node *node, enum layer_op op, struct plan_value *x, float number,
                   struct err *err)
{
    struct constant c = {.f = &number, .n = 1};
    struct plan_value result;

    if (op_with_constant(p, node, op, x, &c, false, &result, err) != 0)
        return -1;
    *x = result;
    return 0;
}

int op_binary(struct plan *p, const struct graph_node *node, struct err *err)
{
    enum layer_op op = node->op[0] == 'A'   ? LAYER_ADD
                       : node->op[0] == 'S' ? LAYER_SUB
                       : node->op[0] == 'M' ? LAYER_MUL
                                            : LAYER_DIV;
    struct plan_value v[2], result;
    struct constant c;
    int constant, rc;

    for (size_t i = 0; i < 2; i++) {
        if (!op_has(node, i))
            return node_err(node, err, "input %zu is missing", i);
        v[i] = p->values[node->in[i]];
    }
    if (v[0].kind != VALUE_CONSTANT && v[1].kind != VALUE_CONSTANT) {
        if (op_value(p, node, 0, &v[0], err) != 0 || op_value(p, node, 1, &v[1], err) != 0)
            return -1;
        rc = op_elementwise(p, node, op, &v[0], &v[1], &result, err);
    } else {
        constant = v[0].kind == VALUE_CONSTANT ? 0 : 1;
        if (op_value(p, node, !constant, &v[!constant], err) != 0 ||
            op_constant_input(p, node, (size_t)constant, &c, err) != 0)
            return -1;
        rc = op_with_constant(p, node, op, &v[!constant], &c, constant == 0, &result, err);
        free(c.map);
    }
    if (rc == 0)
        op_alias(p, node, &result, &result.layout);
    return rc;
}

/* y = (x - mean) / sqrt(variance + epsilon) * scale + bias = x * a + b */
static int batch_norm(struct plan *p, const struct graph_node *node, struct plan_value *x, const struct constant *in,
                      float epsilon, float *ab, struct err *err)
{
    size_t channels = x->layout.dims[1];
    struct constant c = {.n = channels};
    size_t dims[GRAPH_RANK] = {channels, 1, 1, 1, 1, 1};
    struct plan_value scaled, result;

    for (int i = 0; i < 4; i++)
        if (in[i].n != channels)
            return node_err(node, err, "input %d has %zu elements for %zu channels", i + 1, in[i].n, channels);
    for (size_t i = 0; i < channels; i++) {
        float variance = constant_at(&in[3], i) + epsilon;

        if (!(variance > 0))
            return node_err(node, err, "the variance of channel %zu is not positive", i);
        ab[i] = constant_at(&in[0], i) / sqrtf(variance);
        ab[channels + i] = constant_at(&in[1], i) - constant_at(&in[2], i) * ab[i];
    }
    layout_plain(&c.layout, x->layout.rank - 1, dims);
    c.f = ab;
    if (op_with_constant(p, node, LAYER_MUL, x, &c, false, &scaled, err) != 0)
        return -1;
    c.f = ab + channels;
    if (op_with_constant(p, node, LAYER_ADD, &scaled, &c, false, &result, err) != 0)
        return -1;
    op_alias(p, node, &result, &result.layout);
    return 0;
}

int op_batch_norm(struct plan *p, const struct graph_node *node, struct err *err)
{
    struct constant in[4] = {0};
    struct plan_value x;
    float epsilon = 1e-5f, *ab = NULL;
    int64_t training = 0, spatial = 1;
    int rc = -1;

    if (op_value(p, node, 0, &x, err) != 0 || node_float(node, "epsilon", &epsilon, err) != 0 ||
        node_int(node, "training_mode", &training, err) != 0 || node_int(node, "spatial", &spatial, err) != 0)
        return -1;
    if (training || !spatial || x.layout.rank < 2)
        return node_err(node, err, "only inference over channels (dimension 1) is supported");
    for (size_t i = 0; i < 4; i++)
        if (op_constant_input(p, node, i + 1, &in[i], err) != 0)
            goto out;
    ab = op_floats(2 * x.layout.dims[1]);
    rc = ab ? batch_norm(p, node, &x, in, epsilon, ab, err) : node_err(node, err, "out of memory");
out:
    for (int i = 0; i < 4; i++)
        free(in[i].map);
    free(ab);
    return rc;
}
