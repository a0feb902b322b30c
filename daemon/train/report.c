#include "base/csv.h"
#include "base/json.h"
#include "base/outfile.h"
#include "daemon/classify_print.h"
#include "daemon/evaluate_print.h"
#include "daemon/train/train.h"
#include "evaluate/picture.h"
#include "train/curve.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { TEXT = 1024 };

/* The clips that were measured, as the figures of an evaluation take them. */
struct measured {
    struct clip *clips;
    float *scores;
    unsigned *truth;
    size_t *which; /* index into the list */
    struct clipset set;
    struct clipreport report;
};

void train_shape_text(const struct train *t, char *text, size_t size)
{
    const struct dense_shape *s = fit_shape(t->result.fit);
    size_t used = 0;

    *text = '\0';
    for (size_t l = 0; l <= s->n_layers && used < size; l++)
        used += (size_t)snprintf(text + used, size - used, "%s%zu", l ? "-" : "", s->units[l]);
}

static double leaky_share(const struct train *t)
{
    return t->parts.tested ? (double)t->parts.leaks / (double)t->parts.tested : 0;
}

void train_accuracy_text(const struct train *t, const struct clipreport *r, char *text, size_t size)
{
    const struct share *a = &r->all.top1;
    char how[160];

    if (a->n == 0) {
        snprintf(text, size, "not measured");
        return;
    }
    if (t->parts.cross)
        snprintf(how, sizeof how, "each of %zu folds once by a net without it; this one has seen all",
                 t->parts.rounds - 1);
    else
        snprintf(how, sizeof how, "clips of recordings that it has not seen");
    snprintf(text, size, "%.1f %% (%.1f to %.1f) of %zu clips: %s%s", 100 * a->value, 100 * a->low, 100 * a->high, a->n,
             t->parts.leaks ? "LEAKY, no measure of what it has not heard: " : "",
             t->parts.leaks ? "parts of their recordings were trained on" : how);
}

static uint64_t weights_of(const struct train *t)
{
    const struct dense_shape *s = fit_shape(t->result.fit);
    uint64_t n = 0;

    for (size_t l = 0; l < s->n_layers; l++)
        n += (uint64_t)(s->units[l] + 1) * s->units[l + 1];
    return n;
}

/* --- what was measured --- */

static void measured_free(struct measured *m)
{
    clipreport_free(&m->report);
    free(m->clips);
    free(m->scores);
    free(m->truth);
    free(m->which);
}

static int measured_make(struct measured *m, const struct train *t)
{
    size_t n = 0, labels = t->list.n_labels;

    *m = (struct measured){.clips = calloc(t->list.n, sizeof *m->clips),
                           .scores = calloc(t->list.n * labels, sizeof *m->scores),
                           .truth = calloc(t->list.n, sizeof *m->truth),
                           .which = calloc(t->list.n, sizeof *m->which)};
    if (!m->clips || !m->scores || !m->truth || !m->which)
        return -1;
    for (size_t i = 0; i < t->list.n; i++) {
        const struct train_clip *c = &t->list.clip[i];
        if (!t->result.tested[i])
            continue;
        m->clips[n] = (struct clip){.path = c->path,
                                    .name = c->name,
                                    .label = t->list.label[c->label],
                                    .fold = t->parts.cross ? t->parts.fold[i] : NULL};
        memcpy(m->scores + n * labels, t->result.scores + i * labels, labels * sizeof *m->scores);
        m->truth[n] = (unsigned)c->label;
        m->which[n++] = i;
    }
    m->set = (struct clipset){n, labels, (const char *const *)t->list.label, m->scores, m->truth};
    return clipreport_init(&m->report, &m->set, m->clips);
}

/* --- for people --- */

