/* What a handler answers. */
#include "base/clock.h"
#include "base/json.h"
#include "daemon/http/header.h"
#include "daemon/http/internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RETRY_S "2"

/* Nothing from elsewhere, nothing inline, no frame around it; data: and blob: for pictures and sounds that the page itself made. */
#define POLICY                                                                                                         \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "    \
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self'; "                \
    "base-uri 'none'; frame-ancestors 'none'"

static const struct {
    const char *name, *value;
} always[] = {
    {"Content-Security-Policy", POLICY},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Permissions-Policy", "camera=(), geolocation=(), microphone=()"},
};

void reply_header(struct request *r, const char *name, const char *value)
{
    if (r->n_headers == REQUEST_HEADERS)
        return;
    struct reply_header *h = &r->headers[r->n_headers];
    h->name = strdup(name);
    h->value = strdup(value);
    if (h->name && h->value) {
        r->n_headers++;
        return;
    }
    free(h->name);
    free(h->value);
}

static bool has_header(const struct request *r, const char *name)
{
    for (size_t i = 0; i < r->n_headers; i++)
        if (strcasecmp(r->headers[i].name, name) == 0)
            return true;
    return false;
}

/* The first one counts. */
static void answer(struct request *r, unsigned status, const char *type, struct MHD_Response *response)
{
    if (r->status) {
        if (response)
            MHD_destroy_response(response);
        return;
    }
    r->response = response;
    r->status = response ? status : 500;
    if (response && type)
        reply_header(r, "Content-Type", type);
}

void reply_owned(struct request *r, unsigned status, const char *type, char *text, size_t n)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(n, text, MHD_RESPMEM_MUST_FREE);

    if (!response)
        free(text);
    answer(r, status, type, response);
}

void reply_static(struct request *r, unsigned status, const char *type, const void *data, size_t n)
{
    answer(r, status, type, MHD_create_response_from_buffer(n, (void *)data, MHD_RESPMEM_PERSISTENT));
}

void reply_text(struct request *r, unsigned status, const char *type, const char *text)
{
    answer(r, status, type, MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_MUST_COPY));
}

void reply_empty(struct request *r, unsigned status)
{
    reply_static(r, status, NULL, "", 0);
}

void reply_json(struct request *r, unsigned status, json_t *steals)
{
    char *text = steals ? json_dumps(steals, JSON_LINE | JSON_PRESERVE_ORDER) : NULL;

    json_decref(steals);
    if (text)
        reply_owned(r, status, "application/json", text, strlen(text));
    else
        reply_problem(r, 500, "out of memory");
}

static const char *title(unsigned status)
{
    const char *text = MHD_get_reason_phrase_for(status);

    return text ? text : "Unknown";
}

void reply_problem(struct request *r, unsigned status, const char *fmt, ...)
{
    char text[ERR_TEXT];
    va_list ap;

    if (r->status)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    json_t *o = json_pack("{s:s, s:s, s:i, s:o}", "type", "about:blank", "title", title(status), "status", (int)status,
                          "detail", json_text(text));
    char *line = o ? json_dumps(o, JSON_LINE | JSON_PRESERVE_ORDER) : NULL;
    json_decref(o);
    if (line)
        reply_owned(r, status, "application/problem+json", line, strlen(line));
    else
        reply_static(r, status, "application/problem+json", "{}", 2);
    if (status == 503 || status == 429)
        reply_header(r, "Retry-After", RETRY_S);
}

/* --- files ---------------------------------------------------------------------------------------------------------- */

void reply_file(struct request *r, const char *type, int fd)
{
    char text[80];
    struct stat st;

    if (r->status || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        reply_problem(r, 500, "the file cannot be read");
        return;
    }
    uint64_t n = (uint64_t)st.st_size, from = 0, size = n;
    int part = header_range(request_header(r, "Range"), n, &from, &size);
    reply_header(r, "Accept-Ranges", "bytes");
    if (part < 0) {
        close(fd);
        snprintf(text, sizeof text, "bytes */%llu", (unsigned long long)n);
        reply_header(r, "Content-Range", text);
        reply_problem(r, 416, "the file has %llu bytes", (unsigned long long)n);
        return;
    }
    struct MHD_Response *response = MHD_create_response_from_fd_at_offset64(size, fd, from); /* closes fd */
    if (!response)
        close(fd);
    if (part) {
        snprintf(text, sizeof text, "bytes %llu-%llu/%llu", (unsigned long long)from,
                 (unsigned long long)(from + size - 1), (unsigned long long)n);
        reply_header(r, "Content-Range", text);
    }
    r->file = true;
    answer(r, part ? 206 : 200, type, response);
}

/* --- on its way ------------------------------------------------------------------------------------------------------ */

enum MHD_Result reply_queue(struct request *r)
{
    if (!r->response) /* no memory */
        return MHD_NO;
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        MHD_add_response_header(r->response, always[i].name, always[i].value);
    for (size_t i = 0; i < r->n_headers; i++)
        MHD_add_response_header(r->response, r->headers[i].name, r->headers[i].value);
    if (!has_header(r, "Cache-Control"))
        MHD_add_response_header(r->response, "Cache-Control", "no-store");
    metrics_answer(&r->web->metrics, r->status,
                   r->stream ? -1 : (double)(clock_ns(CLOCK_MONOTONIC) - r->begun_ns) * 1e-9);
    enum MHD_Result rc = MHD_queue_response(r->connection, r->status, r->response);
    MHD_destroy_response(r->response); /* libmicrohttpd holds it as long as it needs it */
    r->response = NULL;
    r->over = true;
    conns_state(&r->web->conns, r->conn, r->stream ? CONN_BUSY : r->file ? CONN_LARGE : CONN_REPLY);
    return rc;
}
