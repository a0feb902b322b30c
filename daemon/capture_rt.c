#include "daemon/capture_rt.h"
#include "daemon/capture.h"

#include <string.h>

#define PAUSE_NS 1000000000

static void count(_Atomic uint64_t *counter, uint64_t n)
{
    /* one writer: no read-modify-write is needed */
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

void capture_rt_begin(struct capture_rt *rt, unsigned rate, unsigned channels, int64_t latency_ns)
{
    rt->rate = rate;
    rt->channels = channels;
    rt->latency_ns = latency_ns;
    rt->epoch++;
    rt->frame = 0;
    rt->last_ns = 0;
    rt->flags = 0;
    rt->full = false;
}

static void lose(struct capture_rt *rt, unsigned long frames)
{
    rt->frame += frames;
    count(&rt->lost_frames, frames);
    if (!rt->full)
        count(&rt->overruns, 1);
    rt->full = true;
}

void capture_rt_push(struct capture_rt *rt, const float *x, unsigned long frames, int64_t now_ns, int64_t age_ns,
                     bool overflow)
{
    if (rt->last_ns && now_ns - rt->last_ns > PAUSE_NS) {
        rt->epoch++;
        rt->frame = 0;
    }
    rt->last_ns = now_ns;
    count(&rt->callbacks, 1);
    if (overflow) {
        count(&rt->overruns, 1);
        rt->flags |= BLOCK_OVERFLOW;
    }

    unsigned long room = BLOCK_SAMPLES / rt->channels;
    for (unsigned long done = 0; done < frames;) {
        struct audio_block *b = x ? ring_reserve(rt->ring) : NULL;
        if (!b) {
            lose(rt, frames - done);
            return;
        }
        unsigned long n = frames - done < room ? frames - done : room;
        b->frame = rt->frame;
        b->mono_ns = now_ns - age_ns + (int64_t)(done * 1000000000ULL / rt->rate);
        b->epoch = rt->epoch;
        b->rate = rt->rate;
        b->channels = (uint16_t)rt->channels;
        b->frames = (uint16_t)n;
        b->flags = rt->flags;
        memcpy(b->samples, x + done * rt->channels, n * rt->channels * sizeof *x);
        ring_commit(rt->ring);
        rt->flags = 0;
        rt->full = false;
        rt->frame += n;
        done += n;
        count(&rt->blocks, 1);
    }
}
