/* The last samples of a stream as 16 bits, by their number: where the pre-roll of a clip comes from. */
#ifndef EARSHOT_CLIP_BUFFER_H
#define EARSHOT_CLIP_BUFFER_H

#include <stddef.h>
#include <stdint.h>

struct clip_buffer {
    int16_t *samples;
    size_t size;
    uint64_t first, end; /* samples [first, end) are held, at most `size` */
};

int clip_buffer_init(struct clip_buffer *b, size_t size); /* -1: no memory */
void clip_buffer_free(struct clip_buffer *b);
void clip_buffer_reset(struct clip_buffer *b, uint64_t position); /* empty; the next sample is number `position` */
void clip_buffer_push(struct clip_buffer *b, const int16_t *x, size_t n); /* x NULL: zeros */

/* Samples from number `from` that lie in one piece; 0 where it is not held. */
size_t clip_buffer_read(const struct clip_buffer *b, uint64_t from, const int16_t **x);

#endif
