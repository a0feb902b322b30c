/* What the server's own files share; routes and modules see web.h alone. */
#ifndef EARSHOT_HTTP_INTERNAL_H
#define EARSHOT_HTTP_INTERNAL_H

#include "daemon/http/conns.h"
#include "daemon/http/listen.h"
#include "daemon/http/metrics.h"
#include "daemon/http/route.h"
#include "daemon/http/tls.h"
#include "daemon/http/web.h"
#include "daemon/outputs/event_inbox.h"
#include "daemon/outputs/output_thread.h"
#include <microhttpd.h>
#include <pthread.h>

#define REQUEST_QUERY   12 /* query parameters of a route, at most */
#define REQUEST_HEADERS 8  /* reply headers that a handler sets, at most */

struct workers;
struct server;
struct auth;

struct web_label_list {
    struct output_label *list;
    size_t n;
};

/* What the main thread told, on its way to the modules. */
struct web_note {
    struct web_note *next;
    enum { NOTE_SETTING, NOTE_LABELS, NOTE_RESULT } kind;
    char name[COMMAND_NAME];
    char *value;
    struct command_result result;
};

struct web {
    struct output output;                 /* first: what the daemon holds */
    struct config config;                 /* a copy, without its lists */
    const struct daemon_control *control; /* may be NULL */
    struct store *store;                  /* may be NULL */
    void *states[WEB_MODULES];
    bool opened[WEB_MODULES];

    struct event_inbox *inbox; /* from the worker to the teller */
    struct output_thread teller;
    bool told;            /* the teller runs */
    bool used;            /* the teller's: there were connections, and what they took was not given back yet */
    atomic_bool stopping; /* nothing new is taken on */
    _Atomic uint64_t dropped, sent; /* events; statistics: relaxed */

    pthread_mutex_t lock; /* guards what follows; held for copies only */
    struct health health;
    bool health_due;
    struct web_label_list labels;
    struct web_note *notes, **notes_end;
    size_t n_notes;
    char test_id[UUID_SIZE];      /* the last test event that the modules were told of */
    struct sse_hub *hubs;         /* all, a list */
    union listen_address address; /* that is served; family 0: none yet */

    struct auth *auth;
    char host_name[256];
    char cookie[32]; /* its name: another for each port, since browsers do not tell ports apart */

    struct conns conns;
    struct metrics metrics;
    struct workers *workers;
    struct server *server; /* the teller's, and that of start and stop */
    char tls_problem[ERR_TEXT];
    atomic_uint in_flight; /* requests whose handler runs or that are suspended: with a worker, or deferred */
};

struct reply_header {
    char *name, *value;
};

struct request {
    struct web *web;
    struct MHD_Connection *connection;
    struct conn *conn;
    const char *method;
    char *path;
    const struct route *route;
    char params[WEB_PARAMS][WEB_PARAM];
    const char *query[REQUEST_QUERY]; /* of route->params, in their order */
    bool signed_in;
    int64_t begun_ns; /* CLOCK_MONOTONIC */

    bool over;    /* its answer is queued */
    bool running; /* its handler was called */
    char *body;
    size_t body_size, body_read, refused_at; /* bytes kept; read so far; read when it was refused */
    json_t *json;

    bool suspended;
    atomic_uint holds; /* the handler, and whoever it was deferred to; the last of them resumes the connection */

    struct MHD_Response *response;
    unsigned status;
    bool stream; /* it is one of server-sent events */
    bool file;
    struct reply_header headers[REQUEST_HEADERS];
    size_t n_headers;

    void *own;
    void (*drop)(void *own);
    struct request *next; /* of the queue for workers */
};

/* serve.c: opens the socket and serves. -1: err; where `again` turns true it may work later (the port is taken). */
int server_start(struct web *w, bool *again, struct err *err);
/* Before it: nothing is in flight, every stream has been told to end. */
void server_stop(struct web *w);
void server_renew(struct web *w); /* the teller, now and then: takes over a certificate that was renewed */
/* server.c. fd: a listening socket, which stays the caller's. NULL: err. tls: NULL for plain http. */
struct MHD_Daemon *server_run(struct web *w, int fd, const struct tls_files *tls, struct err *err);
void server_run_handler(struct request *r); /* the route's, and 500 where it made no reply */
bool request_release(struct request *r);    /* true: that was the last hold */

void web_address(struct web *w, union listen_address *out); /* that is served; loopback where none is yet */

/* admit.c. -1: refused, the reply is made. */
int admit_origin(struct request *r); /* 421, 403 */
int admit_person(struct request *r); /* 401, 429; sets signed_in */
const char *admit_cookie(const struct request *r);
void admit_set_cookie(struct request *r, const char *session, long seconds);
void admit_peer(const struct request *r, uint8_t out[16]);

/* request.c */
struct request *request_new(struct web *w, struct MHD_Connection *connection, const char *path, const char *method);
void request_free(struct request *r);
int request_read_query(struct request *r); /* -1: refused, the reply is made */
int request_read_json(struct request *r);

/* reply.c: hands the reply to libmicrohttpd, with the headers that every one has. */
enum MHD_Result reply_queue(struct request *r);

/* workers.c */
struct workers *workers_new(struct web *w);
void workers_free(struct workers *p);                   /* what waits is answered by 503 */
bool workers_put(struct workers *p, struct request *r); /* false: too many wait */

/* sse.c */
void sse_beat(struct web *w); /* the teller, once a second */
unsigned sse_watching_all(struct web *w);
void sse_end_all(struct web *w); /* every stream ends as soon as it can */

/* files.c: replies with the file of that path. false: there is none. */
bool files_reply(struct request *r);

/* routes.c */
extern const struct route *const route_tables[];       /* ends with NULL */
extern const struct web_schema *const schema_tables[]; /* ends with NULL; each ends with a row without a name */
extern const struct web_module *const web_modules[];   /* ends with NULL */

#endif
