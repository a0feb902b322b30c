#include "daemon/outputs/child.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static bool for_daemon_alone(const char *variable)
{
    /* Type=notify's socket and watchdog, sockets handed over, whose journal stderr is; and our own, with the password in it */
    static const char *const names[] = {
        "NOTIFY_SOCKET=", "WATCHDOG_PID=", "WATCHDOG_USEC=", "LISTEN_", "JOURNAL_STREAM=", "EARSHOT_"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(variable, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

char **child_environment(char *const *more)
{
    static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    size_t n = 2;

    for (char **e = environ; e && *e; e++)
        n++;
    for (char *const *e = more; *e; e++)
        n++;
    char **all = malloc(n * sizeof *all), **out = all;
    if (!all)
        return NULL;
    if (!getenv("PATH"))
        *out++ = path;
    for (char **e = environ; e && *e; e++)
        if (!for_daemon_alone(*e))
            *out++ = *e;
    for (char *const *e = more; *e; e++)
        *out++ = *e;
    *out = NULL;
    return all;
}

int child_check(const char *program, struct err *err)
{
    struct stat st;

    if (stat(program, &st) < 0)
        return err_set(err, "%s: %s", program, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return err_set(err, "%s: not a file; allowed: a program", program);
    if (access(program, X_OK) < 0)
        return err_set(err, "%s: cannot be executed by the service's user: %s (chmod +x?)", program, strerror(errno));
    return 0;
}

static int set_attributes(posix_spawnattr_t *attr)
{
    const struct sched_param ordinary = {.sched_priority = 0};
    short flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    sigset_t none, all;

    sigemptyset(&none);
    sigfillset(&all);
    if (sched_getscheduler(0) != SCHED_OTHER) { /* of this thread: what it would inherit */
        flags |= POSIX_SPAWN_SETSCHEDULER;
        posix_spawnattr_setschedpolicy(attr, SCHED_OTHER);
        posix_spawnattr_setschedparam(attr, &ordinary);
    }
    posix_spawnattr_setsigmask(attr, &none);
    posix_spawnattr_setsigdefault(attr, &all);
    posix_spawnattr_setpgroup(attr, 0);
    return posix_spawnattr_setflags(attr, flags);
}

enum { MORE = STDERR_FILENO + 1 };

static int set_files(posix_spawn_file_actions_t *files, int in, int out, int err_out, int more)
{
    int rc = posix_spawn_file_actions_adddup2(files, in, STDIN_FILENO);

    if (!rc)
        rc = posix_spawn_file_actions_adddup2(files, out, STDOUT_FILENO);
    if (!rc)
        rc = posix_spawn_file_actions_adddup2(files, err_out, STDERR_FILENO);
    if (!rc && more >= 0)
        rc = posix_spawn_file_actions_adddup2(files, more, MORE);
    if (!rc)
        rc = posix_spawn_file_actions_addclosefrom_np(files, more >= 0 ? MORE + 1 : MORE);
    if (!rc)
        rc = posix_spawn_file_actions_addchdir_np(files, "/");
    return rc;
}

int child_start(struct child *c, char *const *argv, char *const *envp, int in, int out, int err_out, struct err *err)
{
    return child_start_with(c, argv, envp, in, out, err_out, -1, err);
}

int child_start_with(struct child *c, char *const *argv, char *const *envp, int in, int out, int err_out, int more,
                     struct err *err)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    pid_t pid = 0;

    *c = (struct child){.fd = -1};
    int rc = posix_spawn_file_actions_init(&files);
    if (rc)
        return err_set(err, "%s: %s", argv[0], strerror(rc));
    rc = posix_spawnattr_init(&attr);
    if (!rc) {
        rc = set_attributes(&attr);
        if (!rc)
            rc = set_files(&files, in, out, err_out, more);
        if (!rc)
            rc = posix_spawn(&pid, argv[0], &files, &attr, argv, envp);
        posix_spawnattr_destroy(&attr);
    }
    posix_spawn_file_actions_destroy(&files);
    if (rc)
        return err_set(err, "%s: %s%s", argv[0], strerror(rc),
                       rc == ENOEXEC ? " (a script begins with a line such as #!/bin/sh)" : "");
    c->pid = pid;
    c->fd = pidfd_open(pid, 0);
    return 0;
}

bool child_ended(const struct child *c)
{
    siginfo_t info = {.si_pid = 0};

    /* an error: somebody ignores SIGCHLD, and it is gone */
    return waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ? errno != EINTR : info.si_pid == c->pid;
}

void child_signal(const struct child *c, int signal)
{
    if (c->pid > 0)
        kill(-c->pid, signal);
}

int child_finish(struct child *c)
{
    int status = -1;

    if (c->pid <= 0)
        return -1;
    child_signal(c, SIGKILL); /* while its entry is there, the number can be nobody else's */
    while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (c->fd >= 0)
        close(c->fd);
    *c = (struct child){.fd = -1};
    return status;
}

void child_status_text(int status, char *out, size_t size)
{
    if (status != -1 && WIFSIGNALED(status))
        snprintf(out, size, "signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else if (status != -1 && WIFEXITED(status))
        snprintf(out, size, "exit status %d", WEXITSTATUS(status));
    else
        snprintf(out, size, "unknown exit status");
}
