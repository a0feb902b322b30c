/* The control socket: other sub-commands reach the running daemon by it. A Unix stream socket; each line is one JSON object.
 *
 *   -> {"cmd":"levels"}          <- {"ok":true,"rms_dbfs":-41.2,...} again and again, until the client closes
 *   -> {"cmd":"test","label":"siren"}   <- one or more objects
 *   -> anything else             <- {"ok":false,"error":"..."}
 *
 * Who may connect is the file's mode, 0660. Clients are hostile all the same: at most CONTROL_CLIENTS of them, lines of at most
 * CONTROL_LINE bytes, one request at a time; one that does not read its answers, or asks nothing for a minute, is dropped. */
#ifndef EARSHOT_CONTROL_H
#define EARSHOT_CONTROL_H

#include "base/err.h"
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum { CONTROL_CLIENTS = 16, CONTROL_LINE = 4096, CONTROL_REPLIES = 65536 };

/* One request, from its line to its last reply. */
struct control_call {
    const json_t *request; /* the client's object, borrowed */
    json_t *memo;          /* an object for the handler's own use, empty at first, kept until the last reply */
    unsigned n;            /* 0 at the first call, then 1, 2, ... */
    json_t *reply;         /* out: an object to send (the reference is taken; "ok":true is added), NULL: nothing now */
    int again_ms;          /* out: call again in so many ms; 0: that was all */
};

/* Runs on the control thread, so it must not wait: what takes time sets again_ms and looks again. -1 with err: the error is
 * sent, the request is over. A client that went away is not told of: nothing may hang on a last call. */
struct control_command {
    const char *name;
    int (*run)(void *ctx, struct control_call *call, struct err *err);
};

struct control;

/* Listens at `path` (its folder is made where it is missing) on a thread of its own. `commands` ends with a NULL name; it and ctx
 * are borrowed. A socket file that nobody answers on is replaced; one that is answered, or is no socket, is an error. */
struct control *control_new(const char *path, const struct control_command *commands, void *ctx, struct err *err);
void control_free(struct control *c); /* joins, closes, takes the socket file away */

/* Where the daemon listens: $RUNTIME_DIRECTORY/control, else $XDG_RUNTIME_DIR/earshot/control, else state_dir/control. state_dir
 * may be NULL. -1: there is no place, or its path is too long for a socket. */
int control_path(const char *state_dir, char *out, size_t size, struct err *err);

/* The client's side. Looks in control_path's places and /run/earshot/control. NULL: no daemon answers. */
struct control_client;
struct control_client *control_connect(const char *state_dir, struct err *err);
void control_close(struct control_client *c);

/* Sends a request (its reference is taken). */
int control_send(struct control_client *c, json_t *request, struct err *err);

/* The next reply, waited for up to timeout_s. NULL with err: none came, the daemon went away, or it said "ok":false (err: its
 * error). */
json_t *control_receive(struct control_client *c, double timeout_s, struct err *err);

#endif
