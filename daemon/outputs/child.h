/* Programs that the daemon starts: in a process group of their own, with nothing of the daemon's but what they are given. Files other
 * than the three standard ones are closed, signals are unblocked and at their defaults, scheduling is the ordinary one, the folder is /.
 * Started without copying the daemon (posix_spawn): fit for a process with threads, some of them real-time. */
#ifndef EARSHOT_CHILD_H
#define EARSHOT_CHILD_H

#include "base/err.h"
#include <stdbool.h>
#include <sys/types.h>

struct child {
    pid_t pid; /* 0: none */
    int fd; /* readable when it has ended; -1: the kernel has no such thing, child_ended is to be asked now and then */
};

/* The environment of the daemon without what is meant for the daemon alone (NOTIFY_SOCKET, EARSHOT_MQTT_PASSWORD, ...), then `more`,
 * "NAME=value", ends with NULL. One block, the caller's to free; it refers to `more` and to the daemon's own strings. NULL: no memory. */
char **child_environment(char *const *more);

/* Can the program be started at all: is it there, a file, executable by us? -1 with err: why not. */
int child_check(const char *program, struct err *err);

/* in, out, err_out: its standard descriptors, which stay the caller's too. -1: err says why. */
int child_start(struct child *c, char *const *argv, char *const *envp, int in, int out, int err_out, struct err *err);
/* ... and `more` as its descriptor 3; -1: none. */
int child_start_with(struct child *c, char *const *argv, char *const *envp, int in, int out, int err_out, int more,
                     struct err *err);

/* Has it ended? Does not wait, and does not reap it: its group's number stays taken. */
bool child_ended(const struct child *c);

/* To it and all in its group. */
void child_signal(const struct child *c, int signal);

/* Kills what is left of its group, reaps it, which waits where it has not ended, and forgets it. Returns waitpid's status, -1: unknown. */
int child_finish(struct child *c);

/* "exit status 3", "signal 9 (Killed)" */
void child_status_text(int status, char *out, size_t size);

#endif
