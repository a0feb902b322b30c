/* `earshot levels FILE...`: the level meter's figures of recordings. */
#ifndef EARSHOT_LEVELS_FILES_H
#define EARSHOT_LEVELS_FILES_H

#include "daemon/cmd.h"

/* Measures each file from beginning to end and prints its figures; a file that cannot be read is said, and the next one taken.
 * Returns an exit code. */
int levels_files(struct cmd_context *cx, const char *command, char *const *files, int n);

#endif
