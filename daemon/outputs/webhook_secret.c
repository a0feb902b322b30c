#include "daemon/outputs/webhook_secret.h"

#include "base/options.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* Bytes read, -1 with err. */
static ssize_t read_file(const char *path, char *out, size_t size, struct err *err)
{
    /* O_NONBLOCK: a FIFO in its place must not hold us up */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : read(fd, out, size);
    int why = errno;

    if (fd >= 0)
        close(fd);
    if (n < 0)
        return err_set(err, "%s: %s", path, strerror(why));
    if ((size_t)n == size)
        return err_set(err, "%s: longer than %zu bytes", path, size - 1);
    if (memchr(out, '\0', (size_t)n))
        return err_set(err, "%s: holds a NUL byte", path);
    out[n] = '\0';
    return n;
}

/* A header's name is a token of RFC 9110; its value is visible text. */
static bool is_header(const char *line)
{
    static const char token[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~";
    size_t n = strspn(line, token);

    if (n == 0 || line[n] != ':' || strncmp(line + n, "://", 3) == 0)
        return false;
    for (const char *p = line + n; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return false;
    return line[n + 1 + strspn(line + n + 1, " ")] != '\0';
}

static int take_line(struct webhook_secret *s, const char *path, unsigned number, char *line, struct err *err)
{
    if (strncasecmp(line, "http://", 7) == 0 || strncasecmp(line, "https://", 8) == 0) {
        const char *problem = option_url_problem(line);
        if (problem)
            return err_set(err, "%s:%u: %s", path, number, problem);
        if (s->url)
            return err_set(err, "%s:%u: a second address; allowed: one, here or as url", path, number);
        s->url = line;
        return 0;
    }
    if (!is_header(line))
        return err_set(err,
                       "%s:%u: neither a header nor an address; allowed: lines such as `Authorization: Bearer ...`",
                       path, number);
    if (s->n == SECRET_HEADERS)
        return err_set(err, "%s:%u: more than %d headers", path, number, SECRET_HEADERS);
    s->headers[s->n++] = line;
    s->headers[s->n] = NULL;
    return 0;
}

static int take_lines(struct webhook_secret *s, const char *path, struct err *err)
{
    unsigned number = 1;

    for (char *line = s->text, *end; line; line = end, number++) {
        end = strchr(line, '\n');
        if (end)
            *end++ = '\0';
        size_t n = strlen(line);
        while (n && (line[n - 1] == '\r' || line[n - 1] == ' ' || line[n - 1] == '\t'))
            line[--n] = '\0';
        line += strspn(line, " \t");
        if (*line && *line != '#' && take_line(s, path, number, line, err) < 0)
            return -1;
    }
    return 0;
}

int webhook_secret_read(struct webhook_secret *s, const struct webhook_config *config, struct err *err)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    char path[4096] = "";

    s->n = 0;
    s->headers[0] = NULL;
    s->url = config->url[0] ? config->url : NULL;
    if (config->secret_file[0])
        snprintf(path, sizeof path, "%s", config->secret_file);
    else if (folder && *folder &&
             (snprintf(path, sizeof path, "%s/webhook-%s", folder, config->name) >= (int)sizeof path ||
              access(path, F_OK) < 0))
        path[0] = '\0';
    if (*path && (read_file(path, s->text, sizeof s->text, err) < 0 || take_lines(s, path, err) < 0)) {
        webhook_secret_wipe(s);
        return -1;
    }
    if (!s->url)
        return err_set(err, "there is no address: neither url nor a line of the secret (%s)",
                       *path ? path : "secret_file, or the credential webhook-NAME");
    return 0;
}

void webhook_secret_wipe(struct webhook_secret *s)
{
    explicit_bzero(s, sizeof *s);
}

void webhook_secret_place(const char *url, char *out, size_t size)
{
    const char *host = strstr(url, "://");

    host = host ? host + 3 : url;
    snprintf(out, size, "%.*s", (int)((size_t)(host - url) + strcspn(host, "/?#")), url);
}
