/* What the files of option values share. */
#ifndef EARSHOT_OPTION_PRIVATE_H
#define EARSHOT_OPTION_PRIVATE_H

#include "base/options.h"

static inline void *option_at(const struct option *o, void *base)
{
    return (char *)base + o->offset;
}

/* "WHAT; allowed: ...". Returns -1. */
int option_refuse(const struct option *o, const char *what, struct err *err);

/* Options that are text as it is written: TEXT, PATH, HOST, TOPIC, URL, COMMAND, MESSAGE. */
int option_parse_text(const struct option *o, void *base, const char *text, struct err *err);

int option_parse_names(const struct option *o, void *base, const char *text, struct err *err);

#endif
