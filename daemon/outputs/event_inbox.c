#include "daemon/outputs/event_inbox.h"

#include "base/ring.h"
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct event_inbox {
    struct ring *ring;
    pthread_mutex_t
        producers; /* the ring takes one at a time; a test event comes from another thread than the worker */
    int fd;
};

struct event_inbox *event_inbox_new(size_t capacity)
{
    struct event_inbox *b = calloc(1, sizeof *b);

    if (!b)
        return NULL;
    pthread_mutex_init(&b->producers, NULL);
    b->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    b->ring = ring_new(sizeof(struct event), capacity);
    if (b->fd >= 0 && b->ring)
        return b;
    event_inbox_free(b);
    return NULL;
}

void event_inbox_free(struct event_inbox *b)
{
    if (!b)
        return;
    ring_free(b->ring);
    if (b->fd >= 0)
        close(b->fd);
    pthread_mutex_destroy(&b->producers);
    free(b);
}

bool event_inbox_put(struct event_inbox *b, const struct event *event)
{
    pthread_mutex_lock(&b->producers);
    struct event *place = ring_reserve(b->ring);
    if (place) {
        *place = *event;
        ring_commit(b->ring);
    }
    pthread_mutex_unlock(&b->producers);
    if (place)
        event_inbox_wake(b);
    return place != NULL;
}

void event_inbox_wake(struct event_inbox *b)
{
    uint64_t one = 1;

    if (write(b->fd, &one, sizeof one) < 0) /* full counter: it is awake already */
        return;
}

size_t event_inbox_used(const struct event_inbox *b)
{
    return ring_used(b->ring);
}

int event_inbox_fd(const struct event_inbox *b)
{
    return b->fd;
}

void event_inbox_calm(struct event_inbox *b)
{
    uint64_t count;

    if (read(b->fd, &count, sizeof count) < 0) /* it was empty: as good */
        return;
}

const struct event *event_inbox_peek(struct event_inbox *b)
{
    return ring_peek(b->ring);
}

void event_inbox_release(struct event_inbox *b)
{
    ring_release(b->ring);
}
