#include "train/dense.h"

#include "train/matmul.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* out = in W + bias. Rows are padded to whole tiles. */
struct layer {
    size_t in, out, width; /* width: out, padded */
    size_t weight, bias;   /* begin in the arrays: [in][width], [width] */
    float *value;          /* [batch][width], behind ReLU and dropout */
    float *slope;          /* [batch][width]: of the loss, before ReLU */
};

struct dense {
    struct dense_shape shape;
    size_t batch, size, input_width;
    struct layer layer[DENSE_LAYERS_MAX];
    float *input;      /* [batch][input_width] */
    float *weights;    /* [size] */
    float *gradient;   /* [size] */
    float *transposed; /* of one layer's weights: [out][in, padded] */
    float *blame;      /* [batch][in, padded]: of the loss, by a layer's inputs */
};

const struct dense_shape *dense_shape(const struct dense *d)
{
    return &d->shape;
}

/* Zeros, on a cache line. */
static float *floats(size_t n)
{
    size_t bytes = (n * sizeof(float) + 63) / 64 * 64;
    float *p = aligned_alloc(64, bytes ? bytes : 64);

    if (p)
        memset(p, 0, bytes);
    return p;
}

static int check_shape(const struct dense_shape *s, size_t batch, struct err *err)
{
    if (s->n_layers < 1 || s->n_layers > DENSE_LAYERS_MAX)
        return err_set(err, "%zu layers, 1 to %d are possible", s->n_layers, DENSE_LAYERS_MAX);
    for (size_t l = 0; l <= s->n_layers; l++)
        if (s->units[l] < 1 || s->units[l] > DENSE_UNITS_MAX)
            return err_set(err, "a layer of %zu, 1 to %d are possible", s->units[l], DENSE_UNITS_MAX);
    if (batch < 1 || batch > DENSE_BATCH_MAX)
        return err_set(err, "batches of %zu, 1 to %d are possible", batch, DENSE_BATCH_MAX);
    return 0;
}

/* Where everything lies. Returns the largest weight matrix, transposed. */
static size_t lay_out(struct dense *d)
{
    size_t largest = 0;

    for (size_t l = 0; l < d->shape.n_layers; l++) {
        struct layer *y = &d->layer[l];
        y->in = d->shape.units[l];
        y->out = d->shape.units[l + 1];
        y->width = matmul_padded(y->out);
        y->weight = d->size;
        y->bias = d->size + y->in * y->width;
        d->size = y->bias + y->width;
        size_t transposed = y->out * matmul_padded(y->in);
        largest = transposed > largest ? transposed : largest;
    }
    d->input_width = matmul_padded(d->shape.units[0]);
    return largest;
}

struct dense *dense_new(const struct dense_shape *shape, size_t batch, struct err *err)
{
    size_t widest = 0;

    if (check_shape(shape, batch, err) < 0)
        return NULL;
    struct dense *d = calloc(1, sizeof *d);
    if (!d)
        goto no_memory;
    d->shape = *shape;
    d->batch = batch;
    d->transposed = floats(lay_out(d));
    d->weights = floats(d->size);
    d->gradient = floats(d->size);
    d->input = floats(batch * d->input_width);
    for (size_t l = 0; l < shape->n_layers; l++) {
        struct layer *y = &d->layer[l];
        y->value = floats(batch * y->width);
        y->slope = floats(batch * y->width);
        widest = matmul_padded(y->in) > widest ? matmul_padded(y->in) : widest;
        if (!y->value || !y->slope)
            goto no_memory;
    }
    d->blame = floats(batch * widest);
    if (d->transposed && d->weights && d->gradient && d->input && d->blame)
        return d;

no_memory:
    dense_free(d);
    err_set(err, "no memory for the net");
    return NULL;
}

void dense_free(struct dense *d)
{
    if (!d)
        return;
    for (size_t l = 0; l < d->shape.n_layers; l++) {
        free(d->layer[l].value);
        free(d->layer[l].slope);
    }
    free(d->input);
    free(d->weights);
    free(d->gradient);
    free(d->transposed);
    free(d->blame);
    free(d);
}

void dense_init(struct dense *d, struct random *r)
{
    memset(d->weights, 0, d->size * sizeof *d->weights);
    for (size_t l = 0; l < d->shape.n_layers; l++) {
        const struct layer *y = &d->layer[l];
        float limit = sqrtf(6.0f / (float)(y->in + y->out));
        for (size_t i = 0; i < y->in; i++)
            for (size_t o = 0; o < y->out; o++)
                d->weights[y->weight + i * y->width + o] = limit * (2 * random_unit(r) - 1);
    }
}

size_t dense_size(const struct dense *d)
{
    return d->size;
}

float *dense_weights(struct dense *d)
{
    return d->weights;
}

float *dense_gradient(struct dense *d)
{
    return d->gradient;
}

size_t dense_weight_at(const struct dense *d, size_t l, size_t i, size_t o)
{
    return d->layer[l].weight + i * d->layer[l].width + o;
}

size_t dense_bias_at(const struct dense *d, size_t l, size_t o)
{
    return d->layer[l].bias + o;
}

float *dense_input(struct dense *d, size_t i)
{
    return d->input + i * d->input_width;
}

/* What layer l reads. */
static const float *source(const struct dense *d, size_t l, size_t *width)
{
    *width = l ? d->layer[l - 1].width : d->input_width;
    return l ? d->layer[l - 1].value : d->input;
}

