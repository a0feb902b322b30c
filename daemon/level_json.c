#include "daemon/level_json.h"
#include "base/clock.h"
#include "base/json.h"
#include "event/event.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

json_t *level_json(const struct level_report *r)
{
    const struct analysis_levels *l = &r->levels;
    char time[RFC3339_SIZE];
    rfc3339_utc(time, clock_ns(CLOCK_REALTIME));
    json_t *o = json_pack("{s:s, s:o, s:o, s:o, s:o, s:s, s:o, s:o}", "time", time, "rms_dbfs",
                          json_decimal(l->rms_dbfs, 1), "peak_dbfs", json_decimal(l->peak_dbfs, 1), "floor_dbfs",
                          json_decimal(l->floor_dbfs, 1), "threshold_dbfs", json_decimal(l->threshold_dbfs, 1), "gate",
                          l->open ? "open" : "closed", "input_state", json_text(r->input_state), "input_problem",
                          *r->input_problem ? json_text(r->input_problem) : json_null());
    if (o && r->sound.on)
        sound_json_period(o, &r->sound);
    return o;
}

static int number(const json_t *o, const char *key, float *out)
{
    const json_t *v = json_object_get(o, key);
    *out = json_is_number(v) ? (float)json_number_value(v) : -INFINITY;
    return json_is_number(v) || json_is_null(v) ? 0 : -1;
}

/* They come with the calibration added, so that none is left to add. */
static void read_sound(const json_t *o, struct sound_report *s)
{
    s->on = number(o, "laf", &s->now.laf) == 0 && number(o, "las", &s->now.las) == 0;
    s->calibration.calibrated = json_is_true(json_object_get(o, "calibrated"));
    soundlevel_nothing(&s->last);
    if (json_object_get(o, "laeq"))
        s->number = number(o, "laeq", &s->last.laeq) == 0 && number(o, "lcpeak", &s->last.lcpeak) == 0;
}

int level_read(const json_t *o, struct level_report *r, struct err *err)
{
    const char *gate = json_string_value(json_object_get(o, "gate"));
    const char *state = json_string_value(json_object_get(o, "input_state"));
    const char *problem = json_string_value(json_object_get(o, "input_problem"));
    struct analysis_levels *l = &r->levels;

    memset(r, 0, sizeof *r);
    if (number(o, "rms_dbfs", &l->rms_dbfs) || number(o, "peak_dbfs", &l->peak_dbfs) ||
        number(o, "floor_dbfs", &l->floor_dbfs) || number(o, "threshold_dbfs", &l->threshold_dbfs) || !gate || !state)
        return err_set(err, "the daemon's levels cannot be read (another version?)");
    l->open = strcmp(gate, "open") == 0;
    read_sound(o, &r->sound);
    snprintf(r->input_state, sizeof r->input_state, "%s", state);
    snprintf(r->input_problem, sizeof r->input_problem, "%s", problem ? problem : "");
    return 0;
}
