/* The way of a request through libmicrohttpd, whose thread serves all connections. */
#include "base/clock.h"
#include "daemon/http/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MEMORY                                                                                                         \
    (40 * 1024) /* of a connection: request line, headers, reply headers. Above 32 KiB it is mapped, and given back */
#define STACK     262144 /* a TLS handshake takes a part of it */
#define IDLE_S    15     /* without a byte in either direction */
#define BODY_MOST 16384
#define SPARE     65536 /* a refused body of up to that is read over, so that the connection goes on */

/* --- handlers --------------------------------------------------------------------------------------------------------- */

bool request_release(struct request *r)
{
    return atomic_fetch_sub(&r->holds, 1) == 1;
}

void server_run_handler(struct request *r)
{
    r->route->handle(r->web, r);
}

/* libmicrohttpd's thread alone may: it has stopped to look at the connection when this returns. */
static void suspend(struct request *r)
{
    if (r->suspended)
        return;
    r->suspended = true;
    atomic_fetch_add(&r->web->in_flight, 1);
    MHD_suspend_connection(r->connection);
}

void request_defer(struct request *r)
{
    atomic_fetch_add(&r->holds, 1);
    if (!(r->route->flags & ROUTE_WORKER))
        suspend(r);
}

void request_resume(struct request *r)
{
    struct web *w = r->web;

    if (!request_release(r))
        return;
    MHD_resume_connection(r->connection);
    atomic_fetch_sub(&w->in_flight, 1);
}

static enum MHD_Result finish(struct request *r)
{
    if (!r->status)
        reply_problem(r, 500, "no answer was made");
    return reply_queue(r);
}

static enum MHD_Result start_handler(struct request *r)
{
    if (atomic_load(&r->web->stopping)) {
        reply_problem(r, 503, "the daemon is stopping");
        return finish(r);
    }
    if (r->route->flags & ROUTE_WORKER) {
        suspend(r);
        if (!workers_put(r->web->workers, r)) {
            reply_problem(r, 503, "too many requests wait already");
            request_resume(r);
        }
        return MHD_YES;
    }
    server_run_handler(r);
    if (!r->suspended)
        return finish(r);
    request_resume(r);
    return MHD_YES;
}

static enum MHD_Result run(struct request *r)
{
    struct web *w = r->web;

    r->running = true;
    conns_state(&w->conns, r->conn, CONN_BUSY);
    atomic_store(&r->holds, 1);
    atomic_fetch_add(&w->in_flight, 1); /* before `stopping` is looked at: who stops looks the other way round */
    enum MHD_Result rc = start_handler(r);
    atomic_fetch_sub(&w->in_flight, 1);
    return rc;
}

/* --- the body --------------------------------------------------------------------------------------------------------- */

static size_t body_limit(const struct route *route)
{
    return route->body_max ? route->body_max : BODY_MOST;
}

static const char *content_type(const struct request *r)
{
    const char *type = request_header(r, "Content-Type");

    return type ? type : "";
}

static bool has_body(const struct request *r, uint64_t *n)
{
    const char *length = request_header(r, "Content-Length");

    *n = length ? strtoull(length, NULL, 10) : 0;
    return *n > 0 || request_header(r, "Transfer-Encoding");
}

static void check_body(struct request *r)
{
    uint64_t n;
    bool any = has_body(r, &n);

    if (r->status || !any)
        return;
    if (r->route->body == BODY_NONE) {
        if (n > SPARE)
            reply_problem(r, 413, "no body is expected here");
        return;
    }
    if (n > body_limit(r->route))
        reply_problem(r, 413, "%llu bytes; at most %zu are taken", (unsigned long long)n, body_limit(r->route));
    else if (r->route->body == BODY_JSON && strncasecmp(content_type(r), "application/json", 16) != 0)
        reply_problem(r, 415, "Content-Type is \"%.60s\"; allowed: application/json", content_type(r));
}

static int keep_piece(struct request *r, const char *data, size_t size)
{
    char *more = realloc(r->body, r->body_size + size);

    if (!more) {
        reply_problem(r, 503, "out of memory");
        return -1;
    }
    r->body = more;
    memcpy(r->body + r->body_size, data, size);
    r->body_size += size;
    return 0;
}

/* A refused one is read over for a while, so that the client gets to read why; then it is cut. */
static enum MHD_Result take_piece(struct request *r, const char *data, size_t size)
{
    size_t before = r->body_read;