/* ReLU and dropout of n rows. A mask is not kept: what was silenced is zero, and learns nothing, as what ReLU cut. */
static void activate(float *x, size_t n, size_t width, float dropout, struct random *r)
{
    uint32_t limit = (uint32_t)lroundf(dropout * 0x1p24f);
    float raise = 1 / (1 - dropout);

    if (!(dropout > 0)) {
        for (size_t i = 0; i < n * width; i++)
            x[i] = x[i] > 0 ? x[i] : 0;
        return;
    }
    for (size_t i = 0; i < n * width; i += 2) { /* width is even; a number serves two units */
        uint64_t drawn = random_next(r);
        x[i] = x[i] > 0 && (drawn >> 40) >= limit ? x[i] * raise : 0;
        x[i + 1] = x[i + 1] > 0 && ((drawn >> 16) & 0xffffff) >= limit ? x[i + 1] * raise : 0;
    }
}

/* Leaves what is to go through softmax in the last layer's values. */
static void forward(struct dense *d, size_t n, float dropout, struct random *r)
{
    for (size_t l = 0; l < d->shape.n_layers; l++) {
        const struct layer *y = &d->layer[l];
        size_t width;
        const float *x = source(d, l, &width);
        for (size_t i = 0; i < n; i++)
            memcpy(y->value + i * y->width, d->weights + y->bias, y->width * sizeof *y->value);
        matmul(y->value, y->width, x, width, 1, d->weights + y->weight, y->width, n, y->in, y->out, 1);
        if (l + 1 < d->shape.n_layers)
            activate(y->value, n, y->width, dropout, r);
    }
}

/* exp(z - max) / sum; returns the logarithm of the sum, with the maximum put back. */
static double softmax(const float *z, size_t n, float *out)
{
    float top = z[0];

    for (size_t i = 1; i < n; i++)
        top = z[i] > top ? z[i] : top;
    out[0] = expf(z[0] - top);
    double sum = (double)out[0];
    for (size_t i = 1; i < n; i++) {
        out[i] = expf(z[i] - top);
        sum += (double)out[i];
    }
    for (size_t i = 0; i < n; i++)
        out[i] = (float)((double)out[i] / sum);
    return (double)top + log(sum);
}

void dense_scores(struct dense *d, size_t n, float *scores)
{
    const struct layer *last = &d->layer[d->shape.n_layers - 1];

    forward(d, n, 0, NULL);
    for (size_t i = 0; i < n; i++)
        softmax(last->value + i * last->width, last->out, scores + i * last->out);
}

/* Returns the mean loss; slopes of the last layer: (score - wanted) / n. */
static double judge(struct dense *d, const unsigned *label, size_t n)
{
    const struct layer *last = &d->layer[d->shape.n_layers - 1];
    double loss = 0;

    for (size_t i = 0; i < n; i++) {
        const float *z = last->value + i * last->width;
        float *slope = last->slope + i * last->width;
        loss += softmax(z, last->out, slope) - (double)z[label[i]];
        slope[label[i]] -= 1;
        for (size_t o = 0; o < last->out; o++)
            slope[o] /= (float)n;
    }
    return loss / (double)n;
}

static void transpose(const struct dense *d, const struct layer *y)
{
    size_t width = matmul_padded(y->in);
    const float *w = d->weights + y->weight;

    for (size_t o = 0; o < y->out; o++) {
        for (size_t i = 0; i < y->in; i++)
            d->transposed[o * width + i] = w[i * y->width + o];
        for (size_t i = y->in; i < width; i++)
            d->transposed[o * width + i] = 0;
    }
}

/* Slopes of the layer below l: through the weights, and zero where its value is. raise: of what dropout left. */
static void pass_down(struct dense *d, size_t l, size_t n, float raise)
{
    const struct layer *y = &d->layer[l], *below = &d->layer[l - 1];

    transpose(d, y);
    matmul(d->blame, below->width, y->slope, y->width, 1, d->transposed, below->width, n, y->out, y->in, 0);
    for (size_t i = 0; i < n * below->width; i++)
        below->slope[i] = below->value[i] > 0 ? d->blame[i] * raise : 0;
}

double dense_learn(struct dense *d, const unsigned *label, size_t n, float dropout, struct random *r)
{
    float raise = dropout > 0 ? 1 / (1 - dropout) : 1;

    forward(d, n, dropout, r);
    double loss = judge(d, label, n);
    for (size_t l = d->shape.n_layers; l-- > 0;) {
        const struct layer *y = &d->layer[l];
        size_t width;
        const float *x = source(d, l, &width);
        float *bias = d->gradient + y->bias;
        matmul(d->gradient + y->weight, y->width, x, 1, width, y->slope, y->width, y->in, n, y->out, 0);
        memset(bias, 0, y->width * sizeof *bias);
        for (size_t i = 0; i < n; i++)
            for (size_t o = 0; o < y->width; o++)
                bias[o] += y->slope[i * y->width + o];
        if (l)
            pass_down(d, l, n, raise);
    }
    return loss;
}

void dense_layer(const struct dense *d, size_t l, float *weight, float *bias)
{
    const struct layer *y = &d->layer[l];

    for (size_t o = 0; o < y->out; o++)
        for (size_t i = 0; i < y->in; i++)
            weight[o * y->in + i] = d->weights[y->weight + i * y->width + o];
    memcpy(bias, d->weights + y->bias, y->out * sizeof *bias);
}
