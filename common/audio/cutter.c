#include "audio/cutter.h"

#include <math.h>
#include <stdlib.h>

/* Samples at the lower of the two rates that the converter's filter reaches to either side: 20 for SINC_FASTEST, 46 for
 * MEDIUM, 143 for BEST (length of its table over its step), and a few to spare. */
#define FILTER_REACH 24u
_Static_assert(RESAMPLE_DEFAULT == RESAMPLE_FAST, "FILTER_REACH is that of RESAMPLE_FAST");

static unsigned gcd(unsigned a, unsigned b)
{
    return b ? gcd(b, a % b) : a;
}

int cutter_init(struct cutter *c, unsigned from, unsigned to, size_t window, size_t hop, size_t piece, size_t held,
                struct err *err)
{
    *c = (struct cutter){.from = from, .to = to};
    c->resample = resample_new(from, to, RESAMPLE_DEFAULT, err);
    if (!c->resample)
        return -1;
    unsigned common = gcd(from, to);
    c->grid = from / common;
    c->grid_out = to / common;
    if (from != to)
        c->lead = (size_t)ceil(FILTER_REACH * fmax(1, (double)from / to));
    c->out_room = (size_t)ceil((double)(piece + 2 * c->lead) * to / from) + 64;
    c->out = malloc(c->out_room * sizeof *c->out);
    if (!c->out || segment_init(&c->segment, window, hop, window + held + 2 * c->out_room))
        return err_set(err, "no memory for windows of %zu samples", window);
    return 0;
}

void cutter_free(struct cutter *c)
{
    resample_free(c->resample);
    segment_free(&c->segment);
    free(c->out);
}

size_t cutter_reach(const struct cutter *c)
{
    return c->lead + c->grid + c->from / c->to + 2;
}

uint64_t cutter_begin(struct cutter *c, uint64_t first)
{
    uint64_t model = first * c->to / c->from;
    uint64_t needed = model * c->from / c->to;
    uint64_t start = needed > c->lead ? (needed - c->lead) / c->grid * c->grid : 0;
    c->discard = (size_t)(model - start / c->grid * c->grid_out);
    resample_reset(c->resample);
    segment_begin(&c->segment, model);
    return start;
}

static void take(struct cutter *c, size_t n)
{
    size_t skip = c->discard < n ? c->discard : n;
    c->discard -= skip;
    segment_add(&c->segment, c->out + skip, n - skip);
}

void cutter_do(struct cutter *c, const float *x, size_t n)
{
    take(c, resample_do(c->resample, x, n, c->out, c->out_room, 0));
}

void cutter_end(struct cutter *c)
{
    const float none = 0;
    take(c, resample_do(c->resample, &none, 0, c->out, c->out_room, 1));
}

uint64_t cutter_due(const struct cutter *c)
{
    const struct segment *s = &c->segment;
    return s->fill < s->window ? (uint64_t)(s->window - s->fill) * c->from / c->to : 0;
}

uint64_t cutter_stream(const struct cutter *c, uint64_t model)
{
    return (model * c->from + c->to / 2) / c->to;
}
