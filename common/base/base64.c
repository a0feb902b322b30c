#include "base/base64.h"

void base64_encode(const void *bytes, size_t n, char *out)
{
    static const char digits[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *b = bytes;

    for (; n > 2; n -= 3, b += 3) {
        *out++ = digits[b[0] >> 2];
        *out++ = digits[(b[0] & 3) << 4 | b[1] >> 4];
        *out++ = digits[(b[1] & 15) << 2 | b[2] >> 6];
        *out++ = digits[b[2] & 63];
    }
    if (n) {
        *out++ = digits[b[0] >> 2];
        *out++ = digits[(b[0] & 3) << 4 | (n == 2 ? b[1] >> 4 : 0)];
        *out++ = n == 2 ? digits[(b[1] & 15) << 2] : '=';
        *out++ = '=';
    }
    *out = '\0';
}
