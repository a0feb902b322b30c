/* What became of the latest test messages at an output, by message id: output->acknowledged answers from it. Any thread. */
#ifndef EARSHOT_ACKS_H
#define EARSHOT_ACKS_H

#include <stddef.h>

struct acks;

struct acks *acks_new(void);
void acks_free(struct acks *a);

/* result: 1 acknowledged, -1 refused or lost. The text is cut to fit. */
void acks_put(struct acks *a, const char *id, int result, const char *text);

/* The result with its text, or 0 with the text untouched where nothing is known of that id (yet). */
int acks_find(struct acks *a, const char *id, char *text, size_t size);

#endif
