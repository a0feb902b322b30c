/* What `earshot levels` draws, and what it advises. Pure: text from figures. */
#ifndef EARSHOT_LEVEL_METER_H
#define EARSHOT_LEVEL_METER_H

#include "audio/analysis.h"
#include <stdint.h>

#define METER_LOW  (-90.0F) /* dBFS at the bar's left end; 0 dBFS is its right end */
#define METER_BINS 121      /* 1 dB each, -120..0 dBFS */

/* A bar of `width` characters: '=' up to the level, ':' the noise floor, '|' the threshold, '*' the peak. out: width + 1. */
void meter_bar(const struct analysis_levels *levels, char *out, int width);

/* One line without newline, at most `columns` wide. */
void meter_line(const struct analysis_levels *levels, char *out, size_t size, int columns);

/* The levels that were seen, for the advice at the end. */
struct meter_seen {
    uint32_t bin[METER_BINS], n, open;
};
void meter_see(struct meter_seen *seen, const struct analysis_levels *levels);

/* The level that a share of the samples (0..1) stays under, dBFS. */
float meter_percentile(const struct meter_seen *seen, double share);

/* Some lines for the user: background, loudest, how long the gate was open, and a threshold that parts the two. */
void meter_advice(const struct meter_seen *seen, const struct analysis_levels *last, char *out, size_t size);

#endif
