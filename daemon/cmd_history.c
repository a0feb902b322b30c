/* earshot history: what was heard, from the database that the daemon writes. */
#include "base/clock.h"
#include "base/csv.h"
#include "base/text.h"
#include "base/when.h"
#include "daemon/args.h"
#include "daemon/cmd.h"
#include "daemon/history/history.h"
#include "daemon/statedir.h"
#include "model/model.h"

#include <stdlib.h>
#include <string.h>

#define LIMIT_MAX 1000000000

enum {
    FLAG_SINCE,
    FLAG_UNTIL,
    FLAG_LABEL,
    FLAG_MIN_SCORE,
    FLAG_LIMIT,
    FLAG_FOLLOW,
    FLAG_CSV,
    FLAG_BY,
    FLAG_EVERY,
    FLAG_OUT,
    FLAG_BEFORE,
    FLAG_ALL,
    FLAG_YES,
    FLAGS
};
static const struct arg_flag flags[] = {
    [FLAG_SINCE] = {"since", 's', "WHEN"},  [FLAG_UNTIL] = {"until", 'u', "WHEN"},
    [FLAG_LABEL] = {"label", 'l', "LABEL"}, [FLAG_MIN_SCORE] = {"min-score", 0, "SCORE"},
    [FLAG_LIMIT] = {"limit", 'n', "N"},     [FLAG_FOLLOW] = {"follow", 'f', NULL},
    [FLAG_CSV] = {"csv", 0, NULL},          [FLAG_BY] = {"by", 0, "WHAT"},
    [FLAG_EVERY] = {"every", 0, "TIME"},    [FLAG_OUT] = {"out", 'o', "FILE"},
    [FLAG_BEFORE] = {"before", 0, "WHEN"},  [FLAG_ALL] = {"all", 0, NULL},
    [FLAG_YES] = {"yes", 'y', NULL},        {0}};

#define BIT(flag) (1u << (flag))
#define EVENTS    (BIT(FLAG_SINCE) | BIT(FLAG_UNTIL) | BIT(FLAG_LABEL) | BIT(FLAG_MIN_SCORE))

enum { VERB_LIST, VERB_COUNTS, VERB_LEVELS, VERB_PLOT, VERB_EXPORT, VERB_PURGE, VERBS };
static const struct verb {
    const char *name; /* "" where nothing is said */
    unsigned flags;   /* that it takes */
    int (*run)(const struct history_request *q);
} verbs[VERBS] = {
    [VERB_LIST] = {"", EVENTS | BIT(FLAG_LIMIT) | BIT(FLAG_FOLLOW) | BIT(FLAG_CSV), history_list},
    [VERB_COUNTS] = {"counts", EVENTS | BIT(FLAG_LIMIT) | BIT(FLAG_BY) | BIT(FLAG_CSV), history_counts},
    [VERB_LEVELS] = {"levels", BIT(FLAG_SINCE) | BIT(FLAG_UNTIL) | BIT(FLAG_LIMIT) | BIT(FLAG_EVERY) | BIT(FLAG_CSV),
                     history_show_levels},
    [VERB_PLOT] = {"plot", EVENTS | BIT(FLAG_OUT), history_plot},
    [VERB_EXPORT] = {"export", EVENTS | BIT(FLAG_LIMIT) | BIT(FLAG_OUT) | BIT(FLAG_CSV), history_export},
    [VERB_PURGE] = {"purge", BIT(FLAG_BEFORE) | BIT(FLAG_LABEL) | BIT(FLAG_ALL) | BIT(FLAG_YES), history_purge},
};

struct line {
    struct history_request q;
    const struct verb *verb; /* NULL: not said yet */
    unsigned given;          /* flags */
    bool follow, csv, by_given;
    const char *labels[HISTORY_LABELS];
    char *label_text[HISTORY_LABELS]; /* arguments, cut at their commas; owned */
    size_t n_label_text;
};

static int fail(const char *text)
{
    return cmd_fail(EXIT_USAGE, "history", "%s", text);
}

/* --- reading the arguments ------------------------------------------------------------------------------------------------------- */

static int take_when(const struct args *a, int64_t now_ms, int64_t *out)
{
    struct err err;

    if (when_parse(a->value, now_ms, out, &err) == 0)
        return EXIT_GOOD;
    return cmd_fail(EXIT_USAGE, "history", "--%s: %s", a->flag, err.text);
}

