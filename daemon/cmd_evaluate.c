/* earshot evaluate: how well labelled recordings are recognised, through the path that the microphone takes. */
#include "daemon/args.h"
#include "daemon/classify_settings.h"
#include "daemon/cmd.h"
#include "daemon/evaluate.h"
#include "daemon/evaluate_clips.h"
#include "daemon/evaluate_stream.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { JOBS_MAX = 256, PATH_SIZE = 4096, BUDGET_MAX = 3600 };
#define LOWEST_THRESHOLD 0.05 /* that --choose-thresholds gives: few streams say what lower ones would do in a year */

/* The command line as it was read. */
struct request {
    struct evaluate common;
    struct evaluate_clips clips;
    const char *model;                     /* as given */
    const char **where;                    /* [argc], clips.where */
    const char **streams;                  /* [argc]: sound, annotations, sound, annotations ... */
    size_t n_streams;                      /* of these strings */
    const char **groups, **group_budgets;  /* [argc] each */
    struct evaluate_streams stream;        /* what else goes with streams */
    const char *clips_flag, *streams_flag; /* one that was given and is for the one or the other alone */
    char model_path[PATH_SIZE];
};

enum {
    FLAG_CLIPS,
    FLAG_STREAM,
    FLAG_MODEL,
    FLAG_JOBS,
    FLAG_OUT,
    FLAG_PICTURE,
    FLAG_FOLDS,
    FLAG_WHERE,
    FLAG_MAP,
    FLAG_SKIP_UNKNOWN,
    FLAG_UNKNOWN_LABEL,
    FLAG_SCORES,
    FLAG_CONFUSION,
    FLAG_RELIABILITY,
    FLAG_STREAMS, /* from here on for streams alone */
    FLAG_GROUP,
    FLAG_SWEEP,
    FLAG_CHOOSE_THRESHOLDS,
    FLAG_CHOOSE_GROUP,
    FLAG_LOWEST_THRESHOLD,
    FLAG_THRESHOLDS_OUT,
    FLAG_MERGE_OVERLAPS,
    FLAG_VERBOSE,
};
static const struct arg_flag flags[] = {
    [FLAG_CLIPS] = {"clips", 0, "MANIFEST"},
    [FLAG_STREAM] = {"stream", 0, "FILE"},
    [FLAG_MODEL] = {"model", 'm', "MODEL"},
    [FLAG_JOBS] = {"jobs", 'j', "N"},
    [FLAG_OUT] = {"out", 'o', "DIR"},
    [FLAG_PICTURE] = {"picture", 0, "FILE"},
    [FLAG_FOLDS] = {"folds", 0, "LIST"},
    [FLAG_WHERE] = {"where", 0, "CONDITIONS"},
    [FLAG_MAP] = {"map", 0, "FILE"},
    [FLAG_SKIP_UNKNOWN] = {"skip-unknown", 0, NULL},
    [FLAG_UNKNOWN_LABEL] = {"unknown-label", 0, "LIST"},
    [FLAG_SCORES] = {"scores", 0, "FILE"},
    [FLAG_CONFUSION] = {"confusion", 0, "FILE"},
    [FLAG_RELIABILITY] = {"reliability", 0, "FILE"},
    [FLAG_STREAMS] = {"streams", 0, "LIST"},
    [FLAG_GROUP] = {"group", 0, "NAME=LABELS"},
    [FLAG_SWEEP] = {"sweep", 0, "FILE"},
    [FLAG_CHOOSE_THRESHOLDS] = {"choose-thresholds", 0, "BUDGET"},
    [FLAG_CHOOSE_GROUP] = {"choose-group", 0, "NAME=BUDGET"},
    [FLAG_LOWEST_THRESHOLD] = {"lowest-threshold", 0, "SCORE"},
    [FLAG_THRESHOLDS_OUT] = {"thresholds-out", 0, "FILE"},
    [FLAG_MERGE_OVERLAPS] = {"merge-overlaps", 0, NULL},
    [FLAG_VERBOSE] = {"verbose", 'v', NULL},
    {0},
};

