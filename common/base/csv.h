/* Comma-separated values as RFC 4180 has them: quoted fields, "" for a quote, LF or CRLF. A file whose first line has tabs but
 * no comma is separated by tabs. Besides: a UTF-8 byte order mark and blank lines are passed over. Rows may differ in length:
 * whoever reads them knows how many fields there must be. */
#ifndef EARSHOT_CSV_H
#define EARSHOT_CSV_H

#include "base/err.h"
#include <stddef.h>
#include <stdio.h>

struct csv {
    const char *path; /* as given, for messages; borrowed */
    char **field; /* [n], of the row at hand; their text stays until csv_close, this array until the next csv_next */
    size_t n;
    unsigned line; /* that the row begins in, from 1 */

    char *text, *at, *end; /* private from here */
    char separator;
    unsigned next_line;
    size_t room;
};

/* Reads the file, of at most CSV_MAX bytes without NUL. -1: err begins with the path. */
enum { CSV_MAX = 64 << 20 };
int csv_open(struct csv *c, const char *path, struct err *err);
void csv_close(struct csv *c);

/* 1: a row; 0: the end; -1: a quote that does not end, or text behind one: err begins with "PATH:LINE: ". */
int csv_next(struct csv *c, struct err *err);

/* One field, in quotes where it needs them. */
void csv_write(FILE *out, const char *field);

#endif
