#include "model/model.h"

#include "model/engine.h"
#include "model/metadata.h"
#include "model/relabel.h"

#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct model {
    struct model_info info;
    struct metadata metadata;
    struct engine *engine;
    char *path;
    size_t scores, embedding; /* numbers of outputs; GRAPH_ABSENT: none */
    float *out[16];           /* for engine_run: whatever is not wanted is NULL */
    struct relabel relabel;   /* n 0: the labels are its own */
    float *own;               /* [relabel.n_from], scores of its own labels; NULL: not relabelled */
};

/* [1, 1, 96, 64] -> "1 x 1 x 96 x 64" */
static const char *shape_text(char *text, size_t size, const struct engine_tensor *t)
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < t->rank && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%zu", i ? " x " : "", t->dims[i]);
    return text;
}

/* The input must be rows x cols, whatever dimensions of 1 stand between. */
static int check_input(const struct model *m, struct err *err)
{
    const struct engine_tensor *t = engine_input(m->engine);
    size_t rows = m->metadata.rows, cols = m->metadata.cols, want[2], n = 0, k = 0;
    bool same = true;
    char shape[160];

    if (rows > 1)
        want[n++] = rows;
    if (cols > 1)
        want[n++] = cols;
    for (size_t i = 0; i < t->rank; i++)
        if (t->dims[i] != 1) {
            same = same && k < n && want[k] == t->dims[i];
            k++;
        }
    if (same && k == n)
        return 0;
    return err_set(err, "the feature %s gives %zu x %zu, but the graph's input '%s' takes %s", m->metadata.feature,
                   rows, cols, t->name, shape_text(shape, sizeof shape, t));
}

static int find_outputs(struct model *m, struct err *err)
{
    int scores = engine_find_output(m->engine, "scores"), embedding = engine_find_output(m->engine, "embedding");
    const struct engine_tensor *t;
    char shape[160];

    if (scores < 0)
        scores = engine_find_output(m->engine, "logits");
    if (scores < 0 && engine_outputs(m->engine) == 1)
        scores = 0;
    if (scores < 0)
        return err_set(err, "the graph has %zu outputs, none of them 'scores' or 'logits'", engine_outputs(m->engine));
    m->scores = (size_t)scores;
    m->embedding = embedding < 0 || embedding == scores ? GRAPH_ABSENT : (size_t)embedding;
    t = engine_output(m->engine, m->scores);
    if (t->n != m->metadata.labels.n || (t->rank && t->dims[t->rank - 1] != t->n))
        return err_set(err, "metadata key earshot.labels holds %zu labels, but the graph's output '%s' is %s",
                       m->metadata.labels.n, t->name, shape_text(shape, sizeof shape, t));
    return 0;
}

static void fill_info(struct model *m)
{
    struct model_info *info = &m->info;
    const struct engine_stats *stats = engine_stats(m->engine);
    const char *slash = strrchr(m->path, '/'), *base = slash ? slash + 1 : m->path;
    size_t length = strlen(base);

    if (length > 5 && strcmp(base + length - 5, ".onnx") == 0)
        length -= 5;
    snprintf(info->name, sizeof info->name, "%.*s", (int)length, base);
    info->path = m->path;
    info->feature = m->metadata.feature;
    info->feature_params = m->metadata.params;
    info->n_feature_params = m->metadata.n_params;
    info->window_s = m->metadata.window_s;
    info->activation = m->metadata.activation;
    info->calibration = m->metadata.calibration;
    info->pooling = m->metadata.pooling;
    info->context_s = m->metadata.context_s;
    info->n_labels = m->metadata.labels.n;
    info->labels = m->metadata.labels.label;
    info->thresholds = m->metadata.thresholds;
    info->embedding_size = m->embedding == GRAPH_ABSENT ? 0 : engine_output(m->engine, m->embedding)->n;
    info->rows = m->metadata.rows;
    info->cols = m->metadata.cols;
    info->parameters = stats->parameters;
    info->macs = stats->macs;
    info->n_layers = stats->n_layers;
    info->weight_bytes = stats->weight_bytes;
}

