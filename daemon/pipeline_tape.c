/* What comes from the microphone, for `earshot teach --record`: copied by the analysis thread while somebody takes it, taken by the control
 * thread. */
#include "daemon/pipeline_internal.h"
#include <string.h>

#define TAPE_NS     2000000000LL /* that long a taker may stay away */
#define TAPE_BLOCKS 128

struct tape_block {
    uint32_t rate, frames;
    float samples[BLOCK_SAMPLES];
};

void pipeline_put_tape(struct pipeline *p, const struct audio_block *b)
{
    /* acquire pairs with the release below: the ring is whole */
    struct ring *ring = atomic_load_explicit(&p->tape, memory_order_acquire);

    if (!ring || clock_ns(CLOCK_MONOTONIC) >= atomic_load_explicit(&p->tape_until, memory_order_relaxed))
        return;
    struct tape_block *t = ring_reserve(ring);
    if (!t)
        return;
    t->rate = b->rate;
    t->frames = b->frames;
    memcpy(t->samples, p->mono, b->frames * sizeof *t->samples);
    ring_commit(ring);
}

static void rewind_tape(struct ring *ring)
{
    while (ring_peek(ring))
        ring_release(ring);
}

int pipeline_take_tape(struct pipeline *p, float *out, size_t most, unsigned *rate, struct err *err)
{
    struct ring *ring = atomic_load_explicit(&p->tape, memory_order_relaxed); /* ours alone to set */
    int64_t now = clock_ns(CLOCK_MONOTONIC);
    size_t n = 0;

    if (!ring) {
        if (!(ring = ring_new(sizeof(struct tape_block), TAPE_BLOCKS)))
            return err_set(err, "no memory");
        atomic_store_explicit(&p->tape, ring, memory_order_release);
    }
    if (atomic_exchange_explicit(&p->tape_until, now + TAPE_NS, memory_order_relaxed) < now)
        rewind_tape(ring); /* left over from another recording */
    for (const struct tape_block *t; (t = ring_peek(ring)) && n + t->frames <= most;
         n += t->frames, ring_release(ring)) {
        if (n > 0 && t->rate != *rate)
            break;
        *rate = t->rate;
        memcpy(out + n, t->samples, t->frames * sizeof *out);
    }
    return (int)n;
}
