#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* Relaxed: each stands for itself, and a line that is on its way during a reload may still go by the old ones. */
static struct {
    _Atomic enum log_style style;
    _Atomic enum log_level level;
} log_to = {LOG_PLAIN, LOG_LEVEL_INFO};

void log_open(enum log_style style, enum log_level level)
{
    atomic_store_explicit(&log_to.style, style, memory_order_relaxed);
    atomic_store_explicit(&log_to.level, level, memory_order_relaxed);
}

static int prefix(char *line, size_t size, enum log_level level)
{
    static const char *const word[] = {"error ", "warn  ", "      ", "debug "};
    static const int priority[] = {3, 4, 6, 7}; /* syslog's err, warning, info, debug */

    if (atomic_load_explicit(&log_to.style, memory_order_relaxed) == LOG_PRIORITY)
        return snprintf(line, size, "<%d>", priority[level]);

    struct timespec now;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &tm);
    return snprintf(line, size, "%02d:%02d:%02d.%03ld %s", tm.tm_hour, tm.tm_min, tm.tm_sec, now.tv_nsec / 1000000,
                    word[level]);
}

void log_write(enum log_level level, const char *fmt, ...)
{
    if (level > atomic_load_explicit(&log_to.level, memory_order_relaxed))
        return;

    char line[1024];
    int n = prefix(line, sizeof line, level);
    va_list ap;
    va_start(ap, fmt);
    int m = vsnprintf(line + n, sizeof line - (size_t)n - 1, fmt, ap);
    va_end(ap);
    if (m < 0)
        return;
    size_t len = (size_t)n + (size_t)m;
    len = len < sizeof line - 1 ? len : sizeof line - 2;
    for (size_t i = (size_t)n; i < len; i++)
        if (line[i] == '\n' || line[i] == '\r')
            line[i] = ' ';
    line[len++] = '\n';
    /* one write(2) a line: lines of several threads never mix; a stderr that is gone is nobody's business */
    if (write(STDERR_FILENO, line, len) < 0)
        return;
}
