/* QuantizeLinear and DequantizeLinear. What they stand around is computed in float unless plan_int8.c finds that it can be computed
 * in 8 bits: the graph means the same either way, up to a rounding of the last bit. */
#include "model/ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Inputs 1 and 2: one scale and zero point, or one for each place along an axis. */
struct steps {
    const float *scale, *zero; /* zero: NULL where all are 0 */
    size_t n, axis;
    enum graph_type type; /* of the quantised numbers */
};

static const struct graph_tensor *constant(const struct plan *p, const struct graph_node *node, size_t i)
{
    return op_has(node, i) && p->values[node->in[i]].kind == VALUE_CONSTANT ? p->values[node->in[i]].tensor : NULL;
}

static int steps_open(const struct plan *p, const struct graph_node *node, const struct layout *x, struct steps *s,
                      struct err *err)
{
    const struct graph_tensor *scale = constant(p, node, 1), *zero = constant(p, node, 2);
    static const float unit = 1;
    int64_t axis = 1;

    *s = (struct steps){.scale = &unit, .n = 1, .type = GRAPH_UINT8};
    if (!scale || !scale->f || scale->rank > 1)
        return node_err(node, err, "its scale must be a constant of floats, one or one for each place along an axis");
    if (op_has(node, 2) && (!zero || !zero->q || zero->n != scale->n || zero->rank > 1))
        return node_err(node, err, "its zero point must be a constant of 8-bit integers, as many as there are scales");
    s->scale = scale->f;
    s->n = scale->n;
    if (zero)
        s->type = zero->type;
    if (node_int(node, "axis", &axis, err) != 0)
        return -1;
    axis += axis < 0 ? (int64_t)x->rank : 0;
    if (s->n > 1 && (axis < 0 || axis >= (int64_t)x->rank || x->dims[axis] != s->n))
        return node_err(node, err, "%zu scales do not fit axis %lld of its input", s->n, (long long)axis);
    s->axis = s->n > 1 ? (size_t)axis : 0;
    for (size_t i = 0; i < s->n; i++)
        if (!isnormal(s->scale[i]) || s->scale[i] < 0)
            return node_err(node, err, "scale %zu is %g; a normal number above 0 is needed", i, (double)s->scale[i]);
    for (size_t i = 0; zero && i < zero->n; i++)
        if (zero->q[i] != 0)
            s->zero = zero->q;
    return 0;
}

/* Does a constant still have the shape and order that it has in the file? */
static bool untouched(const struct plan_value *v)
{
    bool same = v->layout.rank == v->tensor->rank &&
                memcmp(v->layout.dims, v->tensor->dims, v->layout.rank * sizeof *v->layout.dims) == 0;

    for (size_t i = 0; i < v->layout.factors; i++)
        same = same && v->layout.place[i] == i;
    return same;
}

/* A constant with x's shape and its n floats to fill. */
static float *make(struct plan *p, const struct graph_node *node, const struct plan_value *x, size_t scales,
                   struct made **made, struct err *err)
{
    struct plan_value *v = &p->values[node->out[0]];
    struct made *m = *made = &p->made[node - p->graph->nodes];
    float *f;

    if (scales > 1 && !untouched(x)) {
        node_err(node, err, "its constant input is transposed or reshaped before it, which is not supported");
        return NULL;
    }
    f = malloc((x->tensor->n + 1) * sizeof *f);
    if (!f) {
        node_err(node, err, "out of memory");
        return NULL;
    }
    m->tensor = *x->tensor;
    m->tensor.f = m->tensor.q = NULL;
    m->tensor.owned = f;
    *v = (struct plan_value){.kind = VALUE_CONSTANT, .layout = x->layout, .tensor = &m->tensor};
    return f;
}

/* Elements that lie between two places along the axis. */
static size_t inner(const struct graph_tensor *t, const struct steps *s)
{
    size_t n = 1;

    for (size_t i = s->axis + 1; i < t->rank; i++)
        n *= t->dims[i];
    return n;
}

static int constant_quantize(struct plan *p, const struct graph_node *node, const struct plan_value *x,
                             const struct steps *s, struct err *err)
{
    struct made *made;
    size_t each = inner(x->tensor, s);
    float low = s->type == GRAPH_INT8 ? -128 : 0, *q;

    if (!x->tensor->f)
        return node_err(node, err, "its constant input must hold floats");
    if (s->type != GRAPH_INT8 && s->type != GRAPH_UINT8)
        return node_err(node, err, "its zero point has data type %d; int8 (3) or uint8 (2) is needed", (int)s->type);
    q = make(p, node, x, s->n, &made, err);
    if (!q)
        return -1;
    for (size_t i = 0; i < x->tensor->n; i++) {
        size_t k = i / each % s->n;

        q[i] = fminf(low + 255, fmaxf(low, rintf(x->tensor->f[i] / s->scale[k]) + (s->zero ? s->zero[k] : 0)));
    }
    made->tensor.q = q;
    made->tensor.type = s->type;
    return 0;
}

