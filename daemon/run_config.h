/* The configuration of the running daemon: what the file, the flags and the values kept in the state directory say, what commands
 * changed, and how all of it is applied. Main thread only. */
#ifndef EARSHOT_RUN_CONFIG_H
#define EARSHOT_RUN_CONFIG_H

#include "daemon/cmd.h"
#include "daemon/pipeline.h"
#include "daemon/run_outputs.h"
#include "daemon/settings.h"

#define RUN_CONFIG_SET 16

struct run_config {
    struct cmd_context *cx;
    struct pipeline *pipeline;
    struct run_outputs *outputs;
    struct settings settings;
    char set[RUN_CONFIG_SET][SETTINGS_KEY]; /* keys that a command changed and nobody kept; "" free */
};

/* Reads what is kept in the state directory (NULL: there is none) and puts it into cx->config: from now on it stands between the
 * file and the flags at every reload. What cannot be used is set aside. */
void run_config_open(struct run_config *r, struct cmd_context *cx, const char *state_dir);

/* What the rest acts on. */
void run_config_start(struct run_config *r, struct pipeline *p, struct run_outputs *outputs);

/* Gives up what is kept and goes back to the configuration. -1: nothing was kept, or the configuration cannot be read any more. */
int run_config_give_up(struct run_config *r, const char *why, struct err *err);

/* Sets option "section.name" and applies it without losing audio. -1: err; nothing has changed. */
int run_config_set(struct run_config *r, const char *key, const char *value, bool persist, struct err *err);

/* Back to what file and flags say, and nothing is kept under that key. */
int run_config_reset(struct run_config *r, const char *key, struct err *err);

/* Tells the outputs which sounds there are now. */
void run_config_tell_labels(struct run_config *r);

/* What was taught is another: puts it into use, between two windows. The sounds that are on end and begin anew. */
void run_config_taught(struct run_config *r);

/* SIGHUP. Logs what happens. */
void run_config_reload(struct run_config *r);

#endif
