/* The socket that the web server listens on. */
#ifndef EARSHOT_HTTP_LISTEN_H
#define EARSHOT_HTTP_LISTEN_H

#include "base/err.h"
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#define LISTEN_TEXT 64

union listen_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* "127.0.0.1", "::1", "[::]", "localhost". -1: err says what is allowed. */
int listen_parse(const char *text, int port, union listen_address *out, struct err *err);

/* Does nobody but this machine reach it? */
bool listen_is_loopback(const union listen_address *a);

void listen_text(const union listen_address *a, char out[LISTEN_TEXT]); /* "127.0.0.1:8765", "[::1]:8765" */

/* A listening socket, close-on-exec, not blocking. -1: err; `again`: somebody else has the port, or the address is not there yet. */
int listen_open(const union listen_address *a, bool *again, struct err *err);

/* What systemd handed over ($LISTEN_FDS): the first TCP socket, with its address; -1: none. -2: err, something that is no such socket. */
int listen_inherited(union listen_address *a, struct err *err);

#endif
