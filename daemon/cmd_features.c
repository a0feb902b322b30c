/* earshot features: what the program computes from audio files, as a NumPy array. Models are trained on this. */
#include "audio/audiofile.h"
#include "audio/resample.h"
#include "base/clock.h"
#include "base/npy.h"
#include "daemon/args.h"
#include "daemon/cmd.h"
#include "features/features.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARAMS_MAX = 64, BLOCK = 8192, SAMPLES_MAX = 1 << 30 };

struct files {
    const char **name;
    size_t n, room;
};

struct job {
    const char *feature, *output, *index;
    struct param params[PARAMS_MAX];
    char keys[PARAMS_MAX][64];
    size_t n_params;
    double window_s, hop_s; /* window_s 0: whole files */
    enum resample_quality quality;
    bool timing;
    struct files files;

    struct feature *f;
    size_t max_samples;     /* that f takes */
    size_t window, hop;     /* samples */
    struct npy_writer *npy; /* made with the first item, whose shape all others must have */
    FILE *csv;
    size_t rows, cols, count;
    float *x, *out; /* one file's samples, one matrix */
    size_t n, room, out_room;
    double spent_s, audio_s;
};

static int grow(float **p, size_t *room, size_t need, struct err *err)
{
    if (need <= *room)
        return 0;
    size_t more = need + need / 2;
    float *bigger = realloc(*p, more * sizeof **p);
    if (!bigger)
        return err_set(err, "no memory for %zu samples", need);
    *p = bigger;
    *room = more;
    return 0;
}

/* The whole file, mono, at the feature's rate, into job->x. */
static int load(struct job *job, const char *path, struct err *err)
{
    struct audiofile *file = audiofile_open(path, err);
    struct resample *resample = NULL;
    float block[BLOCK];
    int status = -1;
    long got;

    if (!file)
        return -1;
    resample = resample_new(audiofile_rate(file), feature_rate(job->f), job->quality, err);
    if (!resample) {
        err_prefix(err, "%s: ", path);
        goto done;
    }
    job->n = 0;
    do {
        got = audiofile_read_mono(file, -1, block, BLOCK, err);
        if (got < 0)
            goto done;
        size_t room = resample_room(resample, (size_t)got);
        if (job->n + room > SAMPLES_MAX) {
            err_set(err, "%s: longer than %d samples at %u Hz", path, SAMPLES_MAX, feature_rate(job->f));
            goto done;
        }
        if (grow(&job->x, &job->room, job->n + room, err) < 0)
            goto done;
        job->n += resample_do(resample, block, (size_t)got, job->x + job->n, room, got == 0);
    } while (got > 0);
    status = 0;

done:
    resample_free(resample);
    audiofile_close(file);
    return status;
}

/* An extractor for that many samples. */
static int ready_feature(struct job *job, size_t samples, struct err *err)
{
    if (job->f && samples <= job->max_samples)
        return 0;
    feature_free(job->f);
    job->max_samples = job->window ? samples : samples + samples / 2;
    job->f = feature_new(job->feature, job->params, job->n_params, job->max_samples, err);
    return job->f ? 0 : -1;
}

static int start_output(struct job *job, size_t rows, size_t cols, struct err *err)
{
    size_t item[] = {rows, cols};

    job->rows = rows;
    job->cols = cols;
    job->npy = job->window ? npy_create(job->output, item, 2, err) : npy_create(job->output, item + 1, 1, err);
    return job->npy ? 0 : -1;
}

/* One matrix: an item, or without windows `rows` items. */
static int add_matrix(struct job *job, const float *x, size_t n, size_t *items, struct err *err)
{
    size_t rows, cols;

    feature_shape(job->f, n, &rows, &cols);
    if (grow(&job->out, &job->out_room, rows * cols, err) < 0)
        return -1;
    double before = clock_s(CLOCK_THREAD_CPUTIME_ID);
    feature_do(job->f, x, n, job->out);
    job->spent_s += clock_s(CLOCK_THREAD_CPUTIME_ID) - before;
    job->audio_s += (double)n / feature_rate(job->f);
    if (!job->output)
        return 0;
    if (!job->npy && start_output(job, rows, cols, err) < 0)
        return -1;
    if (cols != job->cols)
        return err_set(err, "%zu columns, %zu in the files before it: give --window, or --param frames=N", cols,
                       job->cols);
    *items += job->window ? 1 : rows;
    return npy_append(job->npy, job->out, job->window ? 1 : rows, err);
}

