#include "audio/segment.h"

#include <stdlib.h>
#include <string.h>

int segment_init(struct segment *s, size_t window, size_t hop, size_t capacity)
{
    *s = (struct segment){.window = window, .hop = hop, .capacity = capacity > window ? capacity : window};
    s->samples = malloc(s->capacity * sizeof *s->samples);
    return s->samples ? 0 : -1;
}

void segment_free(struct segment *s)
{
    free(s->samples);
    s->samples = NULL;
}

void segment_begin(struct segment *s, uint64_t first)
{
    s->fill = 0;
    s->first = s->covered = first;
    s->index = 0;
}

void segment_add(struct segment *s, const float *x, size_t n)
{
    if (n > s->capacity - s->fill)
        n = s->capacity - s->fill;
    memcpy(s->samples + s->fill, x, n * sizeof *x);
    s->fill += n;
}

static void advance(struct segment *s, size_t taken)
{
    s->covered = s->first + taken;
    size_t gone = s->hop < s->fill ? s->hop : s->fill;
    s->fill -= gone;
    memmove(s->samples, s->samples + gone, s->fill * sizeof *s->samples);
    s->first += s->hop;
    s->index++;
}

bool segment_next(struct segment *s, float *out)
{
    if (s->fill < s->window)
        return false;
    memcpy(out, s->samples, s->window * sizeof *out);
    advance(s, s->window);
    return true;
}

size_t segment_tail(struct segment *s, float *out)
{
    if (s->first + s->fill <= s->covered)
        return 0;
    size_t n = s->fill < s->window ? s->fill : s->window;
    memcpy(out, s->samples, n * sizeof *out);
    memset(out + n, 0, (s->window - n) * sizeof *out);
    advance(s, n);
    return n;
}
