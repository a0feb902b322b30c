/* Small helpers for text that users wrote: numbers without surprises, and the nearest word to a mistyped one.
 */
#ifndef EARSHOT_TEXT_H
#define EARSHOT_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* A decimal number at the start of text: sign, digits, point, exponent. No blanks, hex, nan, inf or overflow.
 * *end: behind it. The decimal point is '.' in every locale. */
bool text_number(const char *text, double *out, const char **end);
bool text_int(const char *text, long *out, const char **end);

/* Number of single-character changes (put in, left out, replaced, two swapped) that turn a into b, case
 * ignored. Counts up to `limit`; anything above is limit + 1. Texts longer than 63 bytes are taken as limit
 * + 1. */
unsigned text_distance(const char *a, const char *b, unsigned limit);

/* Keeps the nearest candidate so far. Start with {.word = word}; `best` is NULL while none was near enough to
 * be meant. */
struct text_nearest {
    const char *word, *best;
    unsigned distance;
};
void text_nearest_try(struct text_nearest *n, const char *candidate);

/* Is all of text, `size` bytes, valid UTF-8? NUL counts as valid. */
bool text_is_utf8(const char *text, size_t size);

#endif
