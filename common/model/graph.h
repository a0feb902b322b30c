/* A neural network as an ONNX file states it, checked: every tensor has the data that its shape asks for, every name is
 * defined before it is read, every node belongs to the ONNX operator set. What the operators mean is plan.h's matter.
 *
 * Strings and weights belong to the graph; they contain no control characters and are valid UTF-8. */
#ifndef EARSHOT_GRAPH_H
#define EARSHOT_GRAPH_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GRAPH_RANK       6                   /* dimensions of a tensor */
#define GRAPH_TENSOR_MAX ((size_t)1 << 26)   /* elements of a tensor */
#define GRAPH_FILE_MAX   ((size_t)256 << 20) /* bytes of a model file */
#define GRAPH_NODES_MAX  4096
#define GRAPH_OPSET_MIN  7
#define GRAPH_OPSET_MAX  22

/* Of what graph_tensor.q holds: TensorProto.DataType */
enum graph_type { GRAPH_UINT8 = 2, GRAPH_INT8 = 3, GRAPH_INT32 = 6 };

/* A constant. Exactly one of f, i and q is set; all row-major, n elements. n is 0 only for a list (rank 1) of int64. */
struct graph_tensor {
    const char *name;
    size_t rank, dims[GRAPH_RANK], n;
    const float *f; /* finite; float16 already widened */
    const int64_t *i;
    const float
        *q; /* int8, uint8 or int32 (rounded to 24 bits), widened: what QuantizeLinear and DequantizeLinear read */
    enum graph_type type; /* of q */
    void *owned;          /* what f or q points into when it was converted */
};

enum attr_type { ATTR_OTHER, ATTR_INT, ATTR_FLOAT, ATTR_INTS, ATTR_FLOATS, ATTR_STRING, ATTR_TENSOR };

struct graph_attr {
    const char *name;
    enum attr_type type;
    int64_t i;
    float f;
    size_t n;
    const int64_t *ints;
    const float *floats;
    const char *s; /* n bytes, not terminated */
    struct graph_tensor *tensor;
};

#define GRAPH_ABSENT SIZE_MAX /* an optional input that is left out */

struct graph_node {
    const char *name; /* the node's, or its first output's where it has none */
    const char *op;
    size_t n_in, n_out, n_attrs;
    size_t *in, *out; /* numbers of values, or GRAPH_ABSENT */
    struct graph_attr *attrs;
    bool live; /* some graph output depends on it */
};

struct graph_value {
    const char *name;
    const struct graph_tensor *tensor; /* a constant's; else NULL */
    size_t uses;                       /* inputs of live nodes that read it */
    bool output;                       /* a graph output */
};

struct graph_metadata {
    const char *key, *value; /* value may contain newlines and tabs */
};

struct graph {
    int64_t opset;
    size_t n_values, n_nodes, n_tensors, n_outputs, n_metadata;
    struct graph_value *values;
    struct graph_node *nodes; /* each after those that it reads from */
    struct graph_tensor *tensors;
    size_t input; /* number of the one value that is fed */
    size_t input_rank, input_dims[GRAPH_RANK];
    size_t *outputs; /* numbers of values, in the file's order */
    struct graph_metadata *metadata;
    uint64_t parameters; /* elements of the float constants that live nodes read */
    void *message;       /* the parsed file, which the strings and weights above point into */
};

/* The bytes of a file of at most GRAPH_FILE_MAX, the caller's to free. -1: err does not name the file. */
int graph_read(const char *path, uint8_t **bytes, size_t *size, struct err *err);
/* Reads and checks a file. NULL with err: "PATH: what is wrong". */
struct graph *graph_load(const char *path, struct err *err);
/* The same from memory; the bytes may go away afterwards. */
struct graph *graph_parse(const uint8_t *bytes, size_t size, struct err *err);
void graph_free(struct graph *g);

const char *graph_metadata(const struct graph *g, const char *key); /* NULL: not there */

/* "node 'NAME' (OP): text" */
int node_err(const struct graph_node *node, struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Attributes. An absent one leaves *out alone; one of another type is an error. */
int node_int(const struct graph_node *node, const char *name, int64_t *out, struct err *err);
int node_float(const struct graph_node *node, const char *name, float *out, struct err *err);
#define NODE_STRING 32
int node_string(const struct graph_node *node, const char *name, char out[NODE_STRING], struct err *err);
int node_ints(const struct graph_node *node, const char *name, const int64_t **out, size_t *n, struct err *err);
const struct graph_attr *node_attr(const struct graph_node *node, const char *name);

#endif
