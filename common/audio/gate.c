#include "audio/gate.h"

#include <math.h>

/* By a floor so loud that threshold and full scale meet, the gate must still be able to open. */
#define AUTO_MAX_DBFS (-6.0)

/* While a class is on the gate waits at least this long: a smoke alarm rests 0.5 s between beeps and 1.5 s between groups of
 * three (ISO 8201), and is one alarm, not one a beep. What rests longer is the decision stage's `release` to bridge. */
#define BUSY_HOLD_S 2.0

void gate_set(struct gate *g, const struct gate_params *params, unsigned rate)
{
    g->threshold = params->threshold;
    g->hysteresis_db = params->hysteresis_db;
    /* rounded down: so many blocks of 10 ms must not fall short by one sample where blocks are not all of a length */
    g->hold = (uint64_t)(params->hold_s * rate);
    g->busy_hold = (uint64_t)(fmax(params->hold_s, BUSY_HOLD_S) * rate);
    g->min_duration = (uint64_t)(params->min_duration_s * rate);
}

double gate_threshold_dbfs(const struct gate *g, double floor_dbfs)
{
    switch (g->threshold.kind) {
    case THRESHOLD_AUTO:
        return fmin(floor_dbfs + g->threshold.db, AUTO_MAX_DBFS);
    case THRESHOLD_FIXED:
        return g->threshold.db;
    case THRESHOLD_OFF:
        break;
    }
    return -INFINITY;
}

enum gate_change gate_do(struct gate *g, double rms_dbfs, double floor_dbfs, bool busy, uint64_t position,
                         uint32_t frames)
{
    double threshold = gate_threshold_dbfs(g, floor_dbfs);
    if (!g->open) {
        if (rms_dbfs < threshold)
            return GATE_SAME;
        g->open = true;
        g->open_position = position;
        g->duration = frames;
        g->quiet = 0;
        return GATE_OPENED;
    }
    if (rms_dbfs >= threshold - g->hysteresis_db) {
        g->duration += g->quiet + frames;
        g->quiet = 0;
        return GATE_SAME;
    }
    g->quiet += frames;
    if (gate_due(g, busy) > 0)
        return GATE_SAME;
    g->open = false;
    return GATE_CLOSED;
}

uint64_t gate_due(const struct gate *g, bool busy)
{
    uint64_t hold = busy ? g->busy_hold : g->hold;
    return g->quiet < hold ? hold - g->quiet : 0;
}

bool gate_long_enough(const struct gate *g)
{
    return g->duration >= g->min_duration;
}
