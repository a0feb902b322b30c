/* Single-producer single-consumer queue of fixed-size elements, lock-free (C11 atomics), power-of-two capacity. Carries audio
 * blocks from the capture callback to the analysis thread, and windows and events between threads. */
#ifndef EARSHOT_RING_H
#define EARSHOT_RING_H

#include <stddef.h>
#include <stdint.h>

struct ring;

/* capacity is rounded up to a power of two. Elements are aligned to 64 bytes. NULL: no memory or sizes that overflow. */
struct ring *ring_new(size_t element_size, size_t capacity);
void ring_free(struct ring *r);

/* Producer. A place to write the next element into, NULL when full (the caller counts what it drops); ring_commit hands it over.
 * Wait-free; fit for a real-time callback. */
void *ring_reserve(struct ring *r);
void ring_commit(struct ring *r);

/* Consumer. The oldest element, NULL when empty; ring_release gives the place back. */
const void *ring_peek(struct ring *r);
void ring_release(struct ring *r);

size_t ring_capacity(const struct ring *r);
size_t ring_used(const struct ring *r); /* any thread; a snapshot */

#endif
