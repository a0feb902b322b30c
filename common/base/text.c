#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *skip_digits(const char *p, bool *any)
{
    for (; isdigit((unsigned char)*p); p++)
        *any = true;
    return p;
}

bool text_number(const char *text, double *out, const char **end)
{
    bool digits = false;
    const char *p = text;

    if (*p == '+' || *p == '-')
        p++;
    p = skip_digits(p, &digits);
    if (*p == '.')
        p = skip_digits(p + 1, &digits);
    if (!digits)
        return false;
    if (*p == 'e' || *p == 'E') {
        bool exponent = false;
        const char *q = p + 1;
        if (*q == '+' || *q == '-')
            q++;
        q = skip_digits(q, &exponent);
        if (exponent)
            p = q;
    }
    /* strtod on exactly this: the syntax above shuts out what else it would take */
    char number[64];
    size_t n = (size_t)(p - text);
    if (n >= sizeof number)
        return false;
    memcpy(number, text, n);
    number[n] = '\0';
    char *stop;
    double value = strtod(number, &stop);
    if (*stop || !isfinite(value))
        return false;
    *out = value;
    *end = p;
    return true;
}

bool text_int(const char *text, long *out, const char **end)
{
    bool digits = false;
    skip_digits(text + (*text == '+' || *text == '-'), &digits);
    if (!digits)
        return false;
    char *stop;
    errno = 0;
    long value = strtol(text, &stop, 10);
    if (errno)
        return false;
    *out = value;
    *end = stop;
    return true;
}

unsigned text_distance(const char *a, const char *b, unsigned limit)
{
    enum { LONGEST = 63 };
    size_t m = strlen(a), n = strlen(b);
    if (m > LONGEST || n > LONGEST || (m > n ? m - n : n - m) > limit)
        return limit + 1;

    unsigned rows[3][LONGEST + 1]; /* three rows of the table are enough for the swap of two neighbours */
    unsigned *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= n; j++)
        above[j] = before[j] = (unsigned)j;
    for (size_t i = 1; i <= m; i++) {
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= n; j++) {
            int ca = tolower((unsigned char)a[i - 1]), cb = tolower((unsigned char)b[j - 1]);
            unsigned best = above[j - 1] + (ca != cb);
            if (above[j] + 1 < best)
                best = above[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            if (i > 1 && j > 1 && ca == tolower((unsigned char)b[j - 2]) && cb == tolower((unsigned char)a[i - 2]) &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            row[j] = best;
        }
        unsigned *free_row = before;
        before = above;
        above = row;
        row = free_row;
    }
    return above[n] > limit ? limit + 1 : above[n];
}

void text_nearest_try(struct text_nearest *n, const char *candidate)
{
    /* a third of a word may be wrong: more than that, and the guess misleads */
    unsigned limit = (unsigned)(strlen(n->word) + 2) / 3;
    unsigned distance = text_distance(n->word, candidate, limit);
    if (distance > limit || distance >= strlen(candidate) || (n->best && distance >= n->distance))
        return;
    n->best = candidate;
    n->distance = distance;
}

bool text_is_utf8(const char *text, size_t size)
{
    const unsigned char *p = (const unsigned char *)text, *end = p + size;
    while (p < end) {
        unsigned char c = *p++;
        unsigned follow = c < 0x80                ? 0
                          : c >= 0xc2 && c < 0xe0 ? 1
                          : c >= 0xe0 && c < 0xf0 ? 2
                          : c >= 0xf0 && c < 0xf5 ? 3
                                                  : 4;
        if (follow == 4 || (size_t)(end - p) < follow)
            return false;
        if ((c == 0xe0 && p[0] < 0xa0) || (c == 0xed && p[0] > 0x9f) || (c == 0xf0 && p[0] < 0x90) ||
            (c == 0xf4 && p[0] > 0x8f)) /* overlong, surrogates, beyond U+10FFFF */
            return false;
        for (; follow; follow--)
            if ((*p++ & 0xc0) != 0x80)
                return false;
    }
    return true;
}
