#include "daemon/control.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define IDLE_MS 60000 /* a client that has asked nothing for so long */

struct client {
    int fd; /* -1: free */
    size_t n_in, n_out;
    bool closing;                          /* nothing more is read, only what is to be sent goes out */
    int64_t active_ms;                     /* last time that it asked or was answered in full */
    const struct control_command *command; /* of the running request, NULL: none */
    struct control_call call;
    json_t *request;
    int64_t again_at_ms;
    char in[CONTROL_LINE];
    char *out; /* CONTROL_REPLIES */
};

struct control {
    const struct control_command *commands;
    void *ctx;
    int listener, wake;
    pthread_t thread;
    dev_t device; /* of the socket file: only our own is taken away */
    ino_t inode;
    struct sockaddr_un address;
    struct client clients[CONTROL_CLIENTS];
};

static void end_request(struct client *k)
{
    json_decref(k->request);
    json_decref(k->call.memo);
    k->request = NULL;
    k->call = (struct control_call){0};
    k->command = NULL;
    k->active_ms = clock_ms(CLOCK_MONOTONIC);
}

static void drop(struct client *k)
{
    if (k->fd < 0)
        return;
    end_request(k);
    close(k->fd);
    free(k->out);
    k->out = NULL;
    k->fd = -1;
}

/* Whole lines only: a client that lets CONTROL_REPLIES bytes lie is dropped. */
static void send_line(struct client *k, json_t *reply)
{
    char *text = reply ? json_dumps(reply, JSON_LINE | JSON_PRESERVE_ORDER) : NULL;
    size_t n = text ? strlen(text) : 0;
    json_decref(reply);
    if (!text || n + 1 > CONTROL_REPLIES - k->n_out) {
        free(text);
        drop(k);
        return;
    }
    memcpy(k->out + k->n_out, text, n);
    k->out[k->n_out + n] = '\n';
    k->n_out += n + 1;
    free(text);
}

static void send_error(struct client *k, const char *text)
{
    send_line(k, json_pack("{s:b, s:o}", "ok", 0, "error", json_text(text)));
}

static void run_call(struct control *c, struct client *k)
{
    struct err err = {"it failed"};
    k->call.reply = NULL;
    k->call.again_ms = 0;
    int result = k->command->run(c->ctx, &k->call, &err);
    json_t *reply = k->call.reply;
    k->call.reply = NULL;
    k->call.n++;
    if (result) {
        json_decref(reply);
        send_error(k, err.text);
    } else if (reply) {
        json_object_set_new(reply, "ok", json_true());
        send_line(k, reply);
    }
    if (k->fd < 0)
        return;
    if (result || k->call.again_ms <= 0)
        end_request(k);
    else
        k->again_at_ms = clock_ms(CLOCK_MONOTONIC) + k->call.again_ms;
}

static void unknown(struct control *c, struct client *k, const char *name)
{
    char text[512];
    int n = snprintf(text, sizeof text, "unknown cmd \"%.64s\"; there are:", name);
    for (const struct control_command *m = c->commands; m->name && n < (int)sizeof text; m++)
        n += snprintf(text + n, sizeof text - (size_t)n, " %s", m->name);
    send_error(k, text);
}

static void take_line(struct control *c, struct client *k, const char *line, size_t n)
{
    json_error_t e;
    json_t *request = json_loadb(line, n, JSON_REJECT_DUPLICATES, &e);
    const char *name = json_string_value(json_object_get(request, "cmd"));
    k->active_ms = clock_ms(CLOCK_MONOTONIC);
    if (!request) {
        char text[256];
        snprintf(text, sizeof text, "not a JSON object: %s", e.text);
        send_error(k, text);
    } else if (!name) {
        send_error(k, "no \"cmd\" in the request");
    } else {
        for (const struct control_command *m = c->commands; m->name && !k->command; m++)
            if (strcmp(m->name, name) == 0)
                k->command = m;
        if (!k->command) {
            unknown(c, k, name);
        } else {
            k->request = request;
            k->call = (struct control_call){.request = request, .memo = json_object()};
            run_call(c, k);
            return;
        }
    }
    json_decref(request);
}

