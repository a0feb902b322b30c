#include "base/clock.h"
#include "base/json.h"
#include "daemon/control.h"
#include "daemon/instance.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct control_client {
    int fd;
    size_t held;
    char buffer[CONTROL_REPLIES];
};

enum { PLACES = 4 };

/* The places in the order in which they are tried; absent ones are "". RUNTIME_DIRECTORY may be a list: its first. */
static void places(const char *state_dir, char out[PLACES][sizeof(((struct sockaddr_un *)0)->sun_path) + 1])
{
    const char *runtime = getenv("RUNTIME_DIRECTORY"), *session = getenv("XDG_RUNTIME_DIR");
    size_t size = sizeof out[0];
    const char *name = instance_name(), *dash = *name ? "-" : "";

    for (int i = 0; i < PLACES; i++)
        out[i][0] = '\0';
    if (runtime && *runtime)
        snprintf(out[0], size, "%.*s/control", (int)strcspn(runtime, ":"), runtime);
    if (session && *session)
        snprintf(out[1], size, "%s/earshot%s%s/control", session, dash, name);
    if (state_dir && *state_dir)
        snprintf(out[2], size, "%s/control", state_dir);
    snprintf(out[3], size, "/run/earshot%s%s/control", dash, name);
}

int control_path(const char *state_dir, char *out, size_t size, struct err *err)
{
    char place[PLACES][sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
    places(state_dir, place);
    for (int i = 0; i < PLACES - 1; i++) {
        size_t n = strlen(place[i]);
        if (n == 0)
            continue;
        if (n >= sizeof place[i] - 1 || n >= size) /* cut, or as long as the cut would be */
            return err_set(err, "%s...: too long for a socket (%zu bytes at most)", place[i], sizeof place[i] - 2);
        memcpy(out, place[i], n + 1);
        return 0;
    }
    return err_set(err, "no place for the control socket: no RUNTIME_DIRECTORY, XDG_RUNTIME_DIR or state directory");
}

static int connect_to(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (!*path || strlen(path) >= sizeof a.sun_path)
        return -1;
    memcpy(a.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
        return fd;
    int why = errno;
    if (fd >= 0)
        close(fd);
    errno = why;
    return -1;
}

struct control_client *control_connect(const char *state_dir, struct err *err)
{
    char place[PLACES][sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
    struct control_client *c = calloc(1, sizeof *c);
    if (!c) {
        err_set(err, "no memory");
        return NULL;
    }
    places(state_dir, place);
    const char *refused = NULL;
    for (int i = 0; i < PLACES; i++) {
        errno = 0;
        c->fd = connect_to(place[i]);
        if (c->fd >= 0)
            return c;
        if (errno == EACCES)
            refused = place[i];
    }
    if (refused)
        err_set(err, "%s: permission denied (members of the group earshot may)", refused);
    else
        err_set(err, "no earshot daemon is running here");
    free(c);
    return NULL;
}

void control_close(struct control_client *c)
{
    if (!c)
        return;
    close(c->fd);
    free(c);
}

int control_send(struct control_client *c, json_t *request, struct err *err)
{
    char *text = request ? json_dumps(request, JSON_LINE) : NULL;
    json_decref(request);
    if (!text)
        return err_set(err, "no memory");
    size_t n = strlen(text);
    text[n++] = '\n'; /* in the NUL's place: it is bytes from here on */
    for (size_t at = 0; at < n;) {
        ssize_t w = send(c->fd, text + at, n - at, MSG_NOSIGNAL);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0 && errno == EPIPE)
            break; /* what it said before it hung up (too many clients) is still to be read */
        if (w < 0) {
            free(text);
            return err_set(err, "the daemon went away: %s", strerror(errno));
        }
        at += (size_t)w;
    }
    free(text);
    return 0;
}

static json_t *parse(struct control_client *c, size_t n, struct err *err)
{
    json_error_t e;
    json_t *reply = json_loadb(c->buffer, n, 0, &e);
    c->held -= n + 1;
    memmove(c->buffer, c->buffer + n + 1, c->held);
    if (json_is_true(json_object_get(reply, "ok")))
        return reply;
    const char *text = json_string_value(json_object_get(reply, "error"));
    err_set(err, "%s", text ? text : "the daemon's answer cannot be read");
    json_decref(reply);
    return NULL;
}

json_t *control_receive(struct control_client *c, double timeout_s, struct err *err)
{
    double end = clock_s(CLOCK_MONOTONIC) + timeout_s;
    for (;;) {
        char *line = memchr(c->buffer, '\n', c->held);
        if (line)
            return parse(c, (size_t)(line - c->buffer), err);
        struct pollfd p = {.fd = c->fd, .events = POLLIN};
        double left = end - clock_s(CLOCK_MONOTONIC);
        int ready = left > 0 ? poll(&p, 1, (int)(left * 1000) + 1) : 0;
        if (ready < 0 && errno == EINTR) {
            err_set(err, "interrupted");
            return NULL;
        }
        if (ready <= 0) {
            err_set(err, "the daemon does not answer");
            return NULL;
        }
        ssize_t n = recv(c->fd, c->buffer + c->held, sizeof c->buffer - c->held, 0);
        if (n <= 0) { /* also when a line is longer than the buffer */
            err_set(err, "the daemon went away");
            return NULL;
        }
        c->held += (size_t)n;
    }
}
