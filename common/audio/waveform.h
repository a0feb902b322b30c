/* A sound of any length as the outline of its picture: the least and the greatest sample of each of at most WAVEFORM_POINTS stretches of
 * the same length. That length begins at one sample and doubles whenever there would be more, so that a sound is streamed through and
 * more than half of the points are used once they were full. Needs no memory but its own. */
#ifndef EARSHOT_WAVEFORM_H
#define EARSHOT_WAVEFORM_H

#include <stddef.h>
#include <stdint.h>

enum { WAVEFORM_POINTS = 1000 };

struct waveform {
    uint64_t per;                                     /* samples in a stretch */
    uint64_t in;                                      /* samples in the last stretch, which may be shorter */
    size_t n;                                         /* stretches begun; `in` samples are in the last */
    float min[WAVEFORM_POINTS], max[WAVEFORM_POINTS]; /* within -1..1, louder ones are cut there */
};

void waveform_init(struct waveform *w);

/* n mono samples, any n. What is not finite counts as 0. */
void waveform_do(struct waveform *w, const float *x, size_t n);

#endif
