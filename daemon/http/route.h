/* Finds the route of a request. */
#ifndef EARSHOT_HTTP_ROUTE_H
#define EARSHOT_HTTP_ROUTE_H

#include "daemon/http/web.h"

/* The route of that method and path, its parameters in `params` in the template's order. NULL: none. `allowed` (may be NULL): the methods
 * that the path has, "GET, HEAD, POST", "" where there is no such path. HEAD finds GET's route, but no stream. */
const struct route *route_find(const struct route *const *tables, const char *method, const char *path,
                               char params[WEB_PARAMS][WEB_PARAM], char *allowed, size_t size);

/* The index of a template's parameter {name}, -1: it has none of that name. */
int route_param_index(const char *template, const char *name);

/* Percent-decoding in place (RFC 3986); returns the length. %00, and what is no code, stay as they are: no text ends early. */
size_t route_unescape(char *text);

#endif
