/* The page's files, by path. */
#include "daemon/http/files.h"

#include "daemon/http/header.h"
#include "daemon/http/internal.h"

#include <string.h>

static const struct web_file *find(const char *path)
{
    for (const struct web_file *f = web_files; f->path; f++)
        if (strcmp(f->path, path) == 0)
            return f;
    return NULL;
}

bool files_reply(struct request *r)
{
    const struct web_file *f = find(request_path(r));

    if (!f)
        return false;
    bool gz = f->gz && header_takes_gzip(request_header(r, "Accept-Encoding"));
    reply_header(r, "ETag", f->etag);
    reply_header(r, "Vary", "Accept-Encoding");
    reply_header(r, "Cache-Control", "no-cache"); /* asked for again each time, and mostly answered by 304 */
    if (header_has_etag(request_header(r, "If-None-Match"), f->etag)) {
        reply_empty(r, 304);
        return true;
    }
    if (gz)
        reply_header(r, "Content-Encoding", "gzip");
    reply_static(r, 200, f->type, gz ? f->gz : f->data, gz ? f->gz_size : f->size);
    return true;
}
