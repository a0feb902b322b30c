/* What classify found, for programs and for people. */
#ifndef EARSHOT_CLASSIFY_PRINT_H
#define EARSHOT_CLASSIFY_PRINT_H

#include "daemon/classify.h"
#include <jansson.h>
#include <stdio.h>

/* One JSON object on one line, with its newline: `file` (bytes that are not UTF-8 as U+FFFD), `duration_s`, then `top` and
 * `events`; with several models `models`, an array of {`model`, `top`, `events`} in the order given. top: how many labels, 0
 * all. -1: no memory. */
int classify_json(FILE *out, const char *file, const struct classification *c, size_t top);

/* The same as an object, to be added to. NULL: no memory. */
json_t *classify_json_object(const char *file, const struct classification *c, size_t top);

/* Rows of comma-separated values under the header's names: for each model the best labels of the whole file (kind `top`), then its
 * events (kind `event`). What does not apply is empty. -1: no memory. */
int classify_csv(FILE *out, const char *file, const struct classification *c, size_t top);
void classify_csv_header(FILE *out);

/* A table: labels with bars, then the events with their times; several models side by side. -1: no memory. */
int classify_table(FILE *out, const char *file, const struct classification *c, size_t top);

/* A file name for the terminal: control characters as '?'. */
void print_name(FILE *out, const char *name);

#endif
