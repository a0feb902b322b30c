/* D. Kingma, J. Ba, "Adam: a method for stochastic optimization", ICLR 2015; the decay of weights apart from the gradient: I. Loshchilov, F. Hutter,
 * "Decoupled weight decay regularization", ICLR 2019. */
#ifndef EARSHOT_ADAM_H
#define EARSHOT_ADAM_H

#include <stddef.h>
#include <stdint.h>

struct adam {
    float rate, beta1, beta2, epsilon;
    float decay; /* of the weights, by rate * decay a step; 0: none */
    uint64_t steps;
    size_t n;
    float *mean, *square; /* [n], running means of the gradient and of its square */
};

/* The paper's beta1 0.9, beta2 0.999, epsilon 1e-8. -1: no memory; free in either case. */
int adam_init(struct adam *a, size_t n, float rate, float decay);
void adam_free(struct adam *a);

/* weights, gradient: [n]. */
void adam_step(struct adam *a, float *weights, const float *gradient);

#endif
