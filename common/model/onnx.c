/* ModelProto -> struct graph. */
#include "model/onnx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Names to numbers: open addressing, never more than half full. */
struct names {
    struct graph *g;
    size_t *slot, mask;
};

static size_t *name_slot(struct names *names, const char *name)
{
    size_t h = 14695981039346656037u;

    for (const char *p = name; *p; p++)
        h = (h ^ (unsigned char)*p) * 1099511628211u; /* FNV-1a */
    for (h &= names->mask; names->slot[h] != GRAPH_ABSENT; h = (h + 1) & names->mask)
        if (strcmp(names->g->values[names->slot[h]].name, name) == 0)
            break;
    return &names->slot[h];
}

static size_t value_find(struct names *names, const char *name)
{
    return *name_slot(names, name);
}

/* GRAPH_ABSENT where the name is taken. */
static size_t value_define(struct names *names, const char *name)
{
    size_t *slot = name_slot(names, name);

    if (*slot != GRAPH_ABSENT)
        return GRAPH_ABSENT;
    *slot = names->g->n_values++;
    names->g->values[*slot] = (struct graph_value){.name = name};
    return *slot;
}

static void clean_names(const Onnx__ModelProto *m)
{
    const Onnx__GraphProto *p = m->graph;

    for (size_t i = 0; i < m->n_metadata_props; i++) {
        onnx_clean(m->metadata_props[i]->key, false);
        onnx_clean(m->metadata_props[i]->value, true);
    }
    for (size_t i = 0; i < p->n_initializer; i++)
        onnx_clean(p->initializer[i]->name, false);
    for (size_t i = 0; i < p->n_input; i++)
        onnx_clean(p->input[i]->name, false);
    for (size_t i = 0; i < p->n_output; i++)
        onnx_clean(p->output[i]->name, false);
    for (size_t i = 0; i < p->n_node; i++) {
        onnx_clean(p->node[i]->name, false);
        onnx_clean(p->node[i]->op_type, false);
        onnx_clean(p->node[i]->domain, false);
        for (size_t k = 0; k < p->node[i]->n_input; k++)
            onnx_clean(p->node[i]->input[k], false);
        for (size_t k = 0; k < p->node[i]->n_output; k++)
            onnx_clean(p->node[i]->output[k], false);
    }
}

static bool standard_domain(const char *domain)
{
    return !domain || !*domain || strcmp(domain, "ai.onnx") == 0;
}

static int check_model(struct graph *g, const Onnx__ModelProto *m, struct err *err)
{
    for (size_t i = 0; i < m->n_opset_import; i++)
        if (standard_domain(m->opset_import[i]->domain))
            g->opset = m->opset_import[i]->version;
    if (g->opset < GRAPH_OPSET_MIN || g->opset > GRAPH_OPSET_MAX)
        return err_set(err, "operator set version %lld; %d to %d are supported", (long long)g->opset, GRAPH_OPSET_MIN,
                       GRAPH_OPSET_MAX);
    if (m->graph->n_node > GRAPH_NODES_MAX || m->graph->n_initializer > (size_t)4 * GRAPH_NODES_MAX)
        return err_set(err, "%zu nodes and %zu initialisers; at most %d and %d are allowed", m->graph->n_node,
                       m->graph->n_initializer, GRAPH_NODES_MAX, 4 * GRAPH_NODES_MAX);
    if (m->n_metadata_props > 1024)
        return err_set(err, "%zu metadata entries, at most 1024 are allowed", m->n_metadata_props);
    if (m->graph->n_sparse_initializer)
        return err_set(err, "sparse initialisers are not supported");
    return 0;
}

static int read_initialisers(struct graph *g, struct names *names, const Onnx__GraphProto *p, struct err *err)
{
    for (size_t i = 0; i < p->n_initializer; i++) {
        const char *name = p->initializer[i]->name;
        char what[128];
        size_t v;

        snprintf(what, sizeof what, "initialiser '%.80s'", name ? name : "");
        if (!name || !*name)
            return err_set(err, "initialiser %zu has no name", i);
        v = value_define(names, name);
        if (v == GRAPH_ABSENT)
            return err_set(err, "%s is defined twice", what);
        g->values[v].tensor = &g->tensors[g->n_tensors];
        if (onnx_tensor(p->initializer[i], what, &g->tensors[g->n_tensors++], err) != 0)
            return -1;
    }
    return 0;
}

