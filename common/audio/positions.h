/* Where a sample of the stream that the stages see lies on the device's count. The two differ once a gap was longer than the
 * zeros that stand for it. */
#ifndef EARSHOT_POSITIONS_H
#define EARSHOT_POSITIONS_H

#include <stdint.h>

#define POSITIONS_GAPS 8 /* remembered; windows are cut within seconds, older gaps only add up */

struct positions {
    uint64_t before; /* missing before the first gap that is remembered */
    struct {
        uint64_t at, missing; /* from sample `at` on the device is `missing` frames ahead */
    } gaps[POSITIONS_GAPS];
    unsigned n;
};

void positions_gap(struct positions *p, uint64_t at, uint64_t missing_more);
uint64_t positions_device(const struct positions *p, uint64_t sample);

#endif
