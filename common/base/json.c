#include "base/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of the well-formed sequence at s (table 3-7 of the Unicode standard), 0 where there is none. A NUL is
 * no continuation byte, so this never reads past the end of the string. */
static size_t sequence(const unsigned char *s)
{
    unsigned char c = s[0], low = 0x80, high = 0xbf;
    size_t n;

    if (c < 0x80)
        return 1;
    if (c < 0xc2 || c > 0xf4)
        return 0;
    n = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (c == 0xe0) /* overlong */
        low = 0xa0;
    else if (c == 0xed) /* surrogates */
        high = 0x9f;
    else if (c == 0xf0)
        low = 0x90;
    else if (c == 0xf4) /* beyond U+10FFFF */
        high = 0x8f;
    if (s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if (s[i] < 0x80 || s[i] > 0xbf)
            return 0;
    return n;
}

json_t *json_text(const char *bytes)
{
    json_t *text;
    char *out;
    size_t used = 0;

    if (!bytes)
        return json_null();
    out = malloc(3 * strlen(bytes) + 1);
    if (!out)
        return NULL;
    for (const unsigned char *s = (const unsigned char *)bytes; *s;) {
        size_t n = sequence(s);
        memcpy(out + used, n ? (const char *)s : "\xef\xbf\xbd", n ? n : 3);
        used += n ? n : 3;
        s += n ? n : 1;
    }
    text = json_stringn(out, used);
    free(out);
    return text;
}

json_t *json_decimal(double value, int decimals)
{
    double scale = pow(10, decimals);

    if (!isfinite(value))
        return json_null();
    if (fabs(value) < 1e15 / scale)
        value = round(value * scale) / scale;
    return json_real(value + 0.0); /* + 0.0: no "-0.0" */
}
