/* earshot clips: what was recorded, and how to be rid of it. */
#include "base/clock.h"
#include "base/json.h"
#include "daemon/args.h"
#include "daemon/clips/clip_folder.h"
#include "daemon/clips/clip_name.h"
#include "daemon/cmd.h"
#include "daemon/statedir.h"

#include <errno.h>
#include <inttypes.h>
#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DAY_MS 86400000.0

struct selection {
    const char *label; /* NULL: any */
    double older_days; /* negative: any age */
    bool all, json;
};

static bool selected(const struct selection *s, const struct clip_entry *e)
{
    int64_t now = clock_ms(CLOCK_REALTIME);

    if (s->label && strcmp(e->label, s->label) != 0)
        return false;
    return s->older_days < 0 || e->utc_ms < now - (int64_t)(s->older_days * DAY_MS);
}

/* Seconds of sound, or of an array nothing: -1. */
static double length(const char *dir, const char *name)
{
    char path[4096 + CLIP_SIZE];
    SF_INFO info = {0};

    snprintf(path, sizeof path, "%s/%s", dir, name);
    SNDFILE *f = sf_open(path, SFM_READ, &info);
    if (!f)
        return -1;
    sf_close(f);
    return info.samplerate > 0 ? (double)info.frames / info.samplerate : -1;
}

static void print_json(const char *dir, const struct clip_entry *e)
{
    char time[RFC3339_SIZE], path[4096 + CLIP_SIZE];
    double seconds = length(dir, e->name);
    json_t *o = json_object();

    rfc3339_utc(time, e->utc_ms * 1000000);
    snprintf(path, sizeof path, "%s/%s", dir, e->name);
    json_object_set_new(o, "clip", json_text(e->name));
    json_object_set_new(o, "path", json_text(path));
    json_object_set_new(o, "time", json_string(time));
    json_object_set_new(o, "label", json_text(e->label));
    json_object_set_new(o, "duration_s", seconds < 0 ? json_null() : json_decimal(seconds, 3));
    json_object_set_new(o, "bytes", json_integer((json_int_t)e->bytes));
    char *text = json_dumps(o, JSON_LINE);
    json_decref(o);
    puts(text ? text : "");
    free(text);
}

static void print_line(const char *dir, const struct clip_entry *e)
{
    time_t t = (time_t)(e->utc_ms / 1000);
    double seconds = length(dir, e->name);
    char local[32] = "", duration[16] = "-";
    struct tm tm;

    if (localtime_r(&t, &tm))
        strftime(local, sizeof local, "%Y-%m-%d %H:%M:%S", &tm);
    if (seconds >= 0)
        snprintf(duration, sizeof duration, "%.1f s", seconds);
    printf("%s  %-24s %9s %8.0f kB  %s\n", local, e->label, duration, (double)e->bytes / 1000, e->name);
}

static int list(const struct selection *s, const char *dir, const struct clip_entry *e, size_t n)
{
    uint64_t bytes = 0;
    size_t shown = 0;

    for (size_t i = 0; i < n; i++) {
        if (!selected(s, &e[i]))
            continue;
        if (s->json)
            print_json(dir, &e[i]);
        else
            print_line(dir, &e[i]);
        bytes += e[i].bytes;
        shown++;
        if (cmd_flush() < 0)
            return EXIT_GOOD;
    }
    if (!s->json)
        printf("%zu clips, %.1f MB, in %s\n", shown, (double)bytes / 1e6, dir);
    return EXIT_GOOD;
}

