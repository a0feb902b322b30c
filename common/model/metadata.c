#include "model/metadata.h"

#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FEATURE_PREFIX "earshot.feature."
#define WINDOW_MIN     0.02
#define WINDOW_MAX     30.0 /* the analysis cuts no longer ones */
#define SCALE_MIN      0.01
#define SCALE_MAX      100.0
#define BIAS_MAX       100.0
#define CONTEXT_MAX    10.0

const char *metadata_get(const struct metadata *m, const char *key)
{
    for (size_t i = 0; i < m->n; i++)
        if (strcmp(m->entries[i].key, key) == 0)
            return m->entries[i].value;
    return NULL;
}

static int copy_entries(struct metadata *m, const struct graph *g, struct err *err)
{
    m->entries = calloc(g->n_metadata + 1, sizeof *m->entries);
    if (!m->entries)
        return err_set(err, "out of memory");
    for (m->n = 0; m->n < g->n_metadata; m->n++) {
        char *key = strdup(g->metadata[m->n].key), *value = strdup(g->metadata[m->n].value);

        m->entries[m->n] = (struct graph_metadata){key, value};
        if (!key || !value) {
            free(key);
            free(value);
            return err_set(err, "out of memory");
        }
    }
    return 0;
}

static const char *required(const struct metadata *m, const char *key, const char *what, struct err *err)
{
    const char *value = metadata_get(m, key);

    if (!value)
        err_set(err, "metadata key %s is missing; it must hold %s", key, what);
    return value;
}

/* Every parameter must be there: what the model was trained on must not change when a default does. */
static int check_params(const struct metadata *m, struct err *err)
{
    for (size_t t = 0; t < feature_type_count(); t++) {
        size_t n;
        const struct param_spec *spec = feature_type_params(t, &n);

        for (size_t i = 0; i < n && strcmp(feature_type_name(t), m->feature) == 0; i++) {
            char key[128];

            snprintf(key, sizeof key, FEATURE_PREFIX "%s", spec[i].name);
            if (!metadata_get(m, key))
                return err_set(err, "metadata key %s is missing; it must hold the feature's %s (allowed: %s)", key,
                               spec[i].help, spec[i].allowed);
        }
    }
    return 0;
}

static int read_feature(struct metadata *m, struct err *err)
{
    struct feature *f;
    unsigned rate;

    m->feature = required(m, "earshot.feature", "the feature's name, such as logmel, mfcc or nrdt", err);
    m->params = calloc(m->n + 1, sizeof *m->params);
    if (!m->feature)
        return -1;
    if (!m->params)
        return err_set(err, "out of memory");
    for (size_t i = 0; i < m->n; i++)
        if (strncmp(m->entries[i].key, FEATURE_PREFIX, strlen(FEATURE_PREFIX)) == 0)
            m->params[m->n_params++] = (struct param){m->entries[i].key + strlen(FEATURE_PREFIX), m->entries[i].value};
    f = feature_new(m->feature, m->params, m->n_params, 1, err); /* tells the rate */
    if (!f)
        return err_prefix(err, "metadata key earshot.feature (%.40s): ", m->feature);
    rate = feature_rate(f);
    feature_free(f);
    if (check_params(m, err) != 0)
        return -1;
    f = feature_new(m->feature, m->params, m->n_params, (size_t)lround(m->window_s * rate), err);
    if (!f)
        return err_prefix(err, "metadata key earshot.feature (%.40s), window of %g s: ", m->feature, m->window_s);
    feature_shape(f, (size_t)lround(m->window_s * rate), &m->rows, &m->cols);
    feature_free(f);
    return 0;
}

static int read_window(struct metadata *m, struct err *err)
{
    const char *end, *text = required(m, "earshot.window_s", "the seconds of sound that one inference looks at", err);

    if (!text)
        return -1;
    if (!text_number(text, &m->window_s, &end) || *end || m->window_s < WINDOW_MIN || m->window_s > WINDOW_MAX)
        return err_set(err, "metadata key earshot.window_s is '%.40s'; %g to %g seconds are allowed", text, WINDOW_MIN,
                       WINDOW_MAX);
    return 0;
}

static const char *const activation_names[] = {
    [ACTIVATION_NONE] = "none", [ACTIVATION_SIGMOID] = "sigmoid", [ACTIVATION_SOFTMAX] = "softmax"};

static int read_activation(struct metadata *m, struct err *err)
{
    const char *text =
        required(m, "earshot.activation", "none, sigmoid or softmax: what turns the output into scores", err);

    if (!text)
        return -1;
    for (int i = 0; i < 3; i++)
        if (strcmp(text, activation_names[i]) == 0) {
            m->activation = (enum activation)i;
            return 0;
        }
    return err_set(err, "metadata key earshot.activation is '%.40s'; none, sigmoid and softmax are allowed", text);
}

static int read_labels(struct metadata *m, struct err *err)
{
    const char *text = required(m, "earshot.labels", "a label a line, in the order of the scores", err);

    if (!text)
        return -1;
    return labels_read(&m->labels, text, err) == 0 ? 0 : err_prefix(err, "metadata key earshot.labels: ");
}

