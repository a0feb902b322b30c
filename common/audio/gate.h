/* The gate: opens with the first block at or above the threshold, closes when blocks have stayed more than `hysteresis`
 * below it for `hold`. Works on the levels of successive blocks. */
#ifndef EARSHOT_GATE_H
#define EARSHOT_GATE_H

#include "audio/analysis.h"
#include <stdbool.h>
#include <stdint.h>

struct gate {
    struct gate_threshold threshold;
    double hysteresis_db;
    uint64_t hold, busy_hold, min_duration; /* frames */
    bool open;
    uint64_t open_position; /* of the block that opened it */
    uint64_t duration;      /* frames from there to the end of the last block above the closing threshold */
    uint64_t quiet;         /* frames since */
};

enum gate_change { GATE_SAME, GATE_OPENED, GATE_CLOSED };

/* Takes the parameters, also while open; the state stays. */
void gate_set(struct gate *g, const struct gate_params *params, unsigned rate);
/* The opening threshold in force; -inf when off. */
double gate_threshold_dbfs(const struct gate *g, double floor_dbfs);
/* busy: a class is on. */
enum gate_change gate_do(struct gate *g, double rms_dbfs, double floor_dbfs, bool busy, uint64_t position,
                         uint32_t frames);
/* Frames after which the open gate can close at the earliest. */
uint64_t gate_due(const struct gate *g, bool busy);
/* The opening has lasted min_duration. */
bool gate_long_enough(const struct gate *g);

#endif
