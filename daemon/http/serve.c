/* The server's start and end, and its certificate's renewal. */
#include "base/log.h"
#include "daemon/http/auth.h"
#include "daemon/http/internal.h"
#include "daemon/http/listen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* libmicrohttpd takes a certificate at its start only: another one is served by a second instance, which goes on with the socket. The
 * first serves the connections that it has until they end.
 *
 * Each instance has a descriptor of its own for the socket: one that cannot be started has closed what it was given, at times. */
struct server {
    struct MHD_Daemon *daemon, *old; /* old may be NULL */
    int fd, old_fd;                  /* ours; what `old` gave back, -1: nothing */
    struct tls_files tls;
};

/* Nobody but this machine, or nobody without the token. */
static int check_reach(struct web *w, const union listen_address *a, struct err *err)
{
    char text[LISTEN_TEXT];

    if (listen_is_loopback(a) || auth_needed(w->auth))
        return 0;
    listen_text(a, text);
    return err_set(err,
                   "[web] %s: others than this machine reach that, and there is no token: set token_file to a file "
                   "with one (openssl rand -base64 24), or listen = 127.0.0.1",
                   text);
}

void web_address(struct web *w, union listen_address *out)
{
    pthread_mutex_lock(&w->lock);
    *out = w->address;
    bool known = out->any.sa_family != AF_UNSPEC;
    pthread_mutex_unlock(&w->lock);
    if (!known)
        listen_parse("127.0.0.1", w->config.web.port, out, NULL);
}

/* The socket: systemd's, or our own. -1: err. */
static int open_socket(struct web *w, bool *again, struct err *err)
{
    union listen_address a;
    int fd = listen_inherited(&a, err);

    if (fd < -1)
        return -1;
    if (fd >= 0) {
        if (check_reach(w, &a, err) == 0)
            return fd;
        close(fd);
        return -1;
    }
    if (listen_parse(w->config.web.listen, w->config.web.port, &a, err) < 0 || check_reach(w, &a, err) < 0)
        return -1;
    return listen_open(&a, again, err);
}

static void say_where(struct web *w, const struct server *s)
{
    union listen_address a;
    socklen_t size = sizeof a;
    char text[LISTEN_TEXT];

    memset(&a, 0, sizeof a);
    getsockname(s->fd, &a.any, &size);
    pthread_mutex_lock(&w->lock);
    w->address = a;
    pthread_mutex_unlock(&w->lock);
    listen_text(&a, text);
    log_info("web: %s://%s/%s", web_is_tls(w) ? "https" : "http", text, auth_needed(w->auth) ? ", by token" : "");
    if (web_is_tls(w) && s->tls.expires < time(NULL))
        log_warn("web: the certificate %s has expired: browsers will warn of it", w->config.web.tls_cert);
    if (w->config.web.allowed_hosts[0] && !auth_needed(w->auth))
        log_warn(
            "web: by a name of [web] allowed_hosts everybody gets in whom a proxy lets through: there is no token");
    if (!web_is_tls(w) && !listen_is_loopback(&a))
        log_info("web: what goes through the network is not encrypted; tls_cert and tls_key encrypt it");
}

int server_start(struct web *w, bool *again, struct err *err)
{
    struct tls_files tls = {.cert = NULL};
    bool encrypted = web_is_tls(w);

    *again = false;
    if (encrypted && tls_read(&w->config, &tls, err) < 0)
        return -1;
    int fd = open_socket(w, again, err);
    struct server *s = fd >= 0 ? calloc(1, sizeof *s) : NULL;
    if (s)
        s->daemon = server_run(w, fd, encrypted ? &tls : NULL, err);
    if (!s || !s->daemon) {
        if (fd >= 0)
            close(fd);
        tls_forget(&tls);
        free(s);
        return -1;
    }
    s->fd = fd;
    s->old_fd = -1;
    s->tls = tls;
    w->server = s;
    say_where(w, s);
    return 0;
}

static void end_old(struct server *s, bool force)
{
    const union MHD_DaemonInfo *n = s->old ? MHD_get_daemon_info(s->old, MHD_DAEMON_INFO_CURRENT_CONNECTIONS) : NULL;

    if (!s->old || (!force && n && n->num_connections))
        return;
    MHD_stop_daemon(s->old);
    s->old = NULL;
    if (s->old_fd >= 0) /* it has let go of it */
        close(s->old_fd);
    s->old_fd = -1;
}

/* A certificate that cannot be used leaves the one that is. */
void server_renew(struct web *w)
{
    struct server *s = w->server;
    struct tls_files fresh;
    struct err err = {""};

    if (!s)
        return;
    end_old(s, false);
    if (!s->tls.cert || s->old || !tls_changed(&w->config, &s->tls))
        return;
    if (tls_read(&w->config, &fresh, &err) < 0) {
        if (strcmp(err.text, w->tls_problem) != 0)
            log_error("%s; the certificate of before is served on", err.text);
        snprintf(w->tls_problem, sizeof w->tls_problem, "%s", err.text);
        return;
    }
    MHD_socket given_back = MHD_quiesce_daemon(s->daemon);
    if (given_back != MHD_INVALID_SOCKET)
        s->old_fd = given_back; /* open until it has ended */
    struct MHD_Daemon *daemon = server_run(w, s->fd, &fresh, &err);
    if (!daemon) {
        if (strcmp(err.text, w->tls_problem) != 0)
            log_error("%s; new connections wait until it can", err.text);
        snprintf(w->tls_problem, sizeof w->tls_problem, "%s", err.text);
        tls_forget(&fresh);
        return;
    }
    s->old = s->daemon;
    s->daemon = daemon;
    tls_forget(&s->tls);
    s->tls = fresh;
    w->tls_problem[0] = '\0';
    log_info("web: the certificate has been read again");
}

void server_stop(struct web *w)
{
    struct server *s = w->server;

    if (!s)
        return;
    w->server = NULL;
    end_old(s, true);
    MHD_stop_daemon(s->daemon);
    if (s->old_fd >= 0)
        close(s->old_fd);
    close(s->fd);
    tls_forget(&s->tls);
    free(s);
}
