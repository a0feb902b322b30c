/* Runs an ONNX graph with XNNPACK, on the calling thread. Knows nothing of sounds: model.h puts meaning on top.
 *
 * XNNPACK packs the weights of convolutions and dense layers into its own form when the engine is made; nothing else keeps
 * them, neither the parsed file nor a re-ordered copy. */
#ifndef EARSHOT_ENGINE_H
#define EARSHOT_ENGINE_H

#include "base/err.h"
#include "model/graph.h"
#include <stddef.h>
#include <stdint.h>

struct engine;

struct engine_tensor {
    char name[64];
    size_t rank, dims[GRAPH_RANK], n; /* n: product of dims */
};

struct engine_layer {
    char name[64];                 /* of the ONNX node that it came from */
    const char *op;                /* layer_name */
    size_t rank, dims[GRAPH_RANK]; /* of its result, in ONNX's order */
    uint64_t parameters, macs;
};

struct engine_stats {
    uint64_t parameters; /* elements of the constants in the file that the graph reads */
    uint64_t macs;       /* multiply-adds of one run */
    size_t weight_bytes; /* weights and constants that stay in memory, padding of XNNPACK's packing not counted */
    size_t n_layers;
};

/* From a file, or from a graph, which may be freed afterwards. NULL with err naming what cannot be run. */
struct engine *engine_load(const char *path, struct err *err);
struct engine *engine_new(const struct graph *g, struct err *err);
void engine_free(struct engine *e);

const struct engine_tensor *engine_input(const struct engine *e);
size_t engine_outputs(const struct engine *e);
const struct engine_tensor *engine_output(const struct engine *e, size_t i);
int engine_find_output(const struct engine *e, const char *name); /* its number, or -1 */
const struct engine_stats *engine_stats(const struct engine *e);
const struct engine_layer *engine_layer(const struct engine *e, size_t i);

/* input: engine_input()->n floats in ONNX's order. outputs[i]: engine_output(i)->n floats, or NULL for one that is not wanted.
 * Allocates nothing. 0, or -1: XNNPACK failed, the outputs are unchanged. One thread at a time for one engine. */
int engine_run(struct engine *e, const float *input, float *const *outputs);

#endif
