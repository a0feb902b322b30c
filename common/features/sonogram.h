/* A sound of any length in a picture's few columns: the levels of 64 bands (features/bandlevels.h) over time. Column i is the mean power
 * from i to i + 1 times step_s. Steps begin at 20 ms and double whenever there would be more than SONOGRAM_COLUMNS, so that a sound
 * is streamed through and a long one has as fine a picture as there is room for (more than half of the columns are used, once they
 * were full). Allocates in sonogram_new only. */
#ifndef EARSHOT_SONOGRAM_H
#define EARSHOT_SONOGRAM_H

#include "features/bandlevels.h"

enum { SONOGRAM_COLUMNS = 500 };

struct sonogram;

/* rate: Hz, 1000 to 768000. */
struct sonogram *sonogram_new(unsigned rate, struct err *err);
void sonogram_free(struct sonogram *s);

/* n mono samples, any n. What is not finite counts as 0. */
void sonogram_do(struct sonogram *s, const float *x, size_t n);

struct sonogram_picture {
    double step_s;
    size_t columns;
    const uint8_t *data; /* [columns][BANDLEVELS] of bandlevels_byte; the sonogram's */
    double top_hz;
};

/* The end: nothing more may follow. A sound shorter than a step has one column, none has none. */
void sonogram_finish(struct sonogram *s, struct sonogram_picture *out);

#endif
