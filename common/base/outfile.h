/* A file that is there whole or not at all: it is written as PATH.part and gets its name when it is finished. What is no regular
 * file, and what lies under /dev or /proc (/dev/stdout), is written directly. */
#ifndef EARSHOT_OUTFILE_H
#define EARSHOT_OUTFILE_H

#include "base/err.h"
#include <stdio.h>

struct outfile {
    FILE *f; /* to write to; NULL: not open */
    char *path, *part;
};

/* Error texts begin with the path. */
int outfile_open(struct outfile *o, const char *path, struct err *err);

/* Both close it and free what it holds; nothing is done where it is not open. finish: -1 where not everything could be written; then
 * nothing is left of it. */
int outfile_finish(struct outfile *o, struct err *err);
void outfile_abandon(struct outfile *o);

#endif
