/* Levels as `earshot levels --json` prints them and the control socket sends them: the same names as in MQTT's level. */
#ifndef EARSHOT_LEVEL_JSON_H
#define EARSHOT_LEVEL_JSON_H

#include "audio/analysis.h"
#include "base/err.h"
#include <jansson.h>

/* time, rms_dbfs, peak_dbfs, floor_dbfs, threshold_dbfs (null: always open), gate ("open", "closed"), input_state,
 * input_problem (null: none). A new reference; NULL: no memory. */
json_t *level_json(const struct analysis_levels *levels, const char *input_state, const char *input_problem);

/* Back again, as far as it goes; the texts are cut to their size. -1: not such an object. */
int level_read(const json_t *object, struct analysis_levels *levels, char *input_state, size_t state_size,
               char *input_problem, size_t problem_size, struct err *err);

#endif
