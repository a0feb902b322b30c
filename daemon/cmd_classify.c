/* earshot classify: what recorded files hold, through the path that the microphone takes. */
#include "base/clock.h"
#include "daemon/args.h"
#include "daemon/classify.h"
#include "daemon/classify_print.h"
#include "daemon/cmd.h"
#include "daemon/pipeline.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MODELS_MAX = 8, JOBS_MAX = 256, TOP_MAX = 100000, PATH_SIZE = 4096 };

/* One file's output, held back until its turn. */
struct entry {
    bool done;
    bool failed;
    char *text;      /* for stdout, NULL: none */
    char *complaint; /* for stderr */
};

struct batch {
    struct classify_params params;
    char model_paths[MODELS_MAX][PATH_SIZE];
    const char *models[MODELS_MAX];
    size_t n_models, top;
    bool json;
    char **files;
    size_t n_files, jobs;

    pthread_mutex_t lock; /* guards what follows, and each entry until it is done */
    pthread_cond_t news;
    size_t next; /* file to be taken */
    size_t done;
    double seconds; /* of sound so far */
    bool stop;      /* nobody reads the output any more */
    struct entry *entries;
};

struct job {
    struct batch *batch;
    struct classifier *classifier;
    pthread_t thread;
    bool started;
};

static void note_progress(void *ctx, double seconds)
{
    struct batch *b = ctx;

    pthread_mutex_lock(&b->lock);
    b->seconds += seconds;
    pthread_mutex_unlock(&b->lock);
}

static void classify_one(struct job *job, const char *file, struct entry *e)
{
    struct batch *b = job->batch;
    struct err err = {""};
    const struct classification *c = classifier_do(job->classifier, file, note_progress, b, &err);
    size_t size;

    e->failed = !c || c->broken;
    if (c) {
        FILE *out = open_memstream(&e->text, &size);
        int rc = !out ? -1 : b->json ? classify_json(out, file, c, b->top) : classify_table(out, file, c, b->top);
        if ((out && fclose(out) != 0) || rc < 0) {
            free(e->text);
            e->text = NULL;
            e->failed = true;
            err_set(&err, "%s: no memory", file);
        }
    }
    if (e->failed)
        e->complaint = strdup(err.text);
}

static void *work(void *arg)
{
    struct job *job = arg;
    struct batch *b = job->batch;

    pthread_mutex_lock(&b->lock);
    while (!b->stop && b->next < b->n_files) {
        size_t i = b->next++;
        struct entry e = {0};
        pthread_mutex_unlock(&b->lock);
        classify_one(job, b->files[i], &e);
        pthread_mutex_lock(&b->lock);
        e.done = true;
        b->entries[i] = e;
        b->done++;
        pthread_cond_signal(&b->news);
    }
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

/* Waits until file i is done; meanwhile a line of progress where somebody watches. Called with the lock. */
static void wait_for(struct batch *b, size_t i, double begun_s, bool watched)
{
    while (!b->entries[i].done) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += 200000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        if (!watched) {
            pthread_cond_wait(&b->news, &b->lock);
            continue;
        }
        pthread_cond_timedwait(&b->news, &b->lock, &until);
        double spent = clock_s(CLOCK_MONOTONIC) - begun_s;
        fprintf(stderr, "\r\033[K%zu of %zu files, %.0f s of sound, %.0f times real time", b->done, b->n_files,
                b->seconds, spent > 0 ? b->seconds / spent : 0);
    }
    if (watched)
        fputs("\r\033[K", stderr);
}

static int print_entry(struct batch *b, size_t i)
{
    struct entry *e = &b->entries[i];
    int rc = 0;

    if (e->text) {
        fputs(e->text, stdout);
        if (!b->json && i + 1 < b->n_files)
            putchar('\n');
        rc = cmd_flush();
    }
    if (e->failed) {
        fputs("earshot classify: ", stderr);
        print_name(stderr, e->complaint ? e->complaint : b->files[i]);
        fputc('\n', stderr);
    }
    free(e->text);
    free(e->complaint);
    e->text = e->complaint = NULL;
    return rc;
}

/* Prints in the order of the arguments as files get done. Returns the exit code. */
static int print_all(struct batch *b)
{
    bool watched = isatty(STDERR_FILENO);
    double begun_s = clock_s(CLOCK_MONOTONIC);
    int code = EXIT_GOOD;

    pthread_mutex_lock(&b->lock);
    for (size_t i = 0; i < b->n_files && !b->stop; i++) {
        wait_for(b, i, begun_s, watched);
        if (b->entries[i].failed)
            code = EXIT_FAILED;
        pthread_mutex_unlock(&b->lock);
        int rc = print_entry(b, i);
        pthread_mutex_lock(&b->lock);
        b->stop = rc < 0;
    }
    pthread_mutex_unlock(&b->lock);
    return code;
}

/* Returns an exit code: a model that cannot be used is wrong usage. */
static int start_jobs(struct batch *b, struct job *jobs)
{
    struct err err;

    for (size_t i = 0; i < b->jobs; i++) {
        jobs[i].batch = b;
        jobs[i].classifier = classifier_new(&b->params, b->models, b->n_models, &err);
        if (!jobs[i].classifier)
            return cmd_fail(EXIT_USAGE, "classify", "%s", err.text);
    }
    for (size_t i = 0; i < b->jobs; i++) {
        int rc = pthread_create(&jobs[i].thread, NULL, work, &jobs[i]);
        if (rc != 0 && i == 0)
            return cmd_fail(EXIT_FAILED, "classify", "cannot start a thread: %s", strerror(rc));
        jobs[i].started = rc == 0; /* fewer do it as well, only later */
    }
    return EXIT_GOOD;
}

