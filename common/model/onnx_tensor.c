/* TensorProto and AttributeProto -> struct graph_tensor, struct graph_attr. */
#include "model/onnx.h"

#include "base/half.h"
#include "base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "raw_data is little-endian and used in place");

void onnx_clean(char *text, bool lines)
{
    bool valid;

    if (!text)
        return;
    valid = text_is_utf8(text, strlen(text));
    for (unsigned char *p = (unsigned char *)text; *p; p++) {
        bool control = *p < 0x20 || *p == 0x7f, c1 = p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0;

        if ((control && !(lines && (*p == '\n' || *p == '\t'))) || (*p >= 0x80 && !valid) || c1)
            *p = '?';
        if (c1)
            *++p = '?';
    }
}

static int half_data(const Onnx__TensorProto *p, const char *what, struct graph_tensor *t, struct err *err)
{
    float *f;

    if (p->has_raw_data ? p->raw_data.len != t->n * 2 : p->n_int32_data != t->n)
        return err_set(err, "%s: %zu elements of float16 are needed, %zu are there", what, t->n,
                       p->has_raw_data ? p->raw_data.len / 2 : p->n_int32_data);
    for (size_t i = 0; !p->has_raw_data && i < t->n; i++)
        if (p->int32_data[i] < 0 || p->int32_data[i] > UINT16_MAX)
            return err_set(err, "%s: element %zu is %d, which is no float16 (0 to 65535)", what, i,
                           (int)p->int32_data[i]);
    f = malloc(t->n * sizeof *f);
    if (!f)
        return err_set(err, "%s: out of memory", what);
    for (size_t i = 0; i < t->n; i++) {
        uint16_t h = p->has_raw_data ? (uint16_t)(p->raw_data.data[2 * i] | p->raw_data.data[2 * i + 1] << 8)
                                     : (uint16_t)p->int32_data[i];
        f[i] = half_to_float(h);
    }
    t->f = t->owned = f;
    return 0;
}

/* int8, uint8 or int32 */
static int small_data(const Onnx__TensorProto *p, const char *what, struct graph_tensor *t, struct err *err)
{
    size_t element = p->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__INT32 ? 4 : 1;
    int32_t low = p->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__INT8 ? INT8_MIN : 0, high = low + UINT8_MAX;
    float *q;

    if (p->has_raw_data ? p->raw_data.len != t->n * element : p->n_int32_data != t->n)
        return err_set(err, "%s: its shape needs %zu elements, %zu are there", what, t->n,
                       p->has_raw_data ? p->raw_data.len / element : p->n_int32_data);
    for (size_t i = 0; !p->has_raw_data && element == 1 && i < t->n; i++)
        if (p->int32_data[i] < low || p->int32_data[i] > high)
            return err_set(err, "%s: element %zu is %d, %d to %d are allowed", what, i, (int)p->int32_data[i], (int)low,
                           (int)high);
    q = malloc(t->n * sizeof *q);
    if (!q)
        return err_set(err, "%s: out of memory", what);
    for (size_t i = 0; i < t->n; i++) {
        int32_t v = p->has_raw_data ? 0 : p->int32_data[i];

        if (p->has_raw_data && element == 4)
            memcpy(&v, p->raw_data.data + 4 * i, sizeof v);
        else if (p->has_raw_data)
            v = low ? (int8_t)p->raw_data.data[i] : p->raw_data.data[i];
        q[i] = (float)v;
    }
    t->q = t->owned = q;
    t->type = (enum graph_type)p->data_type;
    return 0;
}

/* The element size is 4 for float and 8 for int64; raw data comes from malloc and is aligned for either. */
static int plain_data(const Onnx__TensorProto *p, const char *what, size_t element, const void *list, size_t n_list,
                      const void **out, size_t n, struct err *err)
{
    if (p->has_raw_data) {
        if (p->raw_data.len != n * element)
            return err_set(err, "%s: its shape needs %zu bytes of data, %zu are there", what, n * element,
                           p->raw_data.len);
        *out = p->raw_data.data;
    } else {
        if (n_list != n)
            return err_set(err, "%s: its shape needs %zu elements, %zu are there", what, n, n_list);
        *out = list;
    }
    if (!*out)
        *out = ""; /* no elements: a pointer to none */
    return 0;
}

static int tensor_shape(const Onnx__TensorProto *p, const char *what, struct graph_tensor *t, struct err *err)
{
    if (p->n_dims > GRAPH_RANK)
        return err_set(err, "%s: %zu dimensions, at most %d are allowed", what, p->n_dims, GRAPH_RANK);
    t->rank = p->n_dims;
    t->n = 1;
    for (size_t i = 0; i < t->rank; i++) {
        bool list = t->rank == 1 && p->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__INT64;

        if (p->dims[i] < (list ? 0 : 1) || (uint64_t)p->dims[i] > GRAPH_TENSOR_MAX)
            return err_set(err, "%s: dimension %zu is %lld, 1 to %zu are allowed", what, i, (long long)p->dims[i],
                           GRAPH_TENSOR_MAX);
        t->dims[i] = (size_t)p->dims[i];
        t->n *= t->dims[i];
        if (t->n > GRAPH_TENSOR_MAX)
            return err_set(err, "%s: more than %zu elements", what, GRAPH_TENSOR_MAX);
    }
    return 0;
}

/* Infinity is allowed as a scalar alone: the open end of a Clip, the value of a Pad. */
static int check_finite(const char *what, const struct graph_tensor *t, struct err *err)
{
    for (size_t i = 0; i < t->n; i++)
        if (isnan(t->f[i]) || (isinf(t->f[i]) && t->n > 1))
            return err_set(err, "%s: element %zu is not a finite number", what, i);
    return 0;
}