/* The lines that are there, up to the first request that goes on. */
static void take_lines(struct control *c, struct client *k)
{
    char *end;
    while (k->fd >= 0 && !k->command && (end = memchr(k->in, '\n', k->n_in))) {
        size_t n = (size_t)(end - k->in);
        take_line(c, k, k->in, n);
        k->n_in -= n + 1;
        memmove(k->in, end + 1, k->n_in);
    }
    if (k->fd >= 0 && !k->command && k->n_in == sizeof k->in) {
        send_error(k, "the line is too long");
        k->closing = true;
    }
}

static void receive(struct control *c, struct client *k)
{
    ssize_t n = recv(k->fd, k->in + k->n_in, sizeof k->in - k->n_in, MSG_DONTWAIT);
    if (n > 0) {
        k->n_in += (size_t)n;
        take_lines(c, k);
    } else if (n == 0) {
        k->closing = true;
    } else if (errno != EAGAIN && errno != EINTR) {
        drop(k);
    }
}

static void transmit(struct client *k)
{
    ssize_t n = send(k->fd, k->out, k->n_out, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0) {
        if (errno != EAGAIN && errno != EINTR)
            drop(k);
        return;
    }
    k->n_out -= (size_t)n;
    memmove(k->out, k->out + n, k->n_out);
}

