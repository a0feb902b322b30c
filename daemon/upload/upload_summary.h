/* What the answer to an upload says beyond what `earshot classify --json` does: outline, spectrogram, and what was heard when. */
#ifndef EARSHOT_UPLOAD_SUMMARY_H
#define EARSHOT_UPLOAD_SUMMARY_H

#include "audio/waveform.h"
#include "daemon/classify.h"
#include "features/sonogram.h"
#include <jansson.h>

/* The best labels of up to so many stretches of the sound; of a long one, those of the window in each that was surest. */
enum { SUMMARY_WINDOWS = 1200, SUMMARY_TOP = 3 };

struct summary;

/* Takes what comes by from now on; the classifier must not outlive it. rate: of the sound. NULL with err. */
struct summary *summary_new(struct classifier *c, unsigned rate, double hop_s, struct err *err);
void summary_free(struct summary *s);

/* Adds to the object:
 *   waveform     step_s; min and max: -1..1, of at most 1000 stretches of that length (audio/waveform.h)
 *   spectrogram  step_s, bands (64), columns (at most 500), top_hz, data: base64 of bytes, column after column (features/sonogram.h)
 *   windows      [{start_s, top: [{label, score}, best 3]}]; silent ones are left out
 * -1: no memory. */
int summary_json(struct summary *s, json_t *o);

#endif
