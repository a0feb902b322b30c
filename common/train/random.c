#include "train/random.h"

static uint64_t splitmix(uint64_t *x)
{
    uint64_t z = *x += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void random_seed(struct random *r, uint64_t seed, uint64_t stream)
{
    uint64_t x = seed, mixed = splitmix(&x) ^ (stream * UINT64_C(0xd1342543de82ef95));

    for (int i = 0; i < 4; i++)
        r->s[i] = splitmix(&mixed);
}

size_t random_below(struct random *r, size_t n)
{
    uint64_t limit = UINT64_MAX - UINT64_MAX % n, x; /* beyond it the small ones would come more often */

    do
        x = random_next(r);
    while (x >= limit);
    return (size_t)(x % n);
}

void random_shuffle(struct random *r, size_t *items, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t k = random_below(r, i), held = items[i - 1];
        items[i - 1] = items[k];
        items[k] = held;
    }
}
