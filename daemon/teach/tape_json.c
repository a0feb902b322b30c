#include "daemon/teach/tape_json.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

json_t *tape_json(const float *x, size_t n, unsigned rate)
{
    size_t bytes = 2 * n, at = 0;
    unsigned char *pcm = malloc(bytes + 3);
    char *text = malloc(bytes / 3 * 4 + 8);
    json_t *o = NULL;

    for (size_t i = 0; pcm && i < n; i++) {
        float v = isfinite(x[i]) ? fminf(fmaxf(x[i] * 32768, -32768), 32767) : 0;
        uint16_t s = (uint16_t)(int16_t)lrintf(v);
        pcm[2 * i] = (unsigned char)s;
        pcm[2 * i + 1] = (unsigned char)(s >> 8);
    }
    if (pcm && text) {
        memset(pcm + bytes, 0, 3);
        for (size_t i = 0; i < bytes; i += 3) {
            uint32_t v = (uint32_t)pcm[i] << 16 | (uint32_t)pcm[i + 1] << 8 | pcm[i + 2];
            for (int k = 18; k >= 0; k -= 6)
                text[at++] = digits[v >> k & 63];
        }
        for (size_t k = 0; k < (3 - bytes % 3) % 3; k++)
            text[at - 1 - k] = '=';
        o = json_pack("{s:i, s:o}", "rate", (int)rate, "pcm", json_stringn(text, at));
    }
    free(pcm);
    free(text);
    return o;
}

int tape_read(const json_t *o, float *out, unsigned *rate, struct err *err)
{
    const char *text = json_string_value(json_object_get(o, "pcm"));
    json_int_t r = json_integer_value(json_object_get(o, "rate"));
    uint32_t v = 0;
    unsigned bits = 0, low = 0;
    size_t n = 0, have = 0;

    if (!text || r < 0 || r > 1000000)
        return err_set(err, "the daemon's answer cannot be read");
    *rate = (unsigned)r;
    for (; *text && *text != '=' && n < TAPE_FRAMES; text++) {
        const char *d = strchr(digits, *text);
        if (!d)
            return err_set(err, "the daemon's answer cannot be read");
        v = v << 6 | (uint32_t)(d - digits);
        bits += 6;
        if (bits < 8)
            continue;
        bits -= 8;
        unsigned byte = v >> bits & 255;
        if (have++ % 2 == 0)
            low = byte;
        else
            out[n++] = (float)(int16_t)(uint16_t)(low | byte << 8) / 32768;
    }
    return (int)n;
}