    r->body_read += size;
    if (r->status)
        return r->body_read - r->refused_at > SPARE ? MHD_NO : MHD_YES;
    if (r->route->body != BODY_NONE && r->body_read > body_limit(r->route))
        reply_problem(r, 413, "more than %zu bytes", body_limit(r->route));
    else if (r->route->body == BODY_NONE && r->body_read > SPARE)
        reply_problem(r, 413, "no body is expected here");
    else if (r->route->body == BODY_JSON)
        keep_piece(r, data, size);
    else if (r->route->body == BODY_STREAM && r->route->sink->data(r->web, r, data, size) < 0)
        reply_problem(r, 400, "the body cannot be used");
    if (r->status)
        r->refused_at = before;
    return MHD_YES;
}

/* --- a request -------------------------------------------------------------------------------------------------------- */

static void find_route(struct request *r)
{
    char allowed[64];

    r->route = route_find(route_tables, r->method, r->path, r->params, allowed, sizeof allowed);
    if (r->route)
        return;
    if (!*allowed) {
        reply_problem(r, 404, "there is nothing at this path");
    } else {
        reply_problem(r, 405, "%.16s is not allowed here; allowed: %s", r->method, allowed);
        reply_header(r, "Allow", allowed);
    }
}

/* The headers are there. A reply made here refuses the request before its body is read. */
static enum MHD_Result begin(struct request *r)
{
    uint64_t n;

    r->begun_ns = clock_ns(CLOCK_MONOTONIC);
    bool get = strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0;
    if (admit_origin(r) == 0 && (!get || !files_reply(r)))
        find_route(r);
    if (r->route)
        admit_person(r);
    if (r->route && !r->status)
        request_read_query(r);
    if (r->route)
        check_body(r);
    bool upload = !r->status && r->route && r->route->body == BODY_STREAM;
    conns_state(&r->web->conns, r->conn, upload ? CONN_LARGE : CONN_BODY);
    if (upload && r->route->sink->begin && r->route->sink->begin(r->web, r) < 0)
        reply_problem(r, 400, "the body cannot be used");
    if (r->status && has_body(r, &n) && (n == 0 || n > SPARE))
        return finish(r);
    return MHD_YES; /* called again with the body, and at its end */
}

static size_t on_unescape(void *cls, struct MHD_Connection *connection, char *text)
{
    (void)cls;
    (void)connection;
    return route_unescape(text);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *data, size_t *size, void **req)
{
    struct web *w = cls;
    struct request *r = *req;

    (void)version;
    if (!r) {
        r = *req = request_new(w, connection, url, method);
        return r ? begin(r) : MHD_NO;
    }
    if (*size) {
        size_t n = *size;
        *size = 0;
        return take_piece(r, data, n);
    }
    if (r->over)
        return MHD_YES;
    if (!r->running && !r->status && r->route->body == BODY_JSON)
        request_read_json(r);
    return r->running || r->status ? finish(r) : run(r);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **req, enum MHD_RequestTerminationCode code)
{
    struct web *w = cls;
    struct request *r = *req;

    (void)connection;
    (void)code;
    if (!r)
        return;
    conns_state(&w->conns, r->conn, CONN_WAITING);
    request_free(r);
    *req = NULL;
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct web *w = cls;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = info ? conns_add(&w->conns, info->connect_fd) : NULL;
    } else {
        conns_remove(&w->conns, *context);
        *context = NULL;
    }
}

/* --- the thread ------------------------------------------------------------------------------------------------------- */

struct MHD_Daemon *server_run(struct web *w, int fd, const struct tls_files *tls, struct err *err)
{
    static const char versions[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";
    const struct MHD_OptionItem encrypted[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, tls ? tls->cert : NULL},
                                               {MHD_OPTION_HTTPS_MEM_KEY, 0, tls ? tls->key : NULL},
                                               {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)versions},
                                               {MHD_OPTION_END, 0, NULL}},
                                plain[] = {{MHD_OPTION_END, 0, NULL}};
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | (tls ? MHD_USE_TLS : 0);
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0); /* closed by it, also where it does not start */

    struct MHD_Daemon *daemon =
        own < 0 ? NULL
                : MHD_start_daemon(flags, 0, NULL, NULL, on_request, w, MHD_OPTION_LISTEN_SOCKET, own,
                                   MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNS_MOST, MHD_OPTION_CONNECTION_TIMEOUT,
                                   (unsigned)IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY,
                                   MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK, MHD_OPTION_STRICT_FOR_CLIENT, 1,
                                   MHD_OPTION_UNESCAPE_CALLBACK, on_unescape, NULL, MHD_OPTION_NOTIFY_COMPLETED,
                                   on_completed, w, MHD_OPTION_NOTIFY_CONNECTION, on_connection, w, MHD_OPTION_ARRAY,
                                   tls ? encrypted : plain, MHD_OPTION_END);
    if (!daemon)
        err_set(err, "[web] the server cannot be started: %s", strerror(errno));
    return daemon;
}
