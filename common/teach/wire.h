/* Little-endian values in and out of bytes, for the files of what was taught. A reader that runs over the end stays there and says so in
 * `bad`; what it gives from then on is 0. */
#ifndef EARSHOT_WIRE_H
#define EARSHOT_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct wire_in {
    const unsigned char *at, *end;
    bool bad;
};

static inline const unsigned char *wire_take(struct wire_in *w, size_t n)
{
    if (w->bad || (size_t)(w->end - w->at) < n) {
        w->bad = true;
        return NULL;
    }
    w->at += n;
    return w->at - n;
}

static inline uint64_t wire_number(struct wire_in *w, unsigned bytes)
{
    const unsigned char *p = wire_take(w, bytes);
    uint64_t v = 0;

    for (unsigned i = 0; p && i < bytes; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static inline float wire_float(struct wire_in *w)
{
    uint32_t bits = (uint32_t)wire_number(w, 4);
    float f;

    memcpy(&f, &bits, sizeof f);
    return f;
}

/* Grows by itself; out of memory: `bad`, and nothing more is added. */
struct wire_out {
    unsigned char *bytes;
    size_t n, room;
    bool bad;
};

void wire_add(struct wire_out *w, const void *bytes, size_t n);
void wire_add_number(struct wire_out *w, uint64_t v, unsigned bytes);
void wire_add_float(struct wire_out *w, float f);

/* The whole of a regular file, malloc'ed; NULL with errno: not there, larger than `most` (EFBIG), no memory. */
void *wire_read_file(const char *path, size_t most, size_t *size);

#endif
