#include "daemon/evaluate_clips.h"

#include "daemon/classify_print.h"
#include "daemon/evaluate_files.h"
#include "daemon/evaluate_hear.h"
#include "daemon/evaluate_print.h"
#include "evaluate/labelmap.h"
#include "evaluate/manifest.h"
#include "evaluate/rejection.h"

#include <stdlib.h>
#include <string.h>

/* One evaluation on its way. */
struct clips {
    const struct evaluate *common;
    const struct evaluate_clips *what;
    struct manifest manifest;
    struct hearing hearing;
    struct vocabulary *vocabulary; /* NULL: there is no labels.csv */
    struct labelmap map;
    unsigned *truth; /* [manifest.n] */
    struct rejection rejection;
    bool rejects; /* rejection is filled */
    struct left_out left_out;
};

static void complain(void *ctx, const char *text)
{
    (void)ctx;
    fputs("earshot " EVALUATE ": ", stderr);
    print_name(stderr, text);
    fputc('\n', stderr);
}

/* Throws out the clips that are marked, with all that belongs to them. */
static void drop_clips(struct clips *c, const bool *drop)
{
    size_t kept = 0, width = c->hearing.model->n_labels;
    float *scores = c->hearing.scores;

    for (size_t i = 0; i < c->manifest.n; i++) {
        if (drop[i])
            continue;
        if (scores)
            memmove(scores + kept * width, scores + i * width, width * sizeof *scores);
        c->truth[kept++] = c->truth[i];
    }
    manifest_drop(&c->manifest, drop);
}

/* Is clip i the first with its label? unknown: [n] */
static bool is_first(const struct manifest *m, const bool *unknown, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (unknown[k] && strcmp(m->clips[k].label, m->clips[i].label) == 0)
            return false;
    return true;
}

/* What may have been meant: "; ..." or "". */
static void hint(const struct labelmap *map, const struct clip *clip, char *text, size_t size)
{
    const struct sound *s = NULL, *meant[2];
    const char *nearest;

    if (map->vocabulary)
        s = vocabulary_dataset(map->vocabulary, clip->dataset && *clip->dataset ? clip->dataset : "unknown",
                               clip->label);
    *text = 0;
    if (s && strcmp(s->slug, clip->label) == 0)
        snprintf(text, size, "; it is a sound of labels.csv that this model does not know");
    else if (!s && labelmap_meanings(map, clip->label, meant, 2) > 1)
        snprintf(text, size, ": it may be %s or %s; a column dataset or --map can say which", meant[0]->slug,
                 meant[1]->slug);
    else if (s)
        snprintf(text, size, ", and no %s either, as labels.csv calls it", s->slug);
    else if ((nearest = labelmap_nearest(map, clip->label)))
        snprintf(text, size, "; did you mean %s?", nearest);
}

/* Names each label that the model does not have once: the line of its first clip, how many clips have it, what may be meant. */
static void tell_unknown(const struct manifest *m, const bool *unknown, const struct labelmap *map)
{
    for (size_t i = 0; i < m->n; i++) {
        const struct clip *clip = &m->clips[i];
        char meant[256];
        struct err err;
        size_t count = 0;

        if (!unknown[i] || !is_first(m, unknown, i))
            continue;
        for (size_t k = i; k < m->n; k++)
            count += unknown[k] && strcmp(m->clips[k].label, clip->label) == 0;
        hint(map, clip, meant, sizeof meant);
        err_set(&err, "%s:%u: the model has no label %.100s (%zu clip%s)%s", m->path, clip->line, clip->label, count,
                count == 1 ? "" : "s", meant);
        complain(NULL, err.text);
    }
}

/* Does the model answer with AudioSet's names, for which the vocabulary has others? */
static bool could_answer_with(const struct vocabulary *v, const struct model_info *model)
{
    for (size_t i = 0; v && i < model->n_labels; i++) {
        const struct sound *s = vocabulary_label(v, model->labels[i]);
        if (s && strcmp(s->slug, model->labels[i]) != 0)
            return true;
    }
    return false;
}

/* Is it one of --unknown-label? */
static bool is_stranger(const struct clips *c, const char *label)
{
    size_t length = strlen(label), n;

    for (const char *p = c->what->strangers; p && *p; p += n + (p[n] == ',')) {
        n = strcspn(p, ",");
        if (n == length && strncmp(p, label, n) == 0)
            return true;
    }
    return false;
}

