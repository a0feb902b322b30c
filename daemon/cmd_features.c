/* earshot features: what the program computes from audio files, as a NumPy array. Models are trained on this. */
#include "daemon/args.h"
#include "daemon/cmd.h"
#include "daemon/feature_job.h"
#include "model/vocabulary.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct files {
    const char **name;
    size_t n, room;
};

/* The command line. */
struct asked {
    struct feature_job job;
    struct param params[FEATURE_PARAMS_MAX];
    char keys[FEATURE_PARAMS_MAX][64];
    size_t n_params;
    const char *model;
    bool timing, give;
    struct files files;
    char *list; /* text that some of the names point into */
};

static int print_features(void)
{
    for (size_t i = 0; i < feature_type_count(); i++) {
        size_t n;
        const struct param_spec *p = feature_type_params(i, &n);
        printf("%s%s: %s\n", i ? "\n" : "", feature_type_name(i), feature_type_help(i));
        for (; n; n--, p++) {
            printf("  %-15s %s\n", p->name, p->help);
            printf("  %-15s %s; default %s\n", "", p->allowed, p->default_value);
        }
    }
    return EXIT_GOOD;
}

static int add_name(struct files *files, const char *name)
{
    if (files->n == files->room) {
        size_t room = files->room * 2 + 16;
        const char **bigger = realloc(files->name, room * sizeof *bigger);
        if (!bigger)
            return -1;
        files->name = bigger;
        files->room = room;
    }
    files->name[files->n++] = name;
    return 0;
}

/* One path a line. The text is kept in *text, which the names point into. */
static int add_list(struct files *files, const char *path, char **text)
{
    FILE *list = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
    size_t size = 0;
    ssize_t length = list ? getdelim(text, &size, '\0', list) : -1;
    bool failed = !list || (length < 0 && ferror(list));

    if (failed)
        cmd_fail(EXIT_FAILED, "features", "%s: %s", path, strerror(errno));
    if (list && list != stdin)
        fclose(list);
    if (length > 0)
        for (char *save, *line = strtok_r(*text, "\r\n", &save); line; line = strtok_r(NULL, "\r\n", &save))
            if (add_name(files, line) < 0)
                return cmd_fail(EXIT_FAILED, "features", "no memory");
    return failed ? EXIT_FAILED : EXIT_GOOD;
}

static int add_param(struct asked *asked, const char *text)
{
    const char *equals = strchr(text, '=');
    size_t i = asked->n_params, length = equals ? (size_t)(equals - text) : 0;

    if (length == 0 || length >= sizeof asked->keys[0])
        return cmd_fail(EXIT_USAGE, "features", "--param %.64s: name=value is needed", text);
    if (i == FEATURE_PARAMS_MAX)
        return cmd_fail(EXIT_USAGE, "features", "more than %d --param", FEATURE_PARAMS_MAX);
    memcpy(asked->keys[i], text, length);
    asked->keys[i][length] = '\0';
    asked->params[i] = (struct param){asked->keys[i], equals + 1};
    asked->n_params++;
    return EXIT_GOOD;
}

/* Which of `n` words; -1: none, and that is said. */
static int read_word(const struct args *a, const char *const *words, int n)
{
    for (int i = 0; i < n; i++)
        if (strcmp(a->value, words[i]) == 0)
            return i;
    cmd_fail(EXIT_USAGE, "features", "--%s %.64s: allowed are %s, %s, %s", a->flag, a->value, words[0], words[1],
             words[2]);
    return -1;
}

static int read_quality(struct asked *asked, const struct args *a)
{
    static const char *const names[] = {
        [RESAMPLE_FAST] = "fast", [RESAMPLE_MEDIUM] = "medium", [RESAMPLE_BEST] = "best"};
    int i = read_word(a, names, 3);

    if (i >= 0)
        asked->job.quality = (enum resample_quality)i;
    return i < 0 ? EXIT_USAGE : EXIT_GOOD;
}

static int read_give(struct asked *asked, const struct args *a)
{
    static const char *const names[] = {
        [GIVE_FEATURES] = "features", [GIVE_EMBEDDING] = "embedding", [GIVE_SCORES] = "scores"};
    int i = read_word(a, names, 3);

    if (i >= 0)
        asked->job.give = (enum give)i;
    asked->give = true;
    return i < 0 ? EXIT_USAGE : EXIT_GOOD;
}

