/* The one place that knows XNNPACK: a plan in, a runtime out. */
#ifndef EARSHOT_XNN_H
#define EARSHOT_XNN_H

#include "model/plan.h"

struct xnn_runtime;

/* buffers[store]: memory for every store that is fed or read from outside (NULL for the others), PLAN_SLACK behind it. The
 * runtime keeps pointers to them and to the data of constant stores, and none to the weights of layers. */
struct xnn_runtime *xnn_build(const struct plan *p, float *const *buffers, struct err *err);
void xnn_free(struct xnn_runtime *r);
int xnn_run(struct xnn_runtime *r); /* 0, or -1 */

#endif
