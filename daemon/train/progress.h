/* A line of progress on stderr, where somebody watches, with the time that is left. */
#ifndef EARSHOT_TRAIN_PROGRESS_H
#define EARSHOT_TRAIN_PROGRESS_H

#include <stdbool.h>

struct progress {
    bool watched;
    double begun_s, shown_s, first; /* first: share that was done when it began; -1: not known yet */
};

void progress_start(struct progress *p);
/* share: done, 0..1. At most ten times a second. */
void progress_show(struct progress *p, double share, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void progress_end(struct progress *p);

#endif
