#include "model/onnx_write.h"

#include "model/onnx.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IR_VERSION = 7, OPSET = 13, SLOTS = 4 }; /* SLOTS: nodes a layer at most, and what else is added */

/* Everything that a message under way points to goes at once. */
struct block {
    struct block *next;
    max_align_t data[];
};

struct build {
    struct block *blocks;
    bool failed;
    Onnx__NodeProto **node;
    Onnx__TensorProto **tensor;
    size_t n_node, n_tensor;
};

/* Zeros; where there is no memory a NULL, and `failed`. */
static void *take(struct build *b, size_t size)
{
    struct block *p = calloc(1, sizeof *p + size);

    if (!p) {
        b->failed = true;
        return NULL;
    }
    p->next = b->blocks;
    b->blocks = p;
    return p->data;
}

static void release(struct build *b)
{
    while (b->blocks) {
        struct block *next = b->blocks->next;
        free(b->blocks);
        b->blocks = next;
    }
}

static char *text(struct build *b, const char *s)
{
    size_t n = strlen(s) + 1;
    char *p = take(b, n);

    return p ? memcpy(p, s, n) : NULL;
}

/* A list of one pointer. */
static void *list_of(struct build *b, void *item)
{
    void **p = take(b, sizeof *p);

    if (p)
        *p = item;
    return p;
}

/* protobuf-c's INIT gives all that is not set. */
/* NOLINTBEGIN(bugprone-macro-parentheses): a type and a list in braces cannot stand in parentheses */
#define NEW(b, TYPE, INIT)                                                                                             \
    __extension__({                                                                                                    \
        TYPE *made_ = take(b, sizeof(TYPE));                                                                           \
        if (made_)                                                                                                     \
            *made_ = (TYPE)INIT;                                                                                       \
        made_;                                                                                                         \
    })
/* NOLINTEND(bugprone-macro-parentheses) */

/* float [1, n] */
static Onnx__ValueInfoProto *value(struct build *b, const char *name, size_t n)
{
    Onnx__ValueInfoProto *v = NEW(b, Onnx__ValueInfoProto, ONNX__VALUE_INFO_PROTO__INIT);
    Onnx__TypeProto *type = NEW(b, Onnx__TypeProto, ONNX__TYPE_PROTO__INIT);
    Onnx__TypeProto__Tensor *tensor = NEW(b, Onnx__TypeProto__Tensor, ONNX__TYPE_PROTO__TENSOR__INIT);
    Onnx__TensorShapeProto *shape = NEW(b, Onnx__TensorShapeProto, ONNX__TENSOR_SHAPE_PROTO__INIT);
    Onnx__TensorShapeProto__Dimension **dim = take(b, 2 * sizeof(*dim));

    if (!v || !type || !tensor || !shape || !dim)
        return NULL;
    for (int i = 0; i < 2; i++) {
        dim[i] = NEW(b, Onnx__TensorShapeProto__Dimension, ONNX__TENSOR_SHAPE_PROTO__DIMENSION__INIT);
        if (!dim[i])
            return NULL;
        dim[i]->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        dim[i]->dim_value = i ? (int64_t)n : 1;
    }
    shape->n_dim = 2;
    shape->dim = dim;
    tensor->has_elem_type = 1;
    tensor->elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    tensor->shape = shape;
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = tensor;
    v->name = text(b, name);
    v->type = type;
    return v;
}

/* rows 0: a vector. The data is borrowed. */
static void add_tensor(struct build *b, const char *name, const float *data, size_t rows, size_t cols)
{
    Onnx__TensorProto *t = NEW(b, Onnx__TensorProto, ONNX__TENSOR_PROTO__INIT);
    int64_t *dims = take(b, 2 * sizeof *dims);

    if (!t || !dims)
        return;
    t->n_dims = rows ? 2 : 1;
    dims[0] = (int64_t)(rows ? rows : cols);
    dims[1] = (int64_t)cols;
    t->dims = dims;
    t->has_data_type = 1;
    t->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    t->n_float_data = (rows ? rows : 1) * cols;
    t->float_data = (float *)data; /* read alone: packing does not write */
    t->name = text(b, name);
    b->tensor[b->n_tensor++] = t;
}

static Onnx__NodeProto *add_node(struct build *b, const char *op, const char *const *in, size_t n_in, const char *out)
{
    Onnx__NodeProto *n = NEW(b, Onnx__NodeProto, ONNX__NODE_PROTO__INIT);
    char **inputs = take(b, n_in * sizeof *inputs);

    if (!n || !inputs)
        return NULL;
    for (size_t i = 0; i < n_in; i++)
        inputs[i] = text(b, in[i]);
    n->n_input = n_in;
    n->input = inputs;
    n->n_output = 1;
    n->output = list_of(b, text(b, out));
    n->op_type = text(b, op);
    n->name = text(b, out);
    b->node[b->n_node++] = n;
    return n;
}

