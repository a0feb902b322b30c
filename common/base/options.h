/* The option table's rows, and values as text. config.c, the INI reader, the writers and `earshot config`
 * work on these. */
#ifndef EARSHOT_OPTIONS_H
#define EARSHOT_OPTIONS_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>

enum option_type {
    OPTION_INT,     /* int */
    OPTION_NUMBER,  /* double or float (by `size`), in `unit` */
    OPTION_BOOL,    /* bool */
    OPTION_TEXT,    /* char[size] */
    OPTION_PATH,    /* char[size]; "~/" is refused: nothing would expand it */
    OPTION_HOST,    /* char[size]; host name or address, no URL */
    OPTION_HOSTS,   /* char[size]; such names with commas between them, or "" */
    OPTION_TOPIC,   /* char[size]; MQTT topic without wildcards */
    OPTION_URL,     /* char[size]; http or https, "" where none is given */
    OPTION_COMMAND, /* char[size]; base/argv.h; quotes around the whole belong to it */
    OPTION_MESSAGE, /* char[size]; event/event_text.h */
    OPTION_NAMES, /* char[size]; class names, or words of `words`: "a, b"; given more than once, it adds; "" empties it */
    OPTION_CHANNEL,   /* char[size]; "mix" or a number from 1 */
    OPTION_CHOICE,    /* int, by `words` */
    OPTION_WORD,      /* char[size], one of `words` */
    OPTION_THRESHOLD, /* struct gate_threshold */
    OPTION_HOURS,     /* int[2], minutes of the day from and to; -1, -1: always */
    OPTION_LABELS,    /* no field: the class rules whose mode is `value`; given more than once, it adds */
};

/* A value that has a name: the words of a choice, or a number's special case ("auto" is 0). */
struct option_word {
    const char *word;
    double value;
};

struct option {
    const char
        *section; /* "class": a row of [class NAME], its offset is into struct class_rule; so "action", "webhook" */
    const char *name;
    enum option_type type;
    size_t offset, size;             /* field in struct config */
    double min, max;                 /* numbers, in `unit` */
    const char *unit;                /* "s", "ms", "dB", "Hz", "" */
    const struct option_word *words; /* ends with NULL; may be NULL */
    const char *preset;              /* default, as it stands in the file */
    bool reloadable;                 /* applied at SIGHUP; others need a restart */
    const char *help;                /* sentences */
};

#define OPTION_VALUE 512 /* room for any value as text, OPTION_LABELS left aside */

extern const struct option options[]; /* ends with section NULL; rows of one section stand together */
extern const struct section {
    const char *name, *help;
} sections[]; /* in the order of the rows; ends with NULL */

/* A row by name, or NULL. */
const struct option *option_find(const char *section, const char *name);

/* "" or the allowed values as the end of a sentence: "a number from 0 to 40 dB". */
void option_allowed(const struct option *o, char *out, size_t size);

/* Text to field. `base`: the struct that `offset` counts from. On failure err has what was wrong and what is
 * allowed, without the option's name, and the field is as before. Not for OPTION_LABELS. */
int option_parse(const struct option *o, void *base, const char *text, struct err *err);

/* Is the name one of "a, b, c" (OPTION_NAMES)? */
bool option_names_have(const char *list, const char *name);

/* Why the text is no http or https address that may stand in a file, or NULL. */
const char *option_url_problem(const char *text);

/* Field to the text that option_parse takes. Not for OPTION_LABELS. */
void option_text(const struct option *o, const void *base, char out[OPTION_VALUE]);

#endif
