#include "audio/positions.h"

#include <string.h>

void positions_gap(struct positions *p, uint64_t at, uint64_t missing_more)
{
    uint64_t missing = p->n ? p->gaps[p->n - 1].missing : 0;
    if (p->n == POSITIONS_GAPS) {
        p->before = p->gaps[0].missing;
        memmove(p->gaps, p->gaps + 1, --p->n * sizeof *p->gaps);
    }
    p->gaps[p->n].at = at;
    p->gaps[p->n++].missing = missing + missing_more;
}

uint64_t positions_device(const struct positions *p, uint64_t sample)
{
    for (unsigned i = p->n; i > 0; i--)
        if (p->gaps[i - 1].at <= sample)
            return sample + p->gaps[i - 1].missing;
    return sample + p->before;
}
