/* earshot classify: what recorded files hold, through the path that the microphone takes. */
#include "base/text.h"
#include "daemon/args.h"
#include "daemon/classify_batch.h"
#include "daemon/classify_list.h"
#include "daemon/classify_settings.h"
#include "daemon/cmd.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MODELS_MAX = 8, JOBS_MAX = 256, TOP_MAX = 100000, SHARDS_MAX = 1000000, PATH_SIZE = 4096 };

struct request {
    struct classify_params params;
    struct classify_batch_params batch;
    char model_paths[MODELS_MAX][PATH_SIZE];
    const char *models[MODELS_MAX];
    const char **files; /* arguments */
    size_t n_files;
    bool csv;
    const char *journal;
    long shard, shards; /* 0: all files */
};

enum { FLAG_MODEL, FLAG_TOP, FLAG_JOBS, FLAG_NO_GATE, FLAG_CSV, FLAG_RESUME, FLAG_SHARD };
static const struct arg_flag flags[] = {
    [FLAG_MODEL] = {"model", 'm', "MODEL"}, [FLAG_TOP] = {"top", 't', "N"},
    [FLAG_JOBS] = {"jobs", 'j', "N"},       [FLAG_NO_GATE] = {"no-gate", 0, NULL},
    [FLAG_CSV] = {"csv", 0, NULL},          [FLAG_RESUME] = {"resume", 0, "JOURNAL"},
    [FLAG_SHARD] = {"shard", 0, "I/N"},     {0}};

static int add_model(struct request *r, const char *name)
{
    size_t n = r->batch.n_models;
    struct err err;

    if (n == MODELS_MAX)
        return cmd_fail(EXIT_USAGE, "classify", "--model: at most %d models at once", MODELS_MAX);
    if (model_find(name, r->model_paths[n], PATH_SIZE, &err) < 0)
        return cmd_fail(EXIT_USAGE, "classify", "%s", err.text);
    r->models[n] = r->model_paths[n];
    r->batch.n_models++;
    return EXIT_GOOD;
}

static int read_shard(struct request *r, const char *text)
{
    const char *end;

    if (text_int(text, &r->shard, &end) && *end == '/' && text_int(end + 1, &r->shards, &end) && !*end &&
        r->shard >= 1 && r->shards <= SHARDS_MAX && r->shard <= r->shards)
        return EXIT_GOOD;
    return cmd_fail(EXIT_USAGE, "classify",
                    "--shard %.64s: I/N is needed, part I of N parts, such as 1/4 ... 4/4 (I from 1 to N, N up to %d)",
                    text, SHARDS_MAX);
}

static int read_flag(struct request *r, const struct args *a, int flag)
{
    long n;

    switch (flag) {
    case FLAG_MODEL:
        return add_model(r, a->value);
    case FLAG_TOP:
        if (args_int(a, 0, TOP_MAX, &n) < 0)
            return EXIT_USAGE;
        r->batch.top = (size_t)n;
        return EXIT_GOOD;
    case FLAG_JOBS:
        if (args_int(a, 1, JOBS_MAX, &n) < 0)
            return EXIT_USAGE;
        r->batch.jobs = (size_t)n;
        return EXIT_GOOD;
    case FLAG_NO_GATE:
        r->params.no_gate = true;
        return EXIT_GOOD;
    case FLAG_CSV:
        r->csv = true;
        return EXIT_GOOD;
    case FLAG_RESUME:
        r->journal = a->value;
        return EXIT_GOOD;
    case FLAG_SHARD:
        return read_shard(r, a->value);
    case ARGS_PLAIN:
        r->files[r->n_files++] = a->value;
        return EXIT_GOOD;
    default:
        return EXIT_USAGE;
    }
}

static int read_arguments(struct request *r, bool json, int argc, char **argv)
{
    struct args a = {.flags = flags, .argc = argc, .argv = argv};

    for (int flag; (flag = args_next(&a)) != ARGS_END;)
        if (read_flag(r, &a, flag) != EXIT_GOOD)
            return EXIT_USAGE;
    if (r->n_files == 0)
        return cmd_fail(EXIT_USAGE, "classify", "no FILE given (see earshot classify --help)");
    if (json && r->csv)
        return cmd_fail(EXIT_USAGE, "classify", "--json and --csv: one of them");
    if (r->journal && !json && !r->csv)
        return cmd_fail(EXIT_USAGE, "classify", "--resume needs --json or --csv");
    r->batch.format = json ? CLASSIFY_JSON : r->csv ? CLASSIFY_CSV : CLASSIFY_TABLE;
    return EXIT_GOOD;
}

static void complain(void *ctx, const char *text)
{
    (void)ctx;
    cmd_fail(EXIT_FAILED, "classify", "%s", text);
}

