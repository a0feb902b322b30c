#include "daemon/upload/upload_file.h"
#include "daemon/upload/upload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* What history and outbox need the disk for comes first. */
#define SPARE_BYTES (32u << 20)

static int unnamed(const char *folder)
{
    char path[PATH_MAX];
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT && errno != EINVAL))
        return fd;
    /* a file system that knows no such files */
    if (snprintf(path, sizeof path, "%s/.upload-XXXXXX", folder) >= (int)sizeof path)
        return -1;
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

static int try_folder(const char *folder, struct err *err)
{
    struct statvfs s;
    int fd = unnamed(folder);

    if (fd < 0)
        return err_set(err, "%s: %s", folder, strerror(errno));
    if (fstatvfs(fd, &s) == 0 && (unsigned long long)s.f_bavail * s.f_frsize >= UPLOAD_BYTES + SPARE_BYTES)
        return fd;
    close(fd);
    return err_set(err, "%s: too little room", folder);
}

int upload_file_open(const char *folder, struct err *err)
{
    const char *temporary = getenv("TMPDIR");
    int fd = *folder ? try_folder(folder, err) : -1;

    return fd >= 0 ? fd : try_folder(temporary && *temporary ? temporary : "/tmp", err);
}

/* There was room for one when each was opened: several may come at once. */
int upload_file_write(int fd, const char *data, size_t size, struct err *err)
{
    struct statvfs s;

    if (fstatvfs(fd, &s) == 0 && (unsigned long long)s.f_bavail * s.f_frsize < SPARE_BYTES + size)
        return err_set(err, "the disk is full but for %u MB", SPARE_BYTES >> 20);
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno != EINTR)
            return err_set(err, "%s", strerror(errno));
        if (n > 0) {
            data += n;
            size -= (size_t)n;
        }
    }
    return 0;
}

int upload_file_reopen(int fd, struct err *err)
{
    char path[32];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int other = open(path, O_RDONLY | O_CLOEXEC);
    return other >= 0 ? other : err_set(err, "%s", strerror(errno));
}

void upload_file_name(const char *sent, char *out, size_t size)
{
    const char *name = sent ? sent : "";

    for (const char *c = name; *c; c++)
        if ((*c == '/' || *c == '\\') && c[1])
            name = c + 1;
    snprintf(out, size, "%s", name);
}
