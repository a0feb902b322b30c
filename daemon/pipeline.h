/* The two threads that carry audio to events: analysis (ring -> level, gate, resample, segment) and worker (features, model,
 * decision -> outputs). Owns the capture, the queues between the stages and the recogniser. */
#ifndef EARSHOT_PIPELINE_H
#define EARSHOT_PIPELINE_H

#include "audio/tonecheck.h"
#include "base/config.h"
#include "base/err.h"
#include "daemon/clips/clips.h"
#include "daemon/live_tap.h"
#include "daemon/outputs/output.h"
#include "daemon/sound_meter.h"
#include <stddef.h>

struct pipeline;

/* Loads the model, so that everything that can be wrong is said before a thread runs. `config` is copied in part. */
struct pipeline *pipeline_new(const struct config *config, bool fast, struct err *err);

/* Labels of the model, for outputs that announce them; owned by the pipeline, until pipeline_free. Any thread. */
const char *const *pipeline_labels(const struct pipeline *p, size_t *n);

/* Length of the windows that the model in use looks at. Any thread. */
double pipeline_window_s(const struct pipeline *p);

/* Was that label taught to this box? Any thread. */
bool pipeline_is_taught(const struct pipeline *p, const char *label);

/* The score that such a label's model has as its own threshold; -1: the model in use does not know it. Any thread. */
float pipeline_threshold_of(const struct pipeline *p, const char *label);

/* Before the start: what is heard goes there too. Borrowed; must outlive pipeline_stop. */
void pipeline_set_clips(struct pipeline *p, struct clips *clips);

/* What is heard, to be watched; the pipeline's own, until pipeline_free. Any thread. */
struct live_tap *pipeline_live(struct pipeline *p);

/* Opens the input and starts the threads. The outputs are borrowed and must outlive pipeline_stop. */
int pipeline_start(struct pipeline *p, struct output *const *outputs, size_t n_outputs, struct err *err);

/* Ends every open sound, so that each output gets its end, and joins the two threads. */
void pipeline_stop(struct pipeline *p);
/* Closes the input too: within 0.3 s, whatever the sound server does. */
void pipeline_free(struct pipeline *p);

/* eventfd that turns readable when the input has ended (file, stdin) and all of it was decided. */
int pipeline_end_fd(const struct pipeline *p);

/* Has a file or stdin ended by an error, not at its end? What was heard before it is decided all the same. */
bool pipeline_input_broke(struct pipeline *p);

/* Any thread. */
void pipeline_health(struct pipeline *p, struct health *out);
/* The level meter's finished periods, oldest first; false: none waits. One caller's thread. */
bool pipeline_take_sound(struct pipeline *p, struct sound_row *out);

/* What that caller made of them: from then on in health. `report->now` and `on` are the pipeline's own. */
void pipeline_tell_sound(struct pipeline *p, const struct sound_report *report);

/* [input] as it is in force: channel and gain. */
const struct config *pipeline_input(const struct pipeline *p);

/* Has the analysis thread look for a calibrator's tone for the next 2 s, and gives what it found so far (TONE_NONE at first). What
 * was found before is forgotten 2 s after the last call. Any thread. */
void pipeline_watch_tone(struct pipeline *p, struct tone_state *out);

/* What the microphone gave since the last call, mono, [input] gain in it; for 2 s after a call it is kept for the next one, as far as there is
 * room (0.5 s and more). Returns the frames (at most `most`, which is 1024 or more), 0: none yet, -1: no memory. One thread. */
int pipeline_take_tape(struct pipeline *p, float *out, size_t most, unsigned *rate, struct err *err);

void pipeline_levels(struct pipeline *p, struct analysis_levels *out);

/* Has audio moved, or is a recovery moving, since the last call? What the service watchdog is fed by. One caller. */
bool pipeline_progress(struct pipeline *p);

/* "threshold", "listening" (ON, OFF): what MQTT's set/NAME and the control socket may change. Any thread but the
 * pipeline's own; applied between two blocks. */
int pipeline_set(struct pipeline *p, const char *name, const char *value, struct err *err);

/* Applies what can be applied while running: the gate at once, and with `recognition`, or where the model's file is not the one
 * that was loaded, model, decisions and class rules, which ends the sounds that are on. The model may know other labels, and hear at another rate
 * or in windows of another length. One caller at a time. -1: it cannot take over; nothing has changed then. */
int pipeline_reload(struct pipeline *p, const struct config *config, bool recognition, struct err *err);

/* Thresholds, cooldown and the like of the decisions, from [decision] and the class rules: the sounds that are on go on. Main thread.
 */
int pipeline_set_rules(struct pipeline *p, const struct config *config, struct err *err);

/* Called by pipeline_reload's thread before a model with other labels takes over, with those. */
void pipeline_on_labels(struct pipeline *p, void (*fn)(void *ctx, const char *const *labels, size_t n), void *ctx);

/* Rules and defaults of the decision stage from the configuration; `out` borrows config->rules. */
void pipeline_decision_params(const struct config *config, struct decision_params *out);

#endif
