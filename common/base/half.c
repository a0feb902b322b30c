#include "base/half.h"

#include <math.h>
#include <string.h>

#define LARGEST 0x7bff /* 65504 */

float half_to_float(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 0x1f, fraction = h & 0x3ff, bits;
    float f;

    if (exponent == 0) {
        f = ldexpf((float)fraction, -24);
        return sign ? -f : f;
    }
    bits = sign | (exponent == 31 ? 0xffu : exponent + 112) << 23 | fraction << 13;
    memcpy(&f, &bits, sizeof f);
    return f;
}

uint16_t half_from_float(float f)
{
    uint32_t bits, magnitude, half;

    memcpy(&bits, &f, sizeof bits);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000)
        return 0;
    if (magnitude < 0x38800000) /* 2^-14: below it steps are of 2^-24 */
        return (uint16_t)(sign | (uint16_t)lrintf(ldexpf(fabsf(f), 24)));
    /* 13 bits go; a carry out of the fraction raises the exponent, as it should */
    half = (magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1)) >> 13;
    return (uint16_t)(sign | (half > LARGEST ? LARGEST : half));
}