static int input_shape(struct graph *g, const Onnx__ValueInfoProto *p, struct err *err)
{
    const Onnx__TypeProto__Tensor *t;
    size_t n = 1;

    if (!p->type || p->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE || !p->type->tensor_type ||
        !p->type->tensor_type->shape)
        return err_set(err, "input '%.80s' has no tensor shape", p->name);
    t = p->type->tensor_type;
    if (t->elem_type != ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT && t->elem_type != ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16)
        return err_set(err, "input '%.80s' has data type %d; float (1) is supported", p->name, (int)t->elem_type);
    if (t->shape->n_dim == 0 || t->shape->n_dim > GRAPH_RANK)
        return err_set(err, "input '%.80s' has %zu dimensions, 1 to %d are allowed", p->name, t->shape->n_dim,
                       GRAPH_RANK);
    g->input_rank = t->shape->n_dim;
    for (size_t i = 0; i < g->input_rank; i++) {
        const Onnx__TensorShapeProto__Dimension *d = t->shape->dim[i];
        bool fixed = d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;

        if (!fixed && i > 0)
            return err_set(err, "input '%.80s': dimension %zu is left open; export the model with fixed shapes",
                           p->name, i);
        if (fixed && (d->dim_value < 1 || (uint64_t)d->dim_value > GRAPH_TENSOR_MAX))
            return err_set(err, "input '%.80s': dimension %zu is %lld, 1 to %zu are allowed", p->name, i,
                           (long long)d->dim_value, GRAPH_TENSOR_MAX);
        g->input_dims[i] = fixed ? (size_t)d->dim_value : 1; /* an open batch: one at a time */
        n *= g->input_dims[i];
        if (n > GRAPH_TENSOR_MAX)
            return err_set(err, "input '%.80s': more than %zu elements", p->name, GRAPH_TENSOR_MAX);
    }
    return 0;
}

static int read_input(struct graph *g, struct names *names, const Onnx__GraphProto *p, struct err *err)
{
    g->input = GRAPH_ABSENT;
    for (size_t i = 0; i < p->n_input; i++) {
        const char *name = p->input[i]->name;
        size_t v;

        if (!name || !*name)
            return err_set(err, "input %zu has no name", i);
        v = value_find(names, name);
        if (v != GRAPH_ABSENT && g->values[v].tensor)
            continue; /* older files list their initialisers as inputs too */
        if (v != GRAPH_ABSENT)
            return err_set(err, "input '%.80s' is defined twice", name);
        if (g->input != GRAPH_ABSENT)
            return err_set(err, "two inputs, '%.80s' and '%.80s'; one is supported", g->values[g->input].name, name);
        g->input = value_define(names, name);
        if (input_shape(g, p->input[i], err) != 0)
            return -1;
    }
    return g->input == GRAPH_ABSENT ? err_set(err, "the graph has no input") : 0;
}

static bool made_later(const Onnx__GraphProto *p, size_t from, const char *name)
{
    for (; from < p->n_node; from++)
        for (size_t k = 0; k < p->node[from]->n_output; k++)
            if (strcmp(p->node[from]->output[k], name) == 0)
                return true;
    return false;
}

static int read_node(struct graph *g, struct names *names, const Onnx__GraphProto *graph, size_t i, struct err *err)
{
    const Onnx__NodeProto *p = graph->node[i];
    struct graph_node *node = &g->nodes[g->n_nodes++];

    node->op = p->op_type ? p->op_type : "";
    node->name = p->name && *p->name ? p->name : p->n_output ? p->output[0] : "";
    if (p->n_input > 64 || p->n_output > 64 || p->n_attribute > 64)
        return node_err(node, err, "more than 64 inputs, outputs or attributes");
    if (!standard_domain(p->domain))
        return node_err(node, err, "operator of domain '%.80s'; only the standard ONNX operators are supported",
                        p->domain);
    node->in = calloc(p->n_input + p->n_output + 1, sizeof *node->in);
    if (!node->in)
        return err_set(err, "out of memory");
    node->out = node->in + p->n_input;
    if (onnx_attributes(p, node, err) != 0)
        return -1;
    for (; node->n_in < p->n_input; node->n_in++) {
        const char *name = p->input[node->n_in];
        size_t v = *name ? value_find(names, name) : GRAPH_ABSENT;

        if (*name && v == GRAPH_ABSENT)
            return node_err(node, err,
                            made_later(graph, i, name)
                                ? "reads '%.80s' before it is made: a cycle, or nodes out of order"
                                : "reads '%.80s', which nothing makes",
                            name);
        node->in[node->n_in] = v;
    }
    for (; node->n_out < p->n_output; node->n_out++) {
        const char *name = p->output[node->n_out];

        node->out[node->n_out] = *name ? value_define(names, name) : GRAPH_ABSENT;
        if (*name && node->out[node->n_out] == GRAPH_ABSENT)
            return node_err(node, err, "makes '%.80s', which is there already", name);
    }
    if (strcmp(node->op, "Constant") == 0 && node->n_out > 0 && node->out[0] != GRAPH_ABSENT) {
        g->values[node->out[0]].tensor = onnx_constant(node, err);
        return g->values[node->out[0]].tensor ? 0 : -1;
    }
    return 0;
}

