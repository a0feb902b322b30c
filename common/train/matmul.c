#include "train/matmul.h"

#include <stdbool.h>

/* Vectors that lie anywhere. */
typedef float four __attribute__((vector_size(16), aligned(4), may_alias));
typedef float eight __attribute__((vector_size(32), aligned(4), may_alias));

enum { ROWS = 4 };

/* NOLINTBEGIN(bugprone-macro-parentheses): a type cannot stand in parentheses */
/* block_NAME: a block of C of `rows` (a constant wherever it is called from) x two vectors stays in registers; product_NAME: all
 * blocks. */
#define PRODUCT(NAME, VECTOR, ATTRIBUTE)                                                                               \
    ATTRIBUTE static inline __attribute__((always_inline)) void block_##NAME(                                          \
        float *c, size_t c_row, const float *a, size_t a_row, size_t a_col, const float *b, size_t b_row, size_t k,    \
        int rows, int add)                                                                                             \
    {                                                                                                                  \
        VECTOR sum[ROWS][2];                                                                                           \
                                                                                                                       \
        for (int i = 0; i < rows; i++)                                                                                 \
            for (int j = 0; j < 2; j++)                                                                                \
                sum[i][j] = add ? ((const VECTOR *)(c + (size_t)i * c_row))[j] : (VECTOR){0};                          \
        for (size_t l = 0; l < k; l++) {                                                                               \
            const VECTOR *line = (const VECTOR *)(b + l * b_row);                                                      \
            VECTOR left = line[0], right = line[1];                                                                    \
            for (int i = 0; i < rows; i++) {                                                                           \
                float x = a[(size_t)i * a_row + l * a_col];                                                            \
                sum[i][0] += x * left;                                                                                 \
                sum[i][1] += x * right;                                                                                \
            }                                                                                                          \
        }                                                                                                              \
        for (int i = 0; i < rows; i++)                                                                                 \
            for (int j = 0; j < 2; j++)                                                                                \
                ((VECTOR *)(c + (size_t)i * c_row))[j] = sum[i][j];                                                    \
    }                                                                                                                  \
                                                                                                                       \
    ATTRIBUTE static void product_##NAME(float *c, size_t c_row, const float *a, size_t a_row, size_t a_col,           \
                                         const float *b, size_t b_row, size_t m, size_t k, size_t n, int add)          \
    {                                                                                                                  \
        for (size_t j = 0; j < n; j += 2 * sizeof(VECTOR) / sizeof(float)) {                                           \
            size_t i = 0;                                                                                              \
            for (; i + ROWS <= m; i += ROWS)                                                                           \
                block_##NAME(c + i * c_row + j, c_row, a + i * a_row, a_row, a_col, b + j, b_row, k, ROWS, add);       \
            for (; i < m; i++)                                                                                         \
                block_##NAME(c + i * c_row + j, c_row, a + i * a_row, a_row, a_col, b + j, b_row, k, 1, add);          \
        }                                                                                                              \
    }

/* NOLINTEND(bugprone-macro-parentheses) */

/* What every processor of 64 bits has. */
PRODUCT(any, four, )

#ifdef __x86_64__
PRODUCT(avx2, eight, __attribute__((target("avx2,fma"))))

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#endif

void matmul(float *c, size_t c_row, const float *a, size_t a_row, size_t a_col, const float *b, size_t b_row, size_t m,
            size_t k, size_t n, int add)
{
    n = matmul_padded(n);
#ifdef __x86_64__
    if (has_avx2()) {
        product_avx2(c, c_row, a, a_row, a_col, b, b_row, m, k, n, add);
        return;
    }
#endif
    product_any(c, c_row, a, a_row, a_col, b, b_row, m, k, n, add);
}
