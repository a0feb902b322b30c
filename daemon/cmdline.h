/* The command line that all sub-commands share. */
#ifndef EARSHOT_CMDLINE_H
#define EARSHOT_CMDLINE_H

#include "daemon/cmd.h"

/* Takes the shared flags out (--config, --section.name=value, --state-dir, --json, --help, --version), reads the configuration, and
 * runs the command of that name. `commands` ends with NULL. Returns the exit code. */
int cmdline_run(const struct command *const *commands, int argc, char **argv);

/* Reads the configuration as at the start (defaults, file, what cx->settings keeps, flags) into `fresh`, which is the caller's to free, also on
 * failure. */
int cmdline_reload(const struct cmd_context *cx, struct config *fresh, struct err *err);

/* The --section.name=value flags alone. */
int cmdline_apply(const struct cmd_context *cx, struct config *c, struct err *err);

/* Does a flag set that option? */
bool cmdline_has_flag(const struct cmd_context *cx, const char *key);

/* Sets "section.name" for a flag of the command's own, and for every reload to come. Checks the whole. */
int cmdline_set(struct cmd_context *cx, const char *key, const char *value, struct err *err);

#endif
