/* `earshot history`: one request, and a function for each of its verbs. */
#ifndef EARSHOT_HISTORY_H
#define EARSHOT_HISTORY_H

#include "daemon/history/print.h"
#include "daemon/history/query.h"

enum history_by { HISTORY_BY_LABEL, HISTORY_BY_HOUR, HISTORY_BY_DAY, HISTORY_BY_HOUR_OF_DAY };
enum history_what { HISTORY_BOTH, HISTORY_EVENTS, HISTORY_LEVELS };

struct history_request {
    const char *dir; /* state directory */
    int64_t now_ms;
    enum history_format format;
    struct store_filter filter; /* since, until (INT64_MIN, INT64_MAX where not given), labels, min_score */
    bool since_given, until_given, limit_given;
    size_t limit; /* 0: all */
    enum history_by by;
    int64_t every_ms;       /* levels: mean of that long; 0: each row */
    const char *out;        /* file or folder; NULL: stdout */
    enum history_what what; /* export, purge */
    bool before_given;      /* purge */
    int64_t before_ms;
    bool all, yes;
};

/* Each returns an exit code and prints its own errors. */
int history_list(const struct history_request *q);
int history_follow(const struct history_request *q);
int history_counts(const struct history_request *q);
int history_show_levels(const struct history_request *q);
int history_plot(const struct history_request *q);
int history_export(const struct history_request *q);
int history_purge(const struct history_request *q);

/* The database of the request; NULL: said why. */
struct store_reader *history_open(const struct history_request *q);

/* Level rows averaged over periods of local time that last every_ms, the last of a day shorter where that must be; calls fn for each
 * period that has any, in order: laeq the mean of the power, lafmax and lcpeak the highest, no percentiles, interval_s what was
 * measured, time_ms the end of the period. Rows before and after a calibration are not mixed. */
struct history_average {
    int64_t every_ms;
    history_level_fn *fn;
    void *ctx;
    struct store_level sum; /* private from here; start with 0 */
    double power, power_s;
    int64_t begin_ms, end_ms;
};
void history_average_add(struct history_average *a, const struct store_level *level);
void history_average_end(struct history_average *a);

#endif
