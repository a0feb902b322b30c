#include "model/ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct readers {
    const struct graph *g;
    size_t *reader; /* the node that reads a value; of several, any one */
};

static bool scalar_is(const struct graph *g, size_t value, double wanted)
{
    const struct graph_tensor *t = value == GRAPH_ABSENT ? NULL : g->values[value].tensor;

    return t && t->f && t->n == 1 && fabs((double)t->f[0] - wanted) < 1e-6;
}

static bool is(const struct graph *g, size_t node, const char *op)
{
    return node != GRAPH_ABSENT && strcmp(g->nodes[node].op, op) == 0;
}

/* The node that alone reads what `node` makes, or GRAPH_ABSENT. */
static size_t next(const struct readers *r, size_t node)
{
    size_t v = node == GRAPH_ABSENT || r->g->nodes[node].n_out == 0 ? GRAPH_ABSENT : r->g->nodes[node].out[0];

    if (v == GRAPH_ABSENT || r->g->values[v].output || r->g->values[v].uses != 1)
        return GRAPH_ABSENT;
    return r->reader[v];
}

/* Is it a Mul or Add (order free) of `value` and something? Gives the other one. */
static bool with(const struct graph *g, size_t node, const char *op, size_t value, size_t *other)
{
    const struct graph_node *n = node == GRAPH_ABSENT ? NULL : &g->nodes[node];

    if (!is(g, node, op) || n->n_in != 2)
        return false;
    *other = n->in[0] == value ? n->in[1] : n->in[0];
    return n->in[0] == value || n->in[1] == value;
}

/* value / 6, as a division or a multiplication */
static bool sixth(const struct graph *g, size_t node, size_t value)
{
    size_t other;

    if (with(g, node, "Mul", value, &other))
        return scalar_is(g, other, 1.0 / 6.0);
    return is(g, node, "Div") && g->nodes[node].n_in == 2 && g->nodes[node].in[0] == value &&
           scalar_is(g, g->nodes[node].in[1], 6.0);
}

/* A chain that begins at node `first` with x + 3. */
static bool chain(const struct readers *r, size_t first, size_t x, size_t nodes[4])
{
    const struct graph *g = r->g;
    float min = 0, max = 0;
    size_t other;

    nodes[0] = first;
    for (int i = 1; i < 4; i++)
        if ((nodes[i] = next(r, nodes[i - 1])) == GRAPH_ABSENT)
            return false;
    if (!is(g, nodes[1], "Clip") || clip_bounds(g, &g->nodes[nodes[1]], &min, &max, NULL) != 0 || min != 0 || max != 6)
        return false;
    if (with(g, nodes[2], "Mul", x, &other) && sixth(g, nodes[3], g->nodes[nodes[2]].out[0]))
        return true;
    return sixth(g, nodes[2], g->nodes[nodes[1]].out[0]) && with(g, nodes[3], "Mul", x, &other);
}

static bool hard_sigmoid(const struct readers *r, size_t first, size_t *last)
{
    const struct graph_node *node = &r->g->nodes[first];
    float alpha = 0.2f, beta = 0.5f;
    size_t other;

    *last = next(r, first);
    return node_float(node, "alpha", &alpha, NULL) == 0 && node_float(node, "beta", &beta, NULL) == 0 &&
           node->n_in == 1 && fabsf(alpha - 1.0f / 6) < 1e-6f && beta == 0.5f && *last != GRAPH_ABSENT &&
           with(r->g, *last, "Mul", node->in[0], &other);
}

int fuse_find(const struct graph *g, size_t *fused, struct err *err)
{
    struct readers r = {g, calloc(g->n_values + 1, sizeof *r.reader)};

    if (!r.reader)
        return err_set(err, "out of memory");
    for (size_t i = 0; i < g->n_nodes; i++) {
        fused[i] = GRAPH_ABSENT;
        for (size_t k = 0; g->nodes[i].live && k < g->nodes[i].n_in; k++)
            if (g->nodes[i].in[k] != GRAPH_ABSENT)
                r.reader[g->nodes[i].in[k]] = i;
    }
    for (size_t i = 0; i < g->n_nodes; i++) {
        const struct graph_node *node = &g->nodes[i];
        size_t nodes[4];

        if (!node->live)
            continue;
        if (is(g, i, "HardSigmoid") && hard_sigmoid(&r, i, &nodes[1])) {
            fused[i] = FUSED_AWAY;
            fused[nodes[1]] = node->in[0];
        }
        for (size_t k = 0; k < 2 && is(g, i, "Add") && node->n_in == 2; k++)
            if (scalar_is(g, node->in[1 - k], 3.0) && node->in[k] != GRAPH_ABSENT && chain(&r, i, node->in[k], nodes)) {
                fused[nodes[0]] = fused[nodes[1]] = fused[nodes[2]] = FUSED_AWAY;
                fused[nodes[3]] = node->in[k];
                break;
            }
    }
    free(r.reader);
    return 0;
}
