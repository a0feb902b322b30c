/* Header values that are read by hand. Pure functions. */
#ifndef EARSHOT_HTTP_HEADER_H
#define EARSHOT_HTTP_HEADER_H

#include <stdbool.h>
#include <stdint.h>

/* Range: "bytes=A-B", "bytes=A-" or "bytes=-N" of n bytes (RFC 9110, 14). 1: that part, 0: none that is given in parts, so the whole is
 * right, -1: it begins beyond the end (416). text may be NULL. */
int header_range(const char *text, uint64_t n, uint64_t *from, uint64_t *size);

/* If-None-Match: is the tag (with its quotes) in the list, weak or not; "*" is any. list may be NULL. */
bool header_has_etag(const char *list, const char *etag);

/* Accept-Encoding: is gzip there, and not with q=0? list may be NULL. */
bool header_takes_gzip(const char *list);

#endif
