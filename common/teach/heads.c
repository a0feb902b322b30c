#include "teach/heads.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct correction {
    size_t label; /* of the model's */
    float reach, reduction;
    const float *direction; /* [stride] */
};

struct heads {
    size_t dims, stride; /* rows are filled with zeros to a multiple of 8 */
    size_t first;        /* the model's own labels */
    size_t n, n_corrections;
    char (*labels)[LABEL_SIZE]; /* [n] */
    float *w, *bias;            /* [n][stride], [n] */
    struct correction *corrections;
    float *directions;       /* [n_corrections][stride] */
    float *mean, *deviation; /* [dims] */
    float *x;                /* [stride]: the embedding at hand */
};

static float dot(const float *a, const float *b, size_t n)
{
    float lane[8] = {0}, sum = 0;

    for (size_t i = 0; i < n; i += 8)
        for (size_t k = 0; k < 8; k++)
            lane[k] += a[i + k] * b[i + k];
    for (size_t k = 0; k < 8; k++)
        sum += lane[k];
    return sum;
}

static size_t find(const struct model_info *m, const char *label)
{
    size_t i = 0;

    while (i < m->n_labels && strcmp(m->labels[i], label) != 0)
        i++;
    return i;
}

static void add_class(struct heads *h, const struct taught_class *c)
{
    memcpy(h->labels[h->n], c->label, LABEL_SIZE);
    memcpy(h->w + h->n * h->stride, c->w, h->dims * sizeof *c->w);
    h->bias[h->n++] = c->bias;
}

static void add_correction(struct heads *h, const struct taught_correction *c, size_t label)
{
    float *direction = h->directions + h->n_corrections * h->stride;

    memcpy(direction, c->direction, h->dims * sizeof *direction);
    h->corrections[h->n_corrections++] = (struct correction){label, c->reach, c->reduction, direction};
}

static bool make(struct heads *h, const struct taughtfile *f)
{
    size_t n = f->n_classes + 1, k = f->n_corrections + 1;

    h->labels = calloc(n, sizeof *h->labels);
    h->w = calloc(n * h->stride, sizeof *h->w);
    h->bias = calloc(n, sizeof *h->bias);
    h->corrections = calloc(k, sizeof *h->corrections);
    h->directions = calloc(k * h->stride, sizeof *h->directions);
    h->mean = calloc(h->dims, sizeof *h->mean);
    h->deviation = calloc(h->dims, sizeof *h->deviation);
    h->x = calloc(h->stride, sizeof *h->x);
    return h->labels && h->w && h->bias && h->corrections && h->directions && h->mean && h->deviation && h->x;
}

struct heads *heads_new(const struct taughtfile *f, const struct model_info *model, uint64_t hash, size_t *foreign,
                        struct err *err)
{
    struct heads *h = calloc(1, sizeof *h);
    size_t dims = model->embedding_size, others = 0;

    if (h) {
        h->dims = dims;
        h->stride = (dims + 7) / 8 * 8;
        h->first = model->n_labels;
    }
    if (!h || !make(h, f)) {
        heads_free(h);
        err_set(err, "no memory for what was taught");
        return NULL;
    }
    for (size_t i = 0; i < f->n_classes; i++) {
        const struct taught_class *c = &f->classes[i];
        bool ours = c->hash == hash && c->dims == dims && dims > 0;
        others += !ours;
        if (ours && find(model, c->label) == model->n_labels)
            add_class(h, c);
    }
    bool same = f->standard.hash == hash && f->standard.dims == dims && dims > 0;
    for (size_t i = 0; same && i < f->n_corrections; i++) {
        size_t label = find(model, f->corrections[i].label);
        if (label < model->n_labels)
            add_correction(h, &f->corrections[i], label);
    }
    if (h->n_corrections) {
        memcpy(h->mean, f->standard.mean, dims * sizeof *h->mean);
        memcpy(h->deviation, f->standard.deviation, dims * sizeof *h->deviation);
    }
    if (foreign)
        *foreign = others;
    return h;
}

void heads_free(struct heads *h)
{
    if (!h)
        return;
    free(h->labels);
    free(h->w);
    free(h->bias);
    free(h->corrections);
    free(h->directions);
    free(h->mean);
    free(h->deviation);
    free(h->x);
    free(h);
}

size_t heads_n(const struct heads *h)
{
    return h->n;
}

const char *heads_label(const struct heads *h, size_t i)
{
    return h->labels[i];
}

bool heads_empty(const struct heads *h)
{
    return h->n == 0 && h->n_corrections == 0;
}

static void correct(struct heads *h, const float *embedding, float *scores)
{
    for (size_t i = 0; i < h->dims; i++)
        h->x[i] = (embedding[i] - h->mean[i]) / h->deviation[i];
    float length = sqrtf(dot(h->x, h->x, h->stride));
    if (!(length > 0))
        return;
    for (size_t i = 0; i < h->n_corrections; i++) {
        const struct correction *c = &h->corrections[i];
        float was = scores[c->label], now = was * c->reduction;
        if (dot(h->x, c->direction, h->stride) >= c->reach * length && now < was)
            scores[c->label] = now;
    }
}

void heads_do(struct heads *h, const float *embedding, float *scores)
{
    if (h->n_corrections)
        correct(h, embedding, scores);
    memcpy(h->x, embedding, h->dims * sizeof *embedding);
    for (size_t i = 0; i < h->n; i++) {
        float z = dot(h->w + i * h->stride, h->x, h->stride) + h->bias[i];
        scores[h->first + i] = isfinite(z) ? 1 / (1 + expf(-z)) : 0;
    }
}
