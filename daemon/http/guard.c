#include "daemon/http/guard.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define HOST_SIZE 256

/* "name:port", "[address]:port" -> the name in lower case without brackets and a dot at its end, and the port or "". */
static bool split(const char *text, char name[HOST_SIZE], char port[8])
{
    bool brackets = *text == '[';
    const char *begin = text + brackets;
    size_t n = strcspn(begin, brackets ? "]" : ":");
    const char *rest = begin + n;

    if (!n || n >= HOST_SIZE || (brackets && *rest++ != ']') || (*rest && *rest != ':'))
        return false;
    size_t digits = *rest ? strspn(rest + 1, "0123456789") : 0;
    if (*rest && (!digits || digits > 5 || rest[1 + digits]))
        return false;
    snprintf(port, 8, "%s", *rest ? rest + 1 : "");
    for (size_t i = 0; i < n; i++) {
        if (!isalnum((unsigned char)begin[i]) && !strchr("-._:", begin[i]))
            return false;
        name[i] = (char)tolower((unsigned char)begin[i]);
    }
    if (n > 1 && name[n - 1] == '.')
        n--;
    name[n] = '\0';
    return true;
}

static bool same_address(const char *a, const char *b)
{
    struct in6_addr x, y;
    struct in_addr v, u;

    if (!b)
        return false;
    if (strncmp(b, "::ffff:", 7) == 0 && strchr(b, '.')) /* IPv4 that came to an IPv6 socket */
        b += 7;
    if (inet_pton(AF_INET, a, &v) == 1)
        return inet_pton(AF_INET, b, &u) == 1 && v.s_addr == u.s_addr;
    return inet_pton(AF_INET6, a, &x) == 1 && inet_pton(AF_INET6, b, &y) == 1 && memcmp(&x, &y, sizeof x) == 0;
}

static bool is_loopback(const char *name)
{
    struct in6_addr x;
    struct in_addr v;

    if (inet_pton(AF_INET, name, &v) == 1)
        return ntohl(v.s_addr) >> 24 == 127;
    return strcmp(name, "localhost") == 0 || (inet_pton(AF_INET6, name, &x) == 1 && IN6_IS_ADDR_LOOPBACK(&x));
}

/* The host's name, with and without what stands behind its first dot, and NAME.local. */
static bool is_own(const char *name, const char *own)
{
    char local[HOST_SIZE];
    int label = own ? (int)strcspn(own, ".") : 0;

    if (!label)
        return false;
    snprintf(local, sizeof local, "%.*s.local", label < 200 ? label : 200, own);
    return strcasecmp(name, own) == 0 || strcasecmp(name, local) == 0 ||
           ((size_t)label == strlen(name) && strncasecmp(name, own, (size_t)label) == 0);
}

static bool in_list(const char *name, const char *list)
{
    size_t n = strlen(name);

    while (list && *list) {
        list += strspn(list, " ,");
        size_t m = strcspn(list, " ,");
        if (m == n && strncasecmp(list, name, n) == 0)
            return true;
        list += m;
    }
    return false;
}

bool guard_host(const struct guard *g, const char *host, const char *local)
{
    char name[HOST_SIZE], port[8];

    if (!host || !split(host, name, port))
        return false;
    return is_loopback(name) || same_address(name, local) || is_own(name, g->names[0]) || is_own(name, g->names[1]) ||
           in_list(name, g->allowed);
}

bool guard_origin(const char *origin, const char *host)
{
    char name[HOST_SIZE], port[8], host_name[HOST_SIZE], host_port[8];
    bool tls = strncasecmp(origin, "https://", 8) == 0;
    const char *standard = tls ? "443" : "80";

    if (!tls && strncasecmp(origin, "http://", 7) != 0)
        return false;
    if (!host || !split(origin + (tls ? 8 : 7), name, port) || !split(host, host_name, host_port))
        return false;
    /* the scheme is that of the browser's side: a proxy before us may speak TLS where we do not */
    return strcmp(name, host_name) == 0 && strcmp(*port ? port : standard, *host_port ? host_port : standard) == 0;
}

bool guard_site(const char *site)
{
    return !site || strcasecmp(site, "same-origin") == 0 || strcasecmp(site, "none") == 0;
}
