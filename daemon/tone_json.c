#include "daemon/tone_json.h"

#include "base/json.h"
#include <stdio.h>

json_t *tone_json(const struct tone_state *t, const struct health *h, const struct config *c)
{
    return json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:f}", "verdict", (int)t->verdict,
                     "level_dbfs", json_decimal(t->level_dbfs, 4), "hz", json_decimal(t->hz, 3), "purity_db",
                     json_decimal(t->purity_db, 2), "steady_s", json_decimal(t->steady_s, 2), "mean_dbfs",
                     json_decimal(t->mean_dbfs, 4), "span_db", json_decimal(t->span_db, 4), "input",
                     json_text(h->input), "input_state", h->input_state, "channel", c->input.channel, "gain_db",
                     c->input.gain_db);
}

static int number(const json_t *o, const char *key, double *out)
{
    const json_t *v = json_object_get(o, key);
    *out = json_number_value(v);
    return json_is_number(v) ? 0 : -1;
}

static int text(const json_t *o, const char *key, char *out, size_t size)
{
    const char *s = json_string_value(json_object_get(o, key));
    snprintf(out, size, "%s", s ? s : "");
    return s ? 0 : -1;
}

int tone_read(const json_t *o, struct tone_heard *out, struct err *err)
{
    struct tone_state *t = &out->tone;
    double verdict;
    if (number(o, "verdict", &verdict) || !(verdict >= TONE_NONE && verdict <= TONE_GOOD) ||
        number(o, "level_dbfs", &t->level_dbfs) || number(o, "hz", &t->hz) || number(o, "purity_db", &t->purity_db) ||
        number(o, "steady_s", &t->steady_s) || number(o, "mean_dbfs", &t->mean_dbfs) ||
        number(o, "span_db", &t->span_db) || text(o, "input", out->device, sizeof out->device) ||
        text(o, "input_state", out->input_state, sizeof out->input_state) ||
        text(o, "channel", out->channel, sizeof out->channel) || number(o, "gain_db", &out->gain_db))
        return err_set(err, "the daemon's answer cannot be read (another version?)");
    t->verdict = (enum tone_verdict)verdict;
    return 0;
}
