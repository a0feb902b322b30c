/* The token that people sign in with. */
#ifndef EARSHOT_HTTP_TOKEN_H
#define EARSHOT_HTTP_TOKEN_H

#include "base/config.h"
#include "base/err.h"
#include <sys/stat.h>

#define TOKEN_LEAST 16
#define TOKEN_SIZE  257

/* -1 with err, which names the remedy, where a secret's file may be read or written by everybody. `option`: of [web]. */
int secret_check(const char *option, const char *path, const struct stat *st, struct err *err);

/* From [web] token_file, else the credential web-token, else EARSHOT_WEB_TOKEN. 1: read, 0: there is none, -1: err: a file that cannot be
 * read, that others may read, or a token that is none. The text never holds any of it. */
int token_read(const struct config *config, char out[TOKEN_SIZE], struct err *err);

#endif
