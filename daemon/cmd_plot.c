/* earshot plot: a picture of a recording. */
#include "base/outfile.h"
#include "daemon/args.h"
#include "daemon/classify.h"
#include "daemon/classify_settings.h"
#include "daemon/cmd.h"
#include "daemon/plot/plot.h"
#include "daemon/sound.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { BLOCK = 4096 };
#define FULL_SCALE 0.9999f /* 16 bits reach 0.99997 */

struct gather {
    struct sound_plot plot;
    struct sonogram *sonogram;
    struct classifier *classifier;
    double squares;
    float peak;
    uint64_t samples;
    uint64_t sound; /* number of the gate's opening that is the last of plot.open */
    size_t open_room;
    bool no_memory;
};

static void take_samples(void *ctx, const float *x, size_t n)
{
    struct gather *g = ctx;

    waveform_do(&g->plot.waveform, x, n);
    sonogram_do(g->sonogram, x, n);
    g->samples += n;
    for (size_t i = 0; i < n; i++) {
        float v = isfinite(x[i]) ? fabsf(x[i]) : 0;
        g->peak = fmaxf(g->peak, v);
        g->plot.clipped += v >= FULL_SCALE;
        g->squares += (double)v * v;
    }
}

static void take_gated(void *ctx, const struct window_info *w)
{
    struct gather *g = ctx;
    struct sound_plot *p = &g->plot;

    if (w->dropped)
        return;
    if (p->n_open == 0 || w->sound != g->sound) {
        if (p->n_open == g->open_room) {
            size_t room = g->open_room ? 2 * g->open_room : 64;
            struct sound_plot_span *more = realloc(p->open, room * sizeof *more);
            g->no_memory |= !more;
            if (!more)
                return;
            p->open = more;
            g->open_room = room;
        }
        g->sound = w->sound;
        p->open[p->n_open++] = (struct sound_plot_span){(double)w->open_position / w->device_rate, 0};
    }
    struct sound_plot_span *span = &p->open[p->n_open - 1];
    span->end_s = fmax(span->end_s, (double)w->end_position / w->device_rate);
}

/* -1: there is no row for it. */
static int row_of(struct sound_plot *p, const char *label)
{
    for (size_t i = 0; i < p->n_labels; i++)
        if (strcmp(p->labels[i].label, label) == 0)
            return (int)i;
    if (p->n_labels == SOUND_PLOT_LABELS)
        return -1;
    p->labels[p->n_labels] = (struct sound_plot_label){.label = label};
    return (int)p->n_labels++;
}

static int take_events(struct sound_plot *p, const struct verdict *v, struct err *err)
{
    p->events = calloc(v->n_events ? v->n_events : 1, sizeof *p->events);
    if (!p->events)
        return err_set(err, "no memory");
    for (size_t i = 0; i < v->n_events; i++) {
        const struct event *e = &v->events[i];
        int row = row_of(p, e->label);
        if (row < 0) {
            p->left_out++;
            continue;
        }
        p->labels[row].score = fmaxf(p->labels[row].score, e->score);
        p->events[p->n_events++] = (struct sound_plot_event){.label = (size_t)row,
                                                             .start_s = (double)e->start_position / e->device_rate,
                                                             .end_s = (double)e->end_position / e->device_rate,
                                                             .score = e->score};
    }
    return 0;
}

static int listen(struct gather *g, struct sound *s, const char *file, struct err *err)
{
    const struct classification *c = classifier_do_sound(g->classifier, s, file, NULL, NULL, err);

    if (!c)
        return -1;
    g->plot.has_labels = true;
    g->plot.broken = c->broken;
    g->plot.model = c->verdicts[0].model->name;
    if (g->no_memory)
        return err_set(err, "no memory");
    return take_events(&g->plot, &c->verdicts[0], err);
}

static int read_all(struct gather *g, struct sound *s, struct err *err)
{
    float x[BLOCK];
    long n;

    while ((n = sound_read(s, x, BLOCK, err)) > 0)
        take_samples(g, x, (size_t)n);
    g->plot.broken = n < 0;
    return g->samples ? 0 : err_set(err, "holds no sound");
}

static double dbfs(double power)
{
    return power > 1e-12 ? 10 * log10(power) : -120;
}

static int gather(struct gather *g, const char *file, struct err *err)
{
    struct sound *s = sound_open(file, err);
    int rc = -1;

    if (!s)
        return -1;
    g->plot.file = file;
    g->plot.rate = sound_rate(s);
    waveform_init(&g->plot.waveform);
    g->sonogram = sonogram_new(g->plot.rate, err);
    if (g->sonogram)
        rc = g->classifier ? listen(g, s, file, err) : read_all(g, s, err);
    sound_close(s);
    if (rc < 0)
        return -1;
    sonogram_finish(g->sonogram, &g->plot.sonogram);
    g->plot.duration_s = (double)g->samples / g->plot.rate;
    g->plot.peak_dbfs = dbfs((double)g->peak * (double)g->peak);
    g->plot.rms_dbfs = dbfs(g->squares / (double)g->samples);
    return 0;
}