static int read_outputs(struct graph *g, struct names *names, const Onnx__GraphProto *p, struct err *err)
{
    if (p->n_output == 0 || p->n_output > 16)
        return err_set(err, "the graph has %zu outputs, 1 to 16 are allowed", p->n_output);
    g->outputs = calloc(p->n_output, sizeof *g->outputs);
    if (!g->outputs)
        return err_set(err, "out of memory");
    for (; g->n_outputs < p->n_output; g->n_outputs++) {
        const char *name = p->output[g->n_outputs]->name;
        size_t v = name && *name ? value_find(names, name) : GRAPH_ABSENT;

        if (v == GRAPH_ABSENT)
            return err_set(err, "nothing in the graph makes its output '%.80s'", name ? name : "");
        if (g->values[v].tensor || v == g->input)
            return err_set(err, "output '%.80s' is a constant or the input", name);
        if (g->values[v].output)
            return err_set(err, "output '%.80s' is listed twice", name);
        g->values[v].output = true;
        g->outputs[g->n_outputs] = v;
    }
    return 0;
}

/* Marks what the outputs depend on, last node first, and counts who reads what. */
static void find_live(struct graph *g)
{
    for (size_t i = g->n_nodes; i-- > 0;) {
        struct graph_node *node = &g->nodes[i];

        for (size_t k = 0; k < node->n_out; k++)
            if (node->out[k] != GRAPH_ABSENT && (g->values[node->out[k]].output || g->values[node->out[k]].uses > 0))
                node->live = true;
        for (size_t k = 0; node->live && k < node->n_in; k++)
            if (node->in[k] != GRAPH_ABSENT)
                g->values[node->in[k]].uses++;
    }
    for (size_t i = 0; i < g->n_values; i++)
        if (g->values[i].tensor && !g->values[i].tensor->i && g->values[i].uses)
            g->parameters += g->values[i].tensor->n;
}

static int build(struct graph *g, const Onnx__ModelProto *m, struct names *names, struct err *err)
{
    const Onnx__GraphProto *p = m->graph;
    size_t values = p->n_initializer + p->n_input;

    for (size_t i = 0; i < p->n_node; i++)
        values += p->node[i]->n_output;
    for (names->mask = 63; names->mask < 2 * values; names->mask = 2 * names->mask + 1)
        ;
    names->slot = malloc((names->mask + 1) * sizeof *names->slot);
    g->values = calloc(values + 1, sizeof *g->values);
    g->nodes = calloc(p->n_node + 1, sizeof *g->nodes);
    g->tensors = calloc(p->n_initializer + 1, sizeof *g->tensors);
    g->metadata = calloc(m->n_metadata_props + 1, sizeof *g->metadata);
    if (!names->slot || !g->values || !g->nodes || !g->tensors || !g->metadata)
        return err_set(err, "out of memory");
    for (size_t i = 0; i <= names->mask; i++)
        names->slot[i] = GRAPH_ABSENT;
    if (read_initialisers(g, names, p, err) != 0 || read_input(g, names, p, err) != 0)
        return -1;
    for (size_t i = 0; i < p->n_node; i++)
        if (read_node(g, names, p, i, err) != 0)
            return -1;
    if (read_outputs(g, names, p, err) != 0)
        return -1;
    for (size_t i = 0; i < m->n_metadata_props; i++) {
        const Onnx__StringStringEntryProto *e = m->metadata_props[i];
        const char *key = e->key ? e->key : "";

        if (graph_metadata(g, key))
            return err_set(err, "metadata key '%.80s' is given twice", key);
        g->metadata[g->n_metadata++] = (struct graph_metadata){key, e->value ? e->value : ""};
    }
    find_live(g);
    return 0;
}

struct graph *graph_parse(const uint8_t *bytes, size_t size, struct err *err)
{
    struct graph *g = calloc(1, sizeof *g);
    struct names names = {.g = g};
    Onnx__ModelProto *m;
    int rc = -1;

    if (!g) {
        err_set(err, "out of memory");
        return NULL;
    }
    g->message = m = onnx_unpack(bytes, size, err);
    if (m && !m->graph)
        err_set(err, "not an ONNX model: it holds no graph");
    else if (m && check_model(g, m, err) == 0) {
        clean_names(m);
        rc = build(g, m, &names, err);
    }
    free(names.slot);
    if (rc == 0)
        return g;
    graph_free(g);
    return NULL;
}

void graph_free(struct graph *g)
{
    if (!g)
        return;
    for (size_t i = 0; i < g->n_nodes; i++) {
        free(g->nodes[i].in);
        onnx_attributes_free(&g->nodes[i]);
    }
    for (size_t i = 0; i < g->n_tensors; i++)
        onnx_tensor_free(&g->tensors[i]);
    free(g->values);
    free(g->nodes);
    free(g->tensors);
    free(g->metadata);
    free(g->outputs);
    onnx_release(g->message);
    free(g);
}

const char *graph_metadata(const struct graph *g, const char *key)
{
    for (size_t i = 0; i < g->n_metadata; i++)
        if (strcmp(g->metadata[i].key, key) == 0)
            return g->metadata[i].value;
    return NULL;
}
