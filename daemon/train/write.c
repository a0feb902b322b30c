#include "base/outfile.h"
#include "base/text.h"
#include "daemon/train/train.h"
#include "evaluate/clipreport.h"
#include "model/onnx_write.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { KEYS_MAX = 80, VALUE = 1024 };

/* Metadata under way; values are owned. */
struct meta {
    struct graph_metadata entry[KEYS_MAX];
    size_t n;
    bool failed;
};

static void put(struct meta *m, const char *key, const char *value)
{
    char *k = NULL, *v = strdup(value);

    if (m->n == KEYS_MAX || !v || asprintf(&k, "earshot.%s", key) < 0) {
        m->failed = true;
        free(v);
        return;
    }
    for (char *p = v; *p; p++) /* a model is looked at in terminals and pages */
        if ((unsigned char)*p < ' ' && *p != '\n')
            *p = '?';
    for (char *p = v; *p && !text_is_utf8(v, strlen(v)); p++)
        *p = (unsigned char)*p < 0x80 ? *p : '?';
    m->entry[m->n++] = (struct graph_metadata){k, v};
}

static void meta_free(struct meta *m)
{
    for (size_t i = 0; i < m->n; i++) {
        free((char *)m->entry[i].key);
        free((char *)m->entry[i].value);
    }
}

static void put_lines(struct meta *m, const char *key, char *const *lines, const char *same, size_t n)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    for (size_t i = 0; f && i < n; i++)
        fprintf(f, "%s%s", i ? "\n" : "", lines ? lines[i] : same);
    if (f && fclose(f) == 0)
        put(m, key, text);
    else
        m->failed = true;
    free(text);
}

/* Today, or the day of $SOURCE_DATE_EPOCH (reproducible-builds.org/specs/source-date-epoch). */
static void put_date(struct meta *m)
{
    const char *given = getenv("SOURCE_DATE_EPOCH"), *end;
    long epoch;
    time_t now = given && text_int(given, &epoch, &end) && !*end ? (time_t)epoch : time(NULL);
    struct tm tm;
    char text[32];

    gmtime_r(&now, &tm);
    strftime(text, sizeof text, "%Y-%m-%d", &tm);
    put(m, "date", text);
}

static void put_feature(struct meta *m, const char *feature, const struct param *params, size_t n)
{
    char key[80];

    put(m, "feature", feature);
    for (size_t i = 0; i < n; i++) {
        snprintf(key, sizeof key, "feature.%.60s", params[i].key);
        put(m, key, params[i].value);
    }
}

/* What a head and its body are, and whose. */
static void put_origin(struct meta *m, const struct train *t, const struct model *body)
{
    const char *slash = strrchr(t->source, '/'), *licence;
    char text[VALUE], shape[160];

    snprintf(text, sizeof text, "%zu recordings of %zu labels in %.200s", t->list.n, t->list.n_labels,
             slash && slash[1] ? slash + 1 : t->source);
    put(m, "data", text);
    train_shape_text(t, shape, sizeof shape);
    if (t->description)
        snprintf(text, sizeof text, "%.900s", t->description);
    else if (body)
        snprintf(text, sizeof text, "Dense layers %s on the embedding of %s", shape, model_info(body)->name);
    else
        snprintf(text, sizeof text, "Mean of 40 MFCCs over %g s, dense net %s", t->gather.window_s, shape);
    put(m, "description", text);
    licence = t->licence ? t->licence : "not stated";
    if (!body)
        snprintf(text, sizeof text, "%.900s", licence);
    else
        snprintf(text, sizeof text, "layers: %.400s; body %s: %.400s", licence, model_info(body)->name,
                 model_metadata(body, "earshot.licence") ? model_metadata(body, "earshot.licence") : "not stated");
    put(m, "licence", text);
}

static void fill(struct meta *m, const struct train *t, const struct clipreport *r, const struct model *body)
{
    char text[VALUE];

    if (body)
        put_feature(m, model_info(body)->feature, model_info(body)->feature_params, model_info(body)->n_feature_params);
    else
        put_feature(m, t->gather.feature, t->params, t->n_params);
    snprintf(text, sizeof text, "%g", t->gather.window_s);
    put(m, "window_s", text);
    put_lines(m, "labels", t->list.label, NULL, t->list.n_labels);
    put(m, "activation", "softmax");
    snprintf(text, sizeof text, "%g", t->threshold);
    put_lines(m, "thresholds", NULL, text, t->list.n_labels);
    train_accuracy_text(t, r, text, sizeof text);
    put(m, "accuracy", text);
    put_origin(m, t, body);
    put_date(m);
}

static int write_bytes(const char *path, const uint8_t *bytes, size_t n, struct err *err)
{
    struct outfile out;

    if (outfile_open(&out, path, err) < 0)
        return -1;
    fwrite(bytes, 1, n, out.f);
    return outfile_finish(&out, err);
}

/* The layers as they are written; free(weight) and free(bias) of each. */
static int take_layers(const struct fit *fit, struct onnx_layer *layer)
{
    const struct dense_shape *s = fit_shape(fit);

    for (size_t l = 0; l < s->n_layers; l++) {
        size_t in = s->units[l], out = s->units[l + 1];
        float *weight = calloc(in * out, sizeof *weight), *bias = calloc(out, sizeof *bias);
        layer[l] = (struct onnx_layer){in, out, weight, bias};
        if (!weight || !bias)
            return -1;
        fit_layer(fit, l, weight, bias);
    }
    return 0;
}

int train_write_model(const struct train *t, const struct clipreport *r, struct err *err)
{
    struct onnx_layer layer[DENSE_LAYERS_MAX] = {0};
    struct meta meta = {.n = 0};
    struct onnx_net net = {layer, fit_shape(t->result.fit)->n_layers, meta.entry, 0};
    struct model *body = NULL;
    uint8_t *bytes = NULL;
    size_t n = 0;
    int rc = -1;

    if (t->model && !(body = model_load(t->model, err)))
        return -1;
    fill(&meta, t, r, body);
    net.n_metadata = meta.n;
    if (take_layers(t->result.fit, layer) < 0 || meta.failed)
        err_set(err, "no memory for the model");
    else if (t->model)
        bytes = onnx_write_head(&net, t->model, &n, err);
    else
        bytes = onnx_write_net(&net, "mfcc", &n, err);
    if (bytes)
        rc = write_bytes(t->path, bytes, n, err);
    free(bytes);
    for (size_t l = 0; l < DENSE_LAYERS_MAX; l++) {
        free((float *)layer[l].weight);
        free((float *)layer[l].bias);
    }
    meta_free(&meta);
    model_free(body);
    return rc;
}