/* Commas between several; the flag may be given again as well. */
static int take_labels(struct line *l, const char *value)
{
    char *text = strdup(value), *rest = text, *label;

    if (!text || l->n_label_text == HISTORY_LABELS) {
        free(text);
        return fail(text ? "--label: too often" : "no memory");
    }
    l->label_text[l->n_label_text++] = text;
    while ((label = strsep(&rest, ","))) {
        size_t n = strspn(label, "abcdefghijklmnopqrstuvwxyz0123456789_");
        if (n == 0 || label[n] || n >= LABEL_SIZE)
            return cmd_fail(EXIT_USAGE, "history",
                            "--label \"%.64s\": no label; allowed: a-z, 0-9 and _, commas between several (such as "
                            "dog_bark,siren)",
                            value);
        if (l->q.filter.n_labels == HISTORY_LABELS)
            return cmd_fail(EXIT_USAGE, "history", "--label: at most %d labels", HISTORY_LABELS);
        l->labels[l->q.filter.n_labels++] = label;
    }
    return EXIT_GOOD;
}

static int take_by(struct line *l, const char *value)
{
    static const char *const words[] = {[HISTORY_BY_LABEL] = "label",
                                        [HISTORY_BY_HOUR] = "hour",
                                        [HISTORY_BY_DAY] = "day",
                                        [HISTORY_BY_HOUR_OF_DAY] = "hour-of-day"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(value, words[i]) == 0) {
            l->q.by = (enum history_by)i;
            return EXIT_GOOD;
        }
    return cmd_fail(EXIT_USAGE, "history", "--by %.64s: allowed: label, hour, day, hour-of-day", value);
}

static int take_every(struct line *l, const char *value)
{
    struct err err;

    if (when_parse_span(value, &l->q.every_ms, &err) < 0)
        return cmd_fail(EXIT_USAGE, "history", "--every: %s", err.text);
    if (l->q.every_ms < 60000 || l->q.every_ms > 86400000)
        return cmd_fail(EXIT_USAGE, "history", "--every %.64s: allowed: 1min to 1d", value);
    return EXIT_GOOD;
}

/* The first plain argument is the verb, the second what is exported or purged. */
static int take_plain(struct line *l, const char *word)
{
    struct text_nearest near = {.word = word};
    bool chooses = l->verb == &verbs[VERB_EXPORT] || l->verb == &verbs[VERB_PURGE];

    if (chooses && l->q.what == HISTORY_BOTH && strcmp(word, "events") == 0) {
        l->q.what = HISTORY_EVENTS;
        return EXIT_GOOD;
    }
    if (chooses && l->q.what == HISTORY_BOTH && strcmp(word, "levels") == 0) {
        l->q.what = HISTORY_LEVELS;
        return EXIT_GOOD;
    }
    for (int i = VERB_COUNTS; !l->verb && i < VERBS; i++) {
        if (strcmp(word, verbs[i].name) == 0) {
            l->verb = &verbs[i];
            return EXIT_GOOD;
        }
        text_nearest_try(&near, verbs[i].name);
    }
    return cmd_fail(EXIT_USAGE, "history", "unexpected argument %.64s%s%s; allowed: %s", word,
                    near.best ? ", did you mean " : "", near.best ? near.best : "",
                    chooses ? "events or levels" : "counts, levels, plot, export, purge");
}

static int take_number(struct line *l, const struct args *a, int flag)
{
    long n;

    if (flag == FLAG_MIN_SCORE)
        return args_number(a, 0, 1, &l->q.filter.min_score) < 0 ? EXIT_USAGE : EXIT_GOOD;
    if (args_int(a, 0, LIMIT_MAX, &n) < 0)
        return EXIT_USAGE;
    l->q.limit = (size_t)n;
    return EXIT_GOOD;
}

static int take(struct line *l, const struct args *a, int flag)
{
    struct history_request *q = &l->q;

    if (flag >= 0)
        l->given |= BIT(flag);
    switch (flag) {
    case FLAG_SINCE:
        return take_when(a, q->now_ms, &q->filter.since_ms);
    case FLAG_UNTIL:
        return take_when(a, q->now_ms, &q->filter.until_ms);
    case FLAG_BEFORE:
        return take_when(a, q->now_ms, &q->before_ms);
    case FLAG_LABEL:
        return take_labels(l, a->value);
    case FLAG_MIN_SCORE:
    case FLAG_LIMIT:
        return take_number(l, a, flag);
    case FLAG_BY:
        return take_by(l, a->value);
    case FLAG_EVERY:
        return take_every(l, a->value);
    case FLAG_OUT:
        q->out = a->value;
        return EXIT_GOOD;
    case ARGS_PLAIN:
        return take_plain(l, a->value);
    default:
        return flag >= 0 ? EXIT_GOOD : EXIT_USAGE; /* those that have no value */
    }
}

