/* libFuzzer: any bytes as what the web server reads by hand: path, query, Host, Origin, Range and the like. Run by `make fuzz`. */
#include "daemon/http/guard.h"
#include "daemon/http/header.h"
#include "daemon/http/route.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct route routes[] = {{.method = "GET", .path = "/api/v1/clips/{id}"},
                                      {.method = "POST", .path = "/api/v1/events/{id}/label/{label}"},
                                      {.method = NULL}};
static const struct route *const tables[] = {routes, NULL};

static void path(char *text)
{
    char params[WEB_PARAMS][WEB_PARAM] = {""}, allowed[64];
    size_t before = strlen(text), n = route_unescape(text);

    if (n > before || strlen(text) != n)
        abort();
    static const char *const methods[] = {"GET", "POST", "HEAD"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (route_find(tables, methods[i], text, params, allowed, sizeof allowed) &&
            (strchr(params[0], '/') || params[0][0] == '.' || !params[0][0])) /* nothing of a path gets through */
            abort();
}

static void range(const char *text)
{
    static const uint64_t sizes[] = {0, 1, 10, UINT64_MAX};
    uint64_t from, size;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (header_range(text, sizes[i], &from, &size) == 1 &&
            (from >= sizes[i] || size == 0 || size > sizes[i] - from))
            abort();
}

static void host(const char *text)
{
    const struct guard g = {{"box.example.org", NULL}, "ears.example.net"};

    /* whatever ends in a foreign name is not ours */
    if (guard_host(&g, text, "192.0.2.7") && strstr(text, "evil"))
        abort();
    guard_origin(text, "box.local:8765");
    guard_origin("http://box.local:8765", text);
    guard_site(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    host(text);
    range(text);
    header_has_etag(text, "\"0123\"");
    header_takes_gzip(text);
    path(text);
    free(text);
    return 0;
}