static int constant_dequantize(struct plan *p, const struct graph_node *node, const struct plan_value *x,
                               const struct steps *s, struct err *err)
{
    struct made *made;
    size_t each = inner(x->tensor, s);
    float *f;

    if (!x->tensor->q)
        return node_err(node, err, "its constant input must hold integers");
    if (op_has(node, 2) && x->tensor->type != s->type)
        return node_err(node, err, "its zero point has data type %d, its input %d", (int)s->type, (int)x->tensor->type);
    f = make(p, node, x, s->n, &made, err);
    if (!f)
        return -1;
    for (size_t i = 0; i < x->tensor->n; i++) {
        size_t k = i / each % s->n;

        f[i] = (x->tensor->q[i] - (s->zero ? s->zero[k] : 0)) * s->scale[k];
        if (!isfinite(f[i]))
            return node_err(node, err, "element %zu is not a finite number", i);
    }
    made->tensor.f = f;
    if (s->zero || x->tensor->type != GRAPH_INT8)
        return 0;
    made->scale = malloc(s->n * sizeof *made->scale);
    if (!made->scale)
        return node_err(node, err, "out of memory");
    memcpy(made->scale, s->scale, s->n * sizeof *made->scale);
    made->n_scale = s->n;
    made->axis = s->axis;
    return 0;
}

/* One scale and zero point, and 8 bits: uint8 with zero point z is int8 with z - 128. */
static int one_step(const struct graph_node *node, const struct steps *s, float *scale, int32_t *zero, struct err *err)
{
    if (s->n != 1 || (s->type != GRAPH_INT8 && s->type != GRAPH_UINT8))
        return node_err(node, err,
                        "%zu scales and data type %d; of what is not constant, one and int8 (3) or uint8 (2)", s->n,
                        (int)s->type);
    *scale = s->scale[0];
    *zero = (s->zero ? (int32_t)s->zero[0] : 0) - (s->type == GRAPH_UINT8 ? 128 : 0);
    return 0;
}

/* A layer from x to a new store of the same shape. */
static struct store *convert(struct plan *p, const struct graph_node *node, enum layer_op op, struct plan_value *x,
                             struct err *err)
{
    size_t out = op_store(p, node, p->stores[x->store].rank, p->stores[x->store].dims, err);

    if (out == GRAPH_ABSENT || !op_layer(p, node, op, x->store, x->store, out, err))
        return NULL;
    op_result(p, node, &x->layout, out);
    return &p->stores[out];
}

int op_quantize(struct plan *p, const struct graph_node *node, struct err *err)
{
    struct plan_value x;
    struct steps s;
    struct store *to;
    float scale = 0;
    int32_t zero = 0;

    if (constant(p, node, 0)) {
        x = p->values[node->in[0]];
        return steps_open(p, node, &x.layout, &s, err) == 0 ? constant_quantize(p, node, &x, &s, err) : -1;
    }
    if (op_value(p, node, 0, &x, err) != 0 || steps_open(p, node, &x.layout, &s, err) != 0 ||
        one_step(node, &s, &scale, &zero, err) != 0)
        return -1;
    to = convert(p, node, LAYER_QUANTIZE, &x, err);
    if (!to)
        return -1;
    to->int8 = true;
    to->uint8 = s.type == GRAPH_UINT8;
    to->scale = scale;
    to->zero = zero;
    return 0;
}

int op_dequantize(struct plan *p, const struct graph_node *node, struct err *err)
{
    struct plan_value x = {0};
    const struct store *from;
    struct steps s;
    float scale = 0;
    int32_t zero = 0;

    if (!op_has(node, 0) || p->values[node->in[0]].kind == VALUE_NONE)
        return node_err(node, err, "input 0 is missing");
    x = p->values[node->in[0]];
    if (steps_open(p, node, &x.layout, &s, err) != 0)
        return -1;
    if (x.kind == VALUE_CONSTANT)
        return constant_dequantize(p, node, &x, &s, err);
    from = &p->stores[x.store];
    if (!from->int8)
        return node_err(node, err, "its input does not come from a QuantizeLinear");
    if (!op_has(node, 2)) /* 0 of whatever its input is */
        s.type = from->uint8 ? GRAPH_UINT8 : GRAPH_INT8;
    if (one_step(node, &s, &scale, &zero, err) != 0)
        return -1;
    if (scale != from->scale || zero != from->zero)
        return node_err(node, err, "its scale and zero point are not those that its input was quantised with");
    return convert(p, node, LAYER_DEQUANTIZE, &x, err) ? 0 : -1;
}

int op_weight_scales(struct plan *p, const struct graph_node *node, struct layer *l, size_t axis, struct err *err)
{
    const struct plan_value *v = &p->values[node->in[1]];
    size_t out = l->op == LAYER_DENSE ? l->group_out : l->groups * l->group_out;
    const struct made *m = NULL;

    for (size_t i = 0; i < p->graph->n_nodes && !m; i++)
        if (v->tensor == &p->made[i].tensor && p->made[i].scale)
            m = &p->made[i];
    if (!m || (m->n_scale > 1 && (m->axis != axis || m->n_scale != out || !untouched(v))))
        return 0;
    l->w_scale = op_floats(out);
    if (!l->w_scale)
        return node_err(node, err, "out of memory");
    for (size_t o = 0; o < out; o++)
        l->w_scale[o] = m->scale[m->n_scale > 1 ? o : 0];
    return 0;
}
