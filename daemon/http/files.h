/* The files of daemon/web/, built in (files.sh makes the table). */
#ifndef EARSHOT_HTTP_FILES_H
#define EARSHOT_HTTP_FILES_H

#include <stddef.h>

struct web_file {
    const char *path; /* "/app.js"; "/" for index.html; NULL ends the table */
    const char *type;
    const char *etag;          /* with its quotes; of the content */
    const unsigned char *data; /* as it is */
    size_t size;
    const unsigned char *gz; /* gzip'ed, or NULL where that saves nothing */
    size_t gz_size;
};

extern const struct web_file web_files[];

#endif
