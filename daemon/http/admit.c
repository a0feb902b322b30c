/* Whether a request may be answered: for whom it is, where it comes from, who asks. */
#include "daemon/http/auth.h"
#include "daemon/http/guard.h"
#include "daemon/http/internal.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define REALM "Bearer realm=\"earshot\""

static const union MHD_ConnectionInfo *info(const struct request *r, enum MHD_ConnectionInfoType type)
{
    return MHD_get_connection_info(r->connection, type);
}

/* The address that the connection came to, as text; "" where that is none. */
static void local_address(const struct request *r, char out[INET6_ADDRSTRLEN])
{
    const union MHD_ConnectionInfo *i = info(r, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct sockaddr_storage a = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof a;

    out[0] = '\0';
    if (!i || getsockname(i->connect_fd, (struct sockaddr *)&a, &size) < 0)
        return;
    if (a.ss_family == AF_INET)
        inet_ntop(AF_INET, &((struct sockaddr_in *)&a)->sin_addr, out, INET6_ADDRSTRLEN);
    else if (a.ss_family == AF_INET6)
        inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&a)->sin6_addr, out, INET6_ADDRSTRLEN);
}

void admit_peer(const struct request *r, uint8_t out[16])
{
    const union MHD_ConnectionInfo *i = info(r, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

    memset(out, 0, 16);
    if (i && i->client_addr && i->client_addr->sa_family == AF_INET)
        memcpy(out, &((const struct sockaddr_in *)(const void *)i->client_addr)->sin_addr, 4);
    else if (i && i->client_addr && i->client_addr->sa_family == AF_INET6)
        memcpy(out, &((const struct sockaddr_in6 *)(const void *)i->client_addr)->sin6_addr, 16);
}

static bool is_data(const char *path)
{
    return strncmp(path, "/api/", 5) == 0 || strcmp(path, "/metrics") == 0;
}

static enum MHD_Result count_host(void *ctx, enum MHD_ValueKind kind, const char *name, const char *value)
{
    (void)kind, (void)value;
    *(unsigned *)ctx += strcasecmp(name, "Host") == 0;
    return MHD_YES;
}

int admit_origin(struct request *r)
{
    const struct guard g = {{r->web->host_name, NULL}, r->web->config.web.allowed_hosts};
    const char *host = request_header(r, "Host"), *origin = request_header(r, "Origin");
    char local[INET6_ADDRSTRLEN];

    unsigned hosts = 0;
    MHD_get_connection_values(r->connection, MHD_HEADER_KIND, count_host, &hosts);
    local_address(r, local);
    if (hosts > 1) /* a proxy before us may have gone by the other one (RFC 9112, 3.2) */
        reply_problem(r, 400, "%u headers Host; one is allowed", hosts);
    else if (!guard_host(&g, host, local))
        reply_problem(r, 421,
                      "this is not %.80s: where browsers may call the daemon by that name, [web] allowed_hosts says so",
                      host && *host ? host : "the host that was asked for");
    else if (origin && !guard_origin(origin, host))
        reply_problem(r, 403, "a request of another web site's (Origin: %.80s)", origin);
    else if (is_data(r->path) && !guard_site(request_header(r, "Sec-Fetch-Site")))
        reply_problem(r, 403, "a request of another web site's");
    return r->status ? -1 : 0;
}

const char *admit_cookie(const struct request *r)
{
    return MHD_lookup_connection_value(r->connection, MHD_COOKIE_KIND, r->web->cookie);
}

/* Secure where the browser speaks TLS, with us or with a proxy before us. */
void admit_set_cookie(struct request *r, const char *session, long seconds)
{
    const char *origin = request_header(r, "Origin"), *proxied = request_header(r, "X-Forwarded-Proto");
    bool tls = web_is_tls(r->web) || (origin && strncmp(origin, "https://", 8) == 0) ||
               (proxied && strcasecmp(proxied, "https") == 0); /* a GET has no Origin */
    char text[256];

    snprintf(text, sizeof text, "%s=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%ld%s", r->web->cookie, session,
             seconds, tls ? "; Secure" : "");
    reply_header(r, "Set-Cookie", text);
}

/* By its own header, which says more than a cookie that is sent along. */
static enum auth_result check_bearer(const struct request *r, const char *authorization)
{
    uint8_t peer[16];

    admit_peer(r, peer);
    if (strncasecmp(authorization, "Bearer ", 7) != 0)
        return AUTH_WRONG;
    return auth_token(r->web->auth, peer, authorization + 7 + strspn(authorization + 7, " "));
}

int admit_person(struct request *r)
{
    const char *authorization = request_header(r, "Authorization"), *cookie = admit_cookie(r);
    bool open = r->route->flags & ROUTE_OPEN;
    enum auth_result result = AUTH_WRONG;

    r->signed_in = !auth_needed(r->web->auth) || (cookie && auth_session(r->web->auth, cookie));
    if (r->signed_in && cookie && auth_renew_session(r->web->auth, cookie))
        admit_set_cookie(r, cookie, AUTH_SESSION_S);
    if (r->signed_in || open)
        return 0;
    if (authorization)
        result = check_bearer(r, authorization);
    r->signed_in = result == AUTH_OK;
    if (r->signed_in)
        return 0;
    if (result == AUTH_PAUSED) {
        reply_problem(r, 429, "too many wrong tokens from this address; wait a minute");
        return -1;
    }
    reply_problem(r, 401,
                  authorization ? "the token is not the right one"
                                : "sign in: the token of [web] token_file is asked for");
    reply_header(r, "WWW-Authenticate", REALM);
    return -1;
}
