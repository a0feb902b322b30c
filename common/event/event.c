#include "event/event.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define MS 1000000

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

const char *event_type_name(enum event_type type)
{
    switch (type) {
    case EVENT_START:
        return "start";
    case EVENT_UPDATE:
        return "update";
    case EVENT_END:
        return "end";
    }
    return "";
}

static void random_bytes(unsigned char *out, size_t size)
{
    struct timespec now;

    if (getrandom(out, size, 0) == (ssize_t)size) /* never short or interrupted up to 256 bytes */
        return;
    /* A kernel or sandbox without it: ids stay distinct within the process by their counter, and most likely
     * beyond. */
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t x = (uint64_t)now.tv_sec * 1000000007u + (uint64_t)now.tv_nsec;
    for (size_t i = 0; i < size; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        out[i] = (unsigned char)(x >> 56);
    }
}

/* The upper 60 bits of a UUIDv7, less its version: 48 of milliseconds and a counter of 12 (RFC 9562, 6.2,
 * method 1: the counter starts at a random value with its highest bit clear, and runs over into the
 * milliseconds). Where the time has gone back, the last value goes on, unless that was a step of the clock:
 * an id must not carry next year's date for a year. */
#define STEP_MS 10000

static uint64_t next_stamp(uint64_t ms, unsigned seed)
{
    static _Atomic uint64_t last;
    uint64_t old = atomic_load_explicit(&last, memory_order_relaxed), stamp;

    /* Relaxed throughout: the value itself is all that threads share, and the exchange makes each one unique.
     */
    do {
        uint64_t fresh = ms << 12 | (seed & 0x7ff);
        bool stepped_back = (old >> 12) > ms + STEP_MS;
        stamp = fresh > old || stepped_back ? fresh : old + 1;
    } while (!atomic_compare_exchange_weak_explicit(&last, &old, stamp, memory_order_relaxed, memory_order_relaxed));
    return stamp;
}

void uuid7(char out[UUID_SIZE], int64_t utc_ns)
{
    unsigned char r[10];
    uint64_t ms = utc_ns > 0 ? (uint64_t)(utc_ns / MS) : 0;

    random_bytes(r, sizeof r);
    uint64_t stamp = next_stamp(ms, (unsigned)r[8] << 8 | r[9]);
    uint64_t time = stamp >> 12 & 0xffffffffffff;
    unsigned counter = stamp & 0xfff;
    snprintf(out, UUID_SIZE, "%08x-%04x-7%03x-%02x%02x-%02x%02x%02x%02x%02x%02x", (unsigned)(time >> 16),
             (unsigned)(time & 0xffff), counter, 0x80u | (r[0] & 0x3fu), r[1], r[2], r[3], r[4], r[5], r[6], r[7]);
}

void rfc3339_utc(char out[RFC3339_SIZE], int64_t utc_ns)
{
    int64_t ms = floor_div(utc_ns, MS);
    time_t s = (time_t)floor_div(ms, 1000);
    struct tm tm;
    char date[RFC3339_SIZE - 5] = ""; /* the years that 64 bits of ns can say have four digits */

    if (gmtime_r(&s, &tm))
        strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out, RFC3339_SIZE, "%s.%03dZ", date, (int)(ms - floor_div(ms, 1000) * 1000));
}
