/* Several daemons on one box, one for each microphone: --instance NAME, or $EARSHOT_INSTANCE, keeps them apart. Each has its configuration
 * (/etc/earshot/NAME.conf), its folders (/var/lib/earshot-NAME, /run/earshot-NAME) and its node (HOST-NAME). */
#ifndef EARSHOT_INSTANCE_H
#define EARSHOT_INSTANCE_H

#include "base/config.h"

#define INSTANCE_SIZE 33 /* with its NUL */

/* Takes the name, of A-Z, a-z, 0-9, _ and -, for all that is asked later and for programs started from here. -1: it cannot be one. */
int instance_set(const char *name, struct err *err);

/* The name, "" for the only daemon of a box. */
const char *instance_name(void);

/* "FOLDER/earshot" or "FOLDER/earshot-NAME". Returns snprintf's. */
int instance_path(char *out, size_t size, const char *folder);

/* The configuration file, which for an instance has to be there. */
int instance_config(char *out, size_t size);

/* Where the configuration names no node. Nothing for the only daemon: the node is the host's name. */
void instance_node(struct config *c);

#endif
