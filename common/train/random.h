/* Random numbers for training: the same ones for the same seed on every machine. xoshiro256** of D. Blackman and S. Vigna, "Scrambled
 * linear pseudorandom number generators", ACM TOMS 47 (2021), seeded by their splitmix64. Not for secrets. */
#ifndef EARSHOT_RANDOM_H
#define EARSHOT_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Plain numbers: saved and read back with whatever holds it. */
struct random {
    uint64_t s[4];
};

/* Streams of one seed have nothing to do with each other. */
void random_seed(struct random *r, uint64_t seed, uint64_t stream);

static inline uint64_t random_next(struct random *r)
{
    uint64_t x = r->s[1] * 5, result = ((x << 7) | (x >> 57)) * 9, t = r->s[1] << 17;

    r->s[2] ^= r->s[0];
    r->s[3] ^= r->s[1];
    r->s[1] ^= r->s[2];
    r->s[0] ^= r->s[3];
    r->s[2] ^= t;
    r->s[3] = (r->s[3] << 45) | (r->s[3] >> 19);
    return result;
}

/* 0 <= x < 1, multiples of 2^-24 */
static inline float random_unit(struct random *r)
{
    return (float)(random_next(r) >> 40) * 0x1p-24f;
}

/* 0 <= x < n; n > 0 */
size_t random_below(struct random *r, size_t n);

/* Fisher and Yates */
void random_shuffle(struct random *r, size_t *items, size_t n);

#endif
