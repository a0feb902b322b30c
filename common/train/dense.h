/* A net of dense layers: ReLU and dropout behind each but the last, softmax and cross-entropy behind that one. Weights lie in one
 * array, so that an optimiser need not know what they mean. */
#ifndef EARSHOT_DENSE_H
#define EARSHOT_DENSE_H

#include "base/err.h"
#include "train/random.h"
#include <stddef.h>

enum { DENSE_LAYERS_MAX = 8, DENSE_UNITS_MAX = 4096, DENSE_BATCH_MAX = 4096 };

struct dense_shape {
    size_t n_layers;                    /* 1: linear */
    size_t units[DENSE_LAYERS_MAX + 1]; /* [n_layers + 1]: inputs, hidden ones, classes */
};

struct dense;

/* Weights are zero. batch: the most rows at once. */
struct dense *dense_new(const struct dense_shape *shape, size_t batch, struct err *err);
void dense_free(struct dense *d);
const struct dense_shape *dense_shape(const struct dense *d);

/* Weights uniform within +-sqrt(6 / (in + out)), biases zero: X. Glorot, Y. Bengio, "Understanding the difficulty of training deep
 * feedforward neural networks", AISTATS 2010. */
void dense_init(struct dense *d, struct random *r);

/* All weights and biases with the padding between them, which stays zero; the gradient has the same layout. */
size_t dense_size(const struct dense *d);
float *dense_weights(struct dense *d);
float *dense_gradient(struct dense *d);
/* Weight from input i to unit o of layer l (from 0): an index into both; dense_bias likewise. */
size_t dense_weight_at(const struct dense *d, size_t l, size_t i, size_t o);
size_t dense_bias_at(const struct dense *d, size_t l, size_t o);

/* Where row i of a batch's inputs is to be written, [units[0]]. */
float *dense_input(struct dense *d, size_t i);

/* Of the first n inputs. scores: [n * classes], they sum to 1 in each row. Allocates nothing. */
void dense_scores(struct dense *d, size_t n, float *scores);

/* Mean cross-entropy (natural logarithm) of the first n inputs against label[n], with its gradient. dropout: share of the hidden units
 * that are silenced, the others are raised by 1 / (1 - dropout) (N. Srivastava et al., "Dropout", JMLR 15 (2014)); 0 draws no random
 * number, and r may be NULL then. Allocates nothing. */
double dense_learn(struct dense *d, const unsigned *label, size_t n, float dropout, struct random *r);

/* A layer as others write it: weight [out * in], row by row, and bias [out]. */
void dense_layer(const struct dense *d, size_t l, float *weight, float *bias);

#endif
