/* What the running daemon's control socket says of a calibrator's tone. */
#ifndef EARSHOT_TONE_JSON_H
#define EARSHOT_TONE_JSON_H

#include "audio/tonecheck.h"
#include "base/config.h"
#include "daemon/outputs/output.h"
#include <jansson.h>

/* As it was heard, and of what. */
struct tone_heard {
    struct tone_state tone;
    char device[CONFIG_TEXT]; /* as opened, "" before */
    char input_state[32], channel[16];
    double gain_db;
};

/* config: whose [input] channel and gain_db are in force. A new reference. */
json_t *tone_json(const struct tone_state *tone, const struct health *health, const struct config *config);

/* -1: no such object. */
int tone_read(const json_t *object, struct tone_heard *out, struct err *err);

#endif
