/* Levels as `earshot levels --json` prints them and the control socket sends them: the same names as in MQTT's level. */
#ifndef EARSHOT_LEVEL_JSON_H
#define EARSHOT_LEVEL_JSON_H

#include "audio/analysis.h"
#include "base/err.h"
#include "daemon/sound_report.h"
#include <jansson.h>

struct level_report {
    struct analysis_levels levels;
    struct sound_report sound;
    char input_state[32], input_problem[256];
};

/* time, rms_dbfs, peak_dbfs, floor_dbfs, threshold_dbfs (null: always open), gate ("open", "closed"), input_state,
 * input_problem (null: none), and where there is a level meter what sound_json_period tells. A new reference; NULL: no memory. */
json_t *level_json(const struct level_report *r);

/* Back again, as far as it goes: of the meter what a needle shows, and the last LAeq and LCpeak. -1: not such an object. */
int level_read(const json_t *object, struct level_report *r, struct err *err);

#endif