/* --- what goes together ---------------------------------------------------------------------------------------------------------- */

static int check_flags(const struct line *l, bool json)
{
    unsigned unfit = l->given & ~l->verb->flags;

    for (int i = 0; i < FLAGS; i++)
        if (unfit & BIT(i)) {
            char allowed[160] = "";
            for (int v = 0; v < VERBS; v++)
                if (verbs[v].flags & BIT(i))
                    snprintf(allowed + strlen(allowed), sizeof allowed - strlen(allowed), "%searshot history%s%s",
                             *allowed ? ", " : "", v ? " " : "", verbs[v].name);
            return cmd_fail(EXIT_USAGE, "history", "--%s goes with: %s", flags[i].name, allowed);
        }
    if (json && (l->given & BIT(FLAG_CSV)))
        return fail("--json and --csv: one of them");
    if (json && l->verb == &verbs[VERB_PLOT])
        return fail("--json: a picture has no such form; `earshot history export` has the figures");
    return EXIT_GOOD;
}

static int check_verb(const struct line *l)
{
    const struct history_request *q = &l->q;
    bool labels = q->filter.n_labels > 0;

    if (l->verb == &verbs[VERB_COUNTS] && !(l->given & BIT(FLAG_BY)))
        return fail("counts: --by is missing; allowed: --by label, hour, day, hour-of-day");
    if (l->verb == &verbs[VERB_COUNTS] && (l->given & BIT(FLAG_LIMIT)) && q->by != HISTORY_BY_LABEL)
        return fail("--limit goes with counts --by label; --since and --until choose times");
    if (l->verb == &verbs[VERB_EXPORT] && q->what == HISTORY_BOTH && !q->out)
        return fail("export: say which, `export events` or `export levels`, or give --out FOLDER for both");
    if (q->what == HISTORY_LEVELS && (labels || q->filter.min_score > 0))
        return fail("levels have neither label nor score: --label and --min-score go with events");
    if (l->verb == &verbs[VERB_PURGE] && !q->before_given && !labels && !q->all)
        return fail("purge: say what: --before WHEN, --label LABEL, or --all");
    if (l->verb == &verbs[VERB_PURGE] && q->all && (q->before_given || labels))
        return fail("purge: --all stands alone; allowed: --before and --label together, or --all");
    if ((l->given & BIT(FLAG_FOLLOW)) && q->until_given)
        return fail("--follow never ends: it goes with --since, not with --until");
    if (q->since_given && q->until_given && q->filter.since_ms >= q->filter.until_ms)
        return fail("--until is not after --since (a day is its first moment: `--since 2026-11-20 --until 2026-11-21` "
                    "is all of the 20th)");
    return EXIT_GOOD;
}

static void settle(struct line *l, bool json)
{
    struct history_request *q = &l->q;

    if (!l->verb)
        l->verb = &verbs[VERB_LIST];
    q->filter.labels = l->labels;
    q->since_given = l->given & BIT(FLAG_SINCE);
    q->until_given = l->given & BIT(FLAG_UNTIL);
    q->limit_given = l->given & BIT(FLAG_LIMIT);
    q->before_given = l->given & BIT(FLAG_BEFORE);
    q->all = l->given & BIT(FLAG_ALL);
    q->yes = l->given & BIT(FLAG_YES);
    q->format = json ? HISTORY_JSON : l->given & BIT(FLAG_CSV) ? HISTORY_CSV : HISTORY_TEXT;
    if (l->verb == &verbs[VERB_EXPORT] && q->format == HISTORY_TEXT)
        q->format = HISTORY_JSON;
    /* a list without an end would not be read */
    bool open = !q->since_given && !q->until_given && !q->limit_given;
    if (open && (l->verb == &verbs[VERB_LIST] || (l->verb == &verbs[VERB_LEVELS] && !q->every_ms)))
        q->limit = l->given & BIT(FLAG_FOLLOW) ? 10 : 100;
}

static int read_arguments(struct line *l, bool json, int argc, char **argv)
{
    struct args a = {.flags = flags, .argc = argc, .argv = argv};

    for (int flag; (flag = args_next(&a)) != ARGS_END;)
        if (take(l, &a, flag) != EXIT_GOOD)
            return EXIT_USAGE;
    settle(l, json);
    int code = check_flags(l, json);
    return code == EXIT_GOOD ? check_verb(l) : code;
}

/* --- labels that nobody knows ---------------------------------------------------------------------------------------------------- */

struct known {
    struct text_nearest near;
    char best[LABEL_SIZE]; /* what `near` holds of it goes with the row */
    bool found;
};