/* The first line of text, at most 40 bytes of it, for "%.*s". */
static int line_shown(const char *text)
{
    size_t length = strcspn(text, "\n");

    return (int)(length < 40 ? length : 40);
}

static int read_thresholds(struct metadata *m, struct err *err)
{
    const char *text = required(m, "earshot.thresholds", "a score from 0 to 1 a line, for each label in order", err);
    size_t n = 0;

    if (!text)
        return -1;
    m->thresholds = calloc(m->labels.n, sizeof *m->thresholds);
    if (!m->thresholds)
        return err_set(err, "out of memory");
    for (const char *end; *text; text = *end ? end + 1 : end) {
        double v = 0;

        if (!text_number(text, &v, &end) || (*end && *end != '\n') || v < 0 || v > 1)
            return err_set(err, "metadata key earshot.thresholds, line %zu: '%.*s'; 0 to 1 is allowed", n + 1,
                           line_shown(text), text);
        if (n < m->labels.n)
            m->thresholds[n] = (float)v;
        n++;
    }
    if (n != m->labels.n)
        return err_set(err, "metadata key earshot.thresholds holds %zu lines for %zu labels", n, m->labels.n);
    return 0;
}

/* "SCALE BIAS" and a newline or the end. */
static bool read_pair(const char *text, struct platt *out, const char **end)
{
    double scale, bias;

    if (!text_number(text, &scale, end) || **end != ' ' || !text_number(*end + 1, &bias, end) ||
        (**end && **end != '\n') || scale < SCALE_MIN || scale > SCALE_MAX || fabs(bias) > BIAS_MAX)
        return false;
    *out = (struct platt){(float)scale, (float)bias};
    return true;
}

static int read_calibration(struct metadata *m, struct err *err)
{
    const char *end, *text = metadata_get(m, "earshot.calibration");
    size_t n = 0;

    if (!text)
        return 0;
    if (m->activation != ACTIVATION_SIGMOID)
        return err_set(err,
                       "metadata key earshot.calibration goes with earshot.activation sigmoid only, and that is %s",
                       activation_names[m->activation]);
    m->calibration = calloc(m->labels.n, sizeof *m->calibration);
    if (!m->calibration)
        return err_set(err, "out of memory");
    for (; *text; text = *end ? end + 1 : end, n++) {
        struct platt c;

        if (!read_pair(text, &c, &end))
            return err_set(err,
                           "metadata key earshot.calibration, line %zu: '%.*s'; a scale from %g to %g, a blank and a "
                           "bias from %g to %g are allowed",
                           n + 1, line_shown(text), text, SCALE_MIN, SCALE_MAX, -BIAS_MAX, BIAS_MAX);
        if (n < m->labels.n)
            m->calibration[n] = c;
    }
    if (n != m->labels.n)
        return err_set(err, "metadata key earshot.calibration holds %zu lines for %zu labels", n, m->labels.n);
    return 0;
}

static int read_pooling(struct metadata *m, struct err *err)
{
    static const char *const names[] = {
        [POOLING_MEAN_SCORE] = "mean_score", [POOLING_MEAN_LOGIT] = "mean_logit", [POOLING_LOUD_LOGIT] = "loud_logit"};
    const char *text = metadata_get(m, "earshot.pooling");
    size_t i = 0;

    while (text && i < 3 && strcmp(text, names[i]) != 0)
        i++;
    if (i == 3)
        return err_set(
            err, "metadata key earshot.pooling is '%.40s'; mean_score, mean_logit and loud_logit are allowed", text);
    m->pooling = (enum pooling)i;
    if (m->pooling != POOLING_MEAN_SCORE && m->activation == ACTIVATION_SOFTMAX)
        return err_set(err, "metadata key earshot.pooling is %s, which does not go with earshot.activation softmax",
                       names[i]);
    return 0;
}

static int read_context(struct metadata *m, struct err *err)
{
    const char *end, *text = metadata_get(m, "earshot.context_s");

    m->context_s = -1;
    if (text && (!text_number(text, &m->context_s, &end) || *end || m->context_s < 0 || m->context_s > CONTEXT_MAX))
        return err_set(err, "metadata key earshot.context_s is '%.40s'; 0 to %g seconds are allowed", text,
                       CONTEXT_MAX);
    return 0;
}

int metadata_read(struct metadata *m, const struct graph *g, struct err *err)
{
    *m = (struct metadata){0};
    if (copy_entries(m, g, err) != 0 || read_window(m, err) != 0 || read_feature(m, err) != 0 ||
        read_labels(m, err) != 0 || read_activation(m, err) != 0)
        return -1;
    return read_thresholds(m, err) != 0 || read_calibration(m, err) != 0 || read_pooling(m, err) != 0
               ? -1
               : read_context(m, err);
}

void metadata_free(struct metadata *m)
{
    for (size_t i = 0; i < m->n; i++) {
        free((char *)m->entries[i].key);
        free((char *)m->entries[i].value);
    }
    free(m->entries);
    free(m->params);
    free(m->thresholds);
    free(m->calibration);
    labels_free(&m->labels);
}
