#include "base/ring.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>

#define CACHE_LINE 64

/* `written` and `read` count elements since the start and never wrap back (they are taken modulo the capacity
 * only to find a slot), so full and empty differ without a slot left unused: 2^64 elements outlive any
 * machine.
 *
 * Each index is stored by one side alone and sits on a cache line of that side, beside that side's copy of
 * the other's index. A side looks at the shared index only when its copy says full (or empty), so that in the
 * steady state the two cores pass a line back and forth once in a ring's length, not once in an element. */
struct ring {
    size_t stride; /* read only after ring_new */
    size_t mask;
    unsigned char *slots;

    alignas(CACHE_LINE) atomic_size_t written; /* stored by the producer */
    size_t read_seen; /* producer's own: the last `read` that it loaded; never above the true one */

    alignas(CACHE_LINE) atomic_size_t read; /* stored by the consumer */
    size_t written_seen;                    /* consumer's own: never above the true `written` */
};

static size_t round_up_pow2(size_t n)
{
    size_t p = 1;
    while (p < n) {
        if (p > SIZE_MAX / 2)
            return 0;
        p *= 2;
    }
    return p;
}

struct ring *ring_new(size_t element_size, size_t capacity)
{
    if (element_size == 0 || element_size > SIZE_MAX - CACHE_LINE || capacity == 0)
        return NULL;
    size_t stride = (element_size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    size_t slots = round_up_pow2(capacity);
    if (slots == 0 || stride > SIZE_MAX / slots)
        return NULL;

    struct ring *r = aligned_alloc(CACHE_LINE, sizeof *r);
    if (!r)
        return NULL;
    r->stride = stride;
    r->mask = slots - 1;
    r->read_seen = r->written_seen = 0;
    atomic_init(&r->written, 0);
    atomic_init(&r->read, 0);
    r->slots = aligned_alloc(CACHE_LINE, stride * slots);
    if (!r->slots) {
        free(r);
        return NULL;
    }
    return r;
}

void ring_free(struct ring *r)
{
    if (r)
        free(r->slots);
    free(r);
}

void *ring_reserve(struct ring *r)
{
    /* relaxed: only this thread ever stores `written` */
    size_t written = atomic_load_explicit(&r->written, memory_order_relaxed);
    if (written - r->read_seen > r->mask) {
        /* acquire, pairs with the release in ring_release: the consumer's last reads of the slot happen
         * before we write it anew. Without it our writes could become visible to a consumer that is still
         * reading the old element. */
        r->read_seen = atomic_load_explicit(&r->read, memory_order_acquire);
        if (written - r->read_seen > r->mask)
            return NULL;
    }
    return r->slots + (written & r->mask) * r->stride;
}

void ring_commit(struct ring *r)
{
    size_t written = atomic_load_explicit(&r->written, memory_order_relaxed); /* our own */
    /* release, pairs with the acquire in ring_peek: what was written into the slot happens before the
     * consumer sees the count. Without it the consumer could see the new count and the slot's old bytes. */
    atomic_store_explicit(&r->written, written + 1, memory_order_release);
}

const void *ring_peek(struct ring *r)
{
    size_t read = atomic_load_explicit(&r->read, memory_order_relaxed); /* only this thread ever stores `read` */
    if (read == r->written_seen) {
        /* acquire: see ring_commit. One acquire covers all elements up to the count that it loaded, so later
         * peeks below written_seen need none. */
        r->written_seen = atomic_load_explicit(&r->written, memory_order_acquire);
        if (read == r->written_seen)
            return NULL;
    }
    return r->slots + (read & r->mask) * r->stride;
}

void ring_release(struct ring *r)
{
    size_t read = atomic_load_explicit(&r->read, memory_order_relaxed); /* our own */
    /* release: our reads of the slot happen before the producer sees it free and overwrites it; see
     * ring_reserve */
    atomic_store_explicit(&r->read, read + 1, memory_order_release);
}

size_t ring_capacity(const struct ring *r)
{
    return r->mask + 1;
}

size_t ring_used(const struct ring *r)
{
    /* Only a number for people: relaxed, as no element is touched on the strength of it. `read` may run ahead
     * of the `written` that we hold (or the other way round) when both sides move between the loads: the
     * difference is then kept in range. */
    size_t written = atomic_load_explicit(&r->written, memory_order_relaxed);
    size_t read = atomic_load_explicit(&r->read, memory_order_relaxed);
    size_t used = written - read;
    if (used > SIZE_MAX / 2)
        return 0;
    return used > r->mask + 1 ? r->mask + 1 : used;
}
