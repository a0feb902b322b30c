#include "daemon/upload/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

/* Whatever the arguments: they reach nothing but what is open and the process itself. */
static const int allowed[] = {
    SCMP_SYS(read),
    SCMP_SYS(pread64),
    SCMP_SYS(readv),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(lseek),
    SCMP_SYS(_llseek),
    SCMP_SYS(close),
    SCMP_SYS(fstat),
    SCMP_SYS(fstat64),
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(futex),
    SCMP_SYS(futex_time64),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_gettime64),
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_getres_time64),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(getrandom),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getrusage),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

/* An abort ends with a signal to itself. */
static int allow_own_signals(scmp_filter_ctx filter)
{
    scmp_datum_t pid = (scmp_datum_t)getpid();

    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, pid));
}

/* Memory, but none that can be executed. */
static int allow_memory(scmp_filter_ctx filter)
{
    static const int calls[] = {SCMP_SYS(mmap), SCMP_SYS(mmap2), SCMP_SYS(mprotect)};

    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        int rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* What fcntl(2) and stat(2) tell of open files. glibc's fstat is newfstatat with an empty path: a filter cannot see that it is empty,
 * so that of other files their size and dates could be had. */
static int allow_questions(scmp_filter_ctx filter)
{
    static const int calls[] = {SCMP_SYS(fcntl), SCMP_SYS(fcntl64)};
    static const scmp_datum_t questions[] = {F_GETFL, F_GETFD};
    int rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1, SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH));

    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        for (size_t q = 0; rc == 0 && q < sizeof questions / sizeof *questions; q++)
            rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 1, SCMP_A1(SCMP_CMP_EQ, questions[q]));
    return rc;
}

/* All else fails with EPERM: a library that asks for something it can do without goes on. */
static int filter_calls(struct err *err)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int rc = filter ? 0 : -ENOMEM;

    for (size_t i = 0; rc == 0 && i < sizeof allowed / sizeof *allowed; i++)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
    if (rc == 0)
        rc = allow_own_signals(filter);
    if (rc == 0)
        rc = allow_memory(filter);
    if (rc == 0)
        rc = allow_questions(filter);
    if (rc == 0)
        rc = seccomp_load(filter); /* with no_new_privs */
    if (filter)
        seccomp_release(filter);
    return rc == 0 ? 0 : err_set(err, "no seccomp filter can be had from this kernel: %s", strerror(-rc));
}

static int limit(int resource, rlim_t soft, rlim_t hard, const char *name, struct err *err)
{
    const struct rlimit l = {soft, hard};

    return setrlimit(resource, &l) == 0 ? 0 : err_set(err, "limit on %s: %s", name, strerror(errno));
}

/* What is mapped now: program, libraries, models. */
static size_t taken(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (f && fscanf(f, "%lu", &pages) != 1)
        pages = 0;
    if (f)
        fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Spent already, rounded up. */
static rlim_t spent_s(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (rlim_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec + 1);
}

int sandbox_enter(const struct sandbox_limits *limits, struct err *err)
{
    rlim_t cpu = spent_s() + limits->cpu_s, memory = taken() + limits->memory;

    prctl(PR_SET_DUMPABLE, 0); /* nobody of the same user may trace it, or write its memory out */
    if (limit(RLIMIT_CPU, cpu, cpu + 2, "processor time", err) < 0 || /* 2: SIGXCPU may be taken, then SIGKILL */
        limit(RLIMIT_AS, memory, memory, "memory", err) < 0 ||
        limit(RLIMIT_FSIZE, limits->output, limits->output, "file size", err) < 0 ||
        limit(RLIMIT_CORE, 0, 0, "core files", err) < 0 || limit(RLIMIT_NPROC, 0, 0, "processes", err) < 0 ||
        limit(RLIMIT_NOFILE, 3, 3, "open files", err) < 0)
        return -1;
    return filter_calls(err);
}
