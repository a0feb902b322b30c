/* earshot label: what people say of what was heard, and what is learned of it. */
#include "base/json.h"
#include "base/when.h"
#include "daemon/args.h"
#include "daemon/cmd.h"
#include "daemon/statedir.h"
#include "daemon/store/schema.h"
#include "daemon/teach/shelf.h"
#include "daemon/teach/taught.h"
#include "daemon/teach/teacher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LABEL "label"

static const char usage[] =
    "usage: earshot label EVENT_ID right|wrong|LABEL\n"
    "       earshot label --undo EVENT_ID\n"
    "       earshot label --list [--json]\n"
    "\n"
    "Says whether a sound event was what it was told as, or what it was instead. EVENT_ID: its id (earshot history "
    "--json),\n"
    "or the first 8 characters of it and more.\n"
    "\n"
    "  right       it was that\n"
    "  wrong       it was not: a taught sound is learned anew with it as a counter-example; one of the model's own is "
    "held back\n"
    "              from now on where it sounds just like that. That reaches no farther than a tenth of the sounds "
    "known of that\n"
    "              class, all such corrections together a quarter: a class is never silenced by them\n"
    "  LABEL       it was that other sound: wrong for what it was told as, and an example of LABEL where that was "
    "taught\n"
    "\n"
    "  --undo      takes back what was said, and what was learned of it\n"
    "  --list      what was said, and what is in force of it\n"
    "\n"
    "A running daemon learns of it within a second or two. Exit code 0, 1 where there is no such event, 2 for "
    "wrong\nusage.\n";

/* No daemon has the directory: we do what it would do. NULL: one has. */
static struct state_lock *alone(const char *dir)
{
    struct err err;
    struct state_lock *lock = state_lock(dir, &err);
    sqlite3 *db = NULL;

    if (lock && schema_open(dir, &db, &err) == SCHEMA_GOOD) /* an older database is brought up to date */
        sqlite3_close(db);
    return lock;
}

static int learn(const struct cmd_context *cx, const char *dir, const struct state_lock *lock, const char *said)
{
    char note[400] = "the daemon learns of it";
    struct err err;

    if (lock && taught_relearn(dir, cx->config.model.file, cx->config.model.hop, RENEW_VERSIONS, NULL, note,
                               sizeof note, &err) < 0)
        return cmd_fail(EXIT_FAILED, LABEL, "%s, but nothing is learned of it: %s", said, err.text);
    if (cx->json)
        shelf_print(json_pack("{s:b, s:s, s:s}", "ok", 1, "said", said, "learned", note));
    else
        printf("%s; %s\n", said, note);
    return EXIT_GOOD;
}

static int give(const struct cmd_context *cx, const char *dir, const char *id, const char *verdict)
{
    struct verdict_row row;
    struct err err;
    char said[300];

    if (verdict_check_id(id, &err) < 0 || verdict_check(verdict, &err) < 0)
        return cmd_fail(EXIT_USAGE, LABEL, "%s", err.text);
    struct state_lock *lock = alone(dir);
    int code = EXIT_FAILED;
    if (verdict_set(dir, id, verdict, &row, &err) < 0) {
        cmd_fail(code, LABEL, "%s", err.text);
    } else {
        snprintf(said, sizeof said, "%s of %s: %s%s", row.label, row.event_id, row.verdict,
                 row.n_embedding ? "" : " (noted; no embedding is kept of it, so there is nothing to learn)");
        code = learn(cx, dir, lock, said);
    }
    state_unlock(lock);
    return code;
}

static int undo(const struct cmd_context *cx, const char *dir, const char *id)
{
    struct verdict_row row;
    struct err err;
    char said[300];
    int code = EXIT_FAILED;

    if (verdict_check_id(id, &err) < 0)
        return cmd_fail(EXIT_USAGE, LABEL, "%s", err.text);
    struct state_lock *lock = alone(dir);
    if (verdict_undo(dir, id, &row, &err) < 0) {
        cmd_fail(code, LABEL, "%s", err.text);
    } else {
        snprintf(said, sizeof said, "%s of %s: no longer %s", row.label, row.event_id, row.verdict);
        code = learn(cx, dir, lock, said);
    }
    state_unlock(lock);
    return code;
}

/* --- list ------------------------------------------------------------------------------------------------------------ */

