/* Streams with annotations: what was heard of what was there, and how often something that was not. */
#ifndef EARSHOT_EVALUATE_STREAM_H
#define EARSHOT_EVALUATE_STREAM_H

#include "daemon/evaluate.h"

struct evaluate_stream {
    const char *sound, *annotations; /* paths */
};

/* As the command line has it; all borrowed. */
struct evaluate_streams {
    const struct evaluate_stream *streams; /* [n] */
    size_t n;
    const char *list;          /* --streams: CSV with the columns audio and annotations, relative to it; NULL */
    const char *const *groups; /* [n_groups], "NAME=LABEL,LABEL" or "NAME" */
    size_t n_groups;
    const char *sweep;                /* --sweep: CSV to write; NULL: not, or as --out says */
    const char *thresholds;           /* --thresholds-out; NULL: not, or as --out says where there is a budget */
    double budget;                    /* --choose-thresholds, false alarms an hour of each class; NaN: do not choose */
    const char *const *group_budgets; /* [n_group_budgets], "NAME=NUMBER": for all classes of the group together */
    size_t n_group_budgets;
    double lowest; /* --lowest-threshold that may be chosen */
    bool merge;    /* --merge-overlaps */
    bool verbose;
};

/* Prints its own output and errors; returns an exit code. */
int evaluate_stream_run(const struct evaluate *e, const struct evaluate_streams *what);

#endif