static void try_label(void *ctx, const char *label)
{
    struct known *k = ctx;

    k->found |= strcmp(k->near.word, label) == 0;
    text_nearest_try(&k->near, label);
    if (k->near.best == label) {
        snprintf(k->best, sizeof k->best, "%s", label);
        k->near.best = k->best;
    }
}

/* The first column of labels.csv, which lies beside the models; where it does not, nothing is added. */
static void try_vocabulary(struct known *k)
{
    char path[4096];
    struct csv c;

    if (model_find_file("labels.csv", path, sizeof path, NULL) < 0 || csv_open(&c, path, NULL) < 0)
        return;
    while (csv_next(&c, NULL) > 0)
        if (c.n)
            try_label(k, c.field[0]);
    csv_close(&c);
}

/* A label that neither the history nor labels.csv has is mistyped. One that is to come may be a new model's: that is only said. */
static int check_labels(const struct line *l)
{
    struct store_reader *r = l->q.filter.n_labels ? store_read_open(l->q.dir, NULL) : NULL;
    int code = EXIT_GOOD;

    for (size_t i = 0; r && code == EXIT_GOOD && i < l->q.filter.n_labels; i++) {
        struct known k = {.near = {.word = l->labels[i]}};
        bool follow = l->given & BIT(FLAG_FOLLOW);
        history_known_labels(store_read_db(r), try_label, &k);
        if (!k.found)
            try_vocabulary(&k);
        if (!k.found)
            code = cmd_fail(follow ? EXIT_GOOD : EXIT_USAGE, "history",
                            "--label %s: neither the history nor labels.csv knows such a sound%s%s%s", l->labels[i],
                            k.near.best ? "; did you mean " : "", k.near.best ? k.near.best : "",
                            k.near.best ? "?" : " (`earshot history counts --by label` lists those that were heard)");
    }
    store_read_close(r);
    return code;
}

static int run(struct cmd_context *cx, int argc, char **argv)
{
    struct line l = {
        .q = {.now_ms = clock_ms(CLOCK_REALTIME), .filter = {.since_ms = INT64_MIN, .until_ms = INT64_MAX}}};
    char dir[4096];
    struct err err;
    int code = read_arguments(&l, cx->json, argc, argv);

    if (code == EXIT_GOOD && state_dir_look(cx, dir, sizeof dir, &err) < 0)
        code = cmd_fail(EXIT_FAILED, "history", "%s", err.text);
    l.q.dir = dir;
    if (code == EXIT_GOOD)
        code = check_labels(&l);
    if (code == EXIT_GOOD)
        code = l.given & BIT(FLAG_FOLLOW) ? history_follow(&l.q) : l.verb->run(&l.q);
    for (size_t i = 0; i < l.n_label_text; i++)
        free(l.label_text[i]);
    return code;
}

const struct command cmd_history = {
    .name = "history",
    .summary = "what was heard: list, counts, picture, export, purge",
    .usage =
        "usage: earshot history [FLAG...]               events, oldest first (the latest 100 where no time is given)\n"
        "       earshot history counts --by WHAT        how many: by label, hour, day, hour-of-day (local time)\n"
        "       earshot history levels [--every TIME]   sound levels; averaged over such times (1min to 1d)\n"
        "       earshot history plot [--out FILE]       an SVG picture: events by hour of day, levels over time; a "
        "week,\n"
        "                                               unless told otherwise\n"
        "       earshot history export events|levels    everything, as JSON lines or CSV; with --out FOLDER both\n"
        "       earshot history purge [events|levels] --before WHEN | --label LABEL | --all\n"
        "                                               deletes for good; asks, unless --yes\n"
        "\n"
        "  -s, --since WHEN       2026-11-21, 2026-11-21T09:30 (local), 2026-11-21T08:30:00Z, 09:30 (today), 2h, 3d "
        "(ago),\n"
        "  -u, --until WHEN       today, yesterday, now; from --since on, before --until; a day is its first moment\n"
        "  -l, --label LABEL,...  these sounds only\n"
        "      --min-score SCORE  at least that sure, 0 to 1\n"
        "  -n, --limit N          the latest N, 0: all; of counts --by label, the N most frequent\n"
        "  -f, --follow           then new ones as they come, until Ctrl-C: an event that goes on, and again when it "
        "has ended\n"
        "  -o, --out FILE         write there\n"
        "      --csv, --json      for programs: UTC, one event or row a line\n"
        "\n"
        "The daemon may run meanwhile. Events of `earshot test` are listed, and not counted. Deleting leaves clips "
        "alone, and\n"
        "messages that are still to be sent.\n",
    .run = run,
};
