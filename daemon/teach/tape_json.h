/* Samples as the control socket carries them: {"rate", "pcm": base64 of 16 bits, little endian}. */
#ifndef EARSHOT_TAPE_JSON_H
#define EARSHOT_TAPE_JSON_H

#include "base/err.h"
#include <jansson.h>

enum { TAPE_FRAMES = 8192 }; /* of one object at most */

json_t *tape_json(const float *x, size_t n, unsigned rate);

/* out: [TAPE_FRAMES]. Returns the frames, -1: it is no such object. */
int tape_read(const json_t *o, float *out, unsigned *rate, struct err *err);

#endif
