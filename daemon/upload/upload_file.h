/* Where a sound lies while it is being sent and looked through: a file without a name, so that nothing of it is left however this ends. */
#ifndef EARSHOT_UPLOAD_FILE_H
#define EARSHOT_UPLOAD_FILE_H

#include "base/err.h"
#include <stddef.h>

/* In `folder` ("": none), or where that cannot be, in $TMPDIR or /tmp; where UPLOAD_BYTES and some more are free. -1: nowhere. */
int upload_file_open(const char *folder, struct err *err);

/* All of it. -1: the disk took no more; err. */
int upload_file_write(int fd, const char *data, size_t size, struct err *err);

/* The same file for reading alone, from its start: another descriptor. -1: err. */
int upload_file_reopen(int fd, struct err *err);

/* The last part of a path as browsers and others send it, "C:\\a\\b.wav", "a/b.wav"; NULL: "". */
void upload_file_name(const char *sent, char *out, size_t size);

#endif
