#include "daemon/train/asked.h"

#include "base/text.h"
#include "daemon/args.h"

#include <string.h>

enum { JOBS_MAX = 256, EPOCHS_MAX = 100000 };
#define RATE_MAX 1.0

enum {
    FLAG_CSV,
    FLAG_OUTPUT,
    FLAG_REPORT,
    FLAG_KIND,
    FLAG_MODEL,
    FLAG_LAYERS,
    FLAG_PRESET,
    FLAG_DROPOUT,
    FLAG_EPOCHS,
    FLAG_BATCH,
    FLAG_RATE,
    FLAG_DECAY,
    FLAG_PATIENCE,
    FLAG_SEED,
    FLAG_WINDOW,
    FLAG_TEST,
    FLAG_CHECK,
    FLAG_TEST_FOLDS,
    FLAG_FOLDS,
    FLAG_GROUPS,
    FLAG_DROP_LEAKS,
    FLAG_ALLOW_LEAKS,
    FLAG_THRESHOLD,
    FLAG_JOBS,
    FLAG_CACHE,
    FLAG_NO_CACHE,
    FLAG_SAVE_EVERY,
    FLAG_LICENCE,
    FLAG_DESCRIPTION,
};

static const struct arg_flag flags[] = {
    [FLAG_CSV] = {"csv", 0, "FILE"},
    [FLAG_OUTPUT] = {"output", 'o', "FILE"},
    [FLAG_REPORT] = {"report", 0, "DIR"},
    [FLAG_KIND] = {"kind", 'k', "KIND"},
    [FLAG_MODEL] = {"model", 'm', "MODEL"},
    [FLAG_LAYERS] = {"layers", 0, "LIST"},
    [FLAG_PRESET] = {"preset", 0, "NAME"},
    [FLAG_DROPOUT] = {"dropout", 0, "SHARE"},
    [FLAG_EPOCHS] = {"epochs", 0, "N"},
    [FLAG_BATCH] = {"batch", 0, "N"},
    [FLAG_RATE] = {"rate", 0, "NUMBER"},
    [FLAG_DECAY] = {"decay", 0, "NUMBER"},
    [FLAG_PATIENCE] = {"patience", 0, "N"},
    [FLAG_SEED] = {"seed", 0, "N"},
    [FLAG_WINDOW] = {"window", 0, "SECONDS"},
    [FLAG_TEST] = {"test", 0, "SHARE"},
    [FLAG_CHECK] = {"check", 0, "SHARE"},
    [FLAG_TEST_FOLDS] = {"test-folds", 0, "LIST"},
    [FLAG_FOLDS] = {"folds", 0, "N"},
    [FLAG_GROUPS] = {"groups", 0, "COLUMN"},
    [FLAG_DROP_LEAKS] = {"drop-leaks", 0, NULL},
    [FLAG_ALLOW_LEAKS] = {"allow-leaks", 0, NULL},
    [FLAG_THRESHOLD] = {"threshold", 0, "SCORE"},
    [FLAG_JOBS] = {"jobs", 'j', "N"},
    [FLAG_CACHE] = {"cache", 0, "DIR"},
    [FLAG_NO_CACHE] = {"no-cache", 0, NULL},
    [FLAG_SAVE_EVERY] = {"save-every", 0, "SECONDS"},
    [FLAG_LICENCE] = {"licence", 0, "TEXT"},
    [FLAG_DESCRIPTION] = {"description", 0, "TEXT"},
    {0},
};

/* "100,200,100", or "none". Returns an exit code. */
static int read_layers(struct train_asked *r, const char *flag, const char *text)
{
    struct fit_params *f = &r->train.rounds.fit;
    const char *at = text;

    f->n_hidden = 0;
    r->layers = text;
    if (strcmp(text, "none") == 0)
        return EXIT_GOOD;
    for (;;) {
        long units;
        if (f->n_hidden == DENSE_LAYERS_MAX - 1 || !text_int(at, &units, &at) || units < 1 || units > DENSE_UNITS_MAX ||
            (*at && *at != ','))
            return cmd_fail(EXIT_USAGE, TRAIN,
                            "--%s %.100s: up to %d numbers from 1 to %d, such as 100,200,100, or none", flag, text,
                            DENSE_LAYERS_MAX - 1, DENSE_UNITS_MAX);
        f->hidden[f->n_hidden++] = (size_t)units;
        if (!*at++)
            return EXIT_GOOD;
    }
}

