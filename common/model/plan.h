/* What an ONNX graph means, in the operators that XNNPACK has: shapes inferred, layouts settled, weights re-ordered, batch
 * normalisation and activations folded into what comes before them. No XNNPACK in here: engine.c builds from it.
 *
 * Operators: https://github.com/onnx/onnx/blob/main/docs/Operators.md */
#ifndef EARSHOT_PLAN_H
#define EARSHOT_PLAN_H

#include "model/graph.h"
#include "model/layout.h"

#define PLAN_SLACK      128               /* bytes after a buffer that XNNPACK may read (XNN_EXTRA_BYTES and more) */
#define PLAN_STORE_MAX  ((size_t)1 << 25) /* elements of one intermediate result */
#define PLAN_STORES_MAX ((size_t)1 << 27) /* and of all together */
#define PLAN_MACS_MAX   ((uint64_t)20000000000) /* multiply-adds of one inference: seconds of a core */

enum layer_op {
    LAYER_CONV,
    LAYER_DEPTHWISE,
    LAYER_DENSE,
    LAYER_MAX_POOL,
    LAYER_AVERAGE_POOL,
    LAYER_GLOBAL_AVERAGE,
    LAYER_ADD,
    LAYER_SUB,
    LAYER_MUL,
    LAYER_DIV,
    LAYER_CLAMP,
    LAYER_SIGMOID,
    LAYER_SOFTMAX, /* over the last dimension of the store */
    LAYER_ELU,
    LAYER_LEAKY_RELU,
    LAYER_HARDSWISH,
    LAYER_PAD,
    LAYER_RESHAPE,  /* a copy with another shape */
    LAYER_QUANTIZE, /* float -> 8 bits */
    LAYER_DEQUANTIZE,
    LAYER_OPS /* their number; a layer that another has taken the place of */
};

/* A tensor in memory. */
struct store {
    size_t rank, dims[GRAPH_RANK]; /* as XNNPACK is told, memory order */
    float *data;        /* constant operand of an element-wise layer, PLAN_SLACK behind it; owned. Else NULL */
    bool input, output; /* fed, read from outside */
    bool used;          /* some layer reads or writes it */
    bool int8;          /* (number - zero) * scale; else float */
    bool uint8;         /* the file's numbers are uint8: 128 more than the store's */
    float scale;
    int32_t zero;
    uint32_t *gather; /* input: element i in memory is element gather[i] of what is fed; NULL: the same order. Owned */
    size_t producer;  /* layer that writes it */
};

struct layer {
    enum layer_op op;
    const char *name;                                   /* of the ONNX node: the graph's */
    size_t in[2], out;                                  /* stores; in[1] only for ADD .. DIV */
    float min, max;                                     /* clamp on the result; -inf, inf: none */
    float alpha;                                        /* ELU, LEAKY_RELU; value of PAD */
    uint32_t kernel[2], stride[2], dilation[2], pad[4]; /* height, width; top, left, bottom, right */
    size_t groups, group_in, group_out;                 /* channels a group; DENSE: inputs, outputs */
    float *w, *b; /* CONV [out][kh][kw][group_in], DEPTHWISE [kh][kw][out], DENSE [out][in]; bias [out]. Owned */
    /* What w came from as 8-bit weights with the zero point 0: their scale for each output; else NULL. Owned. A layer that is to
     * compute in 8 bits has the weights in qw in place of w, and the bias in qb in units of qb_scale, which is input times weight.
     * DENSE: all scales are the same. */
    float *w_scale, *qb_scale;
    int8_t *qw;
    int32_t *qb;
    bool int8;
    size_t pre[GRAPH_RANK], post[GRAPH_RANK]; /* PAD */
    size_t rank, dims[GRAPH_RANK];            /* of the result as ONNX has it */
    uint64_t macs, parameters;
};

enum value_kind { VALUE_NONE, VALUE_CONSTANT, VALUE_STORE };

/* What a graph value has become. */
struct plan_value {
    enum value_kind kind;
    struct layout layout;              /* not for int64 constants */
    const struct graph_tensor *tensor; /* VALUE_CONSTANT */
    size_t store;                      /* VALUE_STORE */
    bool sole;                         /* no other value reads this store: a layer may be changed under it */
};

/* A constant that a DequantizeLinear or QuantizeLinear made of another. */
struct made {
    struct graph_tensor tensor;
    float *
        scale; /* of the 8-bit weights with zero points 0 that tensor.f was: one, or one for each place along axis; else NULL */
    size_t n_scale, axis;
};

struct plan {
    const struct graph *graph;
    struct plan_value *values; /* one for each of the graph's */
    struct store *stores;
    struct layer *layers; /* in the order of execution */
    size_t n_stores, max_stores, n_layers, max_layers;
    size_t *fused;     /* one for each node, see fuse_find */
    struct made *made; /* one for each node */
    size_t elements;
    uint64_t macs;
};

/* The plan borrows the graph. Errors name the node and the operator. */
struct plan *plan_new(const struct graph *g, struct err *err);
void plan_free(struct plan *p);

/* Lets layers compute in 8 bits where the graph says that what they read and write is quantised (plan_int8.c). */
int plan_int8(struct plan *p, struct err *err);

const char *layer_name(const struct layer *l);

#endif