/* Windows start every hop from sample 0; zeros fill up the last one. */
static int add_windows(struct job *job, size_t *items, struct err *err)
{
    size_t after = job->n > job->window ? job->n - job->window : 0, windows = 1 + (after + job->hop - 1) / job->hop;
    size_t padded = (windows - 1) * job->hop + job->window;

    if (grow(&job->x, &job->room, padded, err) < 0)
        return -1;
    for (size_t i = job->n; i < padded; i++)
        job->x[i] = 0;
    for (size_t w = 0; w < windows; w++) /* NOLINT(clang-analyzer-unix.Malloc): job->x is freed with the job */
        if (add_matrix(job, job->x + w * job->hop, job->window, items, err) < 0)
            return -1;
    return 0;
}

static void write_index(FILE *csv, const char *path, size_t first, size_t items)
{
    fputc('"', csv);
    for (; *path; path++)
        fprintf(csv, *path == '"' ? "\"\"" : "%c", *path);
    fprintf(csv, "\",%zu,%zu\n", first, items);
}

static int do_file(struct job *job, const char *path, struct err *err)
{
    size_t items = 0;
    int status = -1;
    if (load(job, path, err) < 0)
        return -1;
    if (job->window)
        status = add_windows(job, &items, err);
    else if ((status = ready_feature(job, job->n, err)) == 0)
        status = add_matrix(job, job->x, job->n, &items, err);
    if (status < 0)
        err_prefix(err, "%s: ", path);
    if (job->csv && items > 0)
        write_index(job->csv, path, job->count, items);
    job->count += items;
    return status;
}

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

static int add_param(struct job *job, const char *text)
{
    const char *equals = strchr(text, '=');
    size_t i = job->n_params, length = equals ? (size_t)(equals - text) : 0;

    if (length == 0 || length >= sizeof job->keys[0])
        return cmd_fail(EXIT_USAGE, "features", "--param %.64s: name=value is needed", text);
    if (i == PARAMS_MAX)
        return cmd_fail(EXIT_USAGE, "features", "more than %d --param", PARAMS_MAX);
    memcpy(job->keys[i], text, length);
    job->keys[i][length] = '\0';
    job->params[i] = (struct param){job->keys[i], equals + 1};
    job->n_params++;
    return EXIT_GOOD;
}

static int read_quality(struct job *job, const char *text)
{
    static const char *const names[] = {
        [RESAMPLE_FAST] = "fast", [RESAMPLE_MEDIUM] = "medium", [RESAMPLE_BEST] = "best"};

    for (int i = 0; i < 3; i++)
        if (strcmp(text, names[i]) == 0) {
            job->quality = (enum resample_quality)i;
            return EXIT_GOOD;
        }
    return cmd_fail(EXIT_USAGE, "features", "--resample %.64s: allowed are fast, medium, best", text);
}

enum { FLAG_FEATURE, FLAG_PARAM, FLAG_OUTPUT, FLAG_INDEX, FLAG_LIST, FLAG_WINDOW, FLAG_HOP, FLAG_RESAMPLE, FLAG_TIME };

static const struct arg_flag flags[] = {
    [FLAG_FEATURE] = {"feature", 'f', "NAME"}, [FLAG_PARAM] = {"param", 'p', "K=V"},
    [FLAG_OUTPUT] = {"output", 'o', "FILE"},   [FLAG_INDEX] = {"index", 0, "FILE"},
    [FLAG_LIST] = {"list", 0, "FILE"},         [FLAG_WINDOW] = {"window", 0, "SECONDS"},
    [FLAG_HOP] = {"hop", 0, "SECONDS"},        [FLAG_RESAMPLE] = {"resample", 0, "QUALITY"},
    [FLAG_TIME] = {"time", 0, NULL},           {0},
};

static int read_flag(struct job *job, const struct args *a, int flag, char **list)
{
    switch (flag) {
    case FLAG_FEATURE:
        job->feature = a->value;
        return EXIT_GOOD;
    case FLAG_PARAM:
        return add_param(job, a->value);
    case FLAG_OUTPUT:
        job->output = a->value;
        return EXIT_GOOD;
    case FLAG_INDEX:
        job->index = a->value;
        return EXIT_GOOD;
    case FLAG_LIST:
        if (*list)
            return cmd_fail(EXIT_USAGE, "features", "--list is given twice");
        return add_list(&job->files, a->value, list);
    case FLAG_WINDOW:
        return args_number(a, 0.001, 3600, &job->window_s) < 0 ? EXIT_USAGE : EXIT_GOOD;
    case FLAG_HOP:
        return args_number(a, 0.001, 3600, &job->hop_s) < 0 ? EXIT_USAGE : EXIT_GOOD;
    case FLAG_RESAMPLE:
        return read_quality(job, a->value);
    case FLAG_TIME:
        job->timing = true;
        return EXIT_GOOD;
    case ARGS_PLAIN:
        return add_name(&job->files, a->value) < 0 ? cmd_fail(EXIT_FAILED, "features", "no memory") : EXIT_GOOD;
    default:
        return EXIT_USAGE;
    }
}

