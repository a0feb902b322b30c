#include "daemon/http/header.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int header_range(const char *text, uint64_t n, uint64_t *from, uint64_t *size)
{
    char *end;

    if (!text || strncmp(text, "bytes=", 6) != 0 || strchr(text, ','))
        return 0;
    text += 6;
    bool tail = *text == '-';
    if (!isdigit((unsigned char)text[tail]))
        return 0;
    errno = 0;
    uint64_t a = strtoull(text + tail, &end, 10), b = n ? n - 1 : 0;
    if (errno && !tail)
        return -1;
    if (tail) {
        if (*end || !a || !n)
            return *end ? 0 : -1;
        a = a < n ? n - a : 0;
    } else {
        if (*end++ != '-')
            return 0;
        if (*end) {
            uint64_t last = isdigit((unsigned char)*end) ? strtoull(end, &end, 10) : 0;
            if (*end || last < a)
                return 0;
            b = last < b ? last : b;
        }
    }
    if (a >= n)
        return -1;
    *from = a;
    *size = b - a + 1;
    return 1;
}

bool header_has_etag(const char *list, const char *etag)
{
    size_t n = strlen(etag);

    while (list && *list) {
        list += strspn(list, " \t,");
        if (*list == '*')
            return true;
        if (strncmp(list, "W/", 2) == 0)
            list += 2;
        if (strncmp(list, etag, n) == 0 && (!list[n] || strchr(" \t,", list[n])))
            return true;
        list += strcspn(list, ",");
    }
    return false;
}

bool header_takes_gzip(const char *list)
{
    while (list && *list) {
        list += strspn(list, " \t,");
        size_t n = strcspn(list, ",");
        if (strncasecmp(list, "gzip", 4) == 0 && (n == 4 || strchr(" \t;", list[4]))) {
            const char *q = memchr(list, '=', n);
            return !q || strspn(q + 1, "0.") != (size_t)(list + n - q - 1);
        }
        list += n;
    }
    return false;
}