static int run_batch(struct batch *b)
{
    struct job *jobs = calloc(b->jobs, sizeof *jobs);
    pthread_condattr_t attr;
    int code;

    b->entries = calloc(b->n_files, sizeof *b->entries);
    pthread_mutex_init(&b->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&b->news, &attr);
    pthread_condattr_destroy(&attr);
    code = jobs && b->entries ? start_jobs(b, jobs) : cmd_fail(EXIT_FAILED, "classify", "no memory");
    if (code == EXIT_GOOD)
        code = print_all(b);
    for (size_t i = 0; jobs && i < b->jobs; i++) {
        if (jobs[i].started)
            pthread_join(jobs[i].thread, NULL);
        classifier_free(jobs[i].classifier);
    }
    for (size_t i = 0; b->entries && i < b->n_files; i++) {
        free(b->entries[i].text);
        free(b->entries[i].complaint);
    }
    pthread_cond_destroy(&b->news);
    pthread_mutex_destroy(&b->lock);
    free(b->entries);
    free(jobs);
    return code;
}

enum { FLAG_MODEL, FLAG_TOP, FLAG_JOBS, FLAG_NO_GATE };
static const struct arg_flag flags[] = {[FLAG_MODEL] = {"model", 'm', "MODEL"},
                                        [FLAG_TOP] = {"top", 't', "N"},
                                        [FLAG_JOBS] = {"jobs", 'j', "N"},
                                        [FLAG_NO_GATE] = {"no-gate", 0, NULL},
                                        {0}};

static int add_model(struct batch *b, const char *name)
{
    struct err err;

    if (b->n_models == MODELS_MAX)
        return cmd_fail(EXIT_USAGE, "classify", "--model: at most %d models at once", MODELS_MAX);
    if (model_find(name, b->model_paths[b->n_models], PATH_SIZE, &err) < 0)
        return cmd_fail(EXIT_USAGE, "classify", "%s", err.text);
    b->models[b->n_models] = b->model_paths[b->n_models];
    b->n_models++;
    return EXIT_GOOD;
}

static int read_arguments(struct batch *b, int argc, char **argv)
{
    struct args a = {.flags = flags, .argc = argc, .argv = argv};
    long n;

    for (int flag; (flag = args_next(&a)) != ARGS_END;)
        switch (flag) {
        case FLAG_MODEL:
            if (add_model(b, a.value) != EXIT_GOOD)
                return EXIT_USAGE;
            break;
        case FLAG_TOP:
            if (args_int(&a, 0, TOP_MAX, &n) < 0)
                return EXIT_USAGE;
            b->top = (size_t)n;
            break;
        case FLAG_JOBS:
            if (args_int(&a, 1, JOBS_MAX, &n) < 0)
                return EXIT_USAGE;
            b->jobs = (size_t)n;
            break;
        case FLAG_NO_GATE:
            b->params.no_gate = true;
            break;
        case ARGS_PLAIN:
            b->files[b->n_files++] = (char *)a.value;
            break;
        default:
            return EXIT_USAGE;
        }
    if (b->n_files == 0)
        return cmd_fail(EXIT_USAGE, "classify", "no FILE given (see earshot classify --help)");
    return EXIT_GOOD;
}

static void take_config(struct batch *b, const struct config *c)
{
    b->params.gate = c->gate;
    b->params.hop_s = c->model.hop;
    b->params.vocabulary = (enum vocabulary_choice)c->model.vocabulary;
    pipeline_decision_params(c, &b->params.decision);
}

static int run(struct cmd_context *cx, int argc, char **argv)
{
    struct batch b = {.top = 5, .jobs = 1, .json = cx->json};

    b.files = calloc((size_t)argc, sizeof *b.files);
    if (!b.files)
        return cmd_fail(EXIT_FAILED, "classify", "no memory");
    take_config(&b, &cx->config);
    int code = read_arguments(&b, argc, argv);
    if (code == EXIT_GOOD && b.n_models == 0)
        code = add_model(&b, cx->config.model.file);
    if (code == EXIT_GOOD) {
        b.jobs = b.jobs < b.n_files ? b.jobs : b.n_files;
        code = run_batch(&b);
    }
    free(b.files);
    return code;
}

const struct command cmd_classify = {
    .name = "classify",
    .summary = "say what recorded files hold",
    .usage =
        "usage: earshot classify [FLAG...] FILE...\n"
        "\n"
        "Runs recorded files (WAV, FLAC, Ogg, Opus, MP3; what else ffmpeg reads, where it is installed) through the\n"
        "path that the microphone takes, and prints the labels of the whole file with their pooled scores, then\n"
        "the events with their times.\n"
        "\n"
        "  -m, --model MODEL  a name or a file; given twice, both stand side by side (default: [model] file)\n"
        "  -t, --top N        how many labels, 0: all (5)\n"
        "  -j, --jobs N       files at once (1); the output keeps the order of the arguments\n"
        "      --no-gate      events from a gate that is always open\n"
        "      --json         one object a file: file, duration_s, top, events; with several models: file,\n"
        "                     duration_s, models: an array of model, top, events\n"
        "\n"
        "A file that cannot be read is named on stderr and the rest goes on; the exit code is 1 then.\n",
    .run = run,
};
