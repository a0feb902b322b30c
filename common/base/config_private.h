/* What the files of the configuration share. */
#ifndef EARSHOT_CONFIG_PRIVATE_H
#define EARSHOT_CONFIG_PRIVATE_H

#include "base/config.h"
#include "base/options.h"

#define CONFIG_MAX_RULES 1024
#define CONFIG_MAX_LINE  190 /* bytes of a line: what inih hands on whole, as Debian builds it, less some room */

#define CONFIG_STRING_(x) #x
#define CONFIG_STRING(x)  CONFIG_STRING_(x)

/* The rule of that class; made where there is none. Its index, or -1. Pointers into c->rules do not outlive
 * the call. */
long config_rule(struct config *c, const char *label, size_t n, struct err *err);

/* rule: index for an option of [class NAME], else -1. */
int config_set_option(struct config *c, long rule, const struct option *o, const char *text, struct err *err);

/* Errors with the nearest known name. Return -1. */
int config_unknown_section(const char *name, struct err *err);
int config_unknown_option(const char *section, const char *name, struct err *err);

bool config_label_valid(const char *label, size_t n);

#endif
