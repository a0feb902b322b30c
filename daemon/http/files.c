/* The page's files, by path. */
#include "daemon/http/files.h"

#include "daemon/http/internal.h"

#include <string.h>

static const struct web_file *find(const char *path)
{
    for (const struct web_file *f = web_files; f->path; f++)
        if (strcmp(f->path, path) == 0)
            return f;
    return NULL;
}

/* Among the list's entries, weak ones too; "*" is any. */
static bool among(const char *list, const char *etag)
{
    size_t n = strlen(etag);

    while (list && *list) {
        list += strspn(list, " \t,");
        if (*list == '*')
            return true;
        if (strncmp(list, "W/", 2) == 0)
            list += 2;
        if (strncmp(list, etag, n) == 0 && (!list[n] || strchr(" \t,", list[n])))
            return true;
        list += strcspn(list, ",");
    }
    return false;
}

/* "gzip" among the codings, and not refused by q=0. */
static bool takes_gzip(const char *list)
{
    while (list && *list) {
        list += strspn(list, " \t,");
        size_t n = strcspn(list, ",");
        if (strncasecmp(list, "gzip", 4) == 0 && (n == 4 || strchr(" \t;", list[4]))) {
            const char *q = memchr(list, '=', n);
            return !q || strspn(q + 1, "0.") != (size_t)(list + n - q - 1);
        }
        list += n;
    }
    return false;
}

bool files_reply(struct request *r)
{
    const struct web_file *f = find(request_path(r));

    if (!f)
        return false;
    bool gz = f->gz && takes_gzip(request_header(r, "Accept-Encoding"));
    reply_header(r, "ETag", f->etag);
    reply_header(r, "Vary", "Accept-Encoding");
    reply_header(r, "Cache-Control", "no-cache"); /* asked for again each time, and mostly answered by 304 */
    if (among(request_header(r, "If-None-Match"), f->etag)) {
        reply_empty(r, 304);
        return true;
    }
    if (gz)
        reply_header(r, "Content-Encoding", "gzip");
    reply_static(r, 200, f->type, gz ? f->gz : f->data, gz ? f->gz_size : f->size);
    return true;
}
