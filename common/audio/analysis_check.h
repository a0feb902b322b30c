/* What analysis_new takes. */
#ifndef EARSHOT_ANALYSIS_CHECK_H
#define EARSHOT_ANALYSIS_CHECK_H

#include "audio/analysis.h"

#define MAX_PREROLL_S      5.0
#define MAX_MIN_DURATION_S 10.0
#define MAX_HOLD_S         60.0

/* -1: err says what is out of range, and the range. */
int analysis_check(const struct analysis_params *p, struct err *err);

/* The same for a change under way: what is out of range is brought into it (NaN: the lowest). */
struct gate_params analysis_clamp_gate(const struct gate_params *gate, unsigned device_rate);

#endif
