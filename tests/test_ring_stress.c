/* 10^8 samples through two threads: no loss, no reordering, and both edges (full, empty) hit. Meant for TSan
 * too. */
#include "base/ring.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define SAMPLES   100000000u
#define MAX_BLOCK 1024

struct element {
    uint32_t first, n;
    uint32_t samples[MAX_BLOCK];
};

struct side {
    struct ring *ring;
    uint32_t seed;
    uint64_t edges;   /* producer: times full; consumer: times empty */
    uint64_t samples; /* consumer: how many came in order */
    bool broken;
};

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 16;
}

/* Now and then one side gives its time slice away, so that the other meets the edge. */
static void dawdle(uint32_t *seed)
{
    if (next_random(seed) % 64 == 0)
        for (unsigned i = next_random(seed) % 8; i > 0; i--)
            sched_yield();
}

static void *produce(void *arg)
{
    struct side *s = arg;
    for (uint32_t sent = 0; sent < SAMPLES;) {
        uint32_t n = 64 + next_random(&s->seed) % (MAX_BLOCK - 63);
        if (n > SAMPLES - sent)
            n = SAMPLES - sent;
        struct element *e;
        while (!(e = ring_reserve(s->ring))) {
            s->edges++;
            sched_yield();
        }
        e->first = sent;
        e->n = n;
        for (uint32_t i = 0; i < n; i++)
            e->samples[i] = sent + i;
        ring_commit(s->ring);
        sent += n;
        dawdle(&s->seed);
    }
    return NULL;
}

static void *consume(void *arg)
{
    struct side *s = arg;
    while (s->samples < SAMPLES && !s->broken) {
        const struct element *e = ring_peek(s->ring);
        if (!e) {
            s->edges++;
            sched_yield();
            continue;
        }
        uint32_t wrong = e->first != (uint32_t)s->samples || e->n > MAX_BLOCK;
        for (uint32_t i = 0; i < e->n && i < MAX_BLOCK; i++)
            wrong |= e->samples[i] ^ (uint32_t)(s->samples + i);
        s->broken = wrong != 0;
        s->samples += e->n;
        ring_release(s->ring);
        dawdle(&s->seed);
    }
    return NULL;
}

static void test_two_threads(void **state)
{
    (void)state;
    const char *text = getenv("SEED");
    uint32_t seed = text ? (uint32_t)strtoul(text, NULL, 0) : 20240611u;
    struct ring *ring = ring_new(sizeof(struct element), 16);
    assert_non_null(ring);
    struct side producer = {.ring = ring, .seed = seed}, consumer = {.ring = ring, .seed = ~seed};
    pthread_t p, c;
    assert_int_equal(pthread_create(&c, NULL, consume, &consumer), 0);
    assert_int_equal(pthread_create(&p, NULL, produce, &producer), 0);
    pthread_join(c, NULL);
    if (consumer.broken) { /* the producer would wait for ever: leave at once */
        printf("seed %u: broken after %llu samples\n", seed, (unsigned long long)consumer.samples);
        exit(1);
    }
    pthread_join(p, NULL);
    printf("seed %u: %llu samples in order; full %llu times, empty %llu times\n", seed,
           (unsigned long long)consumer.samples, (unsigned long long)producer.edges,
           (unsigned long long)consumer.edges);
    assert_int_equal(consumer.samples, SAMPLES);
    assert_true(producer.edges > 0);
    assert_true(consumer.edges > 0);
    assert_int_equal(ring_used(ring), 0);
    ring_free(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_two_threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
