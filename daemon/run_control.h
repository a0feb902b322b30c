/* What the running daemon answers on its control socket, and the thread that sends test events. */
#ifndef EARSHOT_RUN_CONTROL_H
#define EARSHOT_RUN_CONTROL_H

#include "daemon/commands.h"
#include "daemon/pipeline.h"
#include "daemon/run_outputs.h"

struct run_control;

/* Opens the socket (see control_path; state_dir may be NULL). A place where none can be opened is a warning: the daemon listens all
 * the same. All is borrowed: the pipeline and the commands until run_control_free, the outputs until run_control_stop. It puts itself in
 * as what begins tests (commands_set_test). NULL: no memory. */
struct run_control *run_control_new(struct pipeline *p, const struct run_outputs *outputs, struct commands *commands,
                                    const char *state_dir);

/* Closes the socket, ends a test that is under way and refuses others. An output may still ask for one until it was stopped: the
 * outputs are stopped between the two. */
void run_control_stop(struct run_control *r);
void run_control_free(struct run_control *r);

/* Begins a test event of that label on a thread of its own; any thread, returns at once. -1: unknown label, or one is under way. */
int run_control_test(struct run_control *r, const char *label, struct err *err);

#endif