/* Gemm with the weights as [out, in]. */
static void add_dense(struct build *b, const char *in, const char *weight, const char *bias, const char *out)
{
    Onnx__NodeProto *n = add_node(b, "Gemm", (const char *[]){in, weight, bias}, 3, out);
    Onnx__AttributeProto *a = NEW(b, Onnx__AttributeProto, ONNX__ATTRIBUTE_PROTO__INIT);

    if (!n || !a)
        return;
    a->name = text(b, "transB");
    a->has_type = 1;
    a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
    a->has_i = 1;
    a->i = 1;
    n->n_attribute = 1;
    n->attribute = list_of(b, a);
}

/* All layers, from `in` to "scores". */
static void add_net(struct build *b, const struct onnx_net *net, const char *in)
{
    char from[64], weight[64], bias[64], sum[64], out[64];

    snprintf(from, sizeof from, "%s", in);
    for (size_t l = 0; l < net->n; l++) {
        const struct onnx_layer *y = &net->layer[l];
        bool last = l + 1 == net->n;
        snprintf(weight, sizeof weight, "dense%zu.weight", l);
        snprintf(bias, sizeof bias, "dense%zu.bias", l);
        snprintf(sum, sizeof sum, "dense%zu", l);
        snprintf(out, sizeof out, "relu%zu", l);
        add_tensor(b, weight, y->weight, y->out, y->in);
        add_tensor(b, bias, y->bias, 0, y->out);
        add_dense(b, from, weight, bias, last ? "scores" : sum);
        if (!last)
            add_node(b, "Relu", (const char *[]){sum}, 1, out);
        snprintf(from, sizeof from, "%s", out);
    }
}

static void add_metadata(struct build *b, Onnx__ModelProto *m, const struct onnx_net *net)
{
    Onnx__StringStringEntryProto **entries = take(b, (net->n_metadata + 1) * sizeof(*entries));

    for (size_t i = 0; entries && i < net->n_metadata; i++) {
        Onnx__StringStringEntryProto *e = NEW(b, Onnx__StringStringEntryProto, ONNX__STRING_STRING_ENTRY_PROTO__INIT);
        if (!e)
            return;
        e->key = text(b, net->metadata[i].key);
        e->value = text(b, net->metadata[i].value);
        entries[i] = e;
    }
    m->n_metadata_props = net->n_metadata;
    m->metadata_props = entries;
}

static uint8_t *pack(struct build *b, const Onnx__ModelProto *m, size_t *size, struct err *err)
{
    uint8_t *bytes = NULL;

    if (!b->failed) {
        *size = onnx__model_proto__get_packed_size(m);
        bytes = malloc(*size);
    }
    if (bytes)
        onnx__model_proto__pack(m, bytes);
    else
        err_set(err, "no memory for the model");
    return bytes;
}

/* Room for n nodes and tensors of another model besides the net's own. */
static int make_room(struct build *b, const struct onnx_net *net, size_t nodes, size_t tensors)
{
    b->node = take(b, (nodes + SLOTS * net->n) * sizeof(*b->node));
    b->tensor = take(b, (tensors + SLOTS * net->n) * sizeof(*b->tensor));
    return b->failed ? -1 : 0;
}

static void set_graph(struct build *b, Onnx__GraphProto *g)
{
    g->n_node = b->n_node;
    g->node = b->node;
    g->n_initializer = b->n_tensor;
    g->initializer = b->tensor;
}

uint8_t *onnx_write_net(const struct onnx_net *net, const char *name, size_t *size, struct err *err)
{
    struct build b = {0};
    uint8_t *bytes = NULL;
    Onnx__ModelProto m = ONNX__MODEL_PROTO__INIT;
    Onnx__GraphProto g = ONNX__GRAPH_PROTO__INIT;
    Onnx__OperatorSetIdProto opset = ONNX__OPERATOR_SET_ID_PROTO__INIT, *opsets[] = {&opset};

    if (make_room(&b, net, 0, 0) == 0) {
        add_net(&b, net, name);
        set_graph(&b, &g);
        add_metadata(&b, &m, net);
        g.name = (char *)"dense";
        g.n_input = 1;
        g.input = list_of(&b, value(&b, name, net->layer[0].in));
        g.n_output = 1;
        g.output = list_of(&b, value(&b, "scores", net->layer[net->n - 1].out));
        opset.domain = (char *)"";
        opset.has_version = 1;
        opset.version = OPSET;
        m.has_ir_version = 1;
        m.ir_version = IR_VERSION;
        m.producer_name = (char *)"earshot";
        m.producer_version = (char *)EARSHOT_VERSION;
        m.n_opset_import = 1;
        m.opset_import = opsets;
        m.graph = &g;
    }
    bytes = pack(&b, &m, size, err);
    release(&b);
    return bytes;
}

/* --- behind another model --- */

