/* earshot noise: what the level meter measured over days, as noise is reported. */
#include "base/clock.h"
#include "base/outfile.h"
#include "base/when.h"
#include "daemon/args.h"
#include "daemon/cmd.h"
#include "daemon/noise/print.h"
#include "daemon/statedir.h"
#include "daemon/store/store_read.h"

#include <string.h>

#define DEFAULT_DAYS  "7d"
#define SHORT_PERIOD  (49LL * 3600 * 1000) /* so long that hours are listed unasked */
#define MS_PER_SECOND 1000000

struct request {
    const char *command, *since, *until, *picture;
    struct noise_period period;
    bool hours, csv, json;
};

struct seconds {
    double calibrated, other;
};

static bool count(void *ctx, const struct store_level *level)
{
    struct seconds *s = ctx;
    if (level->laeq == level->laeq) /* not NaN */
        *(level->calibrated ? &s->calibrated : &s->other) += level->interval_s;
    return true;
}

struct filling {
    struct noise_report *report;
    struct err *err;
    bool failed;
};

static bool add(void *ctx, const struct store_level *level)
{
    struct filling *f = ctx;
    f->failed = noise_report_add(f->report, level, f->err) < 0;
    return !f->failed;
}

/* Rows with calibration, if there are any, else those without. NULL with err. */
static struct noise_report *fill(struct store_reader *db, const struct config *c, const struct noise_period *p,
                                 struct err *err)
{
    struct noise_hours hours = {c->level.day_from, c->level.day_to, c->level.evening_to};
    struct seconds s = {0};
    if (store_read_levels(db, p->since_ms, p->until_ms, count, &s, err) < 0)
        return NULL;
    struct filling f = {.report = noise_report_new(&hours, s.calibrated > 0), .err = err};
    if (!f.report)
        err_set(err, "no memory for the report");
    else if (store_read_levels(db, p->since_ms, p->until_ms, add, &f, err) < 0 || f.failed) {
        noise_report_free(f.report);
        f.report = NULL;
    }
    return f.report;
}

static int draw(const struct request *q, const struct noise_report *r)
{
    struct outfile o;
    struct err err;
    if (outfile_open(&o, q->picture, &err) < 0)
        return cmd_fail(EXIT_FAILED, q->command, "%s", err.text);
    noise_draw(o.f, r, &q->period);
    return outfile_finish(&o, &err) < 0 ? cmd_fail(EXIT_FAILED, q->command, "%s", err.text) : EXIT_GOOD;
}

static int print(const struct request *q, const struct noise_report *r)
{
    if (r->total.measured_s == 0)
        return cmd_fail(EXIT_FAILED, q->command,
                        "no sound levels were kept in that time; the daemon keeps them with [level] history and "
                        "[history] on");
    if (q->json)
        noise_print_json(stdout, r, &q->period);
    else if (q->csv)
        noise_print_csv(stdout, r, &q->period);
    else
        noise_print_text(stdout, r, &q->period);
    return q->picture ? draw(q, r) : EXIT_GOOD;
}

static int report(struct cmd_context *cx, struct request *q)
{
    int64_t now = clock_ns(CLOCK_REALTIME) / MS_PER_SECOND;
    struct noise_period *p = &q->period;
    char dir[4096];
    struct err err;

    if (when_parse(q->since ? q->since : DEFAULT_DAYS, now, &p->since_ms, &err) < 0)
        return cmd_fail(EXIT_USAGE, q->command, "--since: %s", err.text);
    if (when_parse(q->until ? q->until : "now", now, &p->until_ms, &err) < 0)
        return cmd_fail(EXIT_USAGE, q->command, "--until: %s", err.text);
    p->until_ms = p->until_ms < now ? p->until_ms : now;
    if (p->since_ms >= p->until_ms)
        return cmd_fail(EXIT_USAGE, q->command, "the time given is empty: --since has to be before --until and now");
    p->hours = q->hours || p->until_ms - p->since_ms <= SHORT_PERIOD;
    if (state_dir_find(cx, dir, sizeof dir, &err) < 0)
        return cmd_fail(EXIT_FAILED, q->command, "%s", err.text);
    struct store_reader *db = store_read_open(dir, &err);
    struct noise_report *r = db ? fill(db, &cx->config, p, &err) : NULL;
    store_read_close(db);
    int code = r ? print(q, r) : cmd_fail(EXIT_FAILED, q->command, "%s", err.text);
    noise_report_free(r);
    return code;
}

static int run(struct cmd_context *cx, int argc, char **argv)
{
    enum { FLAG_SINCE, FLAG_UNTIL, FLAG_HOURS, FLAG_CSV, FLAG_PICTURE };
    static const struct arg_flag flags[] = {
        [FLAG_SINCE] = {"since", 's', "WHEN"}, [FLAG_UNTIL] = {"until", 'u', "WHEN"}, [FLAG_HOURS] = {"hours", 0, NULL},
        [FLAG_CSV] = {"csv", 0, NULL},         [FLAG_PICTURE] = {"svg", 0, "FILE"},   {0}};
    struct args a = {.flags = flags, .argc = argc, .argv = argv};
    struct request q = {.command = argv[0], .json = cx->json};

    for (int flag; (flag = args_next(&a)) != ARGS_END;)
        switch (flag) {
        case FLAG_SINCE:
            q.since = a.value;
            break;
        case FLAG_UNTIL:
            q.until = a.value;
            break;
        case FLAG_HOURS:
            q.hours = true;
            break;
        case FLAG_CSV:
            q.csv = true;
            break;
        case FLAG_PICTURE:
            q.picture = a.value;
            break;
        case ARGS_PLAIN:
            return args_unexpected(&a);
        default:
            return EXIT_USAGE;
        }
    if (q.csv && q.json)
        return cmd_fail(EXIT_USAGE, argv[0], "--csv or --json: one of the two");
    return report(cx, &q);
}

const struct command cmd_noise = {
    .name = "noise",
    .summary = "report noise: LAeq by hour, Lday, Levening, Lnight and Lden by day",
    .usage =
        "usage: earshot noise [--since WHEN] [--until WHEN] [--hours] [--csv | --json] [--svg FILE]\n"
        "\n"
        "Reports what the level meter measured, from the history: of the whole time LAeq, L10, L50, L90, LAFmax,\n"
        "LCpeak and Lden; of each day Lday, Levening, Lnight and Lden (Directive 2002/49/EC), with how much of it\n"
        "was really measured; of each hour LAeq, LAFmax and LCpeak. A day begins with its day time and has the night\n"
        "that follows it; [level] day and evening say when that is. Without calibration (earshot calibrate) levels\n"
        "are dBFS, and said to be.\n"
        "\n"
        "  -s, --since WHEN   from then on (7d: seven days ago): 2026-11-21, 2026-11-21T08:00, yesterday, 12h, ...\n"
        "  -u, --until WHEN   up to then (now)\n"
        "      --hours        list hours in any case, not only of two days or less\n"
        "      --svg FILE     draw the level over the 24 hours of the day\n"
        "      --csv          comma-separated values: period, days, hours\n"
        "      --json         the same, an object a line\n",
    .run = run,
};
