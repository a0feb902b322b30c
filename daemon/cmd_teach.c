/* earshot teach: this box learns a sound from a few examples. */
#include "daemon/args.h"
#include "daemon/clips/clip_folder.h"
#include "daemon/cmd.h"
#include "daemon/statedir.h"
#include "daemon/teach/record.h"
#include "daemon/teach/school.h"
#include "daemon/teach/shelf.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEACH  "teach"
#define TAKE_S 4.0

static const char usage[] =
    "usage: earshot teach NAME FILE...\n"
    "       earshot teach NAME --record N [--seconds S] [--wave] [--play]\n"
    "       earshot teach NAME --from-history EVENT_ID...\n"
    "       earshot teach list | show LABEL | forget LABEL...\n"
    "       earshot teach export LABEL [-o FILE] | import FILE...\n"
    "       earshot teach relearn\n"
    "\n"
    "Teaches this box a sound: five examples are a good number, one is enough to begin with. A running daemon listens "
    "for\n"
    "it at once, and so do classify and evaluate. Examples that are given later come to those that are there.\n"
    "\n"
    "  FILE                recordings of it, one each; what is quiet before and after it is cut off\n"
    "  --record N          N takes from the microphone, that of the running daemon where there is one\n"
    "  --seconds S         length of a take (4)\n"
    "  --wave              shows each take as a waveform\n"
    "  --play              plays each take (aplay, paplay or pw-play)\n"
    "  --from-history ID   events that were heard already, by their ids (earshot history --json) or the first 8\n"
    "                      characters of them: what the model made of them is kept, no sound is needed\n"
    "  --replace           forget the examples that it was taught from before\n"
    "  -o, --output FILE   of export: LABEL.taught\n"
    "\n"
    "  relearn             for another model, or another version of it: what was taught is learned anew from the "
    "sounds "
    "of its\n"
    "                      examples, which are kept (unless [model] keep_examples is off). A daemon that starts with "
    "another\n"
    "                      version of its model does that by itself\n"
    "\n"
    "Warnings say where examples disagree, are too quiet, or sound like something that is known, and what to do. Exit "
    "code\n"
    "0 if it is taught, 1 if no example is usable, 2 for wrong usage.\n";

struct request {
    struct cmd_context *cx;
    const char *words[1024]; /* NAME and what follows */
    size_t n;
    bool history, replace, wave, play;
    long record;
    double seconds; /* 0: not given */
    const char *output;
    char dir[4000];
};

static int read_flags(struct request *r, int argc, char **argv)
{
    enum { FLAG_RECORD, FLAG_SECONDS, FLAG_HISTORY, FLAG_REPLACE, FLAG_WAVE, FLAG_PLAY, FLAG_OUTPUT };
    static const struct arg_flag flags[] = {
        [FLAG_RECORD] = {"record", 'r', "N"},
        [FLAG_SECONDS] = {"seconds", 's', "S"},
        [FLAG_HISTORY] = {"from-history", 0, NULL},
        [FLAG_REPLACE] = {"replace", 0, NULL},
        [FLAG_WAVE] = {"wave", 0, NULL},
        [FLAG_PLAY] = {"play", 0, NULL},
        [FLAG_OUTPUT] = {"output", 'o', "FILE"},
        {NULL, 0, NULL},
    };
    struct args a = {.flags = flags, .argc = argc, .argv = argv};

    for (int flag; (flag = args_next(&a)) != ARGS_END;)
        switch (flag) {
        case FLAG_RECORD:
            if (args_int(&a, 1, 50, &r->record) < 0)
                return EXIT_USAGE;
            break;
        case FLAG_SECONDS:
            if (args_number(&a, 0.5, 30, &r->seconds) < 0)
                return EXIT_USAGE;
            break;
        case FLAG_HISTORY:
            r->history = true;
            break;
        case FLAG_REPLACE:
            r->replace = true;
            break;
        case FLAG_WAVE:
            r->wave = true;
            break;
        case FLAG_PLAY:
            r->play = true;
            break;
        case FLAG_OUTPUT:
            r->output = a.value;
            break;
        case ARGS_PLAIN:
            if (r->n == sizeof r->words / sizeof *r->words)
                return cmd_fail(EXIT_USAGE, TEACH, "more than %zu examples at a time", r->n - 1);
            r->words[r->n++] = a.value;
            break;
        default:
            return EXIT_USAGE;
        }
    return EXIT_GOOD;
}

/* --- teaching ------------------------------------------------------------------------------------------------------- */

static void complain(const char *what, const struct err *err)
{
    bool named = strncmp(err->text, what, strlen(what)) == 0;
    fprintf(stderr, "earshot teach: %s%s%s: left out\n", named ? "" : what, named ? "" : ": ", err->text);
}

