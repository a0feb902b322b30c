/* Labels: what a model's scores are called. */
#ifndef EARSHOT_LABELS_H
#define EARSHOT_LABELS_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>

/* [a-z0-9_]+, shorter than LABEL_SIZE: fit for MQTT topics, file names and configuration sections. */
bool label_valid(const char *label);

struct labels {
    size_t n;
    const char **label;
    char *text; /* what they point into */
};

/* A label a line; the last line may or may not end in a newline. All valid, none twice. Errors name the line. */
int labels_read(struct labels *l, const char *text, struct err *err);
void labels_free(struct labels *l);

#endif