/* Makes the extractor; everything that is wrong with the command line is found here. */
static int prepare(struct job *job)
{
    struct err err;

    if (!job->feature)
        return cmd_fail(EXIT_USAGE, "features", "--feature is missing; --feature help lists them");
    if (job->files.n == 0)
        return cmd_fail(EXIT_USAGE, "features", "no file is named");
    if (!job->output && !job->timing)
        return cmd_fail(EXIT_USAGE, "features", "--output is missing");
    if (job->hop_s > 0 && job->window_s == 0)
        return cmd_fail(EXIT_USAGE, "features", "--hop needs --window");
    if (ready_feature(job, 1, &err) < 0)
        return cmd_fail(EXIT_USAGE, "features", "%s", err.text);
    job->window = (size_t)lround(job->window_s * feature_rate(job->f));
    job->hop = job->hop_s > 0 ? (size_t)lround(job->hop_s * feature_rate(job->f)) : job->window;
    if (job->window_s > 0 && (!job->window || !job->hop || ready_feature(job, job->window, &err) < 0))
        return cmd_fail(EXIT_USAGE, "features", "--window %g: %s", job->window_s, job->f ? "too short" : err.text);
    if (job->index && !(job->csv = fopen(job->index, "w")))
        return cmd_fail(EXIT_FAILED, "features", "%s: %s", job->index, strerror(errno));
    if (job->csv)
        fputs("file,first,count\n", job->csv);
    return EXIT_GOOD;
}

static int do_files(struct job *job)
{
    int code = EXIT_GOOD;
    struct err err;

    for (size_t i = 0; i < job->files.n; i++)
        if (do_file(job, job->files.name[i], &err) < 0)
            code = cmd_fail(EXIT_FAILED, "features", "%s", err.text);
    if (job->npy && npy_finish(job->npy, &err) < 0)
        code = cmd_fail(EXIT_FAILED, "features", "%s", err.text);
    job->npy = NULL;
    if (job->csv && (ferror(job->csv) | fclose(job->csv)))
        code = cmd_fail(EXIT_FAILED, "features", "%s: %s", job->index, strerror(errno));
    job->csv = NULL;
    if (job->timing && job->audio_s > 0)
        printf("%s: %.3f ms of CPU time per second of audio\n", job->feature, 1e3 * job->spent_s / job->audio_s);
    return code;
}

static int run(struct cmd_context *cx, int argc, char **argv)
{
    (void)cx;
    struct job job = {.quality = RESAMPLE_DEFAULT};
    struct args a = {.flags = flags, .argc = argc, .argv = argv};
    char *list = NULL;
    int code = EXIT_GOOD;

    for (int flag; code == EXIT_GOOD && (flag = args_next(&a)) != ARGS_END;)
        code = read_flag(&job, &a, flag, &list);
    if (code == EXIT_GOOD && job.feature && strcmp(job.feature, "help") == 0)
        code = print_features();
    else if (code == EXIT_GOOD && (code = prepare(&job)) == EXIT_GOOD)
        code = do_files(&job);

    npy_abandon(job.npy);
    if (job.csv)
        fclose(job.csv);
    feature_free(job.f);
    free(job.x);
    free(job.out);
    free(job.files.name);
    free(list);
    return code;
}

const struct command cmd_features = {
    .name = "features",
    .summary = "compute features of audio files, as NumPy arrays",
    .usage =
        "usage: earshot features --feature NAME [--param K=V ...] FILE... -o OUT.npy\n"
        "\n"
        "Mixes each file to mono, resamples it to the feature's rate, and writes what the program computes from it:\n"
        "little-endian float32 in C order, as numpy.load reads it.\n"
        "\n"
        "  -f, --feature NAME   which one; `help` lists all of them with their parameters\n"
        "  -p, --param K=V      a parameter that is not to be its default; again for each\n"
        "  -o, --output FILE    the array: [rows, columns] of the whole file; rows of further files follow\n"
        "      --window S       cut into windows of S seconds from sample 0 on, the last one filled up with zeros:\n"
        "                       the array is [windows, rows, columns]\n"
        "      --hop S          seconds from window to window (--window's length)\n"
        "      --list FILE      files to read, one a line, besides those that are named; - is standard input\n"
        "      --index FILE     CSV: file, first row or window in the array, count\n"
        "      --resample HOW   fast (as the daemon does it), medium or best\n"
        "      --time           print the CPU time that the feature takes; --output may be left out\n"
        "\n"
        "A file that cannot be read is named on stderr and left out; the exit code is 1 then.\n",
    .run = run,
};
