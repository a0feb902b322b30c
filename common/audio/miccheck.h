/* Bad microphones: says what is wrong with an input from the levels that the analysis measures anyway. Pure.
 */
#ifndef EARSHOT_MICCHECK_H
#define EARSHOT_MICCHECK_H

#include "audio/analysis.h"

struct miccheck {
    uint64_t blocks, clipped;          /* counters at the start of the running 10 s stretch */
    uint64_t last_zero, last_constant; /* block at which digital silence, a level that stands still, was last seen */
    bool zeros, stuck, clipping;
    double clipped_percent;
    char text[128];
};

void miccheck_init(struct miccheck *m);

/* Feed the current levels, about once a second (oftener is fine). Returns "" or what is wrong, valid until
 * the next call: "only zeros ..."           10 s of digital silence (a muted switch, a dead driver); gone
 * after 1 s of anything else "level never moves ..."    10 s of a level that does not move by 0.01 dB; gone
 * after 1 s of moving "clipping in N % of blocks ..." more than 1 % of the 10 ms blocks of the last 10 s;
 * gone below 0.5 % The first in this order is told. Counters that fall (a new stream, a new analysis) start
 * it afresh. */
const char *miccheck_do(struct miccheck *m, const struct analysis_levels *levels);

#endif
