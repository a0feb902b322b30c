/* Signing in and out, and letting another device in. */
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "daemon/http/auth.h"
#include "daemon/http/internal.h"
#include "daemon/http/lan.h"
#include "daemon/http/listen.h"
#include "event/event.h"

#include <stdlib.h>
#include <string.h>

static enum auth_result judge(struct web *w, struct request *r, const char *token, const char *code)
{
    uint8_t peer[16];

    admit_peer(r, peer);
    return token ? auth_token(w->auth, peer, token) : auth_code(w->auth, peer, code);
}

static void sign_in(struct web *w, struct request *r)
{
    const char *token = json_string_value(json_object_get(request_json(r), "token")),
               *code = json_string_value(json_object_get(request_json(r), "code"));
    char session[AUTH_SECRET];

    if (!auth_needed(w->auth)) {
        reply_json(r, 200, json_pack("{s:b}", "signed_in", 1));
        return;
    }
    if (!token == !code || json_object_size(request_json(r)) != 1) {
        reply_problem(r, 400, "allowed: {\"token\": \"...\"} or {\"code\": \"...\"}");
        return;
    }
    enum auth_result result = judge(w, r, token, code);
    if (result == AUTH_PAUSED) {
        reply_problem(r, 429, "too many wrong attempts from this address; wait a minute");
    } else if (result == AUTH_WRONG) {
        reply_problem(r, 401,
                      token ? "the token is not the right one"
                            : "the code is not right, was used already, or is older than ten minutes");
        reply_header(r, "WWW-Authenticate", "Bearer realm=\"earshot\"");
    } else if (auth_begin_session(w->auth, session) < 0) {
        reply_problem(r, 503, "no session can be begun");
    } else {
        admit_set_cookie(r, session, AUTH_SESSION_S);
        reply_json(r, 200, json_pack("{s:b}", "signed_in", 1));
        log_info("web: a device has signed in by %s", token ? "token" : "code");
    }
}

static void sign_out(struct web *w, struct request *r)
{
    const char *session = admit_cookie(r);

    if (session)
        auth_end_session(w->auth, session);
    admit_set_cookie(r, "", 0);
    reply_json(r, 200, json_pack("{s:b}", "signed_in", !auth_needed(w->auth)));
}

/* By what a phone gets here: the name that this page was reached under, or, where that is this machine alone, its address. */
static bool reachable(struct web *w, const struct request *r, char *out, size_t size)
{
    const char *host = request_header(r, "Host");
    union listen_address a;
    char name[256];

    snprintf(name, sizeof name, "%.*s", (int)(*host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":")), host);
    bool local = strcmp(name, "localhost") == 0 || strncmp(name, "127.", 4) == 0 || strcmp(name, "[::1]") == 0;
    if (!local) {
        snprintf(out, size, "%s", host);
        return true;
    }
    web_address(w, &a);
    if (listen_is_loopback(&a))
        return false;
    lan_host(w->host_name, name, sizeof name);
    snprintf(out, size, "%s:%u", name, ntohs(a.any.sa_family == AF_INET ? a.v4.sin_port : a.v6.sin6_port));
    return true;
}

static void let_in(struct web *w, struct request *r)
{
    const char *origin = request_header(r, "Origin");
    bool tls = web_is_tls(w) || (origin && strncmp(origin, "https://", 8) == 0);
    char code[AUTH_SECRET], host[300], url[400], until[RFC3339_SIZE];

    if (!auth_needed(w->auth)) {
        reply_problem(r, 409, "nobody has to sign in: no token is set, and this machine alone reaches the page");
        return;
    }
    if (!reachable(w, r, host, sizeof host)) {
        reply_problem(r, 409, "this machine alone reaches the page: [web] listen = :: lets others in");
        return;
    }
    if (auth_make_code(w->auth, code) < 0) {
        reply_problem(r, 503, "no code can be made");
        return;
    }
    snprintf(url, sizeof url, "%s://%s/#code=%s", tls ? "https" : "http", host, code);
    rfc3339_utc(until, clock_ns(CLOCK_REALTIME) + (int64_t)AUTH_CODE_S * 1000000000);
    char *svg = lan_qr(url);
    reply_json(r, 200,
               json_pack("{s:o, s:s, s:s, s:o}", "url", json_text(url), "code", code, "expires", until, "svg",
                         json_text(svg)));
    free(svg);
}

#define SIGNED_IN "{'type':'object','required':['signed_in'],'properties':{'signed_in':{'type':'boolean'}}}"

const struct route routes_session[] = {
    {.method = "POST",
     .path = "/api/v1/session",
     .flags = ROUTE_OPEN | ROUTE_WORKER,
     .handle = sign_in,
     .body = BODY_JSON,
     .body_max = 1024,
     .summary = "Signs in with the token or a one-time code; the answer sets a cookie.",
     .body_schema = "{'type':'object','properties':{'token':{'type':'string'},'code':{'type':'string'}},"
                    "'additionalProperties':false,'maxProperties':1}",
     .schema = SIGNED_IN,
     .problems = "429|503"},
    {.method = "DELETE",
     .path = "/api/v1/session",
     .flags = ROUTE_WORKER,
     .handle = sign_out,
     .summary = "Signs out: ends the session of the cookie.",
     .schema = SIGNED_IN},
    {.method = "POST",
     .path = "/api/v1/signin",
     .flags = ROUTE_WORKER,
     .handle = let_in,
     .body = BODY_JSON,
     .summary =
         "A one-time code, valid for ten minutes, with which another device signs in, and its address as a QR code.",
     .body_schema = "{'type':'object'}",
     .schema = "{'type':'object','required':['url','code','expires','svg'],'properties':{'url':{'type':'string'},"
               "'code':{'type':'string'},'expires':{'type':'string','format':'date-time'},'svg':{'type':'string'}}}",
     .problems = "409|503"},
    {.method = NULL},
};