static void print_head(FILE *out, const struct train *t)
{
    const struct train_list *l = &t->list;
    const struct gathered *g = &t->sounds;
    const struct train_round *last = &t->result.round[t->parts.rounds - 1];
    char shape[160];

    train_shape_text(t, shape, sizeof shape);
    print_name(out, t->source);
    fprintf(out, ": %zu clips of %zu labels, %.0f s of sound, parts of %zu recordings (%s)", l->n, l->n_labels,
            g->seconds, t->parts.n_groups, l->n_keys ? l->keys : "nothing says which are of one, but for equal ones");
    if (l->left_out)
        fprintf(out, "; %zu file%s left out", l->left_out, l->left_out == 1 ? "" : "s");
    fprintf(out, "\nfeatures: %zu windows of %g s, %zu values each, in %.1f s; %zu clips were in the cache\n", g->n,
            t->gather.window_s, g->cols, g->elapsed_s, g->cached);
    fprintf(out, "net: %s, %llu weights; dropout %g, Adam %g, batches of %zu, seed %llu\n", shape,
            (unsigned long long)weights_of(t), (double)t->rounds.fit.dropout, (double)t->rounds.fit.rate,
            t->rounds.fit.batch, (unsigned long long)t->rounds.fit.seed);
    if (t->parts.cross)
        fprintf(out, "trained %zu times: each of %zu folds left out once, then on all", t->parts.rounds,
                t->parts.rounds - 1);
    else
        fprintf(out, "trained");
    fprintf(out, "%s in %.1f s; of %llu epochs the best was %llu%s\n", t->parts.cross ? "," : "", t->result.elapsed_s,
            (unsigned long long)last->epochs, (unsigned long long)last->best,
            isnan(last->check_right) ? ", the last: no clip was left to choose one by" : "");
    if (t->parts.dropped)
        fprintf(out, "left out of training, for parts of their recordings are measured: %zu clips (over all rounds)\n",
                t->parts.dropped);
}

static void print_text(FILE *out, const struct train *t, const struct measured *m)
{
    print_head(out, t);
    if (m->set.n == 0)
        fputs("\nnothing was measured: all clips were trained on\n", out);
    else
        evaluate_figures_text(out, &m->report);
    if (t->parts.leaks)
        fprintf(
            out,
            "\nLEAKY: of %.0f %% of the clips that were measured another part of the same recording was trained on. "
            "These figures say\nnothing about sounds that the net has not heard; without --allow-leaks they do.\n",
            100 * leaky_share(t));
    fputs("\nwritten: ", out);
    print_name(out, t->path);
    fputs("; earshot classify --model ", out);
    print_name(out, t->path);
    fputs(" FILE\n", out);
}

/* --- for programs --- */

static json_t *curve_json(const struct fit_progress *p)
{
    json_t *a = json_array();

    for (size_t i = 0; i < p->epoch; i++)
        json_array_append_new(a, json_pack("{s:o, s:o, s:o}", "loss", json_decimal(p->points[i].loss, 6), "check_loss",
                                           json_decimal(p->points[i].check_loss, 6), "check_right",
                                           json_decimal(p->points[i].check_right, 6)));
    return a;
}

static json_t *report_json(const struct train *t, const struct measured *m)
{
    const struct train_round *last = &t->result.round[t->parts.rounds - 1];
    struct fit_progress p = fit_progress(t->result.fit);
    char shape[160];
    json_t *o;

    train_shape_text(t, shape, sizeof shape);
    o = json_pack("{s:o, s:o, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "source", json_text(t->source), "model",
                  json_text(t->path), "kind", t->kind == TRAIN_HEAD ? "head" : "mfcc-mlp", "net", shape, "weights",
                  (json_int_t)weights_of(t), "clips", (json_int_t)t->list.n, "labels", (json_int_t)t->list.n_labels,
                  "recordings", (json_int_t)t->parts.n_groups, "windows", (json_int_t)t->sounds.n, "left_out",
                  (json_int_t)t->list.left_out);
    int failed = !o;
    failed |= json_object_set_new(o, "seed", json_integer((json_int_t)t->rounds.fit.seed));
    failed |= json_object_set_new(o, "cached", json_integer((json_int_t)t->sounds.cached));
    failed |= json_object_set_new(o, "features_s", json_decimal(t->sounds.elapsed_s, 3));
    failed |= json_object_set_new(o, "training_s", json_decimal(t->result.elapsed_s, 3));
    failed |= json_object_set_new(o, "resumed", json_boolean(t->result.resumed));
    failed |= json_object_set_new(o, "epochs", json_integer((json_int_t)last->epochs));
    failed |= json_object_set_new(o, "best_epoch", json_integer((json_int_t)last->best));
    failed |= json_object_set_new(o, "curve", curve_json(&p));
    failed |= json_object_set_new(o, "leaky", json_boolean(t->parts.leaks > 0));
    failed |= json_object_set_new(o, "leaky_share", json_decimal(leaky_share(t), 6));
    failed |= json_object_set_new(o, "dropped", json_integer((json_int_t)t->parts.dropped));
    if (m->set.n)
        failed |= evaluate_figures_json(o, &m->report);
    if (!failed)
        return o;
    json_decref(o);
    return NULL;
}

