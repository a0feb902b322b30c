/* Commands in: one table of what may be asked of the running daemon, whoever asks (MQTT's set/NAME, the control socket). Those
 * who ask hand a command over and never wait; the main thread, which also reloads the configuration, carries one out after
 * the other. */
#ifndef EARSHOT_COMMANDS_H
#define EARSHOT_COMMANDS_H

#include "daemon/alarms.h"
#include "daemon/command.h"
#include "daemon/run_config.h"
#include <jansson.h>

#define COMMANDS_WAIT 32 /* at a time; and so many results are remembered */

struct commands;

/* All is borrowed until commands_free. `alarms` is output_alarms_new's. NULL: no memory or no file descriptor. */
struct commands *commands_new(struct run_config *config, struct output *alarms);
void commands_free(struct commands *c);

/* How a test event is begun, and what became of the last one: {"label", "outputs": [{"name", "ok", "ms", "text"}]}, the caller's, NULL
 * while it is under way (run_control.h). Before, "test" is answered with an error. */
struct commands_tester {
    int (*begin)(void *ctx, const char *label, struct err *err);
    json_t *(*report)(void *ctx);
    void *ctx;
};
void commands_set_test(struct commands *c, const struct commands_tester *tester);

/* Any thread, returns at once. ticket may be NULL. -1 with err: no such command, a value that cannot be one, or too many wait; its
 * text begins with "set/NAME". */
int commands_put(struct commands *c, enum command_origin origin, const char *name, const void *payload, size_t size,
                 unsigned *ticket, struct err *err);

/* The result of that ticket: 1 with it, 0 not yet, -1 forgotten. Any thread. */
int commands_result(struct commands *c, unsigned ticket, struct command_result *out);

/* The main thread: readable when commands wait; carries them out and tells every output the results and the settings that changed. */
int commands_fd(const struct commands *c);
void commands_run(struct commands *c);

/* Tells the outputs every setting's value in force, where it is another than was told. Main thread: at the start and after a reload. */
void commands_announce(struct commands *c);

/* Every setting's value in force by name, an object: the caller's. Any thread. */
json_t *commands_settings(struct commands *c);

/* The configuration in force, a copy: the caller's (config_free). Any thread. */
int commands_config(struct commands *c, struct config *out, struct err *err);

/* The command that sets this option ("gate.threshold": "threshold"); NULL: none does. */
const char *commands_for(const char *key);

/* The sounds that can be acknowledged (alarms.h). Any thread. */
size_t commands_alarms(struct commands *c, struct alarm out[ALARMS_KEPT]);

/* What became of the last test; NULL: it is under way, or there was none. Any thread. */
json_t *commands_test_report(struct commands *c);

#endif
