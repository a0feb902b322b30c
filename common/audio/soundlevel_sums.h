/* What the level meter adds up over a period, and the levels that become of it. For soundlevel.c alone. */
#ifndef EARSHOT_SOUNDLEVEL_SUMS_H
#define EARSHOT_SOUNDLEVEL_SUMS_H

#include "audio/soundlevel.h"

#define SOUNDLEVEL_BINS 1600 /* of a tenth of a dB, -140..20 dBFS */

struct soundlevel_sums {
    double a, c, z;    /* of squares */
    double fast, slow; /* largest */
    double fast_least;
    double peak; /* linear */
    uint64_t samples, lost;
    uint32_t blocks, counted, overloads; /* counted: in the histogram */
    uint32_t bin[SOUNDLEVEL_BINS];
};

void soundlevel_sums_begin(struct soundlevel_sums *s);
void soundlevel_sums_levels(const struct soundlevel_sums *s, struct soundlevel_figures *out); /* the levels alone */

uint32_t soundlevel_bin(double power);
float soundlevel_decibel(double power);

#endif
