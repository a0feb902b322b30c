/* Rows of the history as lines: for people, as JSON, as comma-separated values. */
#ifndef EARSHOT_HISTORY_PRINT_H
#define EARSHOT_HISTORY_PRINT_H

#include "daemon/store/store_read.h"
#include <jansson.h>
#include <stdio.h>

enum history_format { HISTORY_TEXT, HISTORY_JSON, HISTORY_CSV };

/* What stands above all rows; nothing for JSON. */
void history_event_header(FILE *out, enum history_format format, bool embedding);
void history_level_header(FILE *out, enum history_format format);

/* One event. JSON has the names of the event payload (event/event.h), with `state` ("going_on", "ended", "cut_off": the daemon was gone
 * before the end; an `end` that is not the last word is so far), `notified`, and all of `top`. Text is in local time, all else in UTC.
 * embedding: NULL: none is asked for; else n float16, printed as numbers. */
void history_print_event(FILE *out, enum history_format format, const struct store_row *row, const uint16_t *embedding,
                         unsigned n);

/* The object that the JSON line is, without an embedding; the caller's. */
json_t *history_event_json(const struct store_row *row);

/* One row of the level meter, `time` the end of its interval. What was not measured is null or empty. */
void history_print_level(FILE *out, enum history_format format, const struct store_level *level);

const char *history_state(int ended);

/* IEEE 754 half precision. */
double history_half(uint16_t bits);

#endif
