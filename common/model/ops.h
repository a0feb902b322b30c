/* What the files that translate ONNX operators (ops_*.c) share. Nobody else needs it. */
#ifndef EARSHOT_OPS_H
#define EARSHOT_OPS_H

#include "model/plan.h"

/* Translates one node: adds layers and sets what its first output has become. 0, or -1 with err naming the node. */
typedef int op_fn(struct plan *p, const struct graph_node *node, struct err *err);

op_fn op_conv, op_max_pool, op_average_pool, op_global_average, op_batch_norm;
op_fn op_gemm, op_matmul;
op_fn op_relu, op_clip, op_sigmoid, op_tanh, op_elu, op_selu, op_leaky_relu, op_hard_swish, op_hard_sigmoid, op_softmax;
op_fn op_binary;
op_fn op_quantize, op_dequantize;
op_fn op_flatten, op_reshape, op_squeeze, op_unsqueeze, op_transpose, op_same, op_cast, op_pad, op_reduce_mean;

/* Finds hardswish as exporters write it, x * clip(x + 3, 0, 6) / 6 in any order, and HardSigmoid(x) * x. fused[node]: the value x
 * for the last node of the chain, FUSED_AWAY for the others in it, GRAPH_ABSENT for all else. */
#define FUSED_AWAY (SIZE_MAX - 1)
int fuse_find(const struct graph *g, size_t *fused, struct err *err);
/* Puts a hardswish of value x in place of the node. */
int op_fused_hardswish(struct plan *p, const struct graph_node *node, size_t x, struct err *err);

/* Bounds of a Clip, attributes or inputs; constants alone. */
int clip_bounds(const struct graph *g, const struct graph_node *node, float *min, float *max, struct err *err);

/* Inputs. An input that is there and holds data at run time (op_value), or a constant. */
bool op_has(const struct graph_node *node, size_t i);
int op_value(const struct plan *p, const struct graph_node *node, size_t i, struct plan_value *out, struct err *err);
int op_ints(const struct plan *p, const struct graph_node *node, size_t i, const int64_t **out, size_t *n,
            struct err *err);
int op_scalar(const struct plan *p, const struct graph_node *node, size_t i, float *out, struct err *err);

/* A constant's elements in ONNX's order: element i is f[map ? map[i] : i]. free(map) afterwards. */
struct constant {
    struct layout layout;
    const float *f;
    uint32_t *map;
    size_t n;
};
int op_constant_open(const struct plan_value *v, struct constant *c, struct err *err);
int op_constant_input(const struct plan *p, const struct graph_node *node, size_t i, struct constant *c,
                      struct err *err);
static inline float constant_at(const struct constant *c, size_t i)
{
    return c->f[c->map ? c->map[i] : i];
}

/* A new store of that shape; GRAPH_ABSENT with err naming the node where it would be too large. */
size_t op_store(struct plan *p, const struct graph_node *node, size_t rank, const size_t *dims, struct err *err);
/* A constant store with room for the product of dims; the caller fills stores[].data. */
size_t op_static(struct plan *p, const struct graph_node *node, size_t rank, const size_t *dims, struct err *err);
/* `store` itself if it has that shape, else a reshaped copy of it (free for an input that nothing has read yet). */
size_t op_shaped(struct plan *p, const struct graph_node *node, size_t store, size_t rank, const size_t *dims,
                 struct err *err);

/* A new layer; its clamp is open and its numbers are zero. NULL with err: too many. */
struct layer *op_layer(struct plan *p, const struct graph_node *node, enum layer_op op, size_t in0, size_t in1,
                       size_t out, struct err *err);

/* The node's first output is `store`, seen through `layout`. Also tells the newest layer its ONNX shape. */
void op_result(struct plan *p, const struct graph_node *node, const struct layout *layout, size_t store);
/* The node's first output is `from`, seen through `layout`: nothing happens at run time. */
void op_alias(struct plan *p, const struct graph_node *node, const struct plan_value *from,
              const struct layout *layout);

/* Brings v's dimensions into memory order `order`. Free where it is so already or v is the graph's input, which can be fed in
 * any order; else an error: no layer moves data. */
int op_arrange(struct plan *p, const struct graph_node *node, struct plan_value *v, const size_t *order,
               struct err *err);

/* If v is the graph's input: feed it in ONNX's own order. */
int op_feed_plain(struct plan *p, const struct graph_node *node, struct plan_value *v, struct err *err);

/* The layer under v, if it may be changed and is a convolution or dense; else NULL. `bare`: it has no clamp yet. */
struct layer *op_foldable(struct plan *p, const struct plan_value *v, bool bare);
/* y = x * scale[c] + shift[c] after a foldable layer, worked into its weights. */
void op_fold(struct layer *layer, const float *scale, const float *shift);

/* If the weights of the node's second input were 8-bit ones: keeps their scales in the layer, `axis` being that of the outputs. */
int op_weight_scales(struct plan *p, const struct graph_node *node, struct layer *l, size_t axis, struct err *err);

/* Element-wise a OP b with broadcasting; the operands' layouts are changed. *result: what came of it. */
int op_elementwise(struct plan *p, const struct graph_node *node, enum layer_op op, struct plan_value *a,
                   struct plan_value *b, struct plan_value *result, struct err *err);
/* x OP c, or c OP x where the constant comes first; worked into the layer before where that can be. */
int op_with_constant(struct plan *p, const struct graph_node *node, enum layer_op op, struct plan_value *x,
                     const struct constant *c, bool first, struct plan_value *result, struct err *err);
/* x = x OP number */
int op_with_scalar(struct plan *p, const struct graph_node *node, enum layer_op op, struct plan_value *x, float number,
                   struct err *err);

/* Adds MACs to the plan and the layer. -1: more than PLAN_MACS_MAX. */
int op_macs(struct plan *p, const struct graph_node *node, struct layer *layer, uint64_t a, uint64_t b, uint64_t c,
            struct err *err);

float *op_floats(size_t n); /* n zeros and PLAN_SLACK */

#endif
