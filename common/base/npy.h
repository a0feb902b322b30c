/* NumPy .npy files, version 1, little-endian float32, C order: what numpy.load reads. */
#ifndef EARSHOT_NPY_H
#define EARSHOT_NPY_H

#include "base/err.h"
#include <stddef.h>

enum { NPY_DIMS = 8 };

/* Writes an array as it comes, with its first dimension counted. The file stands under PATH.part until npy_finish. */
struct npy_writer;

/* item: the shape of one item, [n_item] with n_item < NPY_DIMS (0: a scalar each). The array is [items, item...]. */
struct npy_writer *npy_create(const char *path, const size_t *item, size_t n_item, struct err *err);
int npy_append(struct npy_writer *w, const float *items, size_t count, struct err *err);
/* Both free the writer; NULL is fine for npy_abandon. */
int npy_finish(struct npy_writer *w, struct err *err);
void npy_abandon(struct npy_writer *w);

/* A whole array at once. */
int npy_write(const char *path, const float *data, const size_t *shape, size_t dims, struct err *err);

/* Data is malloc'ed, the caller's; NULL with err for any other kind of file. shape: the first *dims are set. */
float *npy_read(const char *path, size_t shape[NPY_DIMS], size_t *dims, struct err *err);

#endif
