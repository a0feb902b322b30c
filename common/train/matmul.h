/* Products of matrices for small nets. All matrices are float; rows of B and C are padded to whole MATMUL_TILE columns, whose padding
 * is computed along: zeros in B's give zeros in C's. */
#ifndef EARSHOT_MATMUL_H
#define EARSHOT_MATMUL_H

#include <stddef.h>

enum { MATMUL_TILE = 16 };

static inline size_t matmul_padded(size_t n)
{
    return (n + MATMUL_TILE - 1) / MATMUL_TILE * MATMUL_TILE;
}

/* C[m x n] = A[m x k] B[k x n] (or C += with `add`). a(i, l) = a[i * a_row + l * a_col]: a transposed A costs nothing. b_row and c_row: floats from
 * a row to the next one, whole tiles. Sums run over l in order: one kind of processor gives one
 * result, always; where it multiplies and adds in one step, the last digits are others. */
void matmul(float *c, size_t c_row, const float *a, size_t a_row, size_t a_col, const float *b, size_t b_row, size_t m,
            size_t k, size_t n, int add);

#endif
