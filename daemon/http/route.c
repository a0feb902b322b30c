#include "daemon/http/route.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* One path segment that stands for {name}: nothing that a file system could take for a path. */
static bool is_param(const char *text, size_t n)
{
    if (n == 0 || n >= WEB_PARAM || text[0] == '.')
        return false;
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr("_.-", text[i]))
            return false;
    return true;
}

static bool matches(const char *template, const char *path, char params[WEB_PARAMS][WEB_PARAM])
{
    size_t n = 0;

    while (*template == '/' && *path == '/') {
        size_t t = strcspn(++template, "/"), p = strcspn(++path, "/");
        if (*template == '{') {
            if (n == WEB_PARAMS || !is_param(path, p))
                return false;
            memcpy(params[n], path, p);
            params[n++][p] = '\0';
        } else if (t != p || memcmp(template, path, t) != 0) {
            return false;
        }
        template += t;
        path += p;
    }
    return !*template && !*path;
}

static void add_method(const char *method, bool stream, char *allowed, size_t size)
{
    size_t used = strlen(allowed);

    if (used < size)
        snprintf(allowed + used, size - used, "%s%s%s", used ? ", " : "", method,
                 strcmp(method, "GET") == 0 && !stream ? ", HEAD" : "");
}

const struct route *route_find(const struct route *const *tables, const char *method, const char *path,
                               char params[WEB_PARAMS][WEB_PARAM], char *allowed, size_t size)
{
    bool head = strcmp(method, "HEAD") == 0;
    char others[WEB_PARAMS][WEB_PARAM];

    if (allowed)
        allowed[0] = '\0';
    for (; *tables; tables++)
        for (const struct route *r = *tables; r->method; r++) {
            bool stream = r->flags & ROUTE_STREAM;
            if (!matches(r->path, path, others))
                continue;
            if (strcmp(r->method, head && !stream ? "GET" : method) == 0) {
                memcpy(params, others, sizeof others);
                return r;
            }
            if (allowed)
                add_method(r->method, stream, allowed, size);
        }
    return NULL;
}

int route_param_index(const char *template, const char *name)
{
    size_t n = strlen(name);
    int index = 0;

    for (const char *p = strchr(template, '{'); p; p = strchr(p + 1, '{'), index++)
        if (strncmp(p + 1, name, n) == 0 && p[n + 1] == '}')
            return index;
    return -1;
}

static int digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

size_t route_unescape(char *text)
{
    char *out = text;

    for (const char *p = text; *p; p++) {
        int high = *p == '%' ? digit(p[1]) : -1, low = high >= 0 ? digit(p[2]) : -1;
        if (low >= 0 && high * 16 + low != 0) {
            *out++ = (char)(high * 16 + low);
            p += 2;
        } else {
            *out++ = *p;
        }
    }
    *out = '\0';
    return (size_t)(out - text);
}
