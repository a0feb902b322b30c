/* What Jansson leaves to its caller: text that may not be UTF-8, numbers that may not be finite, and short
 * decimals. */
#ifndef EARSHOT_JSON_H
#define EARSHOT_JSON_H

#include <jansson.h>

/* For json_dump*: one line, and digits enough for every value of ours without 0.82999999999999996. */
#define JSON_LINE (JSON_COMPACT | JSON_REAL_PRECISION(12))

/* A JSON string of any bytes: each byte that is not part of well-formed UTF-8 (RFC 3629) becomes U+FFFD. File
 * and device names are bytes, and JSON must stay valid. NULL gives null. */
json_t *json_text(const char *bytes);

/* A real rounded to `decimals` places (0..9); null where it is NaN or infinite, which JSON cannot say. */
json_t *json_decimal(double value, int decimals);

#endif
