/* Evaluates an ONNX graph the slow and obvious way: loops over indices, doubles, ONNX's own layout. What the engine is compared
 * with; written from https://github.com/onnx/onnx/blob/main/docs/Operators.md, sharing nothing with common/model. */
#ifndef EARSHOT_TESTS_ONNX_NAIVE_H
#define EARSHOT_TESTS_ONNX_NAIVE_H

#include "onnx.pb-c.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct nt { /* a tensor */
    const char *name;
    int rank;
    long dims[8];
    int type; /* of a constant */
    double *x;
};

struct naive {
    struct nt t[1024];
    int n;
    long opset;
};

static inline long nt_count(const struct nt *t)
{
    long n = 1;
    for (int i = 0; i < t->rank; i++)
        n *= t->dims[i];
    return n;
}

static inline struct nt *naive_new(struct naive *v, const char *name, int rank, const long *dims)
{
    struct nt *t = &v->t[v->n++];
    t->name = name;
    t->rank = rank;
    for (int i = 0; i < rank; i++)
        t->dims[i] = dims[i];
    t->x = calloc((size_t)nt_count(t) + 1, sizeof *t->x);
    return t;
}

static inline struct nt *naive_get(struct naive *v, const char *name)
{
    for (int i = 0; i < v->n; i++)
        if (strcmp(v->t[i].name, name) == 0)
            return &v->t[i];
    fprintf(stderr, "naive: no tensor %s\n", name);
    abort();
}

static inline const Onnx__AttributeProto *naive_attr(const Onnx__NodeProto *p, const char *name)
{
    for (size_t i = 0; i < p->n_attribute; i++)
        if (strcmp(p->attribute[i]->name, name) == 0)
            return p->attribute[i];
    return NULL;
}

static inline long naive_int(const Onnx__NodeProto *p, const char *name, long otherwise)
{
    const Onnx__AttributeProto *a = naive_attr(p, name);
    return a ? (long)a->i : otherwise;
}

static inline double naive_float(const Onnx__NodeProto *p, const char *name, double otherwise)
{
    const Onnx__AttributeProto *a = naive_attr(p, name);
    return a ? (double)a->f : otherwise;
}

/* element i of a list, or of input `in` where the list is one */
static inline long naive_list(struct naive *v, const Onnx__NodeProto *p, const char *name, int in, size_t i,
                              long otherwise)
{
    const Onnx__AttributeProto *a = naive_attr(p, name);
    if (a)
        return i < a->n_ints ? (long)a->ints[i] : otherwise;
    if (in >= 0 && p->n_input > (size_t)in && p->input[in][0])
        return (long)naive_get(v, p->input[in])->x[i];
    return otherwise;
}

static inline bool naive_auto(const Onnx__NodeProto *p, const char *how)
{
    const Onnx__AttributeProto *a = naive_attr(p, "auto_pad");
    return a && a->s.len == strlen(how) && memcmp(a->s.data, how, a->s.len) == 0;
}

/* One spatial axis of Conv and the pools. */
struct nw {
    long k, s, d, begin, end, out;
};

static inline struct nw naive_window(struct naive *v, const Onnx__NodeProto *p, int axis, int spatial, long in, long k)
{
    struct nw w = {k,
                   naive_list(v, p, "strides", -1, (size_t)axis, 1),
                   naive_list(v, p, "dilations", -1, (size_t)axis, 1),
                   naive_list(v, p, "pads", -1, (size_t)axis, 0),
                   naive_list(v, p, "pads", -1, (size_t)(axis + spatial), 0),
                   0};
    long reach = (k - 1) * w.d + 1;
    bool ceil_mode = naive_int(p, "ceil_mode", 0);
    if (naive_auto(p, "VALID"))
        w.begin = w.end = 0;
    if (naive_auto(p, "SAME_UPPER") || naive_auto(p, "SAME_LOWER")) {
        long out = (long)ceil((double)in / (double)w.s), total = (out - 1) * w.s + reach - in;
        total = total > 0 ? total : 0;
        w.begin = naive_auto(p, "SAME_UPPER") ? total / 2 : total - total / 2;
        w.end = total - w.begin;
    }
    double steps = (double)(in + w.begin + w.end - reach) / (double)w.s;
    w.out = (long)(ceil_mode ? ceil(steps) : floor(steps)) + 1;
    if (ceil_mode && (w.out - 1) * w.s >= in + w.begin)
        w.out--;
    return w;
}

