#include "model/graph.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int graph_read(const char *path, uint8_t **bytes, size_t *size, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a FIFO must not hold us up */
    struct stat st;
    size_t got = 0;

    *bytes = NULL;
    *size = 0;
    if (fd < 0)
        return err_set(err, "%s", strerror(errno));
    if (fstat(fd, &st) != 0)
        err_set(err, "%s", strerror(errno));
    else if (!S_ISREG(st.st_mode))
        err_set(err, "not a file");
    else if (st.st_size < 0 || (uint64_t)st.st_size > GRAPH_FILE_MAX)
        err_set(err, "larger than %zu MB, the most that is allowed", GRAPH_FILE_MAX >> 20);
    else if (!(*bytes = malloc((size_t)st.st_size + 1)))
        err_set(err, "out of memory");
    for (*size = *bytes ? (size_t)st.st_size : 0; got < *size;) {
        ssize_t n = read(fd, *bytes + got, *size - got);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        got += (size_t)n;
    }
    close(fd);
    if (*bytes && got < *size) {
        free(*bytes);
        *bytes = NULL;
        err_set(err, "cut short while it was read");
    }
    return *bytes ? 0 : -1;
}

struct graph *graph_load(const char *path, struct err *err)
{
    struct graph *g = NULL;
    uint8_t *bytes;
    size_t size;

    if (graph_read(path, &bytes, &size, err) == 0) {
        g = graph_parse(bytes, size, err);
        free(bytes);
    }
    if (!g)
        err_prefix(err, "%s: ", path);
    return g;
}
