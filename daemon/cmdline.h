/* The command line that all sub-commands share. */
#ifndef EARSHOT_CMDLINE_H
#define EARSHOT_CMDLINE_H

#include "daemon/cmd.h"

/* Takes the shared flags out (--config, --section.name=value, --state-dir, --json, --help, --version), reads the configuration, and
 * runs the command of that name. `commands` ends with NULL. Returns the exit code. */
int cmdline_run(const struct command *const *commands, int argc, char **argv);

#endif