int onnx_tensor(const Onnx__TensorProto *p, const char *what, struct graph_tensor *t, struct err *err)
{
    const void *data = NULL;

    *t = (struct graph_tensor){.name = p->name ? p->name : ""};
    if (p->n_external_data || (p->has_data_location && p->data_location != ONNX__TENSOR_PROTO__DATA_LOCATION__DEFAULT))
        return err_set(err, "%s: its data lies in another file; export the model as one file", what);
    if (p->segment)
        return err_set(err, "%s: data in segments is not supported", what);
    if (tensor_shape(p, what, t, err) != 0)
        return -1;
    switch (p->has_data_type ? p->data_type : 0) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
        if (plain_data(p, what, sizeof(float), p->float_data, p->n_float_data, &data, t->n, err) != 0)
            return -1;
        t->f = data;
        break;
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16:
        if (half_data(p, what, t, err) != 0)
            return -1;
        break;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
        if (plain_data(p, what, sizeof(int64_t), p->int64_data, p->n_int64_data, &data, t->n, err) != 0)
            return -1;
        t->i = data;
        return 0;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT8:
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT8:
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT32:
        return small_data(p, what, t, err);
    default:
        return err_set(err,
                       "%s: data type %d; float (1), float16 (10) and int64 (7) are supported, and int8 (3), uint8 (2) "
                       "and int32 (6) for quantised graphs",
                       what, p->has_data_type ? (int)p->data_type : 0);
    }
    return check_finite(what, t, err);
}

void onnx_tensor_free(struct graph_tensor *t)
{
    free(t->owned);
    t->owned = NULL;
}

static int attribute(const Onnx__AttributeProto *p, const struct graph_node *node, struct graph_attr *a,
                     struct err *err)
{
    *a = (struct graph_attr){.name = p->name ? p->name : ""};
    switch (p->has_type ? (int)p->type : -1) {
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT:
        a->type = ATTR_INT;
        a->i = p->i;
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT:
        a->type = ATTR_FLOAT;
        a->f = p->f;
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS:
        a->type = ATTR_INTS;
        a->n = p->n_ints;
        a->ints = p->ints;
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS:
        a->type = ATTR_FLOATS;
        a->n = p->n_floats;
        a->floats = p->floats;
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING:
        a->type = ATTR_STRING;
        a->n = p->s.len;
        a->s = (const char *)p->s.data; /* not terminated: node_string compares by length */
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR:
        if (!p->t)
            return node_err(node, err, "attribute '%s' holds no tensor", a->name);
        a->type = ATTR_TENSOR;
        a->tensor = calloc(1, sizeof *a->tensor);
        if (!a->tensor)
            return err_set(err, "out of memory");
        if (onnx_tensor(p->t, a->name, a->tensor, err) != 0)
            return err_prefix(err, "node '%s' (%s): attribute ", node->name, node->op);
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH:
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPHS:
        return node_err(node, err, "loops and branches (attribute '%s' holds a graph) are not supported", a->name);
    default:
        a->type = ATTR_OTHER;
    }
    return 0;
}

int onnx_attributes(const Onnx__NodeProto *p, struct graph_node *node, struct err *err)
{
    node->attrs = calloc(p->n_attribute + 1, sizeof *node->attrs);
    if (!node->attrs)
        return err_set(err, "out of memory");
    for (size_t i = 0; i < p->n_attribute; i++) {
        onnx_clean(p->attribute[i]->name, false);
        node->n_attrs = i + 1;
        if (attribute(p->attribute[i], node, &node->attrs[i], err) != 0)
            return -1;
        for (size_t k = 0; k < i; k++)
            if (strcmp(node->attrs[k].name, node->attrs[i].name) == 0)
                return node_err(node, err, "attribute '%s' is given twice", node->attrs[i].name);
    }
    return 0;
}

void onnx_attributes_free(struct graph_node *node)
{
    for (size_t i = 0; i < node->n_attrs; i++)
        if (node->attrs[i].tensor) {
            onnx_tensor_free(node->attrs[i].tensor);
            free(node->attrs[i].tensor);
        }
    free(node->attrs);
}

/* value_float and its like, as the tensor that they stand for. */
static int constant_number(struct graph_attr *a, const struct graph_node *node, struct err *err)
{
    bool ints = a->type == ATTR_INT || a->type == ATTR_INTS, list = a->type == ATTR_INTS || a->type == ATTR_FLOATS;
    struct graph_tensor *t = a->tensor = calloc(1, sizeof *t);

    if (!t)
        return err_set(err, "out of memory");
    t->name = a->name;
    t->rank = list;
    t->n = t->dims[0] = list ? a->n : 1;
    if (ints)
        t->i = list ? (a->ints ? a->ints : &a->i) : &a->i;
    else
        t->f = list ? a->floats : &a->f;
    if (!ints && t->n == 0)
        return node_err(node, err, "attribute '%s' is an empty list", a->name);
    return ints ? 0 : check_finite(a->name, t, err);
}

const struct graph_tensor *onnx_constant(const struct graph_node *node, struct err *err)
{
    struct graph_attr *a = node->n_attrs == 1 ? node->attrs : NULL;

    if (!a || strncmp(a->name, "value", 5) != 0 || a->type == ATTR_OTHER || a->type == ATTR_STRING) {
        node_err(node, err, "it needs one attribute: value, value_float, value_floats, value_int or value_ints");
        return NULL;
    }
    return a->tensor || constant_number(a, node, err) == 0 ? a->tensor : NULL;
}
