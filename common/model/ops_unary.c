/* Element-wise operators of one input. */
#include "model/ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* x = op(x) */
static struct layer *apply(struct plan *p, const struct graph_node *node, enum layer_op op, struct plan_value *x,
                           struct err *err)
{
    size_t out = op_store(p, node, p->stores[x->store].rank, p->stores[x->store].dims, err);
    struct layer *l = out == GRAPH_ABSENT ? NULL : op_layer(p, node, op, x->store, x->store, out, err);

    if (!l)
        return NULL;
    l->rank = x->layout.rank;
    memcpy(l->dims, x->layout.dims, sizeof l->dims);
    x->store = out;
    x->sole = true;
    return l;
}

static int clamp(struct plan *p, const struct graph_node *node, struct plan_value *x, float min, float max,
                 struct err *err)
{
    struct layer *l = op_foldable(p, x, false);

    if (!(min < max))
        return node_err(node, err, "its range, %g to %g, is empty", (double)min, (double)max);
    if (l && fmaxf(l->min, min) < fminf(l->max, max)) {
        l->min = fmaxf(l->min, min);
        l->max = fminf(l->max, max);
        return 0;
    }
    if (min == -INFINITY && max == INFINITY)
        return 0;
    l = apply(p, node, LAYER_CLAMP, x, err);
    if (!l)
        return -1;
    l->min = min;
    l->max = max;
    return 0;
}

static int done(struct plan *p, const struct graph_node *node, const struct plan_value *x, int rc)
{
    if (rc == 0)
        op_alias(p, node, x, &x->layout);
    return rc;
}

int op_relu(struct plan *p, const struct graph_node *node, struct err *err)
{
    struct plan_value x;

    return op_value(p, node, 0, &x, err) == 0 ? done(p, node, &x, clamp(p, node, &x, 0, INFINITY, err)) : -1;
}

int clip_bounds(const struct graph *g, const struct graph_node *node, float *min, float *max, struct err *err)
{
    float *bound[2] = {min, max};

    *min = -INFINITY;
    *max = INFINITY;
    if (node->n_in > 3) /* fuse.c asks before plan.c has counted */
        return node_err(node, err, "%zu inputs, 1 to 3 are allowed", node->n_in);
    if (node_float(node, "min", min, err) != 0 || node_float(node, "max", max, err) != 0)
        return -1;
    for (size_t i = 1; i < node->n_in; i++) {
        const struct graph_tensor *t = node->in[i] == GRAPH_ABSENT ? NULL : g->values[node->in[i]].tensor;

        if (node->in[i] == GRAPH_ABSENT)
            continue;
        if (!t || !t->f || t->n != 1)
            return node_err(node, err, "input %zu must be a constant of one float", i);
        *bound[i - 1] = t->f[0]; /* NOLINT(clang-analyzer-core.NullDereference): i is 1 or 2 */
    }
    return 0;
}

int op_clip(struct plan *p, const struct graph_node *node, struct err *err)
{
    struct plan_value x;
    float min = 0, max = 0;

    if (op_value(p, node, 0, &x, err) != 0 || clip_bounds(p->graph, node, &min, &max, err) != 0)
        return -1;
    return done(p, node, &x, clamp(p, node, &x, min, max, err));
}

static int plain(struct plan *p, const struct graph_node *node, enum layer_op op, struct err *err)
{
    struct plan_value x;

    if (op_value(p, node, 0, &x, err) != 0)
        return -1;
    return done(p, node, &x, apply(p, node, op, &x, err) ? 0 : -1);
}

int op_sigmoid(struct plan *p, const struct graph_node *node, struct err *err)
{
    return plain(p, node, LAYER_SIGMOID, err);
}

int op_hard_swish(struct plan *p, const struct graph_node *node, struct err *err)
{
    return plain(p, node, LAYER_HARDSWISH, err);
}

