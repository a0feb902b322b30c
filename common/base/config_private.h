/* What the files of the configuration share. */
#ifndef EARSHOT_CONFIG_PRIVATE_H
#define EARSHOT_CONFIG_PRIVATE_H

#include "base/config.h"
#include "base/options.h"

#define CONFIG_MAX_RULES    1024
#define CONFIG_MAX_ACTIONS  32
#define CONFIG_MAX_WEBHOOKS 16
#define CONFIG_MAX_ROWS     (CONFIG_MAX_RULES + CONFIG_MAX_ACTIONS + CONFIG_MAX_WEBHOOKS)
#define CONFIG_MAX_LINE     190 /* bytes of a line: what inih hands on whole, as Debian builds it, less some room */

#define CONFIG_STRING_(x) #x
#define CONFIG_STRING(x)  CONFIG_STRING_(x)

/* A section that stands once for each name, as [class NAME]: an array in struct config. */
struct config_list {
    const char *section, *what; /* "class"; what NAME is, for messages: "a class name" */
    size_t rows, count, size;   /* offsets of the array's pointer and length in struct config; bytes of a row */
    size_t max;                 /* rows */
    size_t place;               /* number of its first row among those of all lists, for config_read */
};
extern const struct config_list config_lists[]; /* ends with section NULL */

const struct config_list *config_list(const char *section); /* NULL: a section that stands once */
size_t config_list_count(const struct config *c, const struct config_list *l);
void *config_list_at(const struct config *c, const struct config_list *l, size_t i);
void *config_list_find(const struct config *c, const struct config_list *l, const char *name); /* or NULL */

/* The row of that name; made where there is none. Its index, or -1. Pointers to rows do not outlive the call. */
long config_row(struct config *c, const struct config_list *l, const char *name, size_t n, struct err *err);

/* row: index for an option of a section with a name, else -1. */
int config_set_option(struct config *c, long row, const struct option *o, const char *text, struct err *err);

/* Errors with the nearest known name. Return -1. */
int config_unknown_section(const char *name, struct err *err);
int config_unknown_option(const char *section, const char *name, struct err *err);

bool config_label_valid(const char *label, size_t n);
/* "X is not WHAT, did you mean x?" Returns -1. */
int config_refuse_label(const char *what, const char *label, size_t n, struct err *err);

/* What the options of [clips] say together (config_clips.c). */
int config_check_clips(const struct config *c, struct err *err);

#endif
