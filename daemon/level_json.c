#include "daemon/level_json.h"
#include "base/clock.h"
#include "base/json.h"
#include "event/event.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

json_t *level_json(const struct analysis_levels *l, const char *input_state, const char *input_problem)
{
    char time[RFC3339_SIZE];
    rfc3339_utc(time, clock_ns(CLOCK_REALTIME));
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:s, s:o, s:o}", "time", time, "rms_dbfs", json_decimal(l->rms_dbfs, 1),
                     "peak_dbfs", json_decimal(l->peak_dbfs, 1), "floor_dbfs", json_decimal(l->floor_dbfs, 1),
                     "threshold_dbfs", json_decimal(l->threshold_dbfs, 1), "gate", l->open ? "open" : "closed",
                     "input_state", json_text(input_state), "input_problem",
                     *input_problem ? json_text(input_problem) : json_null());
}

static int number(const json_t *o, const char *key, float *out)
{
    const json_t *v = json_object_get(o, key);
    *out = json_is_number(v) ? (float)json_number_value(v) : -INFINITY;
    return json_is_number(v) || json_is_null(v) ? 0 : -1;
}

int level_read(const json_t *o, struct analysis_levels *l, char *input_state, size_t state_size, char *input_problem,
               size_t problem_size, struct err *err)
{
    const char *gate = json_string_value(json_object_get(o, "gate"));
    const char *state = json_string_value(json_object_get(o, "input_state"));
    const char *problem = json_string_value(json_object_get(o, "input_problem"));

    memset(l, 0, sizeof *l);
    if (number(o, "rms_dbfs", &l->rms_dbfs) || number(o, "peak_dbfs", &l->peak_dbfs) ||
        number(o, "floor_dbfs", &l->floor_dbfs) || number(o, "threshold_dbfs", &l->threshold_dbfs) || !gate || !state)
        return err_set(err, "the daemon's levels cannot be read (another version?)");
    l->open = strcmp(gate, "open") == 0;
    snprintf(input_state, state_size, "%s", state);
    snprintf(input_problem, problem_size, "%s", problem ? problem : "");
    return 0;
}
