/* A command line taken apart without a shell: blanks separate arguments; '...' and "..." hold blanks together; \ takes the next
 * character as it is, but not within '...'. Nothing is expanded: no variables, no wildcards, no pipes, no redirections. */
#ifndef EARSHOT_ARGV_H
#define EARSHOT_ARGV_H

#include "base/err.h"

#define ARGV_MAX  32  /* arguments, the program among them */
#define ARGV_TEXT 320 /* bytes of all of them, with their NULs */

struct argv {
    char *arg[ARGV_MAX + 1]; /* ends with NULL; points into text: do not copy the struct */
    int n;
    char text[ARGV_TEXT];
};

/* -1: nothing there, a quote that does not end, too many or too long, or the program is no absolute path; err says which and what
 * is allowed. */
int argv_split(struct argv *a, const char *line, struct err *err);

#endif