int op_fused_hardswish(struct plan *p, const struct graph_node *node, size_t x, struct err *err)
{
    struct plan_value v = p->values[x];

    if (v.kind != VALUE_STORE)
        return node_err(node, err, "its input '%.80s' must not be a constant", p->graph->values[x].name);
    return done(p, node, &v, apply(p, node, LAYER_HARDSWISH, &v, err) ? 0 : -1);
}

/* tanh(x) = 2 / (1 + exp(-2 x)) - 1 */
int op_tanh(struct plan *p, const struct graph_node *node, struct err *err)
{
    struct plan_value x;

    if (op_value(p, node, 0, &x, err) != 0 || op_with_scalar(p, node, LAYER_MUL, &x, 2, err) != 0 ||
        !apply(p, node, LAYER_SIGMOID, &x, err) || op_with_scalar(p, node, LAYER_MUL, &x, 2, err) != 0 ||
        op_with_scalar(p, node, LAYER_ADD, &x, -1, err) != 0)
        return -1;
    return done(p, node, &x, 0);
}

static int elu(struct plan *p, const struct graph_node *node, struct plan_value *x, float alpha, struct err *err)
{
    struct layer *l;

    if (!(alpha >= 0) || isinf(alpha))
        return node_err(node, err, "alpha is %g; 0 and more is supported", (double)alpha);
    if (!isnormal(alpha))
        return clamp(p, node, x, 0, INFINITY, err);
    l = apply(p, node, LAYER_ELU, x, err);
    if (!l)
        return -1;
    l->alpha = alpha;
    return 0;
}

int op_elu(struct plan *p, const struct graph_node *node, struct err *err)
{
    struct plan_value x;
    float alpha = 1;

    if (op_value(p, node, 0, &x, err) != 0 || node_float(node, "alpha", &alpha, err) != 0)
        return -1;
    return done(p, node, &x, elu(p, node, &x, alpha, err));
}

/* selu(x) = gamma * elu(x, alpha) */
int op_selu(struct plan *p, const struct graph_node *node, struct err *err)
{
    float alpha = 1.67326319217681884765625f, gamma = 1.05070102214813232421875f;
    struct plan_value x;

    if (op_value(p, node, 0, &x, err) != 0 || node_float(node, "alpha", &alpha, err) != 0 ||
        node_float(node, "gamma", &gamma, err) != 0 || elu(p, node, &x, alpha, err) != 0)
        return -1;
    return done(p, node, &x, op_with_scalar(p, node, LAYER_MUL, &x, gamma, err));
}

int op_leaky_relu(struct plan *p, const struct graph_node *node, struct err *err)
{
    struct plan_value x;
    struct layer *l;
    float alpha = 0.01f;

    if (op_value(p, node, 0, &x, err) != 0 || node_float(node, "alpha", &alpha, err) != 0)
        return -1;
    if (!isnormal(alpha) && alpha != 0)
        return node_err(node, err, "alpha is %g, not a finite number", (double)alpha);
    l = alpha == 0 ? NULL : apply(p, node, LAYER_LEAKY_RELU, &x, err);
    if (alpha == 0)
        return done(p, node, &x, clamp(p, node, &x, 0, INFINITY, err));
    if (!l)
        return -1;
    l->alpha = alpha;
    return done(p, node, &x, 0);
}

/* max(0, min(1, alpha x + beta)) */
int op_hard_sigmoid(struct plan *p, const struct graph_node *node, struct err *err)
{
    float alpha = 0.2f, beta = 0.5f;
    struct plan_value x;

    if (op_value(p, node, 0, &x, err) != 0 || node_float(node, "alpha", &alpha, err) != 0 ||
        node_float(node, "beta", &beta, err) != 0 || op_with_scalar(p, node, LAYER_MUL, &x, alpha, err) != 0 ||
        op_with_scalar(p, node, LAYER_ADD, &x, beta, err) != 0)
        return -1;
    return done(p, node, &x, clamp(p, node, &x, 0, 1, err));
}
