/* What a handler reads: path and query parameters, headers, the body. */
#include "base/clock.h"
#include "base/text.h"
#include "base/when.h"
#include "daemon/http/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct request *request_new(struct web *w, struct MHD_Connection *connection, const char *path, const char *method)
{
    struct request *r = calloc(1, sizeof *r);

    if (!r || !(r->path = strdup(path))) {
        free(r);
        return NULL;
    }
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    r->web = w;
    r->connection = connection;
    r->conn = info ? info->socket_context : NULL;
    r->method = method;
    return r;
}

void request_free(struct request *r)
{
    if (!r)
        return;
    if (r->response)
        MHD_destroy_response(r->response);
    for (size_t i = 0; i < r->n_headers; i++) {
        free(r->headers[i].name);
        free(r->headers[i].value);
    }
    if (r->drop)
        r->drop(r->own);
    json_decref(r->json);
    free(r->body);
    free(r->path);
    free(r);
}

/* --- query ---------------------------------------------------------------------------------------------------------- */

static int64_t now_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

static bool is_word(const char *words, const char *value)
{
    size_t n = strlen(value);

    for (const char *p = words; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL)
        if (n && strncmp(p, value, n) == 0 && (p[n] == '|' || !p[n]))
            return true;
    return false;
}

static bool to_bool(const char *value, bool *out)
{
    *out = is_word("1|true|on|yes", value);
    return *out || is_word("0|false|off|no", value);
}

/* -1: err says what is allowed. */
static int check(const struct query_param *p, const char *value, struct err *err)
{
    const char *end;
    double number;
    long whole;
    bool yes;
    int64_t ms;

    switch (p->type) {
    case PARAM_TEXT:
        return text_is_utf8(value, strlen(value)) ? 0 : err_set(err, "not UTF-8");
    case PARAM_INT:
        if (text_int(value, &whole, &end) && !*end && (double)whole >= p->min && (double)whole <= p->max)
            return 0;
        return err_set(err, "allowed: a whole number from %.0f to %.0f", p->min, p->max);
    case PARAM_NUMBER:
        if (text_number(value, &number, &end) && !*end && number >= p->min && number <= p->max)
            return 0;
        return err_set(err, "allowed: a number from %g to %g", p->min, p->max);
    case PARAM_BOOL:
        return to_bool(value, &yes) ? 0 : err_set(err, "allowed: 1, 0, true, false, on, off");
    case PARAM_TIME:
        return when_parse(value, now_ms(), &ms, err);
    case PARAM_WORD:
        return is_word(p->words, value) ? 0 : err_set(err, "allowed: %s", p->words);
    }
    return -1;
}

static int find(const struct query_param *params, const char *name)
{
    for (int i = 0; params && params[i].name; i++)
        if (strcmp(params[i].name, name) == 0)
            return i;
    return -1;
}

static enum MHD_Result take_argument(void *cls, enum MHD_ValueKind kind, const char *key, const char *value)
{
    struct request *r = cls;
    int i = find(r->route->params, key);
    struct err err = {""};

    (void)kind;
    if (i < 0 || i >= REQUEST_QUERY) {
        struct text_nearest near = {.word = key};
        for (int k = 0; r->route->params && r->route->params[k].name; k++)
            text_nearest_try(&near, r->route->params[k].name);
        reply_problem(r, 400, "unknown parameter \"%.60s\"%s%s%s", key, near.best ? "; did you mean " : "",
                      near.best ? near.best : "", near.best ? "?" : "");
    } else if (r->query[i]) {
        reply_problem(r, 400, "parameter %s is given twice", key);
    } else if (check(&r->route->params[i], value ? value : "", &err) < 0) {
        reply_problem(r, 400, "parameter %s: %s", key, err.text);
    } else {
        r->query[i] = value ? value : "";
    }
    return r->status ? MHD_NO : MHD_YES;
}

int request_read_query(struct request *r)
{
    MHD_get_connection_values(r->connection, MHD_GET_ARGUMENT_KIND, take_argument, r);
    return r->status ? -1 : 0;
}

const char *request_query(const struct request *r, const char *name)
{
    int i = find(r->route->params, name);

    if (i < 0 || i >= REQUEST_QUERY)
        return NULL;
    return r->query[i] ? r->query[i] : r->route->params[i].preset;
}

bool request_number(const struct request *r, const char *name, double *out)
{
    const char *text = request_query(r, name), *end;

    return text && text_number(text, out, &end);
}

bool request_int(const struct request *r, const char *name, int64_t *out)
{
    const char *text = request_query(r, name), *end;
    long whole;

    if (!text || !text_int(text, &whole, &end))
        return false;
    *out = whole;
    return true;
}

bool request_bool(const struct request *r, const char *name)
{
    const char *text = request_query(r, name);
    bool yes = false;

    return text && to_bool(text, &yes) && yes;
}

bool request_time(const struct request *r, const char *name, int64_t *ms_out)
{
    const char *text = request_query(r, name);

    return text && when_parse(text, now_ms(), ms_out, NULL) == 0;
}

/* --- the rest ------------------------------------------------------------------------------------------------------- */

const char *request_method(const struct request *r)
{
    return r->method;
}

const char *request_path(const struct request *r)
{
    return r->path;
}

const char *request_param(const struct request *r, const char *name)
{
    int i = route_param_index(r->route->path, name);

    return i < 0 || i >= WEB_PARAMS ? "" : r->params[i];
}

const char *request_header(const struct request *r, const char *name)
{
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

const json_t *request_json(const struct request *r)
{
    return r->json;
}

bool request_signed_in(const struct request *r)
{
    return r->signed_in;
}

void request_keep(struct request *r, void *own, void (*drop)(void *own))
{
    r->own = own;
    r->drop = drop;
}

void *request_own(const struct request *r)
{
    return r->own;
}

int request_read_json(struct request *r)
{
    json_error_t e;

    if (!r->body_size) {
        r->json = json_object();
        return 0;
    }
    r->json = json_loadb(r->body, r->body_size, JSON_REJECT_DUPLICATES, &e);
    if (!r->json)
        reply_problem(r, 400, "the body is no JSON: line %d, column %d: %s", e.line, e.column, e.text);
    else if (!json_is_object(r->json))
        reply_problem(r, 400, "the body is JSON, but no object");
    return r->status ? -1 : 0;
}
