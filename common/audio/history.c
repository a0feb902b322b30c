#include "audio/history.h"

#include <stdlib.h>
#include <string.h>

int history_init(struct history *h, size_t capacity)
{
    *h = (struct history){.capacity = capacity};
    h->buffer = malloc(capacity * sizeof *h->buffer);
    return h->buffer ? 0 : -1;
}

void history_free(struct history *h)
{
    free(h->buffer);
    h->buffer = NULL;
}

static void reverse(float *x, size_t n)
{
    for (size_t i = 0, j = n; i + 1 < j; i++) {
        float t = x[i];
        x[i] = x[--j];
        x[j] = t;
    }
}

/* Turns the ring so that the oldest sample lies at buffer[0], in place, then keeps as many of the newest as fit. */
void history_resize(struct history *h, size_t size)
{
    if (size == h->size)
        return;
    size_t held = (size_t)(h->end - h->first);
    if (held > 0) {
        size_t oldest = (size_t)((h->first - h->origin) % h->size);
        reverse(h->buffer, oldest);
        reverse(h->buffer + oldest, h->size - oldest);
        reverse(h->buffer, h->size);
    }
    if (held > size) {
        memmove(h->buffer, h->buffer + (held - size), size * sizeof *h->buffer);
        h->first = h->end - size;
    }
    h->origin = h->first;
    h->size = size;
}

void history_push(struct history *h, const float *x, size_t n)
{
    if (n > h->size) {
        x += n - h->size;
        h->end += n - h->size;
        n = h->size;
    }
    while (n > 0) {
        size_t at = (size_t)((h->end - h->origin) % h->size);
        size_t piece = h->size - at < n ? h->size - at : n;
        memcpy(h->buffer + at, x, piece * sizeof *x);
        x += piece;
        n -= piece;
        h->end += piece;
    }
    if (h->end - h->first > h->size)
        h->first = h->end - h->size;
}

size_t history_read(const struct history *h, uint64_t from, const float **x)
{
    if (from < h->first || from >= h->end)
        return 0;
    size_t at = (size_t)((from - h->origin) % h->size);
    size_t left = (size_t)(h->end - from);
    *x = h->buffer + at;
    return h->size - at < left ? h->size - at : left;
}
