#include "daemon/clips/clip_buffer.h"

#include <stdlib.h>
#include <string.h>

int clip_buffer_init(struct clip_buffer *b, size_t size)
{
    *b = (struct clip_buffer){.samples = malloc(size * sizeof *b->samples), .size = size};
    return b->samples ? 0 : -1;
}

void clip_buffer_free(struct clip_buffer *b)
{
    free(b->samples);
    *b = (struct clip_buffer){0};
}

void clip_buffer_reset(struct clip_buffer *b, uint64_t position)
{
    b->first = b->end = position;
}

void clip_buffer_push(struct clip_buffer *b, const int16_t *x, size_t n)
{
    while (n > 0) {
        size_t at = b->end % b->size, piece = b->size - at < n ? b->size - at : n;
        if (x) {
            memcpy(b->samples + at, x, piece * sizeof *x);
            x += piece;
        } else {
            memset(b->samples + at, 0, piece * sizeof *b->samples);
        }
        b->end += piece;
        n -= piece;
    }
    if (b->end - b->first > b->size)
        b->first = b->end - b->size;
}

size_t clip_buffer_read(const struct clip_buffer *b, uint64_t from, const int16_t **x)
{
    if (from < b->first || from >= b->end)
        return 0;
    size_t at = from % b->size, left = (size_t)(b->end - from);
    *x = b->samples + at;
    return b->size - at < left ? b->size - at : left;
}