struct listing {
    const struct taughtfile *f;
    bool json;
};

/* What is made of it. */
static void describe(const struct listing *l, const struct verdict_row *row, char *out, size_t size)
{
    const struct taughtfile *f = l->f;

    for (size_t i = 0; i < f->n_corrections; i++)
        if (strcmp(f->corrections[i].event_id, row->event_id) == 0) {
            snprintf(out, size, "%s is held back where it sounds like that (cosine %.2f and more)", row->label,
                     (double)f->corrections[i].reach);
            return;
        }
    const struct taught_class *told = taughtfile_find(f, row->label), *meant = taughtfile_find(f, row->verdict);
    bool right = strcmp(row->verdict, VERDICT_RIGHT) == 0;
    if (!row->n_embedding)
        snprintf(out, size, "noted: no embedding is kept of it");
    else if (meant || (right && told))
        snprintf(out, size, "an example of %s", meant ? meant->label : told->label);
    else if (told)
        snprintf(out, size, "a counter-example of %s", told->label);
    else
        snprintf(out, size,
                 right ? "no correction of %s reaches as far as this"
                       : "not in force: too much of %s would be held back",
                 row->label);
}

static bool print_row(void *ctx, const struct verdict_row *row)
{
    const struct listing *l = ctx;
    char what[200], when[WHEN_TEXT];

    describe(l, row, what, sizeof what);
    if (l->json) {
        when_utc(row->start_ms, when);
        shelf_print(json_pack("{s:s, s:s, s:s, s:s, s:o, s:s}", "event_id", row->event_id, "label", row->label,
                              "verdict", row->verdict, "start", when, "score", json_decimal(row->score, 3), "learned",
                              what));
    } else {
        when_text(row->start_ms, when);
        printf("%s  %s  %-20s %-12s %s\n", row->event_id, when, row->label, row->verdict, what);
    }
    return true;
}

static int list(const struct cmd_context *cx, const char *dir)
{
    struct taughtfile f = {0};
    struct listing l = {&f, cx->json};
    char path[PATH_MAX];
    struct err err;
    int n = -1;

    if (taught_path(dir, path, sizeof path, &err) == 0 && taughtfile_read(&f, path, true, &err) == 0)
        n = verdict_each(dir, print_row, &l, &err);
    taughtfile_free(&f);
    if (n < 0)
        return cmd_fail(EXIT_FAILED, LABEL, "%s", err.text);
    if (n == 0 && !cx->json)
        printf("nothing was said of any event yet: earshot label EVENT_ID right|wrong|LABEL\n");
    return EXIT_GOOD;
}

static int run(struct cmd_context *cx, int argc, char **argv)
{
    enum { FLAG_UNDO, FLAG_LIST };
    static const struct arg_flag flags[] = {
        [FLAG_UNDO] = {"undo", 'u', "EVENT_ID"}, [FLAG_LIST] = {"list", 'l', NULL}, {NULL, 0, NULL}};
    struct args a = {.flags = flags, .argc = argc, .argv = argv};
    const char *words[2] = {NULL, NULL}, *taken_back = NULL;
    bool listing = false;
    size_t n = 0;
    char dir[4000];
    struct err err;

    for (int flag; (flag = args_next(&a)) != ARGS_END;) {
        if (flag == FLAG_UNDO)
            taken_back = a.value;
        else if (flag == FLAG_LIST)
            listing = true;
        else if (flag != ARGS_PLAIN)
            return EXIT_USAGE;
        else if (n == 2)
            return args_unexpected(&a);
        else
            words[n++] = a.value;
    }
    if (listing + (taken_back != NULL) + (n == 2) != 1 || n == 1)
        return cmd_fail(EXIT_USAGE, LABEL, "allowed are: EVENT_ID right|wrong|LABEL, --undo EVENT_ID, --list");
    if (state_dir_look(cx, dir, sizeof dir, &err) < 0)
        return cmd_fail(EXIT_FAILED, LABEL, "%s", err.text);
    return listing ? list(cx, dir) : taken_back ? undo(cx, dir, taken_back) : give(cx, dir, words[0], words[1]);
}

const struct command cmd_label = {
    .name = LABEL,
    .summary = "say whether an event was right, wrong, or what it was",
    .usage = usage,
    .input_flags = true,
    .run = run,
};