static int purge(const struct selection *s, const char *dir, const struct clip_entry *e, size_t n)
{
    char path[4096 + CLIP_SIZE];
    size_t gone = 0;
    int code = EXIT_GOOD;

    if (!s->all && !s->label && s->older_days < 0)
        return cmd_fail(EXIT_USAGE, "clips", "purge what? --label LABEL, --older-than DAYS, or --all");
    for (size_t i = 0; i < n; i++) {
        if (!selected(s, &e[i]))
            continue;
        snprintf(path, sizeof path, "%s/%s", dir, e[i].name);
        if (unlink(path) == 0)
            gone++;
        else if (errno != ENOENT)
            code = cmd_fail(EXIT_FAILED, "clips", "%s: %s", path, strerror(errno));
    }
    if (s->json)
        printf("{\"deleted\": %zu}\n", gone);
    else
        printf("%zu of %zu clips deleted in %s\n", gone, n, dir);
    return code;
}

static int find_folder(struct cmd_context *cx, char *dir, size_t size, struct err *err)
{
    char state[4096];

    if (cx->config.clips.dir[0])
        return clip_folder_path(&cx->config, NULL, dir, size, err);
    if (state_dir_find(cx, state, sizeof state, err) < 0)
        return -1;
    return clip_folder_path(&cx->config, state, dir, size, err);
}

static int act(struct cmd_context *cx, const char *action, const struct selection *s)
{
    bool purges = strcmp(action, "purge") == 0;
    char dir[4096];
    struct err err;
    size_t n;

    if (!purges && strcmp(action, "list") != 0)
        return cmd_fail(EXIT_USAGE, "clips", "\"%s\": allowed are list and purge", action);
    if (s->all && (!purges || s->label || s->older_days >= 0))
        return cmd_fail(EXIT_USAGE, "clips", "--all goes with purge, and with no other choice");
    if (find_folder(cx, dir, sizeof dir, &err) < 0)
        return cmd_fail(EXIT_FAILED, "clips", "%s", err.text);
    struct clip_entry *e = NULL;
    n = 0;
    if (access(dir, F_OK) == 0 && !(e = clip_folder_list(dir, &n, &err)))
        return cmd_fail(EXIT_FAILED, "clips", "%s", err.text);
    int code = purges ? purge(s, dir, e, n) : list(s, dir, e, n);
    free(e);
    return code;
}

static int run(struct cmd_context *cx, int argc, char **argv)
{
    enum { FLAG_LABEL, FLAG_OLDER, FLAG_ALL };
    static const struct arg_flag flags[] = {
        [FLAG_LABEL] = {"label", 'l', "LABEL"},
        [FLAG_OLDER] = {"older-than", 0, "DAYS"},
        [FLAG_ALL] = {"all", 0, NULL},
        {NULL, 0, NULL},
    };
    struct args a = {.flags = flags, .argc = argc, .argv = argv};
    struct selection s = {.older_days = -1, .json = cx->json};
    const char *action = NULL;

    for (int flag; (flag = args_next(&a)) != ARGS_END;) {
        switch (flag) {
        case FLAG_LABEL:
            s.label = a.value;
            break;
        case FLAG_OLDER:
            if (args_number(&a, 0, 36500, &s.older_days) < 0)
                return EXIT_USAGE;
            break;
        case FLAG_ALL:
            s.all = true;
            break;
        case ARGS_PLAIN:
            if (action)
                return args_unexpected(&a);
            action = a.value;
            break;
        default:
            return EXIT_USAGE;
        }
    }
    return act(cx, action ? action : "list", &s);
}

const struct command cmd_clips = {
    .name = "clips",
    .summary = "list or delete recorded clips",
    .usage = "usage: earshot clips [list] [--label LABEL] [--older-than DAYS]\n"
             "       earshot clips purge --label LABEL | --older-than DAYS | --all\n"
             "\n"
             "What [clips] record had kept: files in the state directory's folder clips, or [clips] dir. Times are of\n"
             "the sound's start.\n"
             "\n"
             "  -l, --label LABEL  those of one class alone (unknown: of none; all: of record = all)\n"
             "  --older-than DAYS  those alone that are older\n"
             "  --all              purge: every clip. Other files in the folder stay\n"
             "  --json             one object a line\n"
             "\n"
             "Exit code: 0 done, 1 the folder cannot be read or a file not be deleted, 2 wrong usage.\n",
    .run = run,
};
