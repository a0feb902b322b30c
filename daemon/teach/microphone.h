/* A microphone to record from: the running daemon's, by its control socket, else one of our own. */
#ifndef EARSHOT_MICROPHONE_H
#define EARSHOT_MICROPHONE_H

#include "daemon/cmd.h"
#include <stdbool.h>
#include <stddef.h>

enum { MICROPHONE_FRAMES = 8192 };

struct microphone;

/* NULL: err. */
struct microphone *microphone_open(const struct cmd_context *cx, const char *state_dir, struct err *err);
void microphone_close(struct microphone *m);
bool microphone_of_daemon(const struct microphone *m);

/* The next samples, mono, waited for up to 0.2 s. Returns how many (0: none came), -1: err. out: [MICROPHONE_FRAMES]. rate: theirs. */
int microphone_read(struct microphone *m, float *out, unsigned *rate, struct err *err);

#endif
