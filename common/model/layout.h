/* How a tensor's elements lie in memory, apart from the shape that ONNX gives it. XNNPACK wants channels last where ONNX has them
 * second; and where a graph flattens, transposes or reshapes, nothing need move: only the description changes.
 *
 * Each dimension is a product of factors (those of size 1 are left out), and each factor has its place in memory. A
 * [1,64,3,2] tensor with channels last has the factors 64, 3, 2 at places 2, 0, 1; flattened to [1,384] it has the same ones. */
#ifndef EARSHOT_LAYOUT_H
#define EARSHOT_LAYOUT_H

#include "model/graph.h"

#define LAYOUT_FACTORS 12

struct layout {
    size_t rank, dims[GRAPH_RANK];
    size_t factors;
    size_t size[LAYOUT_FACTORS];  /* in ONNX's order: the last one of the last dimension runs fastest */
    size_t place[LAYOUT_FACTORS]; /* 0: outermost in memory */
};

/* Memory order = ONNX order. */
void layout_plain(struct layout *l, size_t rank, const size_t *dims);
/* Dimensions in memory order `order`, a permutation of 0..rank-1, outermost first. */
void layout_ordered(struct layout *l, size_t rank, const size_t *dims, const size_t *order);

size_t layout_count(const struct layout *l);

/* The same memory seen with other dimensions. -1: the boundaries do not fit. from may be to. */
int layout_reshape(const struct layout *from, size_t rank, const size_t *dims, struct layout *to);
/* Dimension i of `to` is dimension perm[i] of `from`. */
void layout_transpose(const struct layout *from, const size_t *perm, struct layout *to);

/* Factors of one dimension: *first .. *first + the result - 1. */
size_t layout_axis(const struct layout *l, size_t axis, size_t *first);

/* Do the dimensions, each in one piece, lie in memory in this order? (Those of size 1 fit anywhere.) */
bool layout_is_ordered(const struct layout *l, const size_t *order);

/* map[i]: place in memory of the element that ONNX counts as number i. layout_count(l) elements; malloc'ed; NULL: no memory. */
uint32_t *layout_map(const struct layout *l);

/* Memory order of N, C, spatial... tensors with the channels last: 0, 2, .., rank-1, 1. */
void layout_channels_last(size_t rank, size_t *order);

#endif
