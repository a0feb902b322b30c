/* The web server: what a file of routes (daemon/http/api_*.c) stands on. To add routes: a table `const struct route routes_NAME[]`,
 * ended by a row without a method, named in routes.c; to keep something between requests, or to hear of events and health: a
 * `struct web_module`, named there too.
 *
 * Threads. One thread serves all connections (libmicrohttpd, epoll): what runs there must neither block nor compute for longer than a
 * millisecond. A handler runs there unless its route is marked ROUTE_WORKER: then it runs on one of WEB_WORKERS threads, and may read
 * SQLite and files and take up to about a second, while others wait in a queue of WEB_QUEUE (beyond it: 503). What takes longer defers
 * its answer (request_defer) to a thread of its own. Another thread, the teller, calls the modules: nothing there may block for
 * long either. The daemon's worker and analysis threads never run any code of a route or a module. */
#ifndef EARSHOT_HTTP_WEB_H
#define EARSHOT_HTTP_WEB_H

#include "base/config.h"
#include "base/err.h"
#include "daemon/commands.h"
#include "daemon/outputs/output.h"
#include "daemon/pipeline.h"
#include "daemon/store/store.h"
#include <jansson.h>
#include <stdint.h>

#define WEB_WORKERS 2
#define WEB_QUEUE   64 /* requests that wait for a worker */
#define WEB_PARAMS  4  /* {names} in a path, at most */
#define WEB_PARAM   97 /* such a value and its NUL */

struct web;
struct request;

/* --- modules -------------------------------------------------------------------------------------------------------- */

enum web_module_id { WEB_CORE, WEB_LIVE, WEB_UPLOAD, WEB_MODULES };

/* Any member but the name may be NULL. All but `open` and `close` are called on the teller's thread, one after the other. */
struct web_module {
    enum web_module_id id;
    /* Before anything is served. -1: err; the daemon does not start. */
    int (*open)(struct web *w, struct err *err);
    void (*event)(struct web *w, const struct event *event);    /* each, held-back ones (notify false) too, in order */
    void (*health)(struct web *w, const struct health *health); /* about once a second */
    void (*setting)(struct web *w, const char *name, const char *value);
    void (*labels)(struct web *w);                                      /* they have changed: web_labels */
    void (*result)(struct web *w, const struct command_result *result); /* of COMMAND_WEB, and all of "label" */
    /* The daemon ends: have what was deferred answered (503), stop threads of one's own. Nothing is told any more. */
    void (*end)(struct web *w);
    void (*close)(struct web *w); /* nothing is served any more: free */
};

void *web_state(struct web *w, enum web_module_id id); /* what that module set, or NULL */
void web_set_state(struct web *w, enum web_module_id id, void *state);

/* The rest of the daemon; each may be NULL in tests, `store` also where there is no state directory. All may be used by any thread. */
struct pipeline *web_pipeline(struct web *w);
struct commands *
web_commands(struct web *w); /* commands_put(..., COMMAND_WEB, ...); the result comes by module->result */
struct store *web_store(struct web *w);
const char *web_state_dir(struct web *w); /* "" where there is none */

/* The configuration as it was at the start (not what was set since). */
const struct config *web_config(struct web *w);

/* Copies of what the daemon told last. Any thread. */
void web_health(struct web *w, struct health *out);
size_t web_labels(struct web *w, struct output_label *out, size_t most); /* returns how many there are */
bool web_is_tls(struct web *w);
bool web_needs_sign_in(struct web *w); /* there is a token */

/* --- routes --------------------------------------------------------------------------------------------------------- */

enum param_type {
    PARAM_TEXT,
    PARAM_INT,    /* min..max */
    PARAM_NUMBER, /* min..max */
    PARAM_BOOL,   /* 1, 0, true, false, on, off */
    PARAM_TIME,   /* base/when.h: RFC 3339, 2h, today, ... */
    PARAM_WORD,   /* one of `words` */
};

/* A query parameter. Unknown, repeated and wrong ones are refused (400) before the handler. */
struct query_param {
    const char *name; /* NULL ends the list */
    enum param_type type;
    double min, max;
    const char *words;  /* "hour|day" */
    const char *preset; /* as text; NULL: absent is absent */
    const char *help;
};

enum body_type {
    BODY_NONE,   /* one that comes all the same is read over, up to a few kB */
    BODY_JSON,   /* an object, application/json, parsed before the handler: request_json. Empty counts as {} */
    BODY_STREAM, /* handed on in pieces: route->sink */
};

/* Takes a body in pieces, on the server's thread: writing to a file is fine, fsync and parsing are not. */
struct body_sink {
    /* The headers are there and allowed. -1: refused; a reply was made (reply_problem). */
    int (*begin)(struct web *w, struct request *r);
    /* The next piece. -1 as above; the rest is read over or cut. */
    int (*data)(struct web *w, struct request *r, const char *data, size_t size);
};

enum route_flags {
    ROUTE_WORKER = 1,  /* the handler runs on a worker: it reads SQLite or files */
    ROUTE_OPEN = 2,    /* without sign-in */
    ROUTE_STREAM = 4,  /* answers with sse_open */
    ROUTE_UNLISTED = 8 /* not in openapi.json: it is no part of the API */
};

