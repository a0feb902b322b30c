/* Thresholds for a budget of false alarms, of what an evaluation of streams found. */
#ifndef EARSHOT_EVALUATE_STREAM_CHOOSE_H
#define EARSHOT_EVALUATE_STREAM_CHOOSE_H

#include "daemon/evaluate_stream.h"
#include "daemon/evaluate_stream_result.h"

/* Fills in the result's choices, and names on stderr the labels that keep their thresholds, since no sound of them is annotated, and
 * those of which no threshold keeps the budget. In a group, false alarms of the former at the thresholds that they keep come out of
 * the budget first. Returns an exit code. */
int stream_choose(struct streams_result *r, const struct evaluate_streams *what);

#endif
