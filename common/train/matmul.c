#include "train/matmul.h"

#include <string.h>

enum { ROWS = 4 }; /* of C at once: with a tile of columns they stay in registers */

/* `rows` is a constant wherever this is called from. */
static inline __attribute__((always_inline)) void tile(float *c, size_t c_row, const float *a, size_t a_row,
                                                       size_t a_col, const float *b, size_t b_row, size_t k, int rows,
                                                       int add)
{
    float sum[ROWS][MATMUL_TILE];

    for (int i = 0; i < rows; i++)
        for (int j = 0; j < MATMUL_TILE; j++)
            sum[i][j] = add ? c[(size_t)i * c_row + (size_t)j] : 0;
    for (size_t l = 0; l < k; l++) {
        const float *line = b + l * b_row;
        for (int i = 0; i < rows; i++) {
            float x = a[(size_t)i * a_row + l * a_col];
            for (int j = 0; j < MATMUL_TILE; j++)
                sum[i][j] += x * line[j];
        }
    }
    for (int i = 0; i < rows; i++)
        memcpy(c + (size_t)i * c_row, sum[i], sizeof sum[i]);
}

void matmul(float *c, size_t c_row, const float *a, size_t a_row, size_t a_col, const float *b, size_t b_row, size_t m,
            size_t k, size_t n, int add)
{
    for (size_t j = 0; j < n; j += MATMUL_TILE) {
        size_t i = 0;
        for (; i + ROWS <= m; i += ROWS)
            tile(c + i * c_row + j, c_row, a + i * a_row, a_row, a_col, b + j, b_row, k, ROWS, add);
        for (; i < m; i++)
            tile(c + i * c_row + j, c_row, a + i * a_row, a_row, a_col, b + j, b_row, k, 1, add);
    }
}