static void add_files(struct request *r, struct school *s)
{
    for (size_t i = 1; i < r->n; i++) {
        struct take t;
        struct err err;
        int rc = take_read(&t, r->words[i], &err);
        if (rc == 0 && t.cut)
            fprintf(stderr, "earshot teach: %s: longer than %.0f s: what comes after is not looked at\n", r->words[i],
                    LESSON_MOST);
        if (rc == 0 && *t.broken)
            fprintf(stderr, "earshot teach: %s: what comes before is looked at\n", t.broken);
        if (rc == 0)
            rc = school_add(s, &t, r->words[i], TAUGHT_FROM_FILE, &err);
        take_free(&t);
        if (rc < 0)
            complain(r->words[i], &err);
    }
}

static void add_events(struct request *r, struct school *s)
{
    struct err err;

    for (size_t i = 1; i < r->n; i++)
        if (school_add_event(s, r->words[i], &err) < 0)
            complain(r->words[i], &err);
}

static int add_takes(struct request *r, struct school *s)
{
    struct record_params p = {.cx = r->cx,
                              .state_dir = r->dir,
                              .takes = (unsigned)r->record,
                              .seconds = r->seconds > 0 ? r->seconds : TAKE_S,
                              .wave = r->wave,
                              .play = r->play,
                              .label = r->words[0]};
    struct err err;

    return record_takes(&p, s, &err) < 0 ? cmd_fail(EXIT_FAILED, TEACH, "%s", err.text) : EXIT_GOOD;
}

static int finish(struct request *r, struct school *s)
{
    struct err err;

    if (school_usable(s) == 0)
        return cmd_fail(EXIT_FAILED, TEACH, "none of the examples is usable: nothing was taught");
    if (school_finish(s, &err) < 0)
        return cmd_fail(EXIT_FAILED, TEACH, "%s", err.text);
    if (r->cx->json)
        shelf_print(school_json(s));
    else
        school_tell(s);
    if (!r->record && school_usable(s) < r->n - 1)
        fprintf(stderr, "earshot teach: of %zu examples that were given, %zu were used\n", r->n - 1, school_usable(s));
    return EXIT_GOOD;
}

static int teach(struct request *r)
{
    const struct config *c = &r->cx->config;
    char label[SCHOOL_LABEL];
    struct err err;

    if (r->record && (r->n > 1 || r->history))
        return cmd_fail(EXIT_USAGE, TEACH, "--record takes no files and no events");
    if (!r->record && (r->wave || r->play || r->seconds > 0))
        return cmd_fail(EXIT_USAGE, TEACH, "--wave, --play and --seconds go with --record N");
    if (r->output)
        return cmd_fail(EXIT_USAGE, TEACH, "--output goes with export");
    if (!r->record && r->n < 2)
        return cmd_fail(EXIT_USAGE, TEACH,
                        "no examples of %s: allowed are files, --record N, --from-history EVENT_ID...", r->words[0]);
    if (school_label(r->words[0], label, &err) < 0)
        return cmd_fail(EXIT_USAGE, TEACH, "%s", err.text);
    char clips[PATH_MAX] = "";
    if (clip_folder_path(c, r->dir, clips, sizeof clips, &err) < 0)
        *clips = '\0';
    struct school *s = school_new(&(struct school_params){.dir = r->dir,
                                                          .clips = clips,
                                                          .model = c->model.file,
                                                          .name = r->words[0],
                                                          .hop_s = c->model.hop,
                                                          .replace = r->replace,
                                                          .keep = c->model.keep_examples},
                                  &err);
    if (!s)
        return cmd_fail(EXIT_USAGE, TEACH, "%s", err.text);
    int code = EXIT_GOOD;
    if (r->record)
        code = add_takes(r, s);
    else if (r->history)
        add_events(r, s);
    else
        add_files(r, s);
    if (code == EXIT_GOOD)
        code = finish(r, s);
    school_free(s);
    return code;
}

static int run(struct cmd_context *cx, int argc, char **argv)
{
    struct request *r = calloc(1, sizeof *r);
    struct err err;

    if (!r)
        return cmd_fail(EXIT_FAILED, TEACH, "no memory");
    r->cx = cx;
    int code = read_flags(r, argc, argv);
    if (code == EXIT_GOOD && r->n == 0)
        code = cmd_fail(EXIT_USAGE, TEACH,
                        "what? A NAME and examples of it; or list, show, forget, export, import, relearn");
    const struct shelf_command *shelf = code == EXIT_GOOD ? shelf_find(r->words[0]) : NULL;
    if (code == EXIT_GOOD && (shelf && shelf->reads ? state_dir_look(cx, r->dir, sizeof r->dir, &err)
                                                    : state_dir_find(cx, r->dir, sizeof r->dir, &err)) < 0)
        code = cmd_fail(EXIT_FAILED, TEACH, "%s", err.text);
    if (code == EXIT_GOOD)
        code = shelf ? shelf->run(&(struct shelf_request){cx, r->dir, r->words + 1, r->n - 1, r->output}) : teach(r);
    free(r);
    return code;
}

const struct command cmd_teach = {
    .name = TEACH,
    .summary = "teach this box a sound from a few examples",
    .usage = usage,
    .input_flags = true,
    .run = run,
};