enum {
    FLAG_FEATURE,
    FLAG_PARAM,
    FLAG_OUTPUT,
    FLAG_INDEX,
    FLAG_LIST,
    FLAG_WINDOW,
    FLAG_HOP,
    FLAG_RESAMPLE,
    FLAG_TIME,
    FLAG_MODEL,
    FLAG_GIVE
};

static const struct arg_flag flags[] = {
    [FLAG_FEATURE] = {"feature", 'f', "NAME"}, [FLAG_PARAM] = {"param", 'p', "K=V"},
    [FLAG_OUTPUT] = {"output", 'o', "FILE"},   [FLAG_INDEX] = {"index", 0, "FILE"},
    [FLAG_LIST] = {"list", 0, "FILE"},         [FLAG_WINDOW] = {"window", 0, "SECONDS"},
    [FLAG_HOP] = {"hop", 0, "SECONDS"},        [FLAG_RESAMPLE] = {"resample", 0, "QUALITY"},
    [FLAG_TIME] = {"time", 0, NULL},           [FLAG_MODEL] = {"model", 'm', "MODEL"},
    [FLAG_GIVE] = {"give", 'g', "WHAT"},       {0},
};

static int read_flag(struct asked *asked, const struct args *a, int flag)
{
    switch (flag) {
    case FLAG_FEATURE:
        asked->job.feature = a->value;
        return EXIT_GOOD;
    case FLAG_PARAM:
        return add_param(asked, a->value);
    case FLAG_OUTPUT:
        asked->job.output = a->value;
        return EXIT_GOOD;
    case FLAG_INDEX:
        asked->job.index = a->value;
        return EXIT_GOOD;
    case FLAG_LIST:
        if (asked->list)
            return cmd_fail(EXIT_USAGE, "features", "--list is given twice");
        return add_list(&asked->files, a->value, &asked->list);
    case FLAG_WINDOW:
        return args_number(a, 0.001, 3600, &asked->job.window_s) < 0 ? EXIT_USAGE : EXIT_GOOD;
    case FLAG_HOP:
        return args_number(a, 0.001, 3600, &asked->job.hop_s) < 0 ? EXIT_USAGE : EXIT_GOOD;
    case FLAG_RESAMPLE:
        return read_quality(asked, a);
    case FLAG_TIME:
        asked->timing = true;
        return EXIT_GOOD;
    case FLAG_MODEL:
        asked->model = a->value;
        return EXIT_GOOD;
    case FLAG_GIVE:
        return read_give(asked, a);
    case ARGS_PLAIN:
        return add_name(&asked->files, a->value) < 0 ? cmd_fail(EXIT_FAILED, "features", "no memory") : EXIT_GOOD;
    default:
        return EXIT_USAGE;
    }
}

/* Everything that is wrong with the command line as a whole. */
static int check(const struct asked *asked)
{
    const struct feature_job *job = &asked->job;

    if (asked->model && job->feature)
        return cmd_fail(EXIT_USAGE, "features",
                        "--feature and --model: one of them; a model says which feature it takes");
    if (asked->model && asked->n_params)
        return cmd_fail(EXIT_USAGE, "features", "--param goes with --feature; a model's parameters are its own");
    if (asked->give && !asked->model)
        return cmd_fail(EXIT_USAGE, "features", "--give goes with --model");
    if (!job->feature && !asked->model)
        return cmd_fail(EXIT_USAGE, "features", "--feature is missing, or --model; --feature help lists the features");
    if (asked->files.n == 0)
        return cmd_fail(EXIT_USAGE, "features", "no file is named");
    if (!job->output && !asked->timing)
        return cmd_fail(EXIT_USAGE, "features", "--output is missing");
    if (job->hop_s > 0 && job->window_s == 0 && !asked->model)
        return cmd_fail(EXIT_USAGE, "features", "--hop needs --window");
    return EXIT_GOOD;
}

/* Feature, parameters and window as the model has them. */
static int load_model(const struct cmd_context *cx, struct asked *asked)
{
    struct feature_job *job = &asked->job;
    char path[PATH_MAX + NAME_MAX];
    const struct model_info *info;
    struct err err;

    if (model_find(asked->model, path, sizeof path, &err) != 0 || !(job->model = model_load(path, &err)) ||
        vocabulary_apply((enum vocabulary_choice)cx->config.model.vocabulary, job->model, &err) < 0)
        return cmd_fail(EXIT_FAILED, "features", "%s", err.text);
    info = model_info(job->model);
    if (job->window_s > 0 && fabs(job->window_s - info->window_s) > 1e-3)
        return cmd_fail(EXIT_USAGE, "features", "--window %g: the model %s looks at %g s", job->window_s, path,
                        info->window_s);
    if (job->hop_s > info->window_s)
        return cmd_fail(EXIT_USAGE, "features", "--hop %g: not longer than the model's window of %g s", job->hop_s,
                        info->window_s);
    job->window_s = info->window_s;
    job->feature = info->feature;
    job->params = info->feature_params;
    job->n_params = info->n_feature_params;
    return EXIT_GOOD;
}

