#include "base/png.h"

#include <stdlib.h>
#include <string.h>

enum { EDGE_MAX = 16384, STORED_MAX = 65535, CHUNK = 12, HEAD = 8 };

struct out {
    uint8_t *p;
    size_t n;
};

static void put(struct out *o, const void *bytes, size_t n)
{
    memcpy(o->p + o->n, bytes, n);
    o->n += n;
}

static void put32(struct out *o, uint32_t v)
{
    const uint8_t b[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};

    put(o, b, 4);
}

/* CRC-32 of ISO 3309, as annex D of the standard has it. */
static uint32_t crc(const uint8_t *p, size_t n)
{
    uint32_t c = 0xffffffffu;

    for (size_t i = 0; i < n; i++) {
        c ^= p[i];
        for (int bit = 0; bit < 8; bit++)
            c = c & 1 ? 0xedb88320u ^ c >> 1 : c >> 1;
    }
    return ~c;
}

static void put_chunk(struct out *o, const char type[5], const void *bytes, size_t n)
{
    put32(o, (uint32_t)n);
    size_t from = o->n;
    put(o, type, 4);
    put(o, bytes, n);
    put32(o, crc(o->p + from, 4 + n));
}

static uint32_t adler(const uint8_t *p, size_t n)
{
    uint32_t a = 1, b = 0;

    for (size_t i = 0; i < n; i++) {
        a = (a + p[i]) % 65521;
        b = (b + a) % 65521;
    }
    return b << 16 | a;
}

/* zlib's frame (RFC 1950) around stored blocks. */
static void store(struct out *o, const uint8_t *raw, size_t n)
{
    static const uint8_t head[2] = {0x78, 0x01};

    put(o, head, 2);
    for (size_t at = 0; at < n;) {
        size_t part = n - at < STORED_MAX ? n - at : STORED_MAX;
        const uint8_t b[5] = {at + part == n, (uint8_t)part, (uint8_t)(part >> 8), (uint8_t)~part,
                              (uint8_t)(~part >> 8)};
        put(o, b, 5);
        put(o, raw + at, part);
        at += part;
    }
    put32(o, adler(raw, n));
}

uint8_t *png_indexed(const uint8_t *pixels, unsigned width, unsigned height, const uint8_t palette[256][3],
                     size_t *size)
{
    static const uint8_t signature[HEAD] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    size_t n = ((size_t)width + 1) * height, room = n + 5 * (n / STORED_MAX + 1) + 6;
    struct out o = {0}, packed = {0}, header = {0};
    uint8_t info[13];

    if (!width || !height || width > EDGE_MAX || height > EDGE_MAX)
        return NULL;
    uint8_t *raw = malloc(n);
    packed.p = malloc(room);
    o.p = malloc(HEAD + 4 * CHUNK + sizeof info + 768 + room);
    if (!raw || !packed.p || !o.p) {
        free(o.p);
        o.p = NULL;
        goto done;
    }
    for (unsigned y = 0; y < height; y++) {
        raw[y * ((size_t)width + 1)] = 0; /* no filter */
        memcpy(raw + y * ((size_t)width + 1) + 1, pixels + (size_t)y * width, width);
    }
    store(&packed, raw, n);
    header.p = info;
    put32(&header, width);
    put32(&header, height);
    put(&header, "\x08\x03\0\0\0", 5); /* 8 bits, of a palette */
    put(&o, signature, HEAD);
    put_chunk(&o, "IHDR", info, sizeof info);
    put_chunk(&o, "PLTE", palette, 768);
    put_chunk(&o, "IDAT", packed.p, packed.n);
    put_chunk(&o, "IEND", "", 0);
    *size = o.n;
done:
    free(packed.p);
    free(raw);
    return o.p;
}
