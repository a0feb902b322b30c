/* dequantise -> layer -> quantise becomes a layer that computes in 8 bits, where XNNPACK has one and takes these scales. All else
 * stays as the graph says: in float, between conversions. */
#include "model/ops.h"

#include <math.h>
#include <stdlib.h>

/* XNNPACK's kernels scale by fixed-point factors: those within these bounds are allowed by every version and operator. */
#define RATIO_MIN 0.00390625f /* 1/256 */
#define RATIO_MAX 128.0f

struct readers {
    size_t *n, *layer; /* of each store: how many layers read it, one of them */
};

static bool in_bounds(float ratio)
{
    return ratio >= RATIO_MIN && ratio < RATIO_MAX;
}

static bool capable(const struct layer *l)
{
    switch (l->op) {
    case LAYER_CONV:
    case LAYER_DEPTHWISE:
    case LAYER_DENSE:
        return l->w_scale != NULL;
    case LAYER_ADD:
    case LAYER_GLOBAL_AVERAGE:
    case LAYER_MAX_POOL:
        return true;
    default:
        return false;
    }
}

/* The 8-bit store that `store` was dequantised from, or GRAPH_ABSENT. */
static size_t source(const struct plan *p, size_t store)
{
    const struct store *s = &p->stores[store];
    const struct layer *l = s->input || s->data ? NULL : &p->layers[s->producer];

    return l && l->op == LAYER_DEQUANTIZE ? l->in[0] : GRAPH_ABSENT;
}

/* The layer that alone reads what l makes, if it is of this kind; else NULL. */
static struct layer *only_reader(const struct plan *p, const struct readers *r, const struct layer *l, enum layer_op op)
{
    struct layer *next;

    if (p->stores[l->out].output || r->n[l->out] != 1)
        return NULL;
    next = &p->layers[r->layer[l->out]];
    return next->op == op ? next : NULL;
}

static size_t outputs(const struct layer *l)
{
    return l->op == LAYER_DENSE ? l->group_out : l->groups * l->group_out;
}

static bool scales_fit(const struct plan *p, const struct layer *l, const size_t in[2], const struct store *out)
{
    const struct store *a = &p->stores[in[0]];

    if (l->op == LAYER_MAX_POOL)
        return a->scale == out->scale && a->zero == out->zero;
    if (!l->w_scale)
        return in_bounds(a->scale / out->scale) && in_bounds(p->stores[in[1]].scale / out->scale);
    for (size_t o = 0; o < outputs(l); o++) {
        float unit = a->scale * l->w_scale[o];

        if (!isnormal(unit) || !isnormal(unit / out->scale) || !(unit / out->scale < RATIO_MAX) ||
            !(unit / out->scale > 1e-9f) || !(fabsf(l->b[o] / unit) < 0x1p30f) ||
            (l->op == LAYER_DENSE && l->w_scale[o] != l->w_scale[0]))
            return false;
    }
    return true;
}

/* A clamp must leave more than one number of the output: XNNPACK refuses to build anything else. */
static bool clamp_fits(const struct layer *l, const struct store *out)
{
    float low = fmaxf(-128, rintf(l->min / out->scale) + (float)out->zero);
    float high = fminf(127, rintf(l->max / out->scale) + (float)out->zero);

    return low < high;
}

/* Products of two -128 may overflow in XNNPACK's sums of pairs: such weights, which no quantiser makes by itself, stay floats. */
static bool weights_fit(const struct layer *l)
{
    size_t out = l->w_scale ? outputs(l) : 0, area = l->op == LAYER_DENSE ? 1 : (size_t)l->kernel[0] * l->kernel[1];
    size_t n = out * area * l->group_in;

    for (size_t i = 0; i < n; i++)
        if (rintf(l->w[i] / l->w_scale[l->op == LAYER_DEPTHWISE ? i % out : i / (n / out)]) < -127)
            return false;
    return true;
}

/* The weights were 8-bit numbers times the scale: these come back exactly. */
static int weights(struct layer *l, float in_scale, struct err *err)
{
    size_t out = outputs(l), area = l->op == LAYER_DENSE ? 1 : (size_t)l->kernel[0] * l->kernel[1];
    size_t n = out * area * l->group_in;

    l->qw = malloc(n + PLAN_SLACK);
    l->qb = malloc(out * sizeof *l->qb + PLAN_SLACK);
    l->qb_scale = op_floats(out);
    if (!l->qw || !l->qb || !l->qb_scale)
        return err_set(err, "node '%.80s': out of memory", l->name);
    for (size_t i = 0; i < n; i++) {
        float q = rintf(l->w[i] / l->w_scale[l->op == LAYER_DEPTHWISE ? i % out : i / (n / out)]);

        l->qw[i] = (int8_t)fminf(127, fmaxf(-128, q));
    }
    for (size_t o = 0; o < out; o++) {
        l->qb_scale[o] = in_scale * l->w_scale[o];
        l->qb[o] = (int32_t)lrintf(l->b[o] / l->qb_scale[o]);
    }
    free(l->w);
    l->w = NULL;
    return 0;
}

static int lower(struct plan *p, const struct readers *r, struct layer *l, struct err *err)
{
    struct layer *clamp = l->op == LAYER_ADD ? only_reader(p, r, l, LAYER_CLAMP) : NULL;
    struct layer *quantise = only_reader(p, r, clamp ? clamp : l, LAYER_QUANTIZE);
    size_t in[2] = {source(p, l->in[0]), source(p, l->in[1])};

    if (!quantise || in[0] == GRAPH_ABSENT || in[1] == GRAPH_ABSENT ||
        !scales_fit(p, l, in, &p->stores[quantise->out]) || !clamp_fits(clamp ? clamp : l, &p->stores[quantise->out]) ||
        !weights_fit(l))
        return 0;
    if (l->w_scale && weights(l, p->stores[in[0]].scale, err) != 0)
        return -1;
    if (clamp) {
        l->min = clamp->min;
        l->max = clamp->max;
        clamp->op = LAYER_OPS;
    }
    quantise->op = LAYER_OPS;
    l->int8 = true;
    l->in[0] = in[0];
    l->in[1] = in[1];
    l->out = quantise->out;
    p->stores[l->out].producer = (size_t)(l - p->layers);
    return 0;
}

int plan_int8(struct plan *p, struct err *err)
{
    struct readers r = {calloc(p->n_stores, sizeof *r.n), calloc(p->n_stores, sizeof *r.layer)};
    int rc = 0;

    if (!r.n || !r.layer) {
        free(r.n);
        free(r.layer);
        return err_set(err, "out of memory");
    }
    for (size_t i = 0; i < p->n_layers; i++)
        for (size_t k = 0; k < 2 && (k == 0 || p->layers[i].in[1] != p->layers[i].in[0]); k++) {
            r.n[p->layers[i].in[k]]++;
            r.layer[p->layers[i].in[k]] = i;
        }
    for (size_t i = 0; rc == 0 && i < p->n_layers; i++)
        if (capable(&p->layers[i]))
            rc = lower(p, &r, &p->layers[i], err);
    free(r.n);
    free(r.layer);
    return rc;
}
