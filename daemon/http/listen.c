#include "daemon/http/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define BACKLOG 128

int listen_parse(const char *text, int port, union listen_address *out, struct err *err)
{
    char bare[LISTEN_TEXT];
    size_t n = strlen(text);
    bool brackets = n > 2 && text[0] == '[' && text[n - 1] == ']';

    snprintf(bare, sizeof bare, "%.*s", (int)(brackets ? n - 2 : n), text + brackets);
    memset(out, 0, sizeof *out);
    if (strcmp(bare, "localhost") == 0)
        snprintf(bare, sizeof bare, "127.0.0.1");
    if (inet_pton(AF_INET, bare, &out->v4.sin_addr) == 1) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons((uint16_t)port);
    } else if (inet_pton(AF_INET6, bare, &out->v6.sin6_addr) == 1) {
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_port = htons((uint16_t)port);
    } else {
        return err_set(err,
                       "[web] listen = %.60s is no address; allowed: 127.0.0.1 or ::1 (this machine alone), 0.0.0.0 or "
                       ":: (every network it is in), or the address of one of its networks",
                       text);
    }
    return 0;
}

bool listen_is_loopback(const union listen_address *a)
{
    if (a->any.sa_family == AF_INET)
        return (ntohl(a->v4.sin_addr.s_addr) >> 24) == 127;
    const struct in6_addr *v6 = &a->v6.sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == 127);
}

void listen_text(const union listen_address *a, char out[LISTEN_TEXT])
{
    char text[INET6_ADDRSTRLEN] = "";

    if (a->any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &a->v4.sin_addr, text, sizeof text);
        snprintf(out, LISTEN_TEXT, "%s:%u", text, ntohs(a->v4.sin_port));
    } else {
        inet_ntop(AF_INET6, &a->v6.sin6_addr, text, sizeof text);
        snprintf(out, LISTEN_TEXT, "[%s]:%u", text, ntohs(a->v6.sin6_port));
    }
}

int listen_open(const union listen_address *a, bool *again, struct err *err)
{
    socklen_t size = a->any.sa_family == AF_INET ? sizeof a->v4 : sizeof a->v6;
    int one = 1, zero = 0, fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    char text[LISTEN_TEXT];

    *again = true;
    listen_text(a, text);
    if (fd < 0) {
        *again = errno != EAFNOSUPPORT;
        return err_set(err, "%s: %s", text, strerror(errno));
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (a->any.sa_family == AF_INET6) /* :: takes IPv4 too */
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
    if (bind(fd, &a->any, size) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int why = errno;
    close(fd);
    *again = why == EADDRINUSE || why == EADDRNOTAVAIL || why == ENOMEM || why == ENOBUFS;
    return err_set(err, "%s: %s", text, why == EADDRINUSE ? "another program has that port" : strerror(why));
}

int listen_inherited(union listen_address *a, struct err *err)
{
    int n = sd_listen_fds(1);

    if (n <= 0)
        return -1;
    socklen_t size = sizeof *a;
    int fd = SD_LISTEN_FDS_START;
    if (n > 1)
        return err_set(err, "systemd hands over %d sockets; allowed: one (ListenStream=PORT is all networks)", n) - 1;
    if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0 || getsockname(fd, &a->any, &size) < 0 ||
        (a->any.sa_family != AF_INET && a->any.sa_family != AF_INET6))
        return err_set(err, "what systemd hands over is no listening TCP socket; allowed: ListenStream=ADDRESS:PORT") -
               1;
    return fd;
}
