#include "daemon/http/lan.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <qrencode.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define QUIET 4 /* modules around it */

/* The address that a packet to elsewhere would leave from: none is sent. (A list of all addresses would take a netlink socket, which the
 * service may not have.) */
static bool own_address(int family, const struct sockaddr *to, socklen_t size, struct sockaddr_storage *out)
{
    socklen_t n = sizeof *out;
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool good = fd >= 0 && connect(fd, to, size) == 0 && getsockname(fd, (struct sockaddr *)out, &n) == 0;

    if (fd >= 0)
        close(fd);
    return good;
}

void lan_host(const char *host_name, char *out, size_t size)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(9)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(9)};
    struct sockaddr_storage own;
    char text[INET6_ADDRSTRLEN];

    inet_pton(AF_INET, "192.0.2.1", &v4.sin_addr); /* for documentation (RFC 5737, 3849): anywhere else */
    inet_pton(AF_INET6, "2001:db8::1", &v6.sin6_addr);
    if (own_address(AF_INET, (struct sockaddr *)&v4, sizeof v4, &own) &&
        inet_ntop(AF_INET, &((struct sockaddr_in *)&own)->sin_addr, text, sizeof text))
        snprintf(out, size, "%s", text);
    else if (own_address(AF_INET6, (struct sockaddr *)&v6, sizeof v6, &own) &&
             inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&own)->sin6_addr, text, sizeof text))
        snprintf(out, size, "[%s]", text);
    else
        snprintf(out, size, "%.*s.local", (int)strcspn(host_name, "."), host_name);
}

static void draw(const QRcode *qr, FILE *f)
{
    int all = qr->width + 2 * QUIET;

    fprintf(f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" shape-rendering=\"crispEdges\">"
            "<path fill=\"#fff\" d=\"M0 0h%dv%dH0z\"/><path fill=\"#000\" d=\"",
            all, all, all, all);
    for (int y = 0; y < qr->width; y++)
        for (int x = 0; x < qr->width; x++) {
            int run = 0;
            while (x + run < qr->width && qr->data[y * qr->width + x + run] & 1)
                run++;
            if (run)
                fprintf(f, "M%d %dh%dv1h-%dz", x + QUIET, y + QUIET, run, run);
            x += run;
        }
    fputs("\"/></svg>", f);
}

char *lan_qr(const char *text)
{
    QRcode *qr = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_M);
    char *out = NULL;
    size_t size = 0;
    FILE *f = qr ? open_memstream(&out, &size) : NULL;

    if (f) {
        draw(qr, f);
        if (fclose(f) != 0) {
            free(out);
            out = NULL;
        }
    }
    if (qr)
        QRcode_free(qr);
    return out;
}
