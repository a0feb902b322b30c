/* The database: its tables, how older ones become this one, and what is done with a file that is none of ours. */
#ifndef EARSHOT_STORE_SCHEMA_H
#define EARSHOT_STORE_SCHEMA_H

#include "base/err.h"
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

#define SCHEMA_APPLICATION 0x65736874 /* "esht", in the file's header */
#define SCHEMA_VERSION     2          /* user_version there */

/* Column `ended` of events. */
enum { EVENT_GOES_ON = 0, EVENT_ENDED = 1, EVENT_CUT_OFF = 2 /* the daemon was gone before its end */ };

enum schema_state {
    SCHEMA_GOOD,
    SCHEMA_DAMAGED, /* not a database, or its pages contradict each other */
    SCHEMA_FOREIGN, /* somebody else's database */
    SCHEMA_NEWER,   /* of a newer earshot */
    SCHEMA_FAILED,  /* cannot be told now: no room, no right to write, locked */
};

/* Opens DIR/history.db for writing, makes it where there is none (readable and writable by owner and group as far as the umask
 * lets), brings an older one to SCHEMA_VERSION. On SCHEMA_GOOD *db is the caller's to close; else it is NULL, and err says what is
 * wrong with the file. */
enum schema_state schema_open(const char *dir, sqlite3 **db, struct err *err);

/* Opens it for reading, while the daemon writes or not. NULL: err says why. */
sqlite3 *schema_open_read(const char *dir, struct err *err);

/* Renames it and its companions (-wal, -shm) to history.db.WHY-20261121T091500Z, with -2, -3 ... where that is taken. aside (of `size`):
 * the new path. */
int schema_set_aside(const char *dir, const char *why, char *aside, size_t size, struct err *err);

/* What went wrong with a statement: damage of the file, or something that may pass. */
enum schema_state schema_trouble(int rc);

/* "disk full", "cannot be written: owned by root": in the user's words. */
void schema_explain(const char *dir, sqlite3 *db, int rc, struct err *err);

#endif
