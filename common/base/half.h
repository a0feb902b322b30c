/* IEEE 754 half precision (binary16), as bits: models and embeddings that are kept take half the room. */
#ifndef EARSHOT_HALF_H
#define EARSHOT_HALF_H

#include <stdint.h>

float half_to_float(uint16_t h);

/* The nearest one, ties to even. What is too large for it becomes the largest finite one, ±65504; NaN becomes 0. */
uint16_t half_from_float(float f);

#endif
