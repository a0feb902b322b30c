/* Embeddings of what a model hears elsewhere: the negatives that a taught sound is told apart from. Ships beside the model, MODEL.background
 * beside MODEL.onnx; models/teach_background.py makes it. A file is hostile input: everything is checked.
 *
 *   "earshot background 1\n"
 *   u64 hash       of the model file (teach_model_hash)
 *   u32 rows, u32 dims
 *   f32 scale[dims]
 *   i16 label[rows]         the model's label whose sound it is, in its order; -1: none of them
 *   i8  value[rows][dims]   embedding = scale * value
 *   u64 FNV-1a of all before
 * Little endian throughout. */
#ifndef EARSHOT_BACKGROUND_H
#define EARSHOT_BACKGROUND_H

#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

#define BACKGROUND_ROWS 20000
#define TEACH_DIMS      2048 /* values of an embedding at most, to teach from */

struct background {
    uint64_t model;
    size_t n, dims;
    int16_t *label; /* [n] */
    float *rows;    /* [n][dims] */
};

/* "…/earshot-s.onnx" -> "…/earshot-s.background". -1: too long. */
int background_path(const char *model_path, char *out, size_t size, struct err *err);

/* -1 with err, whose text begins with the path: it is not there, or no such file. */
int background_read(struct background *b, const char *path, struct err *err);

/* The same of bytes, for tests and fuzzing; err's text names no file. */
int background_parse(struct background *b, const void *bytes, size_t size, struct err *err);
void background_free(struct background *b);

/* What ties embeddings to the network that made them: FNV-1a, 64 bit, over the model's file. */
int teach_model_hash(const char *model_path, uint64_t *out, struct err *err);

#endif
