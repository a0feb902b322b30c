/* The page: what keeps it from being served, and `earshot run` from starting. */
#include "daemon/doctor.h"
#include "daemon/http/listen.h"
#include "daemon/http/tls.h"
#include "daemon/http/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#define TIMEOUT_S 2
#define SOON_S    1209600 /* 14 days */

/* Does a daemon of ours answer there? */
static bool is_ours(const union listen_address *a)
{
    static const char ask[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    struct timeval patience = {TIMEOUT_S, 0};
    union listen_address to = *a;
    char answer[2048];
    size_t used = 0;

    if (to.any.sa_family == AF_INET && to.v4.sin_addr.s_addr == htonl(INADDR_ANY))
        to.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else if (to.any.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&to.v6.sin6_addr))
        to.v6.sin6_addr = in6addr_loopback;
    int fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    bool asked = connect(fd, &to.any, to.any.sa_family == AF_INET ? sizeof to.v4 : sizeof to.v6) == 0 &&
                 send(fd, ask, sizeof ask - 1, MSG_NOSIGNAL) == (ssize_t)sizeof ask - 1;
    for (ssize_t n;
         asked && used < sizeof answer - 1 && (n = recv(fd, answer + used, sizeof answer - 1 - used, 0)) > 0;)
        used += (size_t)n;
    close(fd);
    answer[used] = '\0';
    return strstr(answer, " 200 ") && strstr(answer, "\r\n\r\nok\n");
}

/* -1: said what is wrong. */
static int check_token(struct doctor *d, const union listen_address *a)
{
    char token[TOKEN_SIZE];
    struct err err;
    int found = token_read(&d->cx->config, token, &err);

    explicit_bzero(token, sizeof token);
    if (found < 0) {
        doctor_say(d, DOCTOR_FAIL, "page", "earshot does not start without it", "%s", err.text);
        return -1;
    }
    if (found || listen_is_loopback(a))
        return 0;
    if (getenv("CREDENTIALS_DIRECTORY"))
        doctor_say(d, DOCTOR_FAIL, "page", "set [web] token_file, or listen = 127.0.0.1",
                   "others than this machine reach it, and there is no token: earshot does not start");
    else
        doctor_say(d, DOCTOR_WARN, "page",
                   "set [web] token_file, unless /etc/credstore/earshot.web-token is there (LoadCredential=)",
                   "others than this machine reach it; its token is in the credential web-token, which the service "
                   "alone sees, or there is none, and then earshot does not start");
    return -1;
}

static int check_certificate(struct doctor *d)
{
    struct tls_files tls;
    struct err err;
    char day[32] = "";
    struct tm tm;

    if (!d->cx->config.web.tls_cert[0])
        return 0;
    if (tls_read(&d->cx->config, &tls, &err) < 0) {
        doctor_say(d, DOCTOR_FAIL, "page", "earshot does not start without it", "%s", err.text);
        return -1;
    }
    time_t until = tls.expires, now = time(NULL);
    tls_forget(&tls);
    if (localtime_r(&until, &tm))
        strftime(day, sizeof day, "%Y-%m-%d", &tm);
    if (until < now)
        doctor_say(d, DOCTOR_FAIL, "page's certificate", "renew it: the daemon takes the new one over by itself",
                   "%s has expired on %s", d->cx->config.web.tls_cert, day);
    else if (until < now + SOON_S)
        doctor_say(d, DOCTOR_WARN, "page's certificate", "renew it: the daemon takes the new one over by itself",
                   "%s expires on %s", d->cx->config.web.tls_cert, day);
    return 0;
}

void doctor_web(struct doctor *d)
{
    const struct config *c = &d->cx->config;
    const char *scheme = c->web.tls_cert[0] ? "https" : "http";
    union listen_address a;
    char text[LISTEN_TEXT];
    struct err err;
    bool again;

    if (!c->web.enabled) {
        doctor_say(d, DOCTOR_OK, "page", NULL, "switched off: [web] enabled = off");
        return;
    }
    if (listen_parse(c->web.listen, c->web.port, &a, &err) < 0) {
        doctor_say(d, DOCTOR_FAIL, "page", NULL, "%s", err.text);
        return;
    }
    if (check_token(d, &a) < 0 || check_certificate(d) < 0)
        return;
    listen_text(&a, text);
    int fd = listen_open(&a, &again, &err);
    if (fd >= 0) {
        close(fd);
        doctor_say(d, DOCTOR_OK, "page", NULL, "%s://%s/, once the daemon runs", scheme, text);
    } else if (is_ours(&a)) {
        doctor_say(d, DOCTOR_OK, "page", NULL, "%s://%s/", scheme, text);
    } else if (strcmp(scheme, "https") == 0 && again) {
        doctor_say(d, DOCTOR_OK, "page", NULL, "%s://%s/ is served, by earshot if no other program has that port",
                   scheme, text);
    } else {
        doctor_say(d, DOCTOR_WARN, "page", "set [web] port to another one, or stop what has it (ss -ltnp)", "%s",
                   err.text);
    }
}
