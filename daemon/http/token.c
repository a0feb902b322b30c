#include "daemon/http/token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Visible ASCII of some length, with a line's end behind it. */
static int check(char *text, const char *where, struct err *err)
{
    size_t n = strcspn(text, "\r\n");

    if (text[n + strspn(text + n, "\r\n")])
        return err_set(err, "%s: more than one line", where);
    text[n] = '\0';
    for (size_t i = 0; i < n; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return err_set(err, "%s: a blank, or a character that is not ASCII; allowed: letters, digits, signs",
                           where);
    if (n < TOKEN_LEAST)
        return err_set(err, "%s: %zu characters; at least %d (`openssl rand -base64 24` makes a good one)", where, n,
                       TOKEN_LEAST);
    return 1;
}

int secret_check(const char *option, const char *path, const struct stat *st, struct err *err)
{
    if (!(st->st_mode & (S_IROTH | S_IWOTH)))
        return 0;
    return err_set(err, "[web] %s %s: everybody on this machine may read or write it; remedy: chmod o= %s", option,
                   path, path);
}

/* 1, 0: not there, -1. `shared`: others may read it, it was handed over by the system. */
static int read_file(const char *path, bool shared, char out[TOKEN_SIZE], struct err *err)
{
    struct stat st = {0};
    /* O_NONBLOCK: a FIFO in its place must not hold us up */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return 0;
    ssize_t n = fd < 0 || fstat(fd, &st) < 0 ? -1 : read(fd, out, TOKEN_SIZE);
    int why = errno;
    if (fd >= 0)
        close(fd);
    if (n < 0)
        return err_set(err, "[web] token_file %s: %s", path, strerror(why));
    if (!shared && secret_check("token_file", path, &st, err) < 0)
        return -1;
    if (n == TOKEN_SIZE)
        return err_set(err, "[web] token_file %s: longer than %d bytes", path, TOKEN_SIZE - 1);
    if (memchr(out, '\0', (size_t)n))
        return err_set(err, "[web] token_file %s: holds a NUL byte", path);
    out[n] = '\0';
    char where[CONFIG_TEXT + 32];
    snprintf(where, sizeof where, "[web] token_file %s", path);
    return check(out, where, err);
}

int token_read(const struct config *config, char out[TOKEN_SIZE], struct err *err)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY"), *env = getenv("EARSHOT_WEB_TOKEN");
    char path[CONFIG_TEXT];

    if (config->web.token_file[0]) {
        int found = read_file(config->web.token_file, false, out, err);
        return found ? found : err_set(err, "[web] token_file %s: %s", config->web.token_file, strerror(ENOENT));
    }
    if (folder && *folder && snprintf(path, sizeof path, "%s/web-token", folder) < (int)sizeof path) {
        int found = read_file(path, true, out, err);
        if (found)
            return found;
    }
    if (!env || !*env)
        return 0;
    if (snprintf(out, TOKEN_SIZE, "%s", env) >= TOKEN_SIZE)
        return err_set(err, "EARSHOT_WEB_TOKEN: longer than %d bytes", TOKEN_SIZE - 1);
    return check(out, "EARSHOT_WEB_TOKEN", err);
}
