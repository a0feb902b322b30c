/* One sound as it may come another time: at another moment of the window, another level, over noise. (Simulated rooms and microphones were
 * tried too: heads became too lenient by them, and heard less at the same number of false alarms.) Draws from a generator of its own, so that the
 * same sound gives the same windows. */
#ifndef EARSHOT_AUGMENT_H
#define EARSHOT_AUGMENT_H

#include <stddef.h>
#include <stdint.h>

struct augment {
    uint64_t state; /* of the generator; any number to start from */
    unsigned rate;  /* Hz */
};

/* out: [n], a window cut from x (m samples, of which from..to is the sound) at a moment that is drawn, so that a good part of the
 * sound is in it, at a level and over noise that are drawn too. */
void augment_do(struct augment *a, const float *x, size_t m, size_t from, size_t to, float *out, size_t n);

/* 0 <= result < 1 */
double augment_uniform(struct augment *a);

#endif
