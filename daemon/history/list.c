/* Lists of events and levels, and what is counted. */
#include "base/json.h"
#include "base/when.h"
#include "daemon/classify_print.h"
#include "daemon/cmd.h"
#include "daemon/history/history.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct store_reader *history_open(const struct history_request *q)
{
    struct err err;
    struct store_reader *r = store_read_open(q->dir, &err);

    if (r)
        return r;
    bool barred = access(q->dir, R_OK | X_OK) < 0 && errno == EACCES;
    cmd_fail(EXIT_FAILED, "history", "%s%s", err.text,
             barred ? " (members of the group earshot may read it: sudo usermod -aG earshot $USER, and log in anew)"
                    : "");
    return NULL;
}

static int fail(const struct err *err)
{
    return cmd_fail(EXIT_FAILED, "history", "%s", err->text);
}

static void print_row(void *ctx, const struct store_row *row)
{
    const struct history_request *q = ctx;

    history_print_event(stdout, q->format, row, NULL, 0);
}

int history_list(const struct history_request *q)
{
    struct store_reader *r = history_open(q);
    struct err err;
    int64_t n = 1;

    if (!r)
        return EXIT_FAILED;
    struct history_walk w = {.reader = r, .filter = q->filter, .limit = q->limit};
    history_event_header(stdout, q->format, false);
    while (n > 0 && (n = history_walk_page(&w, print_row, (void *)q, &err)) > 0)
        if (cmd_flush() < 0)
            break;
    store_read_close(r);
    return n < 0 ? fail(&err) : EXIT_GOOD;
}

/* --- levels ---------------------------------------------------------------------------------------------------------------------- */

static void print_level(void *ctx, const struct store_level *level)
{
    const struct history_request *q = ctx;

    history_print_level(stdout, q->format, level);
}

static void average_level(void *ctx, const struct store_level *level)
{
    history_average_add(ctx, level);
}

int history_show_levels(const struct history_request *q)
{
    struct store_reader *r = history_open(q);
    struct history_average a = {.every_ms = q->every_ms, .fn = print_level, .ctx = (void *)q};
    history_level_fn *fn = q->every_ms ? average_level : print_level;
    struct err err;
    int64_t n = 1;

    if (!r)
        return EXIT_FAILED;
    struct history_level_walk w = {
        .reader = r, .since_ms = q->filter.since_ms, .until_ms = q->filter.until_ms, .limit = q->limit};
    history_level_header(stdout, q->format);
    while (n > 0 && (n = history_level_page(&w, fn, q->every_ms ? (void *)&a : (void *)q, &err)) > 0)
        if (cmd_flush() < 0)
            break;
    if (n == 0 && q->every_ms)
        history_average_end(&a);
    store_read_close(r);
    return n < 0 ? fail(&err) : EXIT_GOOD;
}

/* --- counts ---------------------------------------------------------------------------------------------------------------------- */

static void print_label(const struct history_request *q, const struct history_label *l)
{
    char first[WHEN_TEXT], last[WHEN_TEXT];

    if (q->format == HISTORY_TEXT) {
        when_text(l->last_ms, last);
        printf("%9" PRId64 "  ", l->count);
        print_name(stdout, l->label);
        printf("%*s last %s, best score %.2f\n", (int)(strlen(l->label) < 24 ? 24 - strlen(l->label) : 0), "", last,
               l->best);
        return;
    }
    when_utc(l->first_ms, first);
    when_utc(l->last_ms, last);
    if (q->format == HISTORY_CSV) {
        printf("%s,%" PRId64 ",%s,%s,%.4f\n", l->label, l->count, first, last, l->best);
        return;
    }
    json_t *o = json_pack("{s:o, s:I, s:s, s:s, s:o}", "label", json_text(l->label), "count", (json_int_t)l->count,
                          "first", first, "last", last, "best", json_decimal(l->best, 4));
    json_dumpf(o, stdout, JSON_LINE);
    json_decref(o);
    putchar('\n');
}

static int count_labels(const struct history_request *q, sqlite3 *db, struct err *err)
{
    struct history_label *all = NULL;
    size_t n;
    int rc = history_labels(db, &q->filter, &all, &n, err);

    if (q->format == HISTORY_CSV)
        puts("label,count,first,last,best");
    for (size_t i = 0; rc == 0 && i < n && (!q->limit || i < q->limit); i++)
        print_label(q, &all[i]);
    free(all);
    return rc;
}

/* "name": what the column is called. */
static void print_count(enum history_format format, const char *name, const char *value, int64_t count)
{
    if (format == HISTORY_JSON)
        printf("{\"%s\":\"%s\",\"count\":%" PRId64 "}\n", name, value, count);
    else if (format == HISTORY_CSV)
        printf("%s,%" PRId64 "\n", value, count);
    else
        printf("%9" PRId64 "  %s\n", count, value);
}

struct by_hour_of_day {
    int64_t count[24];
};

static void add_hour(void *ctx, int64_t begin_ms, int64_t end_ms, int64_t count)
{
    struct by_hour_of_day *h = ctx;

    (void)end_ms;
    h->count[when_hour_number(begin_ms)] += count;
}

static void print_bucket(void *ctx, int64_t begin_ms, int64_t end_ms, int64_t count)
{
    const struct history_request *q = ctx;
    char text[WHEN_TEXT];

    (void)end_ms;
    if (q->by == HISTORY_BY_DAY)
        when_day(begin_ms, text);
    else
        when_local(begin_ms, text);
    print_count(q->format, q->by == HISTORY_BY_DAY ? "day" : "hour", text, count);
}

static int count_times(const struct history_request *q, sqlite3 *db, struct err *err)
{
    struct by_hour_of_day hours = {{0}};
    bool of_day = q->by == HISTORY_BY_HOUR_OF_DAY;

    if (q->format == HISTORY_CSV)
        printf("%s,count\n", of_day ? "hour_of_day" : q->by == HISTORY_BY_DAY ? "day" : "hour");
    if (history_buckets(db, &q->filter, q->by == HISTORY_BY_DAY, of_day ? add_hour : print_bucket,
                        of_day ? (void *)&hours : (void *)q, err) < 0)
        return -1;
    for (int i = 0; of_day && i < 24; i++) {
        char text[16];
        snprintf(text, sizeof text, "%02d:00", i);
        print_count(q->format, "hour_of_day", text, hours.count[i]);
    }
    return 0;
}

int history_counts(const struct history_request *q)
{
    struct store_reader *r = history_open(q);
    struct err err;

    if (!r)
        return EXIT_FAILED;
    int rc =
        q->by == HISTORY_BY_LABEL ? count_labels(q, store_read_db(r), &err) : count_times(q, store_read_db(r), &err);
    store_read_close(r);
    return rc < 0 ? fail(&err) : EXIT_GOOD;
}
