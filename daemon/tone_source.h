/* Where `earshot calibrate` hears: through the running daemon, which alone may have the microphone, else with the microphone itself. */
#ifndef EARSHOT_TONE_SOURCE_H
#define EARSHOT_TONE_SOURCE_H

#include "daemon/cmd.h"
#include "daemon/tone_json.h"

struct tone_source;

/* state_dir: where the daemon may be reached. With anything set on the command line the microphone is opened here. */
struct tone_source *tone_source_open(const struct cmd_context *cx, const char *state_dir, struct err *err);
void tone_source_close(struct tone_source *s);

/* What was heard, about every 0.1 s (waits for it). 1: heard; 0: the input has ended, `out` is the last; -1 with err. */
int tone_source_next(struct tone_source *s, struct tone_heard *out, struct err *err);

#endif
