/* Builds ONNX files in memory for tests: a graph node by node, packed with protobuf-c. All memory goes with build_free. */
#ifndef EARSHOT_TESTS_ONNX_BUILD_H
#define EARSHOT_TESTS_ONNX_BUILD_H

#include "onnx.pb-c.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BUILD_MAX 512

struct build {
    Onnx__ModelProto model;
    Onnx__GraphProto graph;
    Onnx__OperatorSetIdProto opset, *opsets[1];
    void *owned[16384];
    size_t n_owned;
};

static inline void *build_own(struct build *b, void *p)
{
    if (!p || b->n_owned == sizeof b->owned / sizeof *b->owned)
        abort();
    return b->owned[b->n_owned++] = p;
}

static inline char *build_text(struct build *b, const char *text)
{
    return build_own(b, strdup(text));
}

static inline struct build *build_new(int64_t opset)
{
    struct build *b = calloc(1, sizeof *b);

    onnx__model_proto__init(&b->model);
    onnx__graph_proto__init(&b->graph);
    onnx__operator_set_id_proto__init(&b->opset);
    b->model.has_ir_version = b->opset.has_version = 1;
    b->model.ir_version = 8;
    b->opset.version = opset;
    b->opsets[0] = &b->opset;
    b->model.opset_import = b->opsets;
    b->model.n_opset_import = 1;
    b->model.graph = &b->graph;
    b->graph.node = build_own(b, calloc(BUILD_MAX, sizeof *b->graph.node));
    b->graph.initializer = build_own(b, calloc(BUILD_MAX, sizeof *b->graph.initializer));
    b->graph.input = build_own(b, calloc(BUILD_MAX, sizeof *b->graph.input));
    b->graph.output = build_own(b, calloc(BUILD_MAX, sizeof *b->graph.output));
    b->model.metadata_props = build_own(b, calloc(BUILD_MAX, sizeof *b->model.metadata_props));
    return b;
}

static inline void build_free(struct build *b)
{
    while (b->n_owned > 0)
        free(b->owned[--b->n_owned]);
    free(b);
}

static inline Onnx__ValueInfoProto *build_value(struct build *b, const char *name, size_t rank, const int64_t *dims)
{
    Onnx__ValueInfoProto *v = build_own(b, malloc(sizeof *v));
    Onnx__TypeProto *type = build_own(b, malloc(sizeof *type));
    Onnx__TypeProto__Tensor *tensor = build_own(b, malloc(sizeof *tensor));
    Onnx__TensorShapeProto *shape = build_own(b, malloc(sizeof *shape));

    onnx__value_info_proto__init(v);
    onnx__type_proto__init(type);
    onnx__type_proto__tensor__init(tensor);
    onnx__tensor_shape_proto__init(shape);
    v->name = build_text(b, name);
    v->type = type;
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = tensor;
    tensor->has_elem_type = 1;
    tensor->elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    tensor->shape = shape;
    shape->n_dim = rank;
    shape->dim = build_own(b, calloc(rank + 1, sizeof *shape->dim));
    for (size_t i = 0; i < rank; i++) {
        shape->dim[i] = build_own(b, malloc(sizeof **shape->dim));
        onnx__tensor_shape_proto__dimension__init(shape->dim[i]);
        shape->dim[i]->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        shape->dim[i]->dim_value = dims[i];
    }
    return v;
}

static inline Onnx__ValueInfoProto *build_input(struct build *b, const char *name, size_t rank, const int64_t *dims)
{
    return b->graph.input[b->graph.n_input++] = build_value(b, name, rank, dims);
}

static inline void build_output(struct build *b, const char *name)
{
    b->graph.output[b->graph.n_output++] = build_value(b, name, 0, NULL);
}

static inline Onnx__TensorProto *build_tensor(struct build *b, const char *name, size_t rank, const int64_t *dims,
                                              int32_t type, const void *data, size_t bytes)
{
    Onnx__TensorProto *t = build_own(b, malloc(sizeof *t));

    onnx__tensor_proto__init(t);
    t->name = build_text(b, name);
    t->n_dims = rank;
    t->dims = build_own(b, calloc(rank + 1, sizeof *t->dims));
    for (size_t i = 0; i < rank; i++)
        t->dims[i] = dims[i];
    t->has_data_type = t->has_raw_data = 1;
    t->data_type = type;
    t->raw_data.len = bytes;
    t->raw_data.data = build_own(b, malloc(bytes + 1));
    memcpy(t->raw_data.data, data, bytes);
    return t;
}

