#include "base/outfile.h"
#include "daemon/train/train.h"
#include "features/features.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where mean MFCCs differ from the feature's own defaults, which are librosa's. */
static const struct param own[] = {{"pooling", "mean"}};

/* Every parameter of the MFCCs, for the model's file: it must not change when a default does. */
static int fill_params(struct train *t)
{
    for (size_t i = 0; i < feature_type_count(); i++) {
        size_t n;
        const struct param_spec *spec = feature_type_params(i, &n);
        if (strcmp(feature_type_name(i), t->gather.feature) != 0)
            continue;
        t->params = calloc(n, sizeof *t->params);
        for (size_t k = 0; t->params && k < n; k++) {
            t->params[k] = (struct param){spec[k].name, spec[k].default_value};
            for (size_t o = 0; o < sizeof own / sizeof own[0]; o++)
                if (strcmp(own[o].key, spec[k].name) == 0)
                    t->params[k].value = own[o].value;
        }
        t->n_params = n;
    }
    t->gather.params = t->params;
    t->gather.n_params = t->n_params;
    return t->params ? 0 : -1;
}

/* Where the model goes: --output, or after the folder or list, in the folder that one is in. */
static int name_output(struct train *t, struct err *err)
{
    char folder[PATH_MAX];
    struct stat st;
    int n;

    if (t->output) {
        t->path = strdup(t->output);
    } else {
        /* "." and "x/.." have no name of their own */
        if (t->folder && !realpath(t->folder, folder))
            return err_set(err, "%s: %s", t->folder, strerror(errno));
        const char *whole = t->folder ? folder : t->csv, *slash = strrchr(whole, '/'),
                   *base = slash ? slash + 1 : whole;
        size_t length = strlen(base);
        if (!t->folder && length > 4 && strcmp(base + length - 4, ".csv") == 0)
            length -= 4;
        n = length ? asprintf(&t->path, "%.*s.onnx", (int)length, base) : -1;
        if (n < 0)
            t->path = NULL;
        else if (stat(t->path, &st) == 0)
            return err_set(err, "%s is there already: --output says where the model is to go", t->path);
    }
    if (!t->path || asprintf(&t->state, "%s.state", t->path) < 0) {
        t->state = NULL;
        return err_set(err, "no memory");
    }
    t->rounds.state = t->state;
    return 0;
}

/* Said before the hours, not after. */
static int check_outputs(const struct train *t, struct err *err)
{
    struct outfile out;

    if (outfile_open(&out, t->path, err) < 0)
        return -1;
    outfile_abandon(&out);
    if (t->report && mkdir(t->report, 0777) < 0 && errno != EEXIST)
        return err_set(err, "--report %s: %s", t->report, strerror(errno));
    if (t->report && access(t->report, W_OK | X_OK) < 0)
        return err_set(err, "--report %s: %s", t->report, strerror(errno));
    return 0;
}

static int read_list(struct train *t, struct err *err)
{
    t->source = t->folder ? t->folder : t->csv;
    if ((t->folder ? train_list_folder(&t->list, t->folder, err) : train_list_csv(&t->list, t->csv, err)) < 0)
        return -1;
    return train_list_keys(&t->list, t->groups, err);
}

/* One label teaches nothing: there is nothing to tell it from. */
static int check_labels(const struct train *t, struct err *err)
{
    if (t->list.n_labels >= 2)
        return 0;
    return err_set(err,
                   "%s: there is one label, %s; a net learns to tell sounds apart: add another folder, such as "
                   "background, with what else is to be heard",
                   t->source, t->list.label[0]);
}

/* What the names alone say against the split is said before the hours of features. */
static int check_plan(const struct train *t, struct err *err)
{
    struct plan_params p = t->plan;
    struct train_plan plan;
    uint64_t *unknown = calloc(t->list.n + 1, sizeof *unknown);

    p.quiet = true;
    int rc = unknown ? train_plan_make(&plan, &t->list, unknown, &p, err) : err_set(err, "no memory");
    if (rc == 0)
        train_plan_free(&plan);
    free(unknown);
    return rc;
}

/* -1, TRAIN_USAGE: err. */
static int train(struct train *t, struct err *err)
{
    int rc = read_list(t, err);

    if (rc == 0 && check_labels(t, err) < 0)
        rc = -1;
    if (rc == 0)
        rc = check_plan(t, err);
    if (rc < 0)
        return rc;
    if (gather(&t->list, &t->gather, &t->sounds, err) < 0 || check_labels(t, err) < 0)
        return -1;
    t->rounds.fit.classes = t->list.n_labels;
    rc = train_plan_make(&t->parts, &t->list, t->sounds.content, &t->plan, err);
    if (rc < 0)
        return rc;
    return train_rounds_run(&t->result, &t->list, &t->sounds, &t->parts, &t->rounds, err);
}

int train_run(struct train *t)
{
    struct err err;
    int code = EXIT_FAILED, rc = 0;

    if (t->kind == TRAIN_MFCC_MLP && fill_params(t) < 0)
        return cmd_fail(EXIT_FAILED, TRAIN, "no memory");
    if (name_output(t, &err) < 0 || check_outputs(t, &err) < 0)
        code = cmd_fail(EXIT_USAGE, TRAIN, "%s", err.text);
    else if ((rc = train(t, &err)) < 0) {
        train_say("%s", err.text);
        code = rc == TRAIN_USAGE ? EXIT_USAGE : EXIT_FAILED;
    } else
        code = train_report(t) < 0 ? EXIT_FAILED : EXIT_GOOD;
    if (code == EXIT_GOOD && t->state)
        unlink(t->state);
    train_rounds_free(&t->result);
    train_plan_free(&t->parts);
    gathered_free(&t->sounds);
    train_list_free(&t->list);
    free(t->params);
    free(t->path);
    free(t->state);
    return code;
}