static inline void naive_conv_pool(struct naive *v, const Onnx__NodeProto *p, bool conv, bool max)
{
    const struct nt *x = naive_get(v, p->input[0]), *f = conv ? naive_get(v, p->input[1]) : NULL;
    const struct nt *b = conv && p->n_input > 2 ? naive_get(v, p->input[2]) : NULL;
    int sp = x->rank - 2;
    long groups = conv ? naive_int(p, "group", 1) : 1, H = sp == 2 ? x->dims[2] : 1, W = x->dims[x->rank - 1];
    long C = x->dims[1], O = conv ? f->dims[0] : C, I = conv ? f->dims[1] : 1;
    long kh = sp == 2 ? (conv ? f->dims[2] : naive_list(v, p, "kernel_shape", -1, 0, 0)) : 1;
    long kw = conv ? f->dims[f->rank - 1] : naive_list(v, p, "kernel_shape", -1, (size_t)(sp - 1), 0);
    struct nw h = sp == 2 ? naive_window(v, p, 0, 2, H, kh) : (struct nw){1, 1, 1, 0, 0, 1};
    struct nw w = naive_window(v, p, sp - 1, sp, W, kw);
    long d4[4] = {x->dims[0], O, h.out, w.out}, d3[3] = {x->dims[0], O, w.out};
    struct nt *y = naive_new(v, p->output[0], x->rank, sp == 2 ? d4 : d3);
    bool all = naive_int(p, "count_include_pad", 0);
    for (long n = 0; n < d4[0]; n++)
        for (long o = 0; o < O; o++)
            for (long r = 0; r < h.out; r++)
                for (long c = 0; c < w.out; c++) {
                    double sum = b ? b->x[o] : 0, best = -INFINITY, inside = 0;
                    for (long i = 0; i < I; i++)
                        for (long u = 0; u < kh; u++)
                            for (long t = 0; t < kw; t++) {
                                long row = r * h.s + u * h.d - h.begin, col = c * w.s + t * w.d - w.begin;
                                long chan = conv ? o / (O / groups) * I + i : o;
                                if (row < 0 || row >= H || col < 0 || col >= W)
                                    continue;
                                double e = x->x[((n * C + chan) * H + row) * W + col];
                                sum += conv ? e * f->x[((o * I + i) * kh + u) * kw + t] : e;
                                best = e > best ? e : best;
                                inside++;
                            }
                    y->x[((n * O + o) * h.out + r) * w.out + c] = conv  ? sum
                                                                  : max ? best
                                                                        : sum / (all ? (double)(kh * kw) : inside);
                }
}

/* Index into a tensor that is broadcast to `rank` dims, from the index into the result. */
static inline long naive_broadcast(const struct nt *t, int rank, const long *dims, long i)
{
    long at = 0, stride = 1;
    for (int k = rank - 1, a = t->rank - 1; k >= 0; k--, a--) {
        long c = i % dims[k];
        i /= dims[k];
        if (a >= 0) {
            at += t->dims[a] == 1 ? 0 : c * stride;
            stride *= t->dims[a];
        }
    }
    return at;
}

static inline void naive_binary(struct naive *v, const Onnx__NodeProto *p)
{
    const struct nt *a = naive_get(v, p->input[0]), *b = naive_get(v, p->input[1]);
    int rank = a->rank > b->rank ? a->rank : b->rank;
    long dims[8];
    for (int i = 0; i < rank; i++) {
        long da = i < rank - a->rank ? 1 : a->dims[i - rank + a->rank],
             db = i < rank - b->rank ? 1 : b->dims[i - rank + b->rank];
        dims[i] = da == 1 ? db : da;
    }
    struct nt *y = naive_new(v, p->output[0], rank, dims);
    for (long i = 0; i < nt_count(y); i++) {
        double s = a->x[naive_broadcast(a, rank, dims, i)], t = b->x[naive_broadcast(b, rank, dims, i)];
        y->x[i] = p->op_type[0] == 'A' ? s + t : p->op_type[0] == 'S' ? s - t : p->op_type[0] == 'M' ? s * t : s / t;
    }
}

static inline double naive_clip(struct naive *v, const Onnx__NodeProto *p, double x)
{
    double lo = naive_float(p, "min", -INFINITY), hi = naive_float(p, "max", INFINITY);
    if (p->n_input > 1 && p->input[1][0])
        lo = naive_get(v, p->input[1])->x[0];
    if (p->n_input > 2 && p->input[2][0])
        hi = naive_get(v, p->input[2])->x[0];
    return x < lo ? lo : x > hi ? hi : x;
}

