/* Dense nets as ONNX files, alone or behind another model's embedding: what training gives to `--model`. */
#ifndef EARSHOT_ONNX_WRITE_H
#define EARSHOT_ONNX_WRITE_H

#include "base/err.h"
#include "model/graph.h"
#include <stddef.h>
#include <stdint.h>

enum { ONNX_LAYERS_MAX = 16 };

/* y = W x + b; ReLU behind each but the last. Borrowed. */
struct onnx_layer {
    size_t in, out;
    const float *weight; /* [out * in] */
    const float *bias;   /* [out] */
};

struct onnx_net {
    const struct onnx_layer *layer; /* [n], n <= ONNX_LAYERS_MAX; each takes what the one before gives */
    size_t n;
    const struct graph_metadata *metadata; /* [n_metadata], all that the file is to say of itself; valid UTF-8 */
    size_t n_metadata;
};

/* Input `name` [1, in], output "scores" [1, out]. The bytes of the file, the caller's to free, *size of them; NULL: no memory. */
uint8_t *onnx_write_net(const struct onnx_net *net, const char *name, size_t *size, struct err *err);

/* The file `body` with all that gives its output "embedding", and the net behind that: outputs "scores" and "embedding". What served the
 * body's own scores alone is left out, and its metadata are not taken over. NULL: the file cannot be read, has no such output, or one
 * that is not [1, in of the first layer]. */
uint8_t *onnx_write_head(const struct onnx_net *net, const char *body, size_t *size, struct err *err);

#endif
