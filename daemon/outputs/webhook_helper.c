#include "daemon/outputs/webhook_helper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* The whole path: programs are started in another folder. */
static int try_folder(char *path, size_t size, const char *folder, const char *below)
{
    char found[PATH_MAX], whole[PATH_MAX];

    return snprintf(found, sizeof found, "%s%s/earshot-webhook", folder, below) < (int)sizeof found &&
                   access(found, X_OK) == 0 && realpath(found, whole) && snprintf(path, size, "%s", whole) < (int)size
               ? 0
               : -1;
}

int webhook_helper_find(char *path, size_t size, struct err *err)
{
    const char *given = getenv("EARSHOT_LIBEXEC");
    char exe[PATH_MAX] = "";
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);

    if (given && *given && try_folder(path, size, given, "") == 0)
        return 0;
    exe[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(exe, '/');
    if (slash) {
        *slash = '\0';
        if (try_folder(path, size, exe, "") == 0 || try_folder(path, size, exe, "/../libexec/earshot") == 0)
            return 0;
    }
    if (try_folder(path, size, EARSHOT_PREFIX, "/libexec/earshot") == 0)
        return 0;
    return err_set(err, "the program that sends webhooks, earshot-webhook, is neither beside earshot nor in %s",
                   EARSHOT_PREFIX "/libexec/earshot");
}

void webhook_helper_init(struct webhook_helper *h, const char *path)
{
    *h = (struct webhook_helper){.child = {.fd = -1}, .to = -1, .from = -1};
    snprintf(h->path, sizeof h->path, "%s", path);
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void webhook_helper_end(struct webhook_helper *h)
{
    close_fd(&h->to);
    close_fd(&h->from);
    child_finish(&h->child);
    h->n = 0;
}

static int start(struct webhook_helper *h, struct err *err)
{
    int in[2] = {-1, -1}, out[2] = {-1, -1}, rc = -1;
    char *const argv[] = {h->path, NULL}, *const none[] = {NULL};
    char **envp = child_environment(none);

    if (!envp)
        err_set(err, "no memory");
    else if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
        err_set(err, "pipe: %s", strerror(errno));
    else
        rc = child_start(&h->child, argv, envp, in[0], out[1], STDERR_FILENO, err);
    free(envp);
    close_fd(&in[0]);
    close_fd(&out[1]);
    h->to = in[1];
    h->from = out[0];
    h->n = 0;
    if (rc < 0) {
        webhook_helper_end(h);
        return -1;
    }
    fcntl(h->from, F_SETFL, O_NONBLOCK);
    fcntl(h->to, F_SETFL, O_NONBLOCK); /* a request fits the empty pipe: where it does not, the helper hangs */
    return 0;
}

int webhook_helper_send(struct webhook_helper *h, const char *line, struct err *err)
{
    size_t n = strlen(line);
    struct iovec parts[] = {{(char *)line, n}, {(char[]){'\n'}, 1}};

    if (!h->child.pid && start(h, err) < 0)
        return -1;
    if (writev(h->to, parts, 2) == (ssize_t)n + 1)
        return 0;
    err_set(err, "the helper program takes nothing: %s", strerror(errno));
    webhook_helper_end(h);
    return -1;
}

int webhook_helper_read(struct webhook_helper *h, json_t **answer, struct err *err)
{
    ssize_t n = read(h->from, h->answer + h->n, sizeof h->answer - h->n);
    char how[64];

    *answer = NULL;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0) {
        close_fd(&h->to);
        close_fd(&h->from);
        child_status_text(child_finish(&h->child), how, sizeof how);
        return err_set(err, "the helper program ended: %s", how);
    }
    h->n += (size_t)n;
    char *end = memchr(h->answer, '\n', h->n);
    if (!end && h->n < sizeof h->answer)
        return 0;
    *answer = end ? json_loadb(h->answer, (size_t)(end - h->answer), 0, NULL) : NULL;
    h->n = 0;
    if (*answer)
        return 1;
    webhook_helper_end(h);
    return err_set(err, "the helper program says what nobody understands");
}
