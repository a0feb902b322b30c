/* What the files that turn ONNX bytes into a struct graph share. Nobody else needs it. */
#ifndef EARSHOT_ONNX_H
#define EARSHOT_ONNX_H

#include "model/graph.h"
#include "onnx.pb-c.h"

/* Unpacks a ModelProto. Before the parser sees them, the bytes are walked once along the schema: wrong lengths and messages
 * nested deeper than any model needs are refused there, since the parser recurses. Its memory is bounded too. */
Onnx__ModelProto *onnx_unpack(const uint8_t *bytes, size_t size, struct err *err);
void onnx_release(Onnx__ModelProto *message);

/* Replaces control characters by '?', and, where the text is not UTF-8, every byte that is not ASCII. In place: names are
 * printed on terminals and into JSON. `lines`: newlines and tabs may stay. */
void onnx_clean(char *text, bool lines);

/* Fills t from p: dimensions and data type checked, data present in full, floats finite. Errors begin with `what`. */
int onnx_tensor(const Onnx__TensorProto *p, const char *what, struct graph_tensor *t, struct err *err);
void onnx_tensor_free(struct graph_tensor *t);

/* Fills node from p but for its values. */
int onnx_attributes(const Onnx__NodeProto *p, struct graph_node *node, struct err *err);
void onnx_attributes_free(struct graph_node *node);

/* What a Constant node holds: owned by the node. NULL with err. */
const struct graph_tensor *onnx_constant(const struct graph_node *node, struct err *err);

#endif
