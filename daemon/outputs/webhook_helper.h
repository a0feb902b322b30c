/* The daemon's side of the helper program that makes HTTP requests: started when there is one to make, and ended. */
#ifndef EARSHOT_WEBHOOK_HELPER_H
#define EARSHOT_WEBHOOK_HELPER_H

#include "daemon/outputs/child.h"

#include <jansson.h>
#include <limits.h>
#include <stddef.h>

#define WEBHOOK_ANSWER 4096 /* bytes of an answer's line */

struct webhook_helper {
    char path[PATH_MAX];
    struct child child; /* pid 0: it does not run */
    int to, from;       /* pipes, -1: closed */
    char answer[WEBHOOK_ANSWER];
    size_t n;
};

/* Where the program lies: $EARSHOT_LIBEXEC, beside the running program, ../libexec/earshot from there, PREFIX/libexec/earshot. */
int webhook_helper_find(char *path, size_t size, struct err *err);

void webhook_helper_init(struct webhook_helper *h, const char *path);

/* Hands it a request, one line without its end; starts it where it does not run. Neither waits. -1 with err: it was ended. */
int webhook_helper_send(struct webhook_helper *h, const char *line, struct err *err);

/* 1: *answer is the caller's; 0: not yet; -1 with err: it has ended, or was, for saying what nobody understands. */
int webhook_helper_read(struct webhook_helper *h, json_t **answer, struct err *err);

void webhook_helper_end(struct webhook_helper *h);

#endif
