#include "daemon/service.h"

#include "base/clock.h"
#include "base/log.h"
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

struct service {
    int fd;
    uint64_t watchdog_us; /* 0: systemd asked for none */
    int64_t fed_ns;
    bool starving;
    char status[200];
};

struct service *service_new(struct err *err)
{
    struct service *s = calloc(1, sizeof *s);
    sigset_t set;

    if (!s) {
        err_set(err, "out of memory");
        return NULL;
    }
    /* a broker, a browser or a pipe that goes away is an error code, not the end of the program */
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    s->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (s->fd < 0) {
        err_set(err, "signalfd: %s", strerror(errno));
        free(s);
        return NULL;
    }
    if (sd_watchdog_enabled(0, &s->watchdog_us) <= 0)
        s->watchdog_us = 0;
    s->fed_ns = clock_ns(CLOCK_MONOTONIC);
    return s;
}

void service_free(struct service *s)
{
    if (!s)
        return;
    close(s->fd);
    free(s);
}

int service_fd(const struct service *s)
{
    return s->fd;
}

enum service_signal service_take(struct service *s)
{
    struct signalfd_siginfo info;

    if (read(s->fd, &info, sizeof info) != (ssize_t)sizeof info)
        return SERVICE_NONE;
    return info.ssi_signo == SIGHUP ? SERVICE_RELOAD : SERVICE_STOP;
}

void service_ready(struct service *s)
{
    s->fed_ns = clock_ns(CLOCK_MONOTONIC);
    sd_notify(0, "READY=1");
}

void service_reloading(struct service *s)
{
    (void)s;
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, clock_ns(CLOCK_MONOTONIC) / 1000);
}

void service_stopping(struct service *s)
{
    (void)s;
    sd_notify(0, "STOPPING=1");
}

void service_status(struct service *s, const char *fmt, ...)
{
    char text[sizeof s->status];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    for (char *c = text; *c; c++) /* a line of the message is a variable: a device's name must not make one */
        if ((unsigned char)*c < ' ')
            *c = ' ';
    if (strcmp(text, s->status) == 0)
        return;
    memcpy(s->status, text, sizeof text);
    sd_notifyf(0, "STATUS=%s", text);
}

void service_watchdog(struct service *s, bool progress)
{
    if (!s->watchdog_us)
        return;
    int64_t now = clock_ns(CLOCK_MONOTONIC);
    if (progress) {
        s->fed_ns = now;
        s->starving = false;
        sd_notify(0, "WATCHDOG=1");
    } else if (!s->starving && now - s->fed_ns > (int64_t)s->watchdog_us * 500) {
        s->starving = true;
        log_error("no audio was analysed for %.1f s: the watchdog is no longer fed", (double)(now - s->fed_ns) / 1e9);
    }
}

bool service_stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat st;
    uintmax_t dev, ino;

    return stream && sscanf(stream, "%ju:%ju", &dev, &ino) == 2 && fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev &&
           st.st_ino == ino;
}