static void welcome(struct control *c)
{
    int fd = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    struct client *k = NULL;
    for (int i = 0; i < CONTROL_CLIENTS && !k; i++)
        if (c->clients[i].fd < 0)
            k = &c->clients[i];
    char *out = k ? malloc(CONTROL_REPLIES) : NULL;
    if (!out) {
        static const char busy[] = "{\"ok\":false,\"error\":\"too many clients\"}\n";
        if (send(fd, busy, sizeof busy - 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
            log_debug("control: a client too many: %s", strerror(errno));
        close(fd);
        return;
    }
    *k = (struct client){.fd = fd, .out = out, .active_ms = clock_ms(CLOCK_MONOTONIC)};
}

/* What is due at `now`, and how long nothing will be, in ms; -1: nothing is planned. */
static int run_due(struct control *c, int64_t now)
{
    int64_t next = INT64_MAX;
    for (int i = 0; i < CONTROL_CLIENTS; i++) {
        struct client *k = &c->clients[i];
        if (k->fd >= 0 && k->command && k->again_at_ms <= now) {
            run_call(c, k);
            if (k->fd >= 0 && !k->command)
                take_lines(c, k);
        }
        if (k->fd >= 0 && !k->command && now - k->active_ms > IDLE_MS)
            drop(k);
        if (k->fd < 0)
            continue;
        int64_t due = k->command ? k->again_at_ms : k->active_ms + IDLE_MS + 1;
        next = due < next ? due : next;
    }
    return next == INT64_MAX ? -1 : next <= now ? 0 : (int)(next - now);
}

static void serve(struct control *c, struct client *k, short events)
{
    if (events & POLLOUT)
        transmit(k);
    if (k->fd >= 0 && !k->closing && events & POLLIN)
        receive(c, k);
    else if (k->fd >= 0 && events & (POLLHUP | POLLERR | POLLRDHUP) && (k->command || k->n_out == 0))
        drop(k); /* nobody is there any more to go on for */
    if (k->fd >= 0 && k->n_out > 0)
        transmit(k);
    if (k->fd >= 0 && k->closing && k->n_out == 0 && !k->command)
        drop(k);
}

/* No further line is read while a request goes on: it waits in the socket. */
static short wanted_events(const struct client *k)
{
    short in = k->command ? POLLRDHUP : k->closing ? 0 : POLLIN;
    return (short)(in | (k->n_out > 0 ? POLLOUT : 0));
}

static void *control_thread(void *arg)
{
    struct control *c = arg;
    for (;;) {
        struct pollfd p[2 + CONTROL_CLIENTS] = {{.fd = c->wake, .events = POLLIN},
                                                {.fd = c->listener, .events = POLLIN}};
        int timeout = run_due(c, clock_ms(CLOCK_MONOTONIC));
        for (int i = 0; i < CONTROL_CLIENTS; i++) {
            p[2 + i].fd = c->clients[i].fd;
            p[2 + i].events = wanted_events(&c->clients[i]);
        }
        if (poll(p, 2 + CONTROL_CLIENTS, timeout) < 0)
            continue;
        if (p[0].revents)
            return NULL;
        for (int i = 0; i < CONTROL_CLIENTS; i++)
            if (p[2 + i].revents && p[2 + i].fd >= 0)
                serve(c, &c->clients[i], p[2 + i].revents);
        if (p[1].revents & POLLIN)
            welcome(c);
    }
}

static int answered(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* EAGAIN: its queue is full, so somebody has it open */
    int yes = fd >= 0 && (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 || errno == EAGAIN);
    if (fd >= 0)
        close(fd);
    return yes;
}

static int listen_at(struct control *c, const char *path, struct err *err)
{
    struct stat st;
    char folder[sizeof c->address.sun_path];
    if (strlen(path) >= sizeof c->address.sun_path)
        return err_set(err, "%s: too long for a socket (%zu bytes at most)", path, sizeof c->address.sun_path - 1);
    c->address.sun_family = AF_UNIX;
    memcpy(c->address.sun_path, path, strlen(path) + 1);
    memcpy(folder, path, strlen(path) + 1);
    char *slash = strrchr(folder, '/');
    if (slash && slash != folder) {
        *slash = '\0';
        mkdir(folder, 0700); /* what is wrong with it, bind will say */
    }
    c->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->listener < 0)
        return err_set(err, "control socket: %s", strerror(errno));
    const struct sockaddr *address = (const struct sockaddr *)&c->address;
    int e = bind(c->listener, address, sizeof c->address);
    if (e && errno == EADDRINUSE) {
        if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
            return err_set(err, "%s is in the way: it is no socket", path);
        if (answered(&c->address))
            return err_set(err, "another earshot answers at %s", path);
        unlink(path); /* left over from one that was killed */
        e = bind(c->listener, address, sizeof c->address);
    }
    if (e || chmod(path, 0660) || lstat(path, &st) || listen(c->listener, CONTROL_CLIENTS))
        return err_set(err, "%s: %s", path, strerror(errno));
    c->device = st.st_dev;
    c->inode = st.st_ino;
    return 0;
}

static void take_down(struct control *c)
{
    struct stat st;
    for (int i = 0; i < CONTROL_CLIENTS; i++)
        drop(&c->clients[i]);
    if (c->inode && lstat(c->address.sun_path, &st) == 0 && st.st_dev == c->device && st.st_ino == c->inode)
        unlink(c->address.sun_path);
    if (c->listener >= 0)
        close(c->listener);
    if (c->wake >= 0)
        close(c->wake);
    free(c);
}

struct control *control_new(const char *path, const struct control_command *commands, void *ctx, struct err *err)
{
    struct control *c = calloc(1, sizeof *c);
    if (!c) {
        err_set(err, "no memory for the control socket");
        return NULL;
    }
    c->commands = commands;
    c->ctx = ctx;
    c->listener = -1;
    for (int i = 0; i < CONTROL_CLIENTS; i++)
        c->clients[i].fd = -1;
    c->wake = eventfd(0, EFD_CLOEXEC);
    if (c->wake < 0) {
        err_set(err, "control socket: %s", strerror(errno));
        goto fail;
    }
    if (listen_at(c, path, err))
        goto fail;
    int e = pthread_create(&c->thread, NULL, control_thread, c);
    if (e == 0)
        return c;
    err_set(err, "no thread for the control socket: %s", strerror(e));
fail:
    take_down(c);
    return NULL;
}

void control_free(struct control *c)
{
    if (!c)
        return;
    if (eventfd_write(c->wake, 1))
        log_error("control: cannot wake its thread: %s", strerror(errno));
    pthread_join(c->thread, NULL);
    take_down(c);
}
