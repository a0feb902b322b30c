/* The state directory: where it is, that one daemon alone has it, and the noise floor that is kept there. */
#ifndef EARSHOT_STATEDIR_H
#define EARSHOT_STATEDIR_H

#include "daemon/cmd.h"

/* --state-dir, $STATE_DIRECTORY (the first, where there are several), [state] dir, /var/lib/earshot if it is there and can be
 * written, $XDG_STATE_HOME/earshot, ~/.local/state/earshot. Makes the folder where it is missing. -1: the first of these that
 * applies cannot be made or written; err names it and why. */
int state_dir_find(const struct cmd_context *cx, char *out, size_t size, struct err *err);

/* The same for a command that only reads what is there: makes nothing, needs no right to write. Where nobody said which, and there is
 * none of the user's own, it is /var/lib/earshot if that exists, whether it may be read or not. */
int state_dir_look(const struct cmd_context *cx, char *out, size_t size, struct err *err);

/* The same without looking at it: which one would be taken. */
int state_dir_choose(const struct cmd_context *cx, char *out, size_t size, struct err *err);

/* Makes that folder where it is missing. -1: it cannot be made or written. Any thread. */
int state_dir_make(const char *dir, struct err *err);

/* Held until state_unlock, or until the process ends in any way. NULL: another daemon has the directory (err names its process),
 * or it cannot be locked. */
struct state_lock;
struct state_lock *state_lock(const char *dir, struct err *err);
void state_unlock(struct state_lock *lock);

/* Noise floor in dBFS, -120..0, in the small text file "floor". Saving replaces the file at once, also in a power cut.
 * Loading gives -1 where there is none, and where it holds anything else than such a number. */
int state_load_floor(const char *dir, double *floor_dbfs, struct err *err);
int state_save_floor(const char *dir, double floor_dbfs, struct err *err);

#endif