static inline double naive_scalar(struct naive *v, const Onnx__NodeProto *p, double x)
{
    const char *op = p->op_type;
    double h;
    if (strcmp(op, "Relu") == 0)
        return x > 0 ? x : 0;
    if (strcmp(op, "Clip") == 0)
        return naive_clip(v, p, x);
    if (strcmp(op, "Sigmoid") == 0)
        return 1 / (1 + exp(-x));
    if (strcmp(op, "Tanh") == 0)
        return tanh(x);
    if (strcmp(op, "Elu") == 0)
        return x > 0 ? x : naive_float(p, "alpha", 1) * (exp(x) - 1);
    if (strcmp(op, "Selu") == 0)
        return naive_float(p, "gamma", 1.0507009873554805) *
               (x > 0 ? x : naive_float(p, "alpha", 1.6732632423543772) * (exp(x) - 1));
    if (strcmp(op, "LeakyRelu") == 0)
        return x > 0 ? x : naive_float(p, "alpha", 0.01) * x;
    if (strcmp(op, "HardSigmoid") == 0 || strcmp(op, "HardSwish") == 0) {
        bool swish = op[5] == 'w';
        h = swish ? x / 6 + 0.5 : naive_float(p, "alpha", 0.2) * x + naive_float(p, "beta", 0.5);
        h = h < 0 ? 0 : h > 1 ? 1 : h;
        return swish ? x * h : h;
    }
    if (strcmp(op, "Identity") == 0 || strcmp(op, "Dropout") == 0 || strcmp(op, "Cast") == 0)
        return x;
    fprintf(stderr, "naive: no operator %s\n", op);
    abort();
}

static inline void naive_unary(struct naive *v, const Onnx__NodeProto *p)
{
    const struct nt *x = naive_get(v, p->input[0]);
    struct nt *y = naive_new(v, p->output[0], x->rank, x->dims);
    for (long i = 0; i < nt_count(x); i++)
        y->x[i] = naive_scalar(v, p, x->x[i]);
}

static inline void naive_product(struct naive *v, const Onnx__NodeProto *p, bool gemm)
{
    const struct nt *a = naive_get(v, p->input[0]), *b = naive_get(v, p->input[1]);
    const struct nt *c = p->n_input > 2 ? naive_get(v, p->input[2]) : NULL;
    bool trans = gemm && naive_int(p, "transB", 0);
    double alpha = gemm ? naive_float(p, "alpha", 1) : 1, beta = gemm ? naive_float(p, "beta", 1) : 0;
    long K = a->dims[a->rank - 1], N = b->dims[trans ? 0 : 1], M = nt_count(a) / K, dims[8];
    memcpy(dims, a->dims, sizeof dims);
    dims[a->rank - 1] = N;
    struct nt *y = naive_new(v, p->output[0], a->rank, dims);
    for (long m = 0; m < M; m++)
        for (long n = 0; n < N; n++) {
            double sum = 0;
            for (long k = 0; k < K; k++)
                sum += a->x[m * K + k] * b->x[trans ? n * K + k : k * N + n];
            y->x[m * N + n] = alpha * sum + (c ? beta * c->x[naive_broadcast(c, a->rank, dims, m * N + n)] : 0);
        }
}

static inline void naive_norm(struct naive *v, const Onnx__NodeProto *p)
{
    const struct nt *x = naive_get(v, p->input[0]), *in[4];
    struct nt *y = naive_new(v, p->output[0], x->rank, x->dims);
    long inner = nt_count(x) / (x->dims[0] * x->dims[1]);
    for (int i = 0; i < 4; i++)
        in[i] = naive_get(v, p->input[i + 1]);
    for (long i = 0; i < nt_count(x); i++) {
        long c = i / inner % x->dims[1];
        y->x[i] =
            (x->x[i] - in[2]->x[c]) / sqrt(in[3]->x[c] + naive_float(p, "epsilon", 1e-5)) * in[0]->x[c] + in[1]->x[c];
    }
}

#include "tests/onnx_naive_shape.h"

