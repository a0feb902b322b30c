#include "daemon/upload/upload_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIECE = 65536 };

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void upload_process_init(struct upload_process *p)
{
    *p = (struct upload_process){.child = {.fd = -1}, .out = -1, .complaints = -1};
}

void upload_process_end(struct upload_process *p)
{
    close_fd(&p->out);
    close_fd(&p->complaints);
    child_finish(&p->child);
    free(p->json);
    upload_process_init(p);
}

/* The configuration as a file that exists in memory alone. */
static int config_file(const char *text, struct err *err)
{
    int fd = memfd_create("earshot.conf", MFD_CLOEXEC);
    size_t n = strlen(text), done = 0;

    while (fd >= 0 && done < n) {
        ssize_t more = write(fd, text + done, n - done);
        if (more < 0 && errno != EINTR)
            close_fd(&fd);
        done += more > 0 ? (size_t)more : 0;
    }
    return fd >= 0 ? fd : err_set(err, "memfd: %s", strerror(errno));
}

/* Nothing of the daemon's environment but where models lie: a decoder that was taken over has nothing to read there. */
static int spawn(struct upload_process *p, const struct upload_job *job, const struct upload_settings *settings,
                 const int *fds, struct err *err)
{
    char parent[16], sound_s[16], name[UPLOAD_NAME + 8], model[PATH_MAX + 16], models[PATH_MAX + 16];
    const char *folder = getenv("EARSHOT_MODELS");
    const char *argv[16] = {"/proc/self/exe", "classify-upload", "--config", "/proc/self/fd/3", "--parent",
                            parent,           "--longest",       sound_s};
    size_t n = 8;
    const char *envp[] = {"LC_ALL=C.UTF-8", NULL, NULL};

    snprintf(parent, sizeof parent, "%d", (int)getpid());
    snprintf(sound_s, sizeof sound_s, "%u", settings->sound_s);
    if (job->name[0]) {
        snprintf(name, sizeof name, "--name=%s", job->name);
        argv[n++] = name;
    }
    if (job->model[0]) {
        snprintf(model, sizeof model, "--model.file=%s", job->model);
        argv[n++] = model;
    }
    if (settings->state_dir[0]) {
        argv[n++] = "--state-dir";
        argv[n++] = settings->state_dir;
    }
    if (folder && snprintf(models, sizeof models, "EARSHOT_MODELS=%s", folder) < (int)sizeof models)
        envp[1] = models;
    return child_start_with(&p->child, (char *const *)argv, (char *const *)envp, job->file, fds[1], fds[3], fds[4],
                            err);
}

int upload_process_start(struct upload_process *p, const struct upload_job *job, const struct upload_settings *settings,
                         struct err *err)
{
    int fds[] = {-1, -1, -1, -1, -1}, rc = -1; /* answer, complaints: from and to; configuration */

    if (lseek(job->file, 0, SEEK_SET) < 0 || pipe2(fds, O_CLOEXEC) < 0 || pipe2(fds + 2, O_CLOEXEC) < 0)
        err_set(err, "pipe: %s", strerror(errno));
    else if ((fds[4] = config_file(settings->text, err)) >= 0)
        rc = spawn(p, job, settings, fds, err);
    close_fd(&fds[1]);
    close_fd(&fds[3]);
    close_fd(&fds[4]);
    p->out = fds[0];
    p->complaints = fds[2];
    if (rc < 0) {
        upload_process_end(p);
        return -1;
    }
    fcntl(p->out, F_SETFL, O_NONBLOCK);
    fcntl(p->complaints, F_SETFL, O_NONBLOCK);
    return 0;
}

static bool make_room(struct upload_process *p)
{
    if (p->room - p->size >= PIECE)
        return true;
    size_t room = 2 * p->room + PIECE;
    char *more = room <= ((size_t)UPLOAD_ANSWER_MIB << 20) ? realloc(p->json, room) : NULL;
    if (!more)
        return false;
    p->json = more;
    p->room = room;
    return true;
}

void upload_process_read(struct upload_process *p)
{
    if (!make_room(p)) {
        p->overflow = true;
        close_fd(&p->out);
        child_signal(&p->child, SIGKILL);
        return;
    }
    ssize_t n = read(p->out, p->json + p->size, p->room - p->size - 1);
    if (n > 0)
        p->json[p->size += (size_t)n] = '\0';
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        close_fd(&p->out);
}

/* Keeps the last line, printable. */
void upload_process_hear(struct upload_process *p)
{
    char text[1024];
    ssize_t n = read(p->complaints, text, sizeof text);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        close_fd(&p->complaints);
    for (ssize_t i = 0; i < n; i++) {
        if (text[i] == '\n') {
            p->line_ended = true;
            continue;
        }
        if (p->line_ended)
            p->line_used = 0;
        p->line_ended = false;
        if (p->line_used + 1 < sizeof p->line)
            p->line[p->line_used++] = (unsigned char)text[i] < ' ' || text[i] == 0x7f ? '?' : text[i];
        p->line[p->line_used] = '\0';
    }
}

/* Its word counts where it is one of those that it has; anything else, and every signal, is the file's doing: what
 * was ours to fail at comes before the file is touched. */
static enum upload_result result_of(int status, char *text, size_t size)
{
    char how[96];

    if (status != -1 && WIFEXITED(status) && WEXITSTATUS(status) <= UPLOAD_TOO_LONG && WEXITSTATUS(status) != 2)
        return (enum upload_result)WEXITSTATUS(status);
    if (status != -1 && WIFSIGNALED(status) && (WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGXFSZ)) {
        snprintf(text, size, "looking through it takes more than %d s of processor time", UPLOAD_CPU_S);
        return UPLOAD_TOO_LONG;
    }
    if (status != -1 && WIFSIGNALED(status)) {
        child_status_text(status, how, sizeof how);
        snprintf(text, size, "the decoder broke on it: %s", how);
        return UPLOAD_BROKEN;
    }
    return UPLOAD_FAILED;
}

void upload_process_answer(struct upload_process *p, struct upload_answer *out)
{
    int status = child_finish(&p->child);

    *out = (struct upload_answer){.result = UPLOAD_FAILED};
    snprintf(out->text, sizeof out->text, "%s", p->line[0] ? p->line : "no answer came");
    out->result = result_of(status, out->text, sizeof out->text);
    if (p->overflow) {
        out->result = UPLOAD_TOO_LONG;
        snprintf(out->text, sizeof out->text, "more is heard in it than an answer holds");
    } else if (out->result == UPLOAD_GOOD && (p->size < 2 || p->json[0] != '{' || p->json[p->size - 1] != '\n')) {
        out->result = UPLOAD_FAILED;
        snprintf(out->text, sizeof out->text, "no whole answer came");
    } else if (out->result == UPLOAD_GOOD) {
        out->json = p->json;
        out->json_size = p->size;
        p->json = NULL;
    }
}