static int make_list(struct request *r, struct classify_list *list)
{
    for (size_t i = 0; i < r->n_files; i++)
        if (classify_list_add(list, r->files[i]) < 0)
            return cmd_fail(EXIT_FAILED, "classify", "no memory");
    if (r->shards) {
        size_t all = list->n;
        uint64_t print = classify_list_shard(list, (unsigned long)r->shard, (unsigned long)r->shards);
        fprintf(stderr, "earshot classify: shard %ld/%ld: %zu of %zu files (list %016" PRIx64 ")\n", r->shard,
                r->shards, list->n, all, print);
    }
    r->batch.files = list->path;
    r->batch.n_files = list->n;
    return EXIT_GOOD;
}

static int open_journal(struct request *r, const struct config *c)
{
    char more[96];
    size_t damaged;
    struct err err;

    snprintf(more, sizeof more, "format = %s\ntop = %zu\nno-gate = %s\n",
             r->batch.format == CLASSIFY_JSON ? "json" : "csv", r->batch.top, r->params.no_gate ? "yes" : "no");
    char *settings = classify_settings(c, r->models, r->batch.n_models, more, &err);
    if (!settings)
        return cmd_fail(EXIT_USAGE, "classify", "%s", err.text);
    r->batch.journal = classify_journal_open(r->journal, settings, &damaged, &err);
    free(settings);
    if (!r->batch.journal)
        return cmd_fail(EXIT_USAGE, "classify", "%s", err.text);
    if (damaged)
        cmd_fail(EXIT_GOOD, "classify", "%s: %zu damaged line%s: what %s told of is done again", r->journal, damaged,
                 damaged == 1 ? "" : "s", damaged == 1 ? "it" : "they");
    return EXIT_GOOD;
}

static int do_batch(struct request *r, const struct config *c)
{
    struct classify_list list = {.complain = complain};
    struct err err;
    int code = r->journal ? open_journal(r, c) : EXIT_GOOD;

    if (code == EXIT_GOOD)
        code = make_list(r, &list);
    if (code == EXIT_GOOD)
        code = classify_batch(&r->batch);
    if (r->batch.journal && classify_journal_close(r->batch.journal, &err) < 0)
        code = cmd_fail(EXIT_FAILED, "classify", "%s", err.text);
    if (code == EXIT_GOOD && list.failed)
        code = EXIT_FAILED;
    classify_list_free(&list);
    return code;
}

static int run(struct cmd_context *cx, int argc, char **argv)
{
    struct request r = {.batch = {.top = 5, .jobs = 1}};

    r.batch.params = &r.params;
    r.batch.models = r.models;
    r.files = calloc((size_t)argc, sizeof *r.files);
    if (!r.files)
        return cmd_fail(EXIT_FAILED, "classify", "no memory");
    classify_take_config(&r.params, &cx->config);
    int code = read_arguments(&r, cx->json, argc, argv);
    if (code == EXIT_GOOD && r.batch.n_models == 0)
        code = add_model(&r, cx->config.model.file);
    if (code == EXIT_GOOD)
        code = do_batch(&r, &cx->config);
    free(r.files);
    return code;
}

const struct command cmd_classify = {
    .name = "classify",
    .summary = "say what recorded files hold",
    .usage =
        "usage: earshot classify [FLAG...] FILE|FOLDER...\n"
        "\n"
        "Runs recorded files (WAV, FLAC, Ogg, Opus, MP3; what else ffmpeg reads, where it is installed) through the\n"
        "path that the microphone takes, and prints the labels of the whole file with their pooled scores, then\n"
        "the events with their times. Of a FOLDER, the recordings in it and below it, sorted.\n"
        "\n"
        "  -m, --model MODEL  a name or a file; given twice, both stand side by side (default: [model] file)\n"
        "  -t, --top N        how many labels, 0: all (5)\n"
        "  -j, --jobs N       files at once (1); the output keeps the order of the arguments\n"
        "      --no-gate      events from a gate that is always open\n"
        "      --json         one object a file: file, duration_s, top, events; with several models: file,\n"
        "                     duration_s, models: an array of model, top, events\n"
        "      --csv          rows of file, duration_s, model, kind, label, score, start_s, end_s, peak_dbfs, "
        "rms_dbfs;\n"
        "                     kind top: a label of the whole file, kind event: a sound in it\n"
        "      --resume JOURNAL  keeps in JOURNAL what is done; after a stop of any kind, the same command does the "
        "rest\n"
        "                     and prints all, as if it had not been stopped. Failed and changed files are done again\n"
        "      --shard I/N    part I of N of the files, for N machines; each with a JOURNAL of its own\n"
        "\n"
        "A file that cannot be read is named on stderr and the rest goes on; the exit code is 1 then.\n",
    .run = run,
};