/* A label that nobody has, or that the model has after all, is a slip of the pen. */
static int check_strangers(const struct clips *c)
{
    char label[LABEL_SIZE + 1];
    size_t n;

    for (const char *p = c->what->strangers; p && *p; p += n + (p[n] == ',')) {
        bool there = false;
        n = strcspn(p, ",");
        snprintf(label, sizeof label, "%.*s", (int)(n < LABEL_SIZE ? n : LABEL_SIZE), p);
        for (size_t i = 0; i < c->manifest.n && !there; i++)
            there = strlen(c->manifest.clips[i].label) == n && strncmp(c->manifest.clips[i].label, p, n) == 0;
        if (!there)
            return cmd_fail(EXIT_USAGE, EVALUATE, "--unknown-label: no clip of %s has the label \"%s\"",
                            c->manifest.path, label);
        if (labelmap_find(&c->map, NULL, label) >= 0)
            return cmd_fail(EXIT_USAGE, EVALUATE, "--unknown-label: %s has the label %s", c->hearing.model->name,
                            label);
    }
    return EXIT_GOOD;
}

/* Gives every clip the model's label. unknown: [manifest.n], false. Returns an exit code. */
static int find_labels(struct clips *c, bool *unknown)
{
    const struct labelmap *map = &c->map;
    struct manifest *m = &c->manifest;
    int code = check_strangers(c);

    for (size_t i = 0; code == EXIT_GOOD && i < m->n; i++) {
        bool stranger = is_stranger(c, m->clips[i].label);
        int label = labelmap_find(map, m->clips[i].dataset, m->clips[i].label);
        unknown[i] = label < 0 && !stranger;
        c->truth[i] = stranger ? REJECTION_UNKNOWN : (unsigned)label;
        c->left_out.unknown += unknown[i];
    }
    if (c->left_out.unknown == 0)
        return code;
    tell_unknown(m, unknown, map);
    if (!c->what->skip_unknown)
        return cmd_fail(EXIT_FAILED, EVALUATE,
                        "%s: %zu of %zu clips have labels that %s does not have; --skip-unknown leaves them out, --map "
                        "says what they are called here%s",
                        m->path, c->left_out.unknown, m->n, c->hearing.model->name,
                        could_answer_with(c->vocabulary, c->hearing.model)
                            ? "; --model.vocabulary=earshot lets it answer with the labels of labels.csv"
                            : "");
    if (c->left_out.unknown == m->n)
        return cmd_fail(EXIT_FAILED, EVALUATE, "%s: %s has the label of no clip", m->path, c->hearing.model->name);
    drop_clips(c, unknown);
    return EXIT_GOOD;
}

/* labels.csv, where it lies beside the models: *v, NULL where not. -1: it is wrong. */
static int load_vocabulary(struct vocabulary **v)
{
    char path[4096];
    struct err err;

    *v = NULL;
    if (vocabulary_find(path, sizeof path, &err) < 0)
        return 0;
    *v = vocabulary_load(path, &err);
    return *v ? 0 : cmd_fail(-1, EVALUATE, "%s", err.text);
}

static int resolve_labels(struct clips *c)
{
    const struct model_info *model = c->hearing.model;
    struct err err;

    if (load_vocabulary(&c->vocabulary) < 0)
        return EXIT_USAGE;
    if (labelmap_init(&c->map, model->labels, model->n_labels, c->vocabulary, c->what->map, &err) < 0)
        return cmd_fail(EXIT_USAGE, EVALUATE, "--map %s", err.text);
    bool *unknown = calloc(c->manifest.n, sizeof *unknown);
    c->truth = calloc(c->manifest.n, sizeof *c->truth);
    int code = unknown && c->truth ? find_labels(c, unknown) : cmd_fail(EXIT_FAILED, EVALUATE, "no memory");
    free(unknown);
    return code;
}

static int read_manifest(struct clips *c)
{
    const struct evaluate_clips *w = c->what;
    struct err err;

    if (manifest_read(&c->manifest, w->manifest, complain, NULL, &err) < 0)
        return cmd_fail(EXIT_FAILED, EVALUATE, "%s", err.text);
    c->left_out.bad = c->manifest.n_bad;
    long filtered = manifest_filter(&c->manifest, w->where, w->n_where, w->folds, &err);
    if (filtered < 0)
        return cmd_fail(EXIT_USAGE, EVALUATE, "%s", err.text);
    c->left_out.filtered = (size_t)filtered;
    return EXIT_GOOD;
}