/* --- files --- */

static void write_clips(FILE *out, const struct train *t)
{
    static const char *const parts[] = {"train", "check", "test", "out"};
    const unsigned char *last = t->parts.part + (t->parts.rounds - 1) * t->parts.n_clips;
    size_t labels = t->list.n_labels;

    fputs("file,label,recording,part,fold,heard,score\n", out);
    for (size_t i = 0; i < t->list.n; i++) {
        const struct train_clip *c = &t->list.clip[i];
        const float *s = t->result.scores + i * labels;
        size_t best = 0;
        csv_write(out, c->name);
        fprintf(out, ",%s,", t->list.label[c->label]);
        csv_write(out, c->key ? c->key : "");
        fprintf(out, ",%s,", parts[last[i]]);
        csv_write(out, t->parts.cross && t->parts.fold[i] ? t->parts.fold[i] : "");
        for (size_t k = 1; k < labels; k++)
            best = s[k] > s[best] ? k : best;
        if (t->result.tested[i])
            fprintf(out, ",%s,%.6g\n", t->list.label[best], (double)s[best]);
        else
            fputs(",,\n", out);
    }
}

static void write_confusion(FILE *out, const struct measured *m)
{
    const struct share *a = &m->report.all.top1;
    char title[160];

    snprintf(title, sizeof title, "%.1f %% of %zu clips are right", 100 * a->value, a->n);
    picture_confusion(out, &m->report.confusion, title);
}

static void write_curve(FILE *out, const struct train *t)
{
    struct fit_progress p = fit_progress(t->result.fit);
    char shape[160], title[256];

    train_shape_text(t, shape, sizeof shape);
    snprintf(title, sizeof title, "%s: %zu epochs", shape, p.epoch);
    curve_picture(out, p.points, p.epoch, isnan(p.points[0].check_loss) ? 0 : p.best, title);
}

static int write_file(const struct train *t, const struct measured *m, const char *name)
{
    char path[4096];
    struct outfile out;
    struct err err;
    json_t *o;

    snprintf(path, sizeof path, "%s/%s", t->report, name);
    if (outfile_open(&out, path, &err) < 0)
        return cmd_fail(-1, TRAIN, "%s", err.text);
    if (strcmp(name, "curve.svg") == 0) {
        write_curve(out.f, t);
    } else if (strcmp(name, "confusion.svg") == 0) {
        write_confusion(out.f, m);
    } else if (strcmp(name, "clips.csv") == 0) {
        write_clips(out.f, t);
    } else if (strcmp(name, "report.txt") == 0) {
        print_text(out.f, t, m);
    } else if ((o = report_json(t, m))) {
        json_dumpf(o, out.f, JSON_LINE);
        fputc('\n', out.f);
        json_decref(o);
    }
    return outfile_finish(&out, &err) < 0 ? cmd_fail(-1, TRAIN, "%s", err.text) : 0;
}

static int write_files(const struct train *t, const struct measured *m)
{
    static const char *const names[] = {"curve.svg", "confusion.svg", "clips.csv", "report.txt", "report.json"};
    int rc = 0;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (m->set.n || i != 1)
            rc |= write_file(t, m, names[i]);
    return rc;
}

int train_report(const struct train *t)
{
    struct measured m;
    struct err err;
    json_t *o = NULL;
    int rc = measured_make(&m, t);

    if (rc < 0) {
        measured_free(&m);
        return cmd_fail(-1, TRAIN, "no memory");
    }
    if (train_write_model(t, &m.report, &err) < 0) {
        measured_free(&m);
        return cmd_fail(-1, TRAIN, "%s", err.text);
    }
    if (!t->cx->json)
        print_text(stdout, t, &m);
    else if (!(o = report_json(t, &m)) || json_dumpf(o, stdout, JSON_LINE) < 0)
        rc = cmd_fail(-1, TRAIN, "no memory");
    else
        putchar('\n');
    json_decref(o);
    if (t->report && write_files(t, &m) < 0)
        rc = -1;
    measured_free(&m);
    return rc;
}
