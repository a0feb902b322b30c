#include "daemon/train/progress.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define PERIOD_S 0.1
#define SURE_S   1.0 /* before that nobody knows how long it takes */

void progress_start(struct progress *p)
{
    *p = (struct progress){.watched = isatty(STDERR_FILENO), .begun_s = clock_s(CLOCK_MONOTONIC), .first = -1};
}

void progress_show(struct progress *p, double share, const char *fmt, ...)
{
    double now = clock_s(CLOCK_MONOTONIC), spent = now - p->begun_s;
    va_list ap;

    if (p->first < 0)
        p->first = share;
    if (!p->watched || now - p->shown_s < PERIOD_S)
        return;
    p->shown_s = now;
    fputs("\r\033[K", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    if (share > p->first && spent > SURE_S) {
        long left = (long)(spent * (1 - share) / (share - p->first) + 0.5);
        fprintf(stderr, left >= 3600 ? ", %ld h %02ld min left" : ", %ld:%02ld left",
                left >= 3600 ? left / 3600 : left / 60, left >= 3600 ? left / 60 % 60 : left % 60);
    }
}

void progress_end(struct progress *p)
{
    if (p->watched)
        fputs("\r\033[K", stderr);
}
