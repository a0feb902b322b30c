/* What was set while the daemon ran and is to be kept over a restart: STATE/settings.conf, an INI file of those options that commands
 * set, read after the main one. */
#ifndef EARSHOT_SETTINGS_H
#define EARSHOT_SETTINGS_H

#include "base/config.h"

#define SETTINGS_MOST  16
#define SETTINGS_KEY   64
#define SETTINGS_VALUE 192
#define SETTINGS_FILE  "settings.conf"

struct settings {
    char path[4096]; /* "": there is no state directory, nothing can be kept */
    size_t n;
    struct setting {
        char key[SETTINGS_KEY]; /* "gate.threshold" */
        char value[SETTINGS_VALUE];
    } list[SETTINGS_MOST];
};

/* Reads DIR/settings.conf (dir NULL: no state directory). A file that cannot be what it should is renamed, with a warning, and counts
 * as empty. */
void settings_open(struct settings *s, const char *dir);

/* Renames the file to settings.conf.bad-TIME, says why, and forgets what it held. */
void settings_set_aside(struct settings *s, const char *why);

/* Puts the values into a configuration. -1: one is not allowed (any more); err names it. */
int settings_apply(const struct settings *s, struct config *c, struct err *err);

/* The value kept under that key, or NULL. */
const char *settings_find(const struct settings *s, const char *key);

/* Keeps a value, or with value NULL forgets the key, and writes the file: whole or not at all, also in a power cut. -1: it could not
 * be; what is kept is as before. */
int settings_keep(struct settings *s, const char *key, const char *value, struct err *err);

#endif