/* A flag that may stand once. */
static int set_once(const struct args *a, const char **out)
{
    if (*out)
        return cmd_fail(EXIT_USAGE, EVALUATE, "--%s is given twice", a->flag);
    *out = a->value;
    return EXIT_GOOD;
}

/* Flags that are for clips alone. Returns an exit code, -1: another flag. */
static int take_clips_flag(struct request *r, const struct args *a, int flag)
{
    const char **const values[] = {
        [FLAG_FOLDS] = &r->clips.folds,
        [FLAG_MAP] = &r->clips.map,
        [FLAG_UNKNOWN_LABEL] = &r->clips.strangers,
        [FLAG_SCORES] = &r->clips.scores,
        [FLAG_CONFUSION] = &r->clips.confusion,
        [FLAG_RELIABILITY] = &r->clips.reliability,
    };

    if (flag < FLAG_FOLDS)
        return -1;
    r->clips_flag = a->flag;
    if (flag == FLAG_WHERE)
        r->where[r->clips.n_where++] = a->value;
    else if (flag == FLAG_SKIP_UNKNOWN)
        r->clips.skip_unknown = true;
    else
        return set_once(a, values[flag]);
    return EXIT_GOOD;
}

/* Flags that are for streams alone. Returns an exit code. */
static int take_streams_flag(struct request *r, const struct args *a, int flag)
{
    struct evaluate_streams *s = &r->stream;

    r->streams_flag = a->flag;
    switch (flag) {
    case FLAG_STREAMS:
        return set_once(a, &s->list);
    case FLAG_GROUP:
        r->groups[s->n_groups++] = a->value;
        return EXIT_GOOD;
    case FLAG_SWEEP:
        return set_once(a, &s->sweep);
    case FLAG_CHOOSE_THRESHOLDS:
        return args_number(a, 0, BUDGET_MAX, &s->budget) < 0 ? EXIT_USAGE : EXIT_GOOD;
    case FLAG_CHOOSE_GROUP:
        r->group_budgets[s->n_group_budgets++] = a->value;
        return EXIT_GOOD;
    case FLAG_LOWEST_THRESHOLD:
        return args_number(a, 0, 1, &s->lowest) < 0 ? EXIT_USAGE : EXIT_GOOD;
    case FLAG_THRESHOLDS_OUT:
        return set_once(a, &s->thresholds);
    case FLAG_MERGE_OVERLAPS:
        s->merge = true;
        return EXIT_GOOD;
    default: /* FLAG_VERBOSE */
        s->verbose = true;
        return EXIT_GOOD;
    }
}

static int take_flag(struct request *r, const struct args *a, int flag)
{
    long n;

    if (flag >= FLAG_STREAMS)
        return take_streams_flag(r, a, flag);
    switch (flag) {
    case FLAG_CLIPS:
        return set_once(a, &r->clips.manifest);
    case FLAG_MODEL:
        return set_once(a, &r->model);
    case FLAG_OUT:
        return set_once(a, &r->common.out);
    case FLAG_PICTURE:
        return set_once(a, &r->common.picture);
    case FLAG_JOBS:
        if (args_int(a, 1, JOBS_MAX, &n) < 0)
            return EXIT_USAGE;
        r->common.jobs = (size_t)n;
        return EXIT_GOOD;
    case FLAG_STREAM:
    case ARGS_PLAIN:
        r->streams[r->n_streams++] = a->value;
        return EXIT_GOOD;
    case ARGS_BAD:
        return EXIT_USAGE;
    default:
        return take_clips_flag(r, a, flag);
    }
}