/* Nets that were published for mean MFCCs. */
static int read_preset(struct train_asked *r, const char *name)
{
    static const struct {
        const char *name, *layers;
    } presets[] = {{"100-200-100", "100,200,100"}, {"200-300", "200,300"}};

    r->preset = true;
    for (size_t i = 0; i < sizeof presets / sizeof presets[0]; i++)
        if (strcmp(name, presets[i].name) == 0)
            return read_layers(r, "preset", presets[i].layers);
    return cmd_fail(EXIT_USAGE, TRAIN, "--preset %.60s: allowed are 100-200-100 and 200-300", name);
}

static int read_kind(struct train_asked *r, const char *name)
{
    if (strcmp(name, "mfcc-mlp") != 0 && strcmp(name, "head") != 0)
        return cmd_fail(EXIT_USAGE, TRAIN, "--kind %.60s: allowed are head and mfcc-mlp", name);
    r->train.kind = *name == 'h' ? TRAIN_HEAD : TRAIN_MFCC_MLP;
    return EXIT_GOOD;
}

static int read_size(const struct args *a, long min, long max, size_t *out)
{
    long n;

    if (args_int(a, min, max, &n) < 0)
        return EXIT_USAGE;
    *out = (size_t)n;
    return EXIT_GOOD;
}

static int read_number(const struct args *a, double min, double max, double *out)
{
    return args_number(a, min, max, out) < 0 ? EXIT_USAGE : EXIT_GOOD;
}

static int read_float(const struct args *a, double min, double max, float *out)
{
    double x = 0;
    int code = read_number(a, min, max, &x);

    *out = (float)x;
    return code;
}

/* Flags of the net and its training. -1: another one. */
static int take_net_flag(struct train_asked *r, const struct args *a, int flag)
{
    struct fit_params *f = &r->train.rounds.fit;
    size_t seed = 0;
    int code;

    switch (flag) {
    case FLAG_KIND:
        return read_kind(r, a->value);
    case FLAG_LAYERS:
        return read_layers(r, a->flag, a->value);
    case FLAG_PRESET:
        return read_preset(r, a->value);
    case FLAG_DROPOUT:
        r->dropout = true;
        return read_float(a, 0, 0.95, &f->dropout);
    case FLAG_EPOCHS:
        r->epochs = true;
        return read_size(a, 1, EPOCHS_MAX, &f->epochs);
    case FLAG_BATCH:
        r->batch = true;
        return read_size(a, 1, DENSE_BATCH_MAX, &f->batch);
    case FLAG_RATE:
        r->rate = true;
        return read_float(a, 1e-7, RATE_MAX, &f->rate);
    case FLAG_DECAY:
        r->decay = true;
        return read_float(a, 0, 100, &f->decay);
    case FLAG_PATIENCE:
        r->patience = true;
        return read_size(a, 0, EPOCHS_MAX, &f->patience);
    case FLAG_SEED:
        code = read_size(a, 0, 1000000000, &seed);
        f->seed = r->train.plan.seed = seed;
        return code;
    case FLAG_WINDOW:
        r->window = true;
        return read_number(a, 0.1, 30, &r->train.gather.window_s);
    default:
        return -1;
    }
}

/* Flags of what is measured on what. -1: another one. */
static int take_split_flag(struct train_asked *r, const struct args *a, int flag)
{
    struct plan_params *p = &r->train.plan;

    switch (flag) {
    case FLAG_TEST:
        return read_number(a, 0, 0.9, &p->test);
    case FLAG_CHECK:
        return read_number(a, 0, 0.9, &p->check);
    case FLAG_TEST_FOLDS:
        p->test_folds = a->value;
        return EXIT_GOOD;
    case FLAG_FOLDS:
        p->folds = a->value;
        return EXIT_GOOD;
    case FLAG_GROUPS:
        r->train.groups = a->value;
        return EXIT_GOOD;
    case FLAG_DROP_LEAKS:
    case FLAG_ALLOW_LEAKS:
        if (p->leaks != LEAKS_REFUSED)
            return cmd_fail(EXIT_USAGE, TRAIN, "--drop-leaks or --allow-leaks, one of them, once");
        p->leaks = flag == FLAG_DROP_LEAKS ? LEAKS_DROPPED : LEAKS_ALLOWED;
        return EXIT_GOOD;
    default:
        return -1;
    }
}

