/* Whom a request is for and where it comes from, by its headers: against web sites that have a browser ask us in their name (DNS
 * rebinding, cross-site requests). Pure functions. */
#ifndef EARSHOT_HTTP_GUARD_H
#define EARSHOT_HTTP_GUARD_H

#include <stdbool.h>

struct guard {
    const char *const names[2]; /* the host's own name, and NULL or another */
    const char *allowed;        /* "a, b": [web] allowed_hosts */
};

/* May a browser know us by that Host header ("box.local:8765", "[::1]:8765")? local: the address that the connection came to, as text
 * without a port, or NULL. Addresses are taken where they are ours: no name server stands between. */
bool guard_host(const struct guard *g, const char *host, const char *local);

/* Is that Origin header ("http://box.local:8765") the page of the same host? */
bool guard_origin(const char *origin, const char *host);

/* May what Sec-Fetch-Site says (NULL: nothing) ask for data? */
bool guard_site(const char *site);

#endif
