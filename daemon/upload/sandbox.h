/* A process that is about to read what may be anybody's gives up all that it will not need: it may read and write what is open, take
 * memory within a limit, compute for so long, and end. No file, no socket, no process, no signal to others, no code that
 * was not there: a seccomp filter that lists what is allowed (libseccomp), and resource limits. For good. */
#ifndef EARSHOT_SANDBOX_H
#define EARSHOT_SANDBOX_H

#include "base/err.h"
#include <stddef.h>

struct sandbox_limits {
    unsigned cpu_s; /* of processor time from now on; then SIGXCPU */
    size_t memory;  /* bytes of address space beyond what is taken now */
    size_t output;  /* bytes that may be written to one file (pipes do not count) */
};

/* -1 with err: not all of it could be had (a kernel without seccomp): then the process must not go on. */
int sandbox_enter(const struct sandbox_limits *limits, struct err *err);

#endif