/* Schemas are JSON Schema (2020-12, as in OpenAPI 3.1) as C text in which ' stands for ": "{'type':'object'}"; so no apostrophe in
 * them. {'$ref':'#/components/schemas/NAME'} refers to those in schemas[] of any table (web_schema). */
struct route {
    const char *method; /* "GET" (HEAD as well), "POST", "PUT", "PATCH", "DELETE"; NULL ends the table */
    const char
        *path; /* "/api/v1/events/{id}/ack"; what stands for {id} is [A-Za-z0-9_.-]+ without a dot in front: no path */
    unsigned flags;
    void (*handle)(struct web *w, struct request *r);
    const struct query_param *params; /* NULL: none */
    enum body_type body;
    size_t body_max; /* bytes; 0: 16 KiB. More is refused (413), by Content-Length before anything of it is read */
    const struct body_sink *sink;
    const char *summary;     /* a sentence, for openapi.json */
    const char *body_schema; /* of BODY_JSON */
    const char *body_types;  /* of BODY_STREAM: "audio/flac|multipart/form-data" */
    unsigned status;         /* of success; 0: 200 */
    const char *type;        /* of the answer; NULL: application/json; "" : none (204) */
    const char *schema;      /* of a JSON answer, or of what `data:` of a stream holds */
    const char *problems;    /* statuses of problems beyond 400, 401, 403, 421, which every one may give: "404|409" */
};

struct web_schema {
    const char *name, *schema;
};

/* --- a request ------------------------------------------------------------------------------------------------------ */
/* Valid from the first call for it until its reply was made and the handler returned; where deferred, until request_resume. */

const char *request_method(const struct request *r);
const char *request_path(const struct request *r);
const char *request_param(const struct request *r,
                          const char *name); /* of the path; never NULL for one of the template's */

/* Query parameters, checked: absent and without a preset: NULL, false. */
const char *request_query(const struct request *r, const char *name);
bool request_number(const struct request *r, const char *name, double *out);
bool request_int(const struct request *r, const char *name, int64_t *out);
bool request_bool(const struct request *r, const char *name);
bool request_time(const struct request *r, const char *name, int64_t *ms_out); /* UTC ms */

const char *request_header(const struct request *r, const char *name); /* NULL: absent */
const json_t *request_json(const struct request *r);                   /* BODY_JSON: the object, the request's own */
bool request_signed_in(const struct request *r);                       /* or no sign-in is needed */

/* Something of the route's own (an upload's file), freed with the request by `drop`, whatever becomes of it. */
void request_keep(struct request *r, void *own, void (*drop)(void *own));
void *request_own(const struct request *r);

/* The answer comes later, from any thread: call within the handler; then, once a reply was made, request_resume, which ends the
 * right to use r. Must happen in the end in any case: a client that went away is only noticed then. */
void request_defer(struct request *r);
void request_resume(struct request *r);

/* --- replies -------------------------------------------------------------------------------------------------------- */
/* One a request; a second is ignored. A handler that returns without one gives 500. */

void reply_json(struct request *r, unsigned status, json_t *steals);                     /* NULL: 500, out of memory */
void reply_text(struct request *r, unsigned status, const char *type, const char *text); /* copied */
void reply_owned(struct request *r, unsigned status, const char *type, char *text,
                 size_t n); /* malloc'ed; taken over */
void reply_static(struct request *r, unsigned status, const char *type, const void *data,
                  size_t n); /* lives for ever */
void reply_empty(struct request *r, unsigned status);
/* A file, which is taken over, with Range (206, 416) and Content-Length. */
void reply_file(struct request *r, const char *type, int fd);
/* RFC 9457: application/problem+json {"type":"about:blank","title","status","detail"}. */
void reply_problem(struct request *r, unsigned status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Before the reply or after it, within the handler. */
void reply_header(struct request *r, const char *name, const char *value);

/* --- server-sent events --------------------------------------------------------------------------------------------- */

struct sse_hub;
struct sse_client;

/* Whoever watches the hub gets what is published there; one that is `queue` messages behind is cut, and comes back by itself. */
struct sse_hub *sse_hub_new(struct web *w, size_t queue, size_t most_clients);
void sse_hub_free(struct sse_hub *h); /* in module->close; NULL is fine */

/* How many watch now; atomic, any thread, also the real-time ones. */
unsigned sse_watching(const struct sse_hub *h);

/* To all who watch. id may be NULL; data without newlines. Any thread that may allocate and wait for a short lock. */
void sse_publish(struct sse_hub *h, const char *event, const char *id, const char *data);

/* In a ROUTE_STREAM handler: replies with the stream. What is published from now on waits until the handler has returned; what the
 * client missed (request_header "Last-Event-ID") goes before it by sse_replay; published messages with the id of a replayed one are
 * left out. NULL: refused, and the reply was made (503: too many). A comment every 10 s shows that the line is alive. */
struct sse_client *sse_open(struct request *r, struct sse_hub *h);
void sse_replay(struct sse_client *c, const char *event, const char *id, const char *data);

#endif
