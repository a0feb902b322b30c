#include "teach/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void wire_add(struct wire_out *w, const void *bytes, size_t n)
{
    if (w->bad)
        return;
    if (w->room - w->n < n) {
        size_t room = 2 * w->room + n + 4096;
        unsigned char *more = realloc(w->bytes, room);
        if (!more) {
            w->bad = true;
            return;
        }
        w->bytes = more;
        w->room = room;
    }
    if (n)
        memcpy(w->bytes + w->n, bytes, n);
    w->n += n;
}

void wire_add_number(struct wire_out *w, uint64_t v, unsigned bytes)
{
    unsigned char b[8];

    for (unsigned i = 0; i < bytes; i++)
        b[i] = (unsigned char)(v >> (8 * i));
    wire_add(w, b, bytes);
}

void wire_add_float(struct wire_out *w, float f)
{
    uint32_t bits;

    memcpy(&bits, &f, sizeof bits);
    wire_add_number(w, bits, 4);
}

static ssize_t read_all(int fd, char *out, size_t n)
{
    size_t got = 0;

    while (got < n) {
        ssize_t k = read(fd, out + got, n - got);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return -1;
        if (k == 0)
            break;
        got += (size_t)k;
    }
    return (ssize_t)got;
}

void *wire_read_file(const char *path, size_t most, size_t *size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hold us */
    struct stat st;
    char *bytes = NULL;

    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
        errno = EINVAL;
    else if (st.st_size < 0 || (uint64_t)st.st_size > most)
        errno = EFBIG;
    else
        bytes = malloc((size_t)st.st_size + 1);
    if (bytes) {
        ssize_t n = read_all(fd, bytes, (size_t)st.st_size);
        if (n < 0) {
            free(bytes);
            bytes = NULL;
        } else {
            *size = (size_t)n;
        }
    }
    int why = errno;
    close(fd);
    errno = why;
    return bytes;
}
