/* What `earshot classify --resume` has done so far: a text file that outlives the process, whatever ends it.
 *
 *     earshot classify journal 1
 *     KEY = VALUE                                  settings that results depend on, a line each
 *     end of settings
 *     CHECK <tab> SIZE <tab> MTIME <tab> PATH <tab> TEXT    a file that is done, a line each
 *
 * SIZE and MTIME (ns) are the recording's when it was looked up: a file that has changed is done again. PATH and TEXT (what is
 * printed for it) have \\, \n, \t for the three bytes. CHECK is FNV-1a of the rest of the line, in hex: a line that a kill or a power
 * cut tore counts as not written. Each line goes to the system at once, so that a kill loses none; to the disk every
 * CLASSIFY_JOURNAL_BATCH lines and at the latest when CLASSIFY_JOURNAL_SECONDS have passed with the next line. */
#ifndef EARSHOT_CLASSIFY_JOURNAL_H
#define EARSHOT_CLASSIFY_JOURNAL_H

#include "base/err.h"
#include <stdint.h>
#include <stdio.h>

enum { CLASSIFY_JOURNAL_BATCH = 64, CLASSIFY_JOURNAL_SECONDS = 5 };

struct classify_journal;

/* Opens it, or begins it where there is none. settings: "KEY = VALUE\n" lines; a journal that was begun with others is refused, with
 * the first that differs; so is one that another process has open, and a file that is no journal. *damaged: lines that did not
 * count. Error texts begin with the path. */
struct classify_journal *classify_journal_open(const char *path, const char *settings, size_t *damaged,
                                               struct err *err);

/* To the disk. -1: not everything could be written. */
int classify_journal_close(struct classify_journal *j, struct err *err);

/* Where the file's line is (for classify_journal_text), or -1: not done, or changed since. Size and time of last change as stat
 * gives them. */
int64_t classify_journal_find(const struct classify_journal *j, const char *path, int64_t size, int64_t mtime_ns);

/* What was printed for it; free. NULL with err: it cannot be read (any more). */
char *classify_journal_text(const struct classify_journal *j, int64_t at, const char *path, struct err *err);

/* A file is done. One thread at a time. -1: it cannot be written (disk full); what was written before stays good. */
int classify_journal_put(struct classify_journal *j, const char *path, int64_t size, int64_t mtime_ns, const char *text,
                         struct err *err);

#endif
