/* A picture of how training went, as SVG 1.1 that needs no other file. */
#ifndef EARSHOT_CURVE_H
#define EARSHOT_CURVE_H

#include "train/fit.h"
#include <stdio.h>

/* Above, the loss of what is trained on and of what is checked over the epochs; below, the share of the checked windows that is right. The
 * epoch that is kept is marked. title: any bytes. */
void curve_picture(FILE *out, const struct fit_point *points, size_t n, size_t best, const char *title);

#endif
