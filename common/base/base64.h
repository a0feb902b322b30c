/* Base64 (RFC 4648, section 4: + and /, padded). */
#ifndef EARSHOT_BASE64_H
#define EARSHOT_BASE64_H

#include <stddef.h>

#define BASE64_SIZE(n) (((n) + 2) / 3 * 4 + 1) /* of the text of n bytes, with its NUL */

/* out: BASE64_SIZE(n) bytes. */
void base64_encode(const void *bytes, size_t n, char *out);

#endif