/* Do the flags go together? */
static int check_arguments(const struct request *r, bool streams)
{
    const struct evaluate_streams *s = &r->stream;

    if (!r->clips.manifest == !streams)
        return cmd_fail(EXIT_USAGE, EVALUATE, "%s (see earshot evaluate --help)",
                        streams ? "--clips and --stream do not go together"
                                : "--clips MANIFEST or --stream FILE ANNOTATIONS is needed");
    if (r->n_streams % 2)
        return cmd_fail(EXIT_USAGE, EVALUATE, "--stream %s: the file with its annotations is missing after it",
                        r->streams[r->n_streams - 1]);
    if (streams && r->clips_flag)
        return cmd_fail(EXIT_USAGE, EVALUATE, "--%s goes with --clips only", r->clips_flag);
    if (!streams && r->streams_flag)
        return cmd_fail(EXIT_USAGE, EVALUATE, "--%s goes with --stream only", r->streams_flag);
    if (s->thresholds && isnan(s->budget) && s->n_group_budgets == 0)
        return cmd_fail(EXIT_USAGE, EVALUATE, "--thresholds-out needs --choose-thresholds or --choose-group");
    return EXIT_GOOD;
}

static int read_arguments(struct request *r, int argc, char **argv)
{
    struct args a = {.flags = flags, .argc = argc, .argv = argv};
    bool streams = false;

    for (int flag; (flag = args_next(&a)) != ARGS_END;) {
        streams |= flag == FLAG_STREAM || flag == FLAG_STREAMS;
        if (flag == ARGS_PLAIN && !streams)
            return args_unexpected(&a);
        int code = take_flag(r, &a, flag);
        if (code != EXIT_GOOD)
            return code;
    }
    return check_arguments(r, streams);
}

/* What the two parts share. */
static int prepare(struct request *r, const struct config *c)
{
    struct evaluate *e = &r->common;
    struct err err;

    classify_take_config(&e->params, c);
    if (model_find(r->model ? r->model : c->model.file, r->model_path, sizeof r->model_path, &err) < 0)
        return cmd_fail(EXIT_USAGE, EVALUATE, "%s", err.text);
    e->model = r->model_path;
    return EXIT_GOOD;
}

static int run_streams(struct request *r)
{
    size_t n = r->n_streams / 2;
    struct evaluate_stream *streams = calloc(n + 1, sizeof *streams);

    if (!streams)
        return cmd_fail(EXIT_FAILED, EVALUATE, "no memory");
    for (size_t i = 0; i < n; i++)
        streams[i] = (struct evaluate_stream){r->streams[2 * i], r->streams[2 * i + 1]};
    r->stream.streams = streams;
    r->stream.n = n;
    r->stream.groups = r->groups;
    r->stream.group_budgets = r->group_budgets;
    int code = evaluate_stream_run(&r->common, &r->stream);
    free(streams);
    return code;
}

static int run(struct cmd_context *cx, int argc, char **argv)
{
    struct request r = {.common = {.cx = cx, .jobs = 1}, .stream = {.budget = NAN, .lowest = LOWEST_THRESHOLD}};
    int code = EXIT_FAILED;

    r.where = calloc((size_t)argc, sizeof *r.where);
    r.streams = calloc((size_t)argc, sizeof *r.streams);
    r.groups = calloc((size_t)argc, sizeof *r.groups);
    r.group_budgets = calloc((size_t)argc, sizeof *r.group_budgets);
    if (r.where && r.streams && r.groups && r.group_budgets)
        code = read_arguments(&r, argc, argv);
    else
        cmd_fail(code, EVALUATE, "no memory");
    r.clips.where = r.where;
    if (code == EXIT_GOOD)
        code = prepare(&r, &cx->config);
    if (code == EXIT_GOOD)
        code = r.clips.manifest ? evaluate_clips_run(&r.common, &r.clips) : run_streams(&r);
    free(r.where);
    free(r.streams);
    free(r.groups);
    free(r.group_budgets);
    return code;
}