static bool is_one_of(char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* Names that "embedding" is computed from: those in need[*n], which there is room for. Marks the nodes in keep. */
static void trace(const Onnx__GraphProto *g, char **need, size_t *n, bool *keep)
{
    need[(*n)++] = (char *)"embedding";
    for (size_t i = g->n_node; i-- > 0;) { /* each node stands behind those that it reads from */
        const Onnx__NodeProto *node = g->node[i];
        for (size_t k = 0; k < node->n_output && !keep[i]; k++)
            keep[i] = is_one_of(need, *n, node->output[k]);
        for (size_t k = 0; k < node->n_input && keep[i]; k++)
            if (*node->input[k] && !is_one_of(need, *n, node->input[k]))
                need[(*n)++] = node->input[k];
    }
}

/* Takes over what is needed. */
static int keep_body(struct build *b, const Onnx__GraphProto *g, const struct onnx_net *net, struct err *err)
{
    size_t names = 1, n = 0;

    for (size_t i = 0; i < g->n_node; i++)
        names += g->node[i]->n_input;
    char **need = take(b, names * sizeof *need);
    bool *keep = take(b, (g->n_node + 1) * sizeof *keep);
    if (!need || !keep || make_room(b, net, g->n_node, g->n_initializer) < 0)
        return err_set(err, "no memory for the model");
    trace(g, need, &n, keep);
    for (size_t i = 0; i < g->n_node; i++) {
        for (size_t k = 0; keep[i] && k < g->node[i]->n_output; k++)
            if (strcmp(g->node[i]->output[k], "scores") == 0)
                return err_set(err, "its embedding is computed from its scores");
        if (keep[i])
            b->node[b->n_node++] = g->node[i];
    }
    for (size_t i = 0; i < g->n_initializer; i++)
        if (g->initializer[i]->name && is_one_of(need, n, g->initializer[i]->name))
            b->tensor[b->n_tensor++] = g->initializer[i];
    for (size_t i = 0; i < n; i++)
        if (strncmp(need[i], "dense", 5) == 0 || strncmp(need[i], "relu", 4) == 0)
            return err_set(err, "it has a value called '%.60s', a name that the new layers take", need[i]);
    return 0;
}

/* The output "embedding", which must be [1, in] (or [?, in]). */
static Onnx__ValueInfoProto *find_embedding(const Onnx__GraphProto *g, size_t in, struct err *err)
{
    for (size_t i = 0; i < g->n_output; i++) {
        Onnx__ValueInfoProto *v = g->output[i];
        if (!v->name || strcmp(v->name, "embedding") != 0)
            continue;
        const Onnx__TensorShapeProto *s =
            v->type && v->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE && v->type->tensor_type
                ? v->type->tensor_type->shape
                : NULL;
        if (s && s->n_dim == 2 && s->dim[1]->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE &&
            s->dim[1]->dim_value == (int64_t)in)
            return v;
        err_set(err, "its output 'embedding' is not 1 x %zu", in);
        return NULL;
    }
    err_set(err, "the graph has no output called 'embedding'");
    return NULL;
}

/* Inputs that are no weights; older files list those too. */
static void keep_inputs(struct build *b, const Onnx__GraphProto *from, Onnx__GraphProto *g)
{
    Onnx__ValueInfoProto **in = take(b, (from->n_input + 1) * sizeof(*in));

    g->n_input = 0;
    for (size_t i = 0; in && i < from->n_input; i++) {
        bool weight = false;
        for (size_t k = 0; k < from->n_initializer; k++)
            weight |= from->initializer[k]->name && strcmp(from->initializer[k]->name, from->input[i]->name) == 0;
        if (!weight)
            in[g->n_input++] = from->input[i];
    }
    g->input = in;
}

static uint8_t *graft(struct build *b, const struct onnx_net *net, const Onnx__ModelProto *body, size_t *size,
                      struct err *err)
{
    Onnx__ModelProto m = *body;
    Onnx__GraphProto g = *body->graph;
    Onnx__ValueInfoProto *embedding = find_embedding(body->graph, net->layer[0].in, err), *out[2];

    if (!embedding || keep_body(b, body->graph, net, err) < 0)
        return NULL;
    add_net(b, net, "embedding");
    set_graph(b, &g);
    add_metadata(b, &m, net);
    keep_inputs(b, body->graph, &g);
    out[0] = value(b, "scores", net->layer[net->n - 1].out);
    out[1] = embedding;
    g.n_output = 2;
    g.output = out;
    g.n_value_info = 0;
    m.producer_name = (char *)"earshot";
    m.producer_version = (char *)EARSHOT_VERSION;
    m.graph = &g;
    return pack(b, &m, size, err);
}

uint8_t *onnx_write_head(const struct onnx_net *net, const char *body, size_t *size, struct err *err)
{
    struct build b = {0};
    uint8_t *bytes, *out = NULL;
    size_t n;
    Onnx__ModelProto *message = NULL;

    if (graph_read(body, &bytes, &n, err) == 0) {
        message = onnx_unpack(bytes, n, err);
        free(bytes);
    }
    if (message && !message->graph)
        err_set(err, "it has no graph");
    else if (message)
        out = graft(&b, net, message, size, err);
    if (!out)
        err_prefix(err, "%s: ", body);
    release(&b);
    onnx_release(message);
    return out;
}
