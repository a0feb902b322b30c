/* earshot model: what model files hold, what they cost here. */
#include "base/clock.h"
#include "base/json.h"
#include "daemon/args.h"
#include "daemon/cmd.h"
#include "daemon/model_labels.h"
#include "model/engine.h"
#include "model/model.h"
#include "model/vocabulary.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUNS_DEFAULT 200
#define RUNS_MAX     1000000
#define WARM_UP      3
#define MODEL_PATH   (PATH_MAX + NAME_MAX)

struct timing {
    double median_ms, p99_ms, min_ms;
};

static double now_ms(void)
{
    return clock_s(CLOCK_MONOTONIC) * 1e3;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Runs the engine on noise: what is fed does not change what it costs. */
static int measure(struct engine *e, size_t runs, struct timing *t)
{
    size_t n = engine_input(e)->n, done = 0;
    float *x = malloc(n * sizeof *x), **out = calloc(engine_outputs(e), sizeof *out);
    double *ms = malloc(runs * sizeof *ms);
    uint32_t seed = 1;

    for (size_t i = 0; x && i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (float)(seed >> 8) / (1 << 23) - 1;
    }
    for (size_t i = 0; x && out && ms && i < runs + WARM_UP; i++) {
        double start = now_ms();

        if (engine_run(e, x, out) != 0)
            break;
        if (i >= WARM_UP)
            ms[done++] = now_ms() - start;
    }
    if (done == runs) {
        qsort(ms, runs, sizeof *ms, compare);
        *t = (struct timing){ms[runs / 2], ms[(runs - 1) * 99 / 100], ms[0]};
    }
    free(x);
    free(out);
    free(ms);
    return done == runs ? 0 : -1;
}

/* Private memory of this process in KiB: what the model costs, libraries' code left out. -1 where it cannot be read. */
static long private_kib(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    long kib = -1;

    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "RssAnon:", 8) == 0)
            kib = strtol(line + 8, NULL, 10);
    if (f)
        fclose(f);
    return kib;
}

static const char *dims_text(char *text, size_t size, size_t rank, const size_t *dims)
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < rank && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%zu", i ? "x" : "", dims[i]);
    return text;
}

/* "12.7 M" */
static const char *count_text(char text[32], uint64_t n)
{
    if (n >= 10000000)
        snprintf(text, 32, "%.1f M", (double)n / 1e6);
    else
        snprintf(text, 32, "%" PRIu64, n);
    return text;
}

/* Everything that show tells. */
struct shown {
    const char *path;
    const struct graph *graph;
    const struct engine *engine;
    const struct timing *timing;
    long kib;
    const char *problem; /* why it cannot be used, or NULL */
};

static json_t *json_dims(size_t rank, const size_t *dims)
{
    json_t *a = json_array();

    for (size_t i = 0; i < rank; i++)
        json_array_append_new(a, json_integer((json_int_t)dims[i]));
    return a;
}

static json_t *json_tensor(const struct engine_tensor *t)
{
    return json_pack("{s:o, s:o}", "name", json_text(t->name), "shape", json_dims(t->rank, t->dims));
}

static void show_json(const struct shown *s)
{
    json_t *o = json_pack("{s:o}", "file", json_text(s->path)), *metadata = json_object(), *layers = json_array();
    json_t *outputs = json_array();
    const struct engine_stats *stats = engine_stats(s->engine);

    for (size_t i = 0; i < s->graph->n_metadata; i++)
        json_object_set_new(metadata, s->graph->metadata[i].key, json_text(s->graph->metadata[i].value));
    for (size_t i = 0; i < engine_outputs(s->engine); i++)
        json_array_append_new(outputs, json_tensor(engine_output(s->engine, i)));
    for (size_t i = 0; i < stats->n_layers; i++) {
        const struct engine_layer *l = engine_layer(s->engine, i);

        json_array_append_new(layers, json_pack("{s:o, s:s, s:o, s:I, s:I}", "name", json_text(l->name), "op", l->op,
                                                "shape", json_dims(l->rank, l->dims), "parameters",
                                                (json_int_t)l->parameters, "macs", (json_int_t)l->macs));
    }
    json_object_set_new(o, "problem", s->problem ? json_text(s->problem) : json_null());
    json_object_set_new(o, "metadata", metadata);
    json_object_set_new(o, "input", json_tensor(engine_input(s->engine)));
    json_object_set_new(o, "outputs", outputs);
    json_object_set_new(o, "layers", layers);
    json_object_set_new(o, "parameters", json_integer((json_int_t)stats->parameters));
    json_object_set_new(o, "macs", json_integer((json_int_t)stats->macs));
    json_object_set_new(o, "weight_bytes", json_integer((json_int_t)stats->weight_bytes));
    json_object_set_new(o, "memory_kib", s->kib < 0 ? json_null() : json_integer(s->kib));
    json_object_set_new(o, "median_ms", json_decimal(s->timing->median_ms, 4));
    json_dumpf(o, stdout, JSON_LINE | JSON_PRESERVE_ORDER);
    putchar('\n');
    json_decref(o);
}