static int do_files(struct asked *asked)
{
    struct feature_job *job = &asked->job;
    int code = EXIT_GOOD;
    struct err err;
    bool usage;

    if (feature_job_start(job, &usage, &err) < 0)
        return cmd_fail(usage ? EXIT_USAGE : EXIT_FAILED, "features", "%s", err.text);
    for (size_t i = 0; i < asked->files.n; i++)
        if (feature_job_file(job, asked->files.name[i], &err) < 0)
            code = cmd_fail(EXIT_FAILED, "features", "%s", err.text);
    if (feature_job_finish(job, &err) < 0)
        code = cmd_fail(EXIT_FAILED, "features", "%s", err.text);
    if (asked->timing && job->audio_s > 0)
        printf("%s: %.3f ms of CPU time per second of audio\n",
               job->model ? model_info(job->model)->name : job->feature, 1e3 * job->spent_s / job->audio_s);
    return code;
}

static int run(struct cmd_context *cx, int argc, char **argv)
{
    struct asked *asked = calloc(1, sizeof *asked);
    struct args a = {.flags = flags, .argc = argc, .argv = argv};
    int code = EXIT_GOOD;

    if (!asked)
        return cmd_fail(EXIT_FAILED, "features", "no memory");
    asked->job.quality = RESAMPLE_DEFAULT;
    asked->job.give = GIVE_EMBEDDING;
    for (int flag; code == EXIT_GOOD && (flag = args_next(&a)) != ARGS_END;)
        code = read_flag(asked, &a, flag);
    if (code == EXIT_GOOD && asked->job.feature && strcmp(asked->job.feature, "help") == 0) {
        code = print_features();
    } else if (code == EXIT_GOOD && (code = check(asked)) == EXIT_GOOD) {
        asked->job.params = asked->params;
        asked->job.n_params = asked->n_params;
        if (!asked->model)
            asked->job.give = GIVE_FEATURES;
        if (!asked->model || (code = load_model(cx, asked)) == EXIT_GOOD)
            code = do_files(asked);
    }

    feature_job_free(&asked->job);
    model_free(asked->job.model);
    free(asked->files.name);
    free(asked->list);
    free(asked);
    return code;
}

const struct command cmd_features = {
    .name = "features",
    .summary = "compute features of audio files, or a model's embeddings, as NumPy arrays",
    .usage =
        "usage: earshot features --feature NAME [--param K=V ...] FILE... -o OUT.npy\n"
        "       earshot features --model MODEL [--give WHAT] FILE... -o OUT.npy\n"
        "\n"
        "Mixes each file to mono, resamples it to the feature's rate, and writes what the program computes from it:\n"
        "little-endian float32 in C order, as numpy.load reads it.\n"
        "\n"
        "  -f, --feature NAME   which one; `help` lists all of them with their parameters\n"
        "  -p, --param K=V      a parameter that is not to be its default; again for each\n"
        "  -m, --model MODEL    what a model makes of each of its windows: the array is [windows, values]\n"
        "  -g, --give WHAT      embedding (the default), scores (one for each label), or features: what the model is "
        "fed\n"
        "  -o, --output FILE    the array: [rows, columns] of the whole file; rows of further files follow\n"
        "      --window S       cut into windows of S seconds from sample 0 on, the last one filled up with zeros:\n"
        "                       the array is [windows, rows, columns]; a model has its own window\n"
        "      --hop S          seconds from window to window (--window's length)\n"
        "      --list FILE      files to read, one a line, besides those that are named; - is standard input\n"
        "      --index FILE     CSV: file, first row or window in the array, count\n"
        "      --resample HOW   fast (as the daemon does it), medium or best\n"
        "      --time           print the CPU time that the feature takes; --output may be left out\n"
        "\n"
        "A file that cannot be read is named on stderr and left out; the exit code is 1 then.\n",
    .run = run,
};