static int hear(struct clips *c)
{
    long failed = hearing_do(&c->hearing, &c->manifest);

    if (failed < 0)
        return EXIT_FAILED;
    c->left_out.unheard = (size_t)failed;
    if (c->left_out.unheard == c->manifest.n)
        return cmd_fail(EXIT_FAILED, EVALUATE, "%s: no clip could be read", c->manifest.path);
    bool *drop = c->hearing.heard;
    for (size_t i = 0; i < c->manifest.n; i++)
        drop[i] = !drop[i];
    drop_clips(c, drop);
    return EXIT_GOOD;
}

/* Judges the clips of --unknown-label and leaves them out from then on. */
static int reject(struct clips *c)
{
    struct clipset set = {.n = c->manifest.n,
                          .n_labels = c->hearing.model->n_labels,
                          .labels = c->hearing.model->labels,
                          .scores = c->hearing.scores,
                          .truth = c->truth};
    size_t strangers = 0;

    if (!c->what->strangers)
        return EXIT_GOOD;
    int code = EXIT_GOOD;
    float *thresholds = evaluate_thresholds(c->common, c->hearing.model, &code);
    if (!thresholds)
        return code;
    int rc = rejection_of(&set, thresholds, &c->rejection);
    free(thresholds);
    if (rc < 0)
        return cmd_fail(EXIT_FAILED, EVALUATE, "no memory");
    c->rejects = true;
    bool *drop = c->hearing.heard; /* has served */
    for (size_t i = 0; i < c->manifest.n; i++) {
        drop[i] = c->truth[i] == REJECTION_UNKNOWN;
        strangers += drop[i];
    }
    if (strangers == c->manifest.n)
        return cmd_fail(EXIT_FAILED, EVALUATE, "%s: no clip but those of --unknown-label could be read",
                        c->manifest.path);
    drop_clips(c, drop);
    return EXIT_GOOD;
}

static int report(const struct clips *c, struct evaluate_files *files)
{
    const struct model_info *model = c->hearing.model;
    struct clipset set = {.n = c->manifest.n,
                          .n_labels = model->n_labels,
                          .labels = model->labels,
                          .scores = c->hearing.scores,
                          .truth = c->truth};
    struct clipreport figures;

    if (clipreport_init(&figures, &set, c->manifest.clips) < 0)
        return cmd_fail(EXIT_FAILED, EVALUATE, "no memory");
    struct clips_result r = {.manifest = c->manifest.path,
                             .folds = c->what->folds,
                             .where = c->what->where,
                             .n_where = c->what->n_where,
                             .model = model,
                             .report = &figures,
                             .rejection = c->rejects ? &c->rejection : NULL,
                             .left_out = c->left_out,
                             .seconds = c->hearing.seconds,
                             .elapsed_s = c->hearing.elapsed_s};
    int code = EXIT_GOOD;
    if (!c->common->cx->json)
        evaluate_text(stdout, &r);
    else if (evaluate_json(stdout, &r) < 0)
        code = cmd_fail(EXIT_FAILED, EVALUATE, "no memory");
    if (evaluate_files_write(files, &r, c->manifest.clips) < 0)
        code = EXIT_FAILED;
    clipreport_free(&figures);
    return code;
}

int evaluate_clips_run(const struct evaluate *e, const struct evaluate_clips *what)
{
    struct clips c = {.common = e, .what = what};
    struct evaluate_files files = {0};
    int code = hearing_open(&c.hearing, e);

    if (code == EXIT_GOOD)
        code = read_manifest(&c);
    if (code == EXIT_GOOD)
        code = resolve_labels(&c);
    if (code == EXIT_GOOD)
        code = evaluate_files_open(&files, e, what, &c.manifest);
    if (code == EXIT_GOOD)
        code = hear(&c);
    if (code == EXIT_GOOD)
        code = reject(&c);
    if (code == EXIT_GOOD)
        code = report(&c, &files);
    if (code == EXIT_GOOD && (c.left_out.bad || c.left_out.unheard))
        code = EXIT_FAILED;
    evaluate_files_abandon(&files);
    rejection_free(&c.rejection);
    free(c.truth);
    labelmap_free(&c.map);
    vocabulary_free(c.vocabulary);
    manifest_free(&c.manifest);
    hearing_close(&c.hearing);
    return code;
}