/* A value with several lines is shown as one, cut to fit. */
static void print_value(const char *key, const char *value)
{
    size_t lines = 1, shown = 0;

    for (const char *p = value; *p; p++)
        lines += *p == '\n' && p[1];
    printf("  %-32s ", key);
    if (lines > 1)
        printf("(%zu) ", lines);
    for (; *value && shown < 200; value++, shown++)
        putchar(*value == '\n' || *value == '\t' ? ' ' : *value);
    puts(*value ? "..." : "");
}

static void print_layers(const struct engine *e)
{
    const struct engine_stats *stats = engine_stats(e);
    char dims[128], macs[32];

    printf("\n%-28s %-15s %-18s %12s %12s\n", "layer", "operator", "result", "parameters", "MACs");
    for (size_t i = 0; i < stats->n_layers; i++) {
        const struct engine_layer *l = engine_layer(e, i);

        printf("%-28.28s %-15s %-18s %12" PRIu64 " %12s\n", l->name, l->op,
               dims_text(dims, sizeof dims, l->rank, l->dims), l->parameters, count_text(macs, l->macs));
    }
    printf("%-28s %-15s %-18s %12" PRIu64 " %12s\n", "total", "", "", stats->parameters, count_text(macs, stats->macs));
}

static void show_text(const struct shown *s)
{
    const struct engine_tensor *in = engine_input(s->engine);
    char dims[128];

    printf("%s\n\nmetadata\n", s->path);
    for (size_t i = 0; i < s->graph->n_metadata; i++)
        print_value(s->graph->metadata[i].key, s->graph->metadata[i].value);
    if (s->graph->n_metadata == 0)
        printf("  none\n");
    print_layers(s->engine);
    printf("\ninput    %s %s\n", in->name, dims_text(dims, sizeof dims, in->rank, in->dims));
    for (size_t i = 0; i < engine_outputs(s->engine); i++) {
        const struct engine_tensor *out = engine_output(s->engine, i);
        printf("output   %s %s\n", out->name, dims_text(dims, sizeof dims, out->rank, out->dims));
    }
    printf("weights  %zu KiB, held once\n", engine_stats(s->engine)->weight_bytes / 1024);
    if (s->kib >= 0)
        printf("memory   %ld KiB, all that the model takes\n", s->kib);
    printf("time     %.3f ms an inference (median of %d; one core)\n", s->timing->median_ms, RUNS_DEFAULT / 4);
}

static int show(const struct cmd_context *cx, const char *path)
{
    long before = private_kib(), after;
    struct err err;
    struct engine *e = engine_load(path, &err);
    struct model *m = NULL;
    struct graph *g = NULL;
    struct timing timing = {0};
    int code = EXIT_FAILED;

    if (!e)
        return cmd_fail(EXIT_FAILED, "model", "%s", err.text);
    if (measure(e, RUNS_DEFAULT / 4, &timing) != 0) {
        cmd_fail(EXIT_FAILED, "model", "%s: it cannot be run", path);
        goto out;
    }
    after = private_kib();
    g = graph_load(path, &err);
    if (!g) {
        cmd_fail(EXIT_FAILED, "model", "%s", err.text);
        goto out;
    }
    m = model_load(path, &err);
    const struct shown s = {.path = path,
                            .graph = g,
                            .engine = e,
                            .timing = &timing,
                            .kib = before < 0 || after < before ? -1 : after - before,
                            .problem = m ? NULL : err.text};
    (cx->json ? show_json : show_text)(&s);
    if (m && !cx->json && cx->config.model.vocabulary == VOCABULARY_EARSHOT && model_labels_summary(m, &err) < 0)
        code = cmd_fail(EXIT_FAILED, "model", "%s", err.text);
    else
        code = m ? EXIT_GOOD : cmd_fail(EXIT_FAILED, "model", "%s", err.text);
out:
    model_free(m);
    graph_free(g);
    engine_free(e);
    return code;
}

static int bench(const struct cmd_context *cx, const char *path, size_t runs)
{
    struct timing t = {0};
    struct err err;
    double start = now_ms(), load_ms;
    struct engine *e = engine_load(path, &err);
    int rc;

    if (!e)
        return cmd_fail(EXIT_FAILED, "model", "%s", err.text);
    load_ms = now_ms() - start;
    rc = measure(e, runs, &t);
    engine_free(e);
    if (rc != 0)
        return cmd_fail(EXIT_FAILED, "model", "%s: it cannot be run", path);
    if (cx->json) {
        json_t *o = json_pack("{s:o, s:I, s:o, s:o, s:o, s:o}", "file", json_text(path), "runs", (json_int_t)runs,
                              "median_ms", json_decimal(t.median_ms, 4), "p99_ms", json_decimal(t.p99_ms, 4), "min_ms",
                              json_decimal(t.min_ms, 4), "load_ms", json_decimal(load_ms, 4));
        json_dumpf(o, stdout, JSON_LINE | JSON_PRESERVE_ORDER);
        putchar('\n');
        json_decref(o);
    } else {
        printf("%s: median %.3f ms, 99th percentile %.3f ms, best %.3f ms of %zu runs on one core; loaded in %.1f ms\n",
               path, t.median_ms, t.p99_ms, t.min_ms, runs, load_ms);
    }
    return EXIT_GOOD;
}