static int build(struct model *m, const struct graph *g, struct err *err)
{
    if (metadata_read(&m->metadata, g, err) != 0)
        return -1;
    m->engine = engine_new(g, err);
    return m->engine && check_input(m, err) == 0 ? find_outputs(m, err) : -1;
}

struct model *model_load(const char *path, struct err *err)
{
    struct graph *g = graph_load(path, err);
    struct model *m = g ? calloc(1, sizeof *m) : NULL;
    int rc = -1;

    if (!g)
        return NULL;
    if (!m || !(m->path = strdup(path)))
        err_set(err, "out of memory");
    else
        rc = build(m, g, err);
    graph_free(g);
    malloc_trim(0); /* the parsed file and the re-ordered weights were several times what stays */
    if (rc != 0) {
        err_prefix(err, "%s: ", path);
        model_free(m);
        return NULL;
    }
    fill_info(m);
    return m;
}

void model_free(struct model *m)
{
    if (!m)
        return;
    engine_free(m->engine);
    relabel_free(&m->relabel);
    free(m->own);
    metadata_free(&m->metadata);
    free(m->path);
    free(m);
}

int model_use_vocabulary(struct model *m, const struct vocabulary *v, struct err *err)
{
    struct model_info *info = &m->info;

    if (relabel_init(&m->relabel, info->labels, info->thresholds, info->n_labels, v, err) < 0)
        return err_prefix(err, "%s: ", m->path);
    m->own = calloc(info->n_labels, sizeof *m->own);
    if (!m->own)
        return err_set(err, "%s: out of memory", m->path);
    info->n_labels = m->relabel.n;
    info->labels = m->relabel.label;
    info->thresholds = m->relabel.threshold;
    info->calibration = NULL; /* it is of the own labels; model_run goes on applying it */
    return 0;
}

const struct model_info *model_info(const struct model *m)
{
    return &m->info;
}

const char *model_metadata(const struct model *m, const char *key)
{
    return metadata_get(&m->metadata, key);
}

static void softmax(float *x, size_t n)
{
    float top = -INFINITY;
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        top = x[i] > top ? x[i] : top;
    for (size_t i = 0; i < n; i++) {
        x[i] = x[i] == top ? 1 : expf(x[i] - top); /* infinite ones too */
        sum += (double)x[i];
    }
    for (size_t i = 0; i < n; i++)
        x[i] = (float)((double)x[i] / sum);
}

/* What the graph gave to scores from 0 to 1. */
static void activate(const struct model *m, float *scores, size_t n)
{
    for (size_t i = 0; i < n; i++)
        scores[i] = isnan(scores[i]) ? -INFINITY : scores[i];
    if (m->info.activation == ACTIVATION_SOFTMAX)
        softmax(scores, n);
    for (size_t i = 0; m->metadata.calibration && i < n; i++)
        scores[i] = m->metadata.calibration[i].scale * scores[i] + m->metadata.calibration[i].bias;
    for (size_t i = 0; i < n; i++) {
        float s = m->info.activation == ACTIVATION_SIGMOID ? 1 / (1 + expf(-scores[i])) : scores[i];

        scores[i] = s > 0 ? (s < 1 ? s : 1) : 0;
    }
}

void model_run(struct model *m, const float *features, float *scores, float *embedding)
{
    float *own = m->own ? m->own : scores;

    m->out[m->scores] = own;
    if (m->embedding != GRAPH_ABSENT)
        m->out[m->embedding] = embedding;
    if (engine_run(m->engine, features, m->out) != 0) {
        memset(scores, 0, m->info.n_labels * sizeof *scores);
        for (size_t i = 0; embedding && i < m->info.embedding_size; i++)
            embedding[i] = 0;
        return;
    }
    /* Finite weights can still overflow on the way, and infinity minus infinity is no number. */
    for (size_t i = 0; embedding && i < m->info.embedding_size; i++)
        embedding[i] = isfinite(embedding[i]) ? embedding[i] : 0;
    activate(m, own, m->metadata.labels.n);
    if (m->own)
        relabel_do(&m->relabel, own, scores);
}
