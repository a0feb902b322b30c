/* Alarms that nobody has acknowledged outlive the daemon: STATE/alarms, a line each, oldest first:
 *
 *     EVENT_ID LABEL START SCORE        START: UTC nanoseconds since 1970
 *
 * Tests are not kept. */
#ifndef EARSHOT_ALARMS_FILE_H
#define EARSHOT_ALARMS_FILE_H

#include "daemon/alarms.h"

/* What was kept is up again, as over. dir: the state directory. No such file is no error. -1: it cannot be read, or a line is none of
 * those (err names it); those before it are up. Before the daemon listens. */
int alarms_load(struct output *alarms, const char *dir, struct err *err);

/* Writes them where they are others than those last written or loaded; whole or not at all, also in a power cut. One thread. -1: it could
 * not be; tried again at the next call. */
int alarms_save(struct output *alarms, const char *dir, struct err *err);

#endif