struct listing {
    bool json;
    size_t shown;
    int code;
};

static void list_one(void *ctx, const char *name, const char *path)
{
    struct listing *l = ctx;
    struct err err;
    struct model *m = model_load(path, &err);
    const struct model_info *info;
    const char *licence;

    if (!m) {
        l->code = cmd_fail(EXIT_FAILED, "model", "%s", err.text);
        return;
    }
    info = model_info(m);
    licence = model_metadata(m, "earshot.licence");
    if (l->json) {
        json_t *o = json_pack("{s:o, s:o, s:s, s:I, s:I, s:f, s:o}", "name", json_text(name), "file", json_text(path),
                              "feature", info->feature, "labels", (json_int_t)info->n_labels, "parameters",
                              (json_int_t)info->parameters, "window_s", info->window_s, "licence",
                              licence ? json_text(licence) : json_null());
        json_dumpf(o, stdout, JSON_LINE | JSON_PRESERVE_ORDER);
        putchar('\n');
        json_decref(o);
    } else {
        if (l->shown == 0)
            printf("%-20s %-8s %6s %10s %8s  %s\n", "name", "feature", "labels", "parameters", "window", "licence");
        printf("%-20s %-8s %6zu %10" PRIu64 " %6.3f s  %.100s\n", name, info->feature, info->n_labels, info->parameters,
               info->window_s, licence ? licence : "not stated");
    }
    l->shown++;
    model_free(m);
}

static int list(const struct cmd_context *cx)
{
    struct listing l = {.json = cx->json};
    char where[1024];

    if (model_each(list_one, &l) > 0)
        return l.code;
    model_folders(where, sizeof where);
    return cmd_fail(EXIT_FAILED, "model", "there is no model; looked in %s", where);
}

static bool known(const char *what)
{
    return strcmp(what, "show") == 0 || strcmp(what, "list") == 0 || strcmp(what, "labels") == 0 ||
           strcmp(what, "bench") == 0;
}

static int run(struct cmd_context *cx, int argc, char **argv)
{
    enum { FLAG_RUNS };
    static const struct arg_flag flags[] = {[FLAG_RUNS] = {"runs", 'n', "N"}, {0}};
    struct args a = {.flags = flags, .argc = argc, .argv = argv};
    const char *what = NULL, *name = NULL;
    char path[MODEL_PATH];
    long runs = 0;
    struct err err;

    for (int flag; (flag = args_next(&a)) != ARGS_END;) {
        if (flag == FLAG_RUNS && args_int(&a, 1, RUNS_MAX, &runs) == 0)
            continue;
        if (flag != ARGS_PLAIN)
            return EXIT_USAGE;
        if (name)
            return args_unexpected(&a);
        *(what ? &name : &what) = a.value;
    }
    if (!what || !known(what))
        return cmd_fail(EXIT_USAGE, "model", "show, list, labels or bench is needed%s%s", what ? ", not " : "",
                        what ? what : "");
    if (runs && strcmp(what, "bench") != 0)
        return cmd_fail(EXIT_USAGE, "model", "--runs goes with bench");
    if (strcmp(what, "list") == 0)
        return name ? cmd_fail(EXIT_USAGE, "model", "list takes no file") : list(cx);
    if (!name && what[0] == 'l')
        name = cx->config.model.file;
    if (!name)
        return cmd_fail(EXIT_USAGE, "model", "%s needs a model: a name or a file", what);
    if (model_find(name, path, sizeof path, &err) != 0)
        return cmd_fail(EXIT_FAILED, "model", "%s", err.text);
    if (what[0] == 'l')
        return model_labels(path, cx->json);
    return what[0] == 's' ? show(cx, path) : bench(cx, path, runs ? (size_t)runs : RUNS_DEFAULT);
}

const struct command cmd_model = {
    .name = "model",
    .summary = "show, list and time models, and the sounds that they know",
    .usage =
        "usage: earshot model show MODEL [--json]\n"
        "       earshot model list [--json]\n"
        "       earshot model labels [MODEL] [--json]\n"
        "       earshot model bench MODEL [--runs N] [--json]\n"
        "\n"
        "MODEL is a file (.onnx) or a name, looked for in $EARSHOT_MODELS, the folder models beside the program's "
        "own,\n"
        "and " EARSHOT_PREFIX "/share/earshot/models.\n"
        "\n"
        "show   prints the metadata, the layers with their parameters and multiply-adds (MACs), the memory and "
        "the time\n"
        "       that the model takes here. Where it cannot be used, it says why and the exit code is 1.\n"
        "list   prints every model that is found by name.\n"
        "labels lists earshot's vocabulary, labels.csv, and under which labels the model (that of the configuration) "
        "hears\n"
        "       each sound; then the labels that it does not use under --model.vocabulary=earshot.\n"
        "bench  times N inferences (200) on one core. Metadata is not needed for it.\n"
        "\n"
        "  -n, --runs N  1 to 1000000\n",
    .run = run,
};