const struct command cmd_evaluate = {
    .name = "evaluate",
    .summary = "measure how well labelled recordings are recognised",
    .usage =
        "usage: earshot evaluate [FLAG...] --clips MANIFEST\n"
        "       earshot evaluate [FLAG...] --stream FILE ANNOTATIONS [FILE ANNOTATIONS...]\n"
        "       earshot evaluate [FLAG...] --streams LIST\n"
        "\n"
        "Runs recordings whose content is known through the path that the microphone takes, and compares.\n"
        "\n"
        "  -m, --model MODEL    a name or a file (default: [model] file)\n"
        "  -j, --jobs N         files at once (1)\n"
        "  -o, --out DIR        writes all files of these there, under the names in parentheses\n"
        "      --picture FILE   SVG: of clips, what was heard for what (confusion.svg); of streams, how many sounds\n"
        "                       were heard at how many false alarms an hour (recall.svg)\n"
        "      --json           one object with all figures\n"
        "\n"
        "Clips, a sound each. The manifest is CSV with a header: path (relative to the manifest), label, and where\n"
        "there are such: fold, dataset; other columns may follow. What counts is the first of a file's labels, as\n"
        "`earshot classify` gives them.\n"
        "\n"
        "      --folds LIST     these folds alone, such as 4 or 1,3\n"
        "      --where CONDITIONS  clips for which all hold: dataset=esc50,fold=4; given again: or those for which\n"
        "                       these hold\n"
        "      --map FILE       CSV with the columns name,label: what a label in the manifest is called here\n"
        "      --skip-unknown   leaves out clips with a label that the model does not have, and says how many\n"
        "      --unknown-label LIST  clips with these labels, such as blender,chopping, hold nothing that the model\n"
        "                       knows: how many it names all the same; they count in nothing else\n"
        "      --scores FILE    CSV: each clip's label and all of its scores (scores.csv)\n"
        "      --confusion FILE CSV: clips by label and by what was heard (confusion.csv)\n"
        "      --reliability FILE  how often scores are right, SVG (reliability.svg)\n"
        "\n"
        "Streams, long recordings with annotations: CSV with a header onset,offset,label (seconds; a column snr in dB\n"
        "is used, others are not), or the same columns tab-separated without header. A sound counts as hit where its\n"
        "onset was told within 0.5 s (0.2 s stands beside it), one to one; as heard where a start was told at any "
        "time\n"
        "while it lasted, 0.5 s more or less. A start in no annotated sound of its label is a false alarm.\n"
        "\n"
        "      --streams LIST   CSV with the columns audio,annotations (paths relative to it)\n"
        "      --group NAME=LABEL,LABEL...  figures for these labels together; NAME alone: a group of labels.csv, "
        "such\n"
        "                       as alarm; may be repeated\n"
        "      --sweep FILE     CSV: recall and false alarms over all thresholds, by label and group (sweep.csv)\n"
        "      --choose-thresholds BUDGET  the threshold of each label that hears the most at no more than so many\n"
        "                       false alarms an hour; where none keeps that, the one with the fewest, which is said;\n"
        "                       none for labels of which no sound is annotated: they keep theirs, and are named\n"
        "      --choose-group NAME=BUDGET  thresholds by which the group's labels hear the most at so many false\n"
        "                       alarms an hour, all together, with those of its labels that keep theirs; may be "
        "repeated\n"
        "      --lowest-threshold SCORE  that may be chosen (0.05)\n"
        "      --thresholds-out FILE  the chosen ones, a line \"label threshold\" each (thresholds.txt)\n"
        "      --merge-overlaps events of one label that overlap are one; else they are an error\n"
        "  -v, --verbose        a line for each stream\n"
        "\n"
        "In the tables of streams: gate, it was open for some of the sound; in 4 s, heard and known so soon after the\n"
        "onset; was on, not told anew, for the label was on already; false/h, false alarms an hour; unmat./h, starts "
        "an\n"
        "hour that are no hit; delay, from the onset until it was known, median and 90 % in s; start, what was told\n"
        "minus the onset, median in s.\n"
        "\n"
        "What cannot be evaluated is named on stderr and the rest goes on; the exit code is 1 then. It is 2, before\n"
        "anything is evaluated, where flags, configuration, model, --map or labels.csv are wrong, or an output cannot "
        "be\n"
        "written, is another one or a file that is read.\n",
    .run = run,
};
