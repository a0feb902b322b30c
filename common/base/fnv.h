/* FNV-1a, 64 bit (http://www.isthe.com/chongo/tech/comp/fnv/): tells contents apart that nobody forges. */
#ifndef EARSHOT_FNV_H
#define EARSHOT_FNV_H

#include <stddef.h>
#include <stdint.h>

#define FNV_START UINT64_C(14695981039346656037)

/* h: FNV_START, or what the bytes before gave. */
static inline uint64_t fnv_add(uint64_t h, const void *bytes, size_t n)
{
    for (const unsigned char *p = bytes; n--; p++)
        h = (h ^ *p) * UINT64_C(1099511628211);
    return h;
}

#endif