static inline Onnx__TensorProto *build_floats(struct build *b, const char *name, size_t rank, const int64_t *dims,
                                              const float *x)
{
    size_t n = 1;

    for (size_t i = 0; i < rank; i++)
        n *= (size_t)dims[i];
    return b->graph.initializer[b->graph.n_initializer++] =
               build_tensor(b, name, rank, dims, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, x, n * sizeof *x);
}

static inline Onnx__TensorProto *build_list(struct build *b, const char *name, size_t n, const int64_t *v)
{
    int64_t dims[1] = {(int64_t)n};

    return b->graph.initializer[b->graph.n_initializer++] =
               build_tensor(b, name, 1, dims, ONNX__TENSOR_PROTO__DATA_TYPE__INT64, v, n * sizeof *v);
}

/* "a,b,,c" -> four names, the third empty */
static inline size_t build_names(struct build *b, const char *list, char ***out)
{
    char *copy = build_text(b, list), *comma;
    size_t n = 0;

    *out = build_own(b, calloc(strlen(list) + 2, sizeof **out));
    if (!*list)
        return 0;
    for (;; copy = comma + 1) {
        (*out)[n++] = copy;
        comma = strchr(copy, ',');
        if (!comma)
            return n;
        *comma = '\0';
    }
}

static inline Onnx__NodeProto *build_node(struct build *b, const char *op, const char *in, const char *out)
{
    Onnx__NodeProto *n = build_own(b, malloc(sizeof *n));

    onnx__node_proto__init(n);
    n->op_type = build_text(b, op);
    n->n_input = build_names(b, in, &n->input);
    n->n_output = build_names(b, out, &n->output);
    n->attribute = build_own(b, calloc(16, sizeof *n->attribute));
    return b->graph.node[b->graph.n_node++] = n;
}

static inline Onnx__AttributeProto *build_attr(struct build *b, Onnx__NodeProto *n, const char *name, int type)
{
    Onnx__AttributeProto *a = build_own(b, malloc(sizeof *a));

    onnx__attribute_proto__init(a);
    a->name = build_text(b, name);
    a->has_type = 1;
    a->type = (Onnx__AttributeProto__AttributeType)type;
    return n->attribute[n->n_attribute++] = a;
}

static inline void build_int(struct build *b, Onnx__NodeProto *n, const char *name, int64_t v)
{
    Onnx__AttributeProto *a = build_attr(b, n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);

    a->has_i = 1;
    a->i = v;
}

static inline void build_float(struct build *b, Onnx__NodeProto *n, const char *name, float v)
{
    Onnx__AttributeProto *a = build_attr(b, n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);

    a->has_f = 1;
    a->f = v;
}

static inline void build_ints(struct build *b, Onnx__NodeProto *n, const char *name, size_t count, const int64_t *v)
{
    Onnx__AttributeProto *a = build_attr(b, n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);

    a->n_ints = count;
    a->ints = build_own(b, calloc(count + 1, sizeof *v));
    for (size_t i = 0; i < count; i++)
        a->ints[i] = v[i];
}

static inline void build_string(struct build *b, Onnx__NodeProto *n, const char *name, const char *v)
{
    Onnx__AttributeProto *a = build_attr(b, n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);

    a->has_s = 1;
    a->s.len = strlen(v);
    a->s.data = (uint8_t *)build_text(b, v);
}

static inline void build_metadata(struct build *b, const char *key, const char *value)
{
    Onnx__StringStringEntryProto *e = build_own(b, malloc(sizeof *e));

    onnx__string_string_entry_proto__init(e);
    e->key = build_text(b, key);
    e->value = build_text(b, value);
    b->model.metadata_props[b->model.n_metadata_props++] = e;
}

/* The file. The caller frees it. */
static inline uint8_t *build_pack(const struct build *b, size_t *size)
{
    uint8_t *bytes;

    *size = onnx__model_proto__get_packed_size(&b->model);
    bytes = malloc(*size + 1);
    onnx__model_proto__pack(&b->model, bytes);
    return bytes;
}

#endif