static int take_flag(struct train_asked *r, const struct args *a, int flag)
{
    struct train *t = &r->train;
    int code = take_net_flag(r, a, flag);

    if (code < 0)
        code = take_split_flag(r, a, flag);
    if (code >= 0)
        return code;
    switch (flag) {
    case FLAG_CSV:
        t->csv = a->value;
        return EXIT_GOOD;
    case FLAG_OUTPUT:
        t->output = a->value;
        return EXIT_GOOD;
    case FLAG_REPORT:
        t->report = a->value;
        return EXIT_GOOD;
    case FLAG_MODEL:
        r->model = a->value;
        return EXIT_GOOD;
    case FLAG_THRESHOLD:
        return read_number(a, 0, 1, &t->threshold);
    case FLAG_JOBS:
        return read_size(a, 1, JOBS_MAX, &t->gather.jobs);
    case FLAG_CACHE:
        r->cache = a->value;
        return EXIT_GOOD;
    case FLAG_NO_CACHE:
        r->cache = "";
        return EXIT_GOOD;
    case FLAG_SAVE_EVERY:
        return read_number(a, 0, 3600, &t->rounds.save_s);
    case FLAG_LICENCE:
        t->licence = a->value;
        return EXIT_GOOD;
    case FLAG_DESCRIPTION:
        t->description = a->value;
        return EXIT_GOOD;
    case ARGS_PLAIN:
        if (t->folder)
            return args_unexpected(a);
        t->folder = a->value;
        return EXIT_GOOD;
    default:
        return EXIT_USAGE;
    }
}

static int check_request(const struct train_asked *r)
{
    const struct train *t = &r->train;

    if (!t->folder == !t->csv)
        return cmd_fail(EXIT_USAGE, TRAIN, "%s (see earshot train --help)",
                        t->folder ? "a folder or --csv, one of them"
                                  : "a folder with a folder for each label is needed, or --csv");
    if (t->plan.folds && t->plan.test_folds)
        return cmd_fail(EXIT_USAGE, TRAIN, "--folds measures every fold, --test-folds some: one of them");
    if (t->kind == TRAIN_MFCC_MLP && r->model)
        return cmd_fail(EXIT_USAGE, TRAIN, "--model goes with --kind head: mean MFCCs need no other model");
    if (t->kind == TRAIN_HEAD && r->window)
        return cmd_fail(EXIT_USAGE, TRAIN,
                        "--window goes with --kind mfcc-mlp: the model's window is what its embedding is of");
    if (t->kind == TRAIN_HEAD && r->preset)
        return cmd_fail(EXIT_USAGE, TRAIN, "--preset goes with --kind mfcc-mlp");
    return EXIT_GOOD;
}

int train_asked_read(struct train_asked *r, int argc, char **argv)
{
    struct args a = {.flags = flags, .argc = argc, .argv = argv};

    for (int flag; (flag = args_next(&a)) != ARGS_END;) {
        int code = flag == ARGS_BAD ? EXIT_USAGE : take_flag(r, &a, flag);
        if (code != EXIT_GOOD)
            return code;
    }
    return check_request(r);
}

void train_asked_fill(struct train_asked *r)
{
    struct fit_params *f = &r->train.rounds.fit;
    bool head = r->train.kind == TRAIN_HEAD;

    if (!r->layers && !head)
        read_layers(r, "layers", "100,200,100");
    if (!r->dropout)
        f->dropout = !head ? 0.5f : f->n_hidden ? 0.3f : 0;
    if (!r->epochs)
        f->epochs = head ? 100 : 200;
    if (!r->batch)
        f->batch = head ? 64 : 32;
    if (!r->rate)
        f->rate = 1e-3f;
    if (!r->decay)
        f->decay = head ? 1.0f : 0;
    if (!r->patience)
        f->patience = head ? 15 : 40;
}