static inline void naive_tensor(struct naive *v, const char *name, const Onnx__TensorProto *p)
{
    long dims[8];
    for (size_t i = 0; i < p->n_dims; i++)
        dims[i] = (long)p->dims[i];
    struct nt *t = naive_new(v, name, (int)p->n_dims, dims);
    t->type = p->data_type;
    for (long i = 0; i < nt_count(t); i++) {
        if (p->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__INT8)
            t->x[i] = ((const int8_t *)p->raw_data.data)[i];
        else if (p->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__UINT8)
            t->x[i] = p->raw_data.data[i];
        else if (p->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__INT32)
            t->x[i] = ((const int32_t *)(const void *)p->raw_data.data)[i];
        else if (p->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__INT64)
            t->x[i] = (double)((const int64_t *)(const void *)p->raw_data.data)[i];
        else if (p->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT)
            t->x[i] = (double)((const float *)(const void *)p->raw_data.data)[i];
        else { /* float16 */
            unsigned h = p->raw_data.data[2 * i] | (unsigned)p->raw_data.data[2 * i + 1] << 8, e = h >> 10 & 31;
            t->x[i] = (h >> 15 ? -1 : 1) * (e ? ldexp(1024 + (h & 1023), (int)e - 25) : ldexp(h & 1023, -24));
        }
    }
}

static inline void naive_quantise(struct naive *v, const Onnx__NodeProto *p)
{
    const struct nt *x = naive_get(v, p->input[0]), *scale = naive_get(v, p->input[1]);
    const struct nt *zero = p->n_input > 2 ? naive_get(v, p->input[2]) : NULL;
    struct nt *y = naive_new(v, p->output[0], x->rank, x->dims);
    double low = zero && zero->type == ONNX__TENSOR_PROTO__DATA_TYPE__INT8 ? -128 : 0;
    long axis = naive_int(p, "axis", 1), each = 1;
    for (int i = (int)(axis < 0 ? axis + x->rank : axis) + 1; i < x->rank; i++)
        each *= x->dims[i];
    for (long i = 0; i < nt_count(x); i++) {
        long k = i / each % nt_count(scale);
        double z = zero ? zero->x[k] : 0;
        if (p->op_type[0] == 'D')
            y->x[i] = (x->x[i] - z) * scale->x[k];
        else
            y->x[i] = fmax(low, fmin(low + 255, nearbyint(x->x[i] / scale->x[k]) + z));
    }
}

static inline void naive_node(struct naive *v, const Onnx__NodeProto *p)
{
    const char *op = p->op_type;
    if (strcmp(op, "Conv") == 0 || strcmp(op, "MaxPool") == 0 || strcmp(op, "AveragePool") == 0)
        naive_conv_pool(v, p, op[0] == 'C', op[0] == 'M');
    else if (strcmp(op, "Add") == 0 || strcmp(op, "Sub") == 0 || strcmp(op, "Mul") == 0 || strcmp(op, "Div") == 0)
        naive_binary(v, p);
    else if (strcmp(op, "Gemm") == 0 || strcmp(op, "MatMul") == 0)
        naive_product(v, p, op[0] == 'G');
    else if (strcmp(op, "BatchNormalization") == 0)
        naive_norm(v, p);
    else if (strstr("Flatten Reshape Squeeze Unsqueeze", op))
        naive_reshape(v, p);
    else if (strcmp(op, "Transpose") == 0)
        naive_transpose(v, p);
    else if (strcmp(op, "Pad") == 0)
        naive_pad(v, p);
    else if (strcmp(op, "ReduceMean") == 0 || strcmp(op, "GlobalAveragePool") == 0)
        naive_mean(v, p, op[0] == 'G');
    else if (strcmp(op, "Softmax") == 0)
        naive_softmax(v, p);
    else if (strcmp(op, "QuantizeLinear") == 0 || strcmp(op, "DequantizeLinear") == 0)
        naive_quantise(v, p);
    else if (strcmp(op, "Constant") == 0)
        naive_tensor(v, p->output[0], p->attribute[0]->t);
    else
        naive_unary(v, p);
}

static inline struct naive *naive_run(const Onnx__ModelProto *m, const float *input)
{
    struct naive *v = calloc(1, sizeof *v);
    long dims[8];
    const Onnx__TensorShapeProto *s = m->graph->input[0]->type->tensor_type->shape;
    v->opset = (long)m->opset_import[0]->version;
    for (size_t i = 0; i < s->n_dim; i++)
        dims[i] = (long)s->dim[i]->dim_value;
    struct nt *in = naive_new(v, m->graph->input[0]->name, (int)s->n_dim, dims);
    for (long i = 0; i < nt_count(in); i++)
        in->x[i] = (double)input[i];
    for (size_t i = 0; i < m->graph->n_initializer; i++)
        naive_tensor(v, m->graph->initializer[i]->name, m->graph->initializer[i]);
    for (size_t i = 0; i < m->graph->n_node; i++)
        naive_node(v, m->graph->node[i]);
    return v;
}

static inline void naive_free(struct naive *v)
{
    for (int i = 0; i < v->n; i++)
        free(v->t[i].x);
    free(v);
}

#endif
