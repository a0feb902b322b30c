/* What time it is, by CLOCK_MONOTONIC, CLOCK_REALTIME or another of the system's clocks. No system call (vDSO) but for those of CPU
 * time; fit for a real-time callback. */
#ifndef EARSHOT_CLOCK_H
#define EARSHOT_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_ns(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline int64_t clock_ms(clockid_t id)
{
    return clock_ns(id) / 1000000;
}

static inline double clock_s(clockid_t id)
{
    return (double)clock_ns(id) * 1e-9;
}

#endif