static int write_out(const struct sound_plot *p, const char *path, struct err *err)
{
    struct outfile o;
    struct winsize w;

    if (path) {
        if (outfile_open(&o, path, err) < 0)
            return -1;
        if (sound_plot_draw(o.f, p) == 0)
            return outfile_finish(&o, err);
        outfile_abandon(&o);
        return err_set(err, "no memory");
    }
    if (!isatty(STDOUT_FILENO))
        return sound_plot_draw(stdout, p) == 0 ? 0 : err_set(err, "no memory");
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 20;
    sound_plot_sketch(stdout, p, known ? w.ws_col - 1u : 79);
    return 0;
}

/* The classifier, where labels are asked for. */
static int prepare(struct gather *g, const struct config *c, const char *name, struct err *err)
{
    struct classify_params params = {0};
    char path[PATH_MAX];
    const char *model = path;

    classify_take_config(&params, c);
    if (model_find(name, path, sizeof path, err) < 0)
        return -1;
    g->classifier = classifier_new(&params, &model, 1, err);
    if (!g->classifier)
        return -1;
    classifier_set_tap(g->classifier, &(struct classify_tap){.ctx = g, .samples = take_samples, .gated = take_gated});
    return 0;
}

/* model: NULL: no labels. */
static int plot(const struct config *c, const char *file, const char *path, const char *model)
{
    struct gather *g = calloc(1, sizeof *g);
    struct err err;
    int code = EXIT_GOOD;

    if (!g)
        return cmd_fail(EXIT_FAILED, "plot", "no memory");
    if (model && prepare(g, c, model, &err) < 0)
        code = cmd_fail(EXIT_USAGE, "plot", "%s", err.text);
    else if (gather(g, file, &err) < 0)
        code = cmd_fail(EXIT_FAILED, "plot", "%s", err.text);
    if (code == EXIT_GOOD && g->plot.broken)
        code = cmd_fail(EXIT_FAILED, "plot", "%s", err.text); /* what came before it is drawn */
    if (g->samples && g->plot.duration_s > 0 && write_out(&g->plot, path, &err) < 0)
        code = cmd_fail(EXIT_FAILED, "plot", "%s", err.text);
    sonogram_free(g->sonogram);
    classifier_free(g->classifier);
    free(g->plot.open);
    free(g->plot.events);
    free(g);
    return code;
}

static int run(struct cmd_context *cx, int argc, char **argv)
{
    enum { FLAG_OUT, FLAG_LABELS, FLAG_MODEL };
    static const struct arg_flag flags[] = {[FLAG_OUT] = {"out", 'o', "FILE"},
                                            [FLAG_LABELS] = {"labels", 'l', NULL},
                                            [FLAG_MODEL] = {"model", 'm', "MODEL"},
                                            {0}};
    struct args a = {.flags = flags, .argc = argc, .argv = argv};
    const char *file = NULL, *out = NULL, *model = cx->config.model.file;
    bool labels = false;

    for (int flag; (flag = args_next(&a)) != ARGS_END;)
        switch (flag) {
        case FLAG_OUT:
            out = a.value;
            break;
        case FLAG_LABELS:
            labels = true;
            break;
        case FLAG_MODEL:
            model = a.value;
            break;
        case ARGS_PLAIN:
            if (file)
                return args_unexpected(&a);
            file = a.value;
            break;
        default:
            return EXIT_USAGE;
        }
    if (!file)
        return cmd_fail(EXIT_USAGE, "plot", "no FILE given (see earshot plot --help)");
    if (cx->json)
        return cmd_fail(EXIT_USAGE, "plot", "--json: a picture is drawn; earshot classify --json has the labels");
    return plot(&cx->config, file, out, labels ? model : NULL);
}

const struct command cmd_plot = {
    .name = "plot",
    .summary = "draw a recording: waveform, spectrogram, what was heard when",
    .usage =
        "usage: earshot plot FILE [-o PICTURE.svg] [--labels] [--model MODEL]\n"
        "\n"
        "Draws a recording (whatever earshot classify reads): the waveform, and the spectrogram in 64 mel bands up\n"
        "to 8 kHz, as SVG that needs no other file. Without -o: a sketch, where standard output is a terminal, else\n"
        "the SVG.\n"
        "\n"
        "  -o, --out FILE   where to; it is there whole, or not at all\n"
        "  -l, --labels     also when the gate was open, and the sounds that the model heard\n"
        "  -m, --model MODEL  with --labels: a name or a file (default: [model] file)\n"
        "\n"
        "A recording that breaks off is drawn up to there; the exit code is 1 then.\n",
    .run = run,
};
