#include "evaluate/realname.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void realname_free(struct realname *r)
{
    free(r->folder);
    free(r->real);
    *r = (struct realname){0};
}

char *realname_of(struct realname *r, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *folder = !slash ? "." : slash == path ? "/" : path;
    size_t n = slash && slash > path ? (size_t)(slash - path) : 1;
    char *name = NULL;

    if (!r->folder || strncmp(r->folder, folder, n) != 0 || r->folder[n]) {
        realname_free(r);
        r->folder = strndup(folder, n);
        r->real = r->folder ? realpath(r->folder, NULL) : NULL;
        if (r->folder && !r->real)
            r->real = strdup(r->folder);
    }
    if (!r->real || asprintf(&name, "%s/%s", strcmp(r->real, "/") == 0 ? "" : r->real, slash ? slash + 1 : path) < 0)
        return NULL;
    return name;
}
