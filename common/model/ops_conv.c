/* Conv, the pools, BatchNormalization: what slides a window over N, C, (H,) W. A signal (1-D) is an image of height 1. */
#include "model/ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STEP_MAX 65536 /* kernel, stride, dilation and padding of one dimension */

struct image {
    struct plan_value value; /* channels last in memory */
    size_t store;            /* as N, H, W, C */
    size_t n, c, in[2], out[2];
    uint32_t kernel[2], stride[2], dilation[2], pad[4]; /* top, left, bottom, right */
    uint32_t extra[2];                                  /* of pad[2], pad[3]: only because ceil_mode rounds up */
};

/* Input 0 as an image. */
static int image_open(struct plan *p, const struct graph_node *node, struct image *im, struct err *err)
{
    size_t order[GRAPH_RANK], shape[4], rank;
    const size_t *d;

    memset(im, 0, sizeof *im);
    if (op_value(p, node, 0, &im->value, err) != 0)
        return -1;
    rank = im->value.layout.rank;
    if (rank != 3 && rank != 4)
        return node_err(node, err, "its input has %zu dimensions; 3 (N, C, W) or 4 (N, C, H, W) are supported", rank);
    layout_channels_last(rank, order);
    if (op_arrange(p, node, &im->value, order, err) != 0)
        return -1;
    d = im->value.layout.dims;
    shape[0] = im->n = d[0];
    shape[1] = im->in[0] = rank == 4 ? d[2] : 1;
    shape[2] = im->in[1] = d[rank - 1];
    shape[3] = im->c = d[1];
    im->store = op_shaped(p, node, im->value.store, 4, shape, err);
    return im->store == GRAPH_ABSENT ? -1 : 0;
}

/* A list with an element for each spatial dimension into [height, width] (and [bottom, right] from its second half). */
static int steps(const struct graph_node *node, const char *name, size_t spatial, bool pads, uint32_t *out,
                 struct err *err)
{
    const int64_t *v = NULL;
    size_t n = 0, want = pads ? 2 * spatial : spatial;

    if (node_ints(node, name, &v, &n, err) != 0)
        return -1;
    if (!v)
        return 0;
    if (n != want)
        return node_err(node, err, "attribute '%s' has %zu elements, not %zu", name, n, want);
    for (size_t i = 0; i < n; i++) {
        if (v[i] < !pads || v[i] > STEP_MAX)
            return node_err(node, err, "attribute '%s' holds %lld, %d to %d are allowed", name, (long long)v[i], !pads,
                            STEP_MAX);
        out[spatial == 2 ? i : 2 * i + 1] = (uint32_t)v[i];
    }
    return 0;
}

/* Pads that make the result ceil(in / stride) long. */
static void same_pads(struct image *im, int axis, bool lower)
{
    uint64_t reach = (uint64_t)(im->kernel[axis] - 1) * im->dilation[axis] + 1;
    uint64_t out = (im->in[axis] + im->stride[axis] - 1) / im->stride[axis];
    uint64_t need = (out - 1) * im->stride[axis] + reach;
    uint64_t total = need > im->in[axis] ? need - im->in[axis] : 0;

    im->pad[axis] = (uint32_t)(lower ? total - total / 2 : total / 2);
    im->pad[axis + 2] = (uint32_t)(total - im->pad[axis]);
}

static int auto_pads(const struct graph_node *node, struct image *im, struct err *err)
{
    char how[NODE_STRING] = "NOTSET";

    if (node_string(node, "auto_pad", how, err) != 0)
        return -1;
    if (strcmp(how, "NOTSET") == 0)
        return 0;
    if (strcmp(how, "VALID") == 0) {
        memset(im->pad, 0, sizeof im->pad);
        return 0;
    }
    if (strcmp(how, "SAME_UPPER") != 0 && strcmp(how, "SAME_LOWER") != 0)
        return node_err(node, err, "auto_pad is %s; NOTSET, VALID, SAME_UPPER and SAME_LOWER are allowed", how);
    for (int i = 0; i < 2; i++)
        same_pads(im, i, how[5] == 'L');
    return 0;
}

static int out_size(const struct graph_node *node, struct image *im, int axis, bool ceil, struct err *err)
{
    uint64_t reach = (uint64_t)(im->kernel[axis] - 1) * im->dilation[axis] + 1, s = im->stride[axis];
    uint64_t padded = (uint64_t)im->in[axis] + im->pad[axis] + im->pad[axis + 2], need;

    if (padded < reach)
        return node_err(node, err, "a window of %llu does not fit an input of %zu with its padding",
                        (unsigned long long)reach, im->in[axis]);
    im->out[axis] = (size_t)((padded - reach + (ceil ? s - 1 : 0)) / s + 1);
    if (ceil && (im->out[axis] - 1) * s >= im->in[axis] + im->pad[axis])
        im->out[axis]--; /* no window begins in the padding at the end */
    need = (im->out[axis] - 1) * s + reach;
    if (need > padded) {
        im->extra[axis] = (uint32_t)(need - padded);
        im->pad[axis + 2] += im->extra[axis];
    }
    return 0;
}

static int window_open(const struct graph_node *node, struct image *im, struct err *err)
{
    size_t spatial = im->value.layout.rank - 2;
    int64_t ceil_mode = 0;

    for (int i = 0; i < 2; i++)
        im->stride[i] = im->dilation[i] = 1;
    if (steps(node, "strides", spatial, false, im->stride, err) != 0 ||
        steps(node, "dilations", spatial, false, im->dilation, err) != 0 ||
        steps(node, "pads", spatial, true, im->pad, err) != 0 || auto_pads(node, im, err) != 0 ||
        node_int(node, "ceil_mode", &ceil_mode, err) != 0)
        return -1;
    return out_size(node, im, 0, ceil_mode != 0, err) != 0 || out_size(node, im, 1, ceil_mode != 0, err) != 0 ? -1 : 0;
}

/* The layer and its result, with `channels` of them. */
static struct layer *image_layer(struct plan *p, const struct graph_node *node, enum layer_op op,
                                 const struct image *im, size_t channels, struct err *err)
{
    size_t shape[4] = {im->n, im->out[0], im->out[1], channels}, rank = im->value.layout.rank;
    size_t dims[GRAPH_RANK] = {im->n, channels, im->out[0], im->out[1]}, order[GRAPH_RANK];
    size_t out = op_store(p, node, 4, shape, err);
    struct layout layout;
    struct layer *l = out == GRAPH_ABSENT ? NULL : op_layer(p, node, op, im->store, im->store, out, err);

    if (!l)
        return NULL;
    if (rank == 3)
        dims[2] = im->out[1];
    layout_channels_last(rank, order);
    layout_ordered(&layout, rank, dims, order);
    memcpy(l->kernel, im->kernel, sizeof l->kernel);
    memcpy(l->stride, im->stride, sizeof l->stride);
    memcpy(l->dilation, im->dilation, sizeof l->dilation);
    memcpy(l->pad, im->pad, sizeof l->pad);
    op_result(p, node, &layout, out);
    return l;
}

/* ONNX [out][group_in][kh][kw] -> [out][kh][kw][group_in], or for depthwise -> [kh][kw][out]. */
static int conv_weights(const struct graph_node *node, struct layer *l, const struct constant *w, struct err *err)
{
    size_t out = l->groups * l->group_out, in = l->group_in, area = (size_t)l->kernel[0] * l->kernel[1];

    l->w = op_floats(w->n);
    l->b = op_floats(out);
    if (!l->w || !l->b)
        return node_err(node, err, "out of memory");
    for (size_t o = 0; o < out; o++)
        for (size_t i = 0; i < in; i++)
            for (size_t k = 0; k < area; k++)
                l->w[l->op == LAYER_DEPTHWISE ? k * out + o : (o * area + k) * in + i] =
                    constant_at(w, (o * in + i) * area + k);
    return 0;
}

static int conv_bias(const struct plan *p, const struct graph_node *node, struct layer *l, struct err *err)
{
    size_t out = l->groups * l->group_out;
    struct constant b;
    int rc = 0;

    if (!op_has(node, 2))
        return 0;
    if (op_constant_input(p, node, 2, &b, err) != 0)
        return -1;
    if (b.layout.rank != 1 || b.n != out)
        rc = node_err(node, err, "its bias has %zu elements for %zu channels", b.n, out);
    for (size_t o = 0; rc == 0 && o < out; o++)
        l->b[o] = constant_at(&b, o);
    free(b.map);
    return rc;
}

static int conv(struct plan *p, const struct graph_node *node, struct image *im, const struct constant *w,
                struct err *err)
{
    const size_t *d = w->layout.dims;
    size_t spatial = im->value.layout.rank - 2;
    uint32_t given[2] = {1, 1};
    int64_t groups = 1;
    struct layer *l;

    if (w->layout.rank != spatial + 2)
        return node_err(node, err, "its weights have %zu dimensions, not %zu", w->layout.rank, spatial + 2);
    if (node_int(node, "group", &groups, err) != 0)
        return -1;
    if (groups < 1 || (uint64_t)groups > im->c || im->c % (size_t)groups != 0 || d[0] % (size_t)groups != 0 ||
        d[1] != im->c / (size_t)groups)
        return node_err(node, err, "%lld groups, %zu channels in, weights of %zu x %zu channels do not fit together",
                        (long long)groups, im->c, d[0], d[1]);
    for (size_t i = 0; i < 2; i++) {
        size_t k = spatial == 2 ? d[2 + i] : i ? d[2] : 1;

        if (k > STEP_MAX)
            return node_err(node, err, "a kernel of %zu, at most %d is allowed", k, STEP_MAX);
        given[i] = im->kernel[i] = (uint32_t)k;
    }
    if (steps(node, "kernel_shape", spatial, false, given, err) != 0)
        return -1;
    if (given[0] != im->kernel[0] || given[1] != im->kernel[1])
        return node_err(node, err, "kernel_shape differs from the shape of the weights");
    if (window_open(node, im, err) != 0)
        return -1;
    l = image_layer(p, node, d[1] == 1 && groups > 1 ? LAYER_DEPTHWISE : LAYER_CONV, im, d[0], err);
    if (!l)
        return -1;
    l->groups = (size_t)groups;
    l->group_in = d[1];
    l->group_out = d[0] / l->groups;
    l->parameters = w->n + (op_has(node, 2) ? d[0] : 0);
    if (op_macs(p, node, l, w->n, im->n * im->out[0], im->out[1], err) != 0)
        return -1;
    if (conv_weights(node, l, w, err) != 0 || conv_bias(p, node, l, err) != 0)
        return -1;
    return op_weight_scales(p, node, l, 0, err);
}

int op_conv(struct plan *p, const struct graph_node *node, struct err *err)
{
    struct image im;
    struct constant w;
    int rc;

    if (image_open(p, node, &im, err) != 0 || op_constant_input(p, node, 1, &w, err) != 0)
        return -1;
    rc = conv(p, node, &im, &w, err);
    free(w.map);
    return rc;
}

static int pool_open(struct plan *p, const struct graph_node *node, struct image *im, struct err *err)
{
    if (image_open(p, node, im, err) != 0)
        return -1;
    im->kernel[0] = 1;
    if (steps(node, "kernel_shape", im->value.layout.rank - 2, false, im->kernel, err) != 0)
        return -1;
    if (im->kernel[1] == 0)
        return node_err(node, err, "attribute 'kernel_shape' is missing");
    if (window_open(node, im, err) != 0)
        return -1;
    for (int i = 0; i < 2; i++) {
        uint64_t reach = (uint64_t)(im->kernel[i] - 1) * im->dilation[i] + 1;

        if (im->pad[i] >= reach || im->pad[i + 2] >= reach)
            return node_err(node, err, "its padding (%u, %u) is not smaller than its window (%llu)", im->pad[i],
                            im->pad[i + 2], (unsigned long long)reach);
        if (im->stride[i] > im->kernel[i])
            return node_err(node, err, "its stride (%u) is larger than its kernel (%u)", im->stride[i], im->kernel[i]);
    }
    return 0;
}

/* A layer of `value` around the image: for the paddings that the pools do not have. */
static int pad_image(struct plan *p, const struct graph_node *node, struct image *im, float value, struct err *err)
{
    size_t shape[4] = {im->n, im->in[0] + im->pad[0] + im->pad[2], im->in[1] + im->pad[1] + im->pad[3], im->c}, out;
    struct layer *l;

    if (!(im->pad[0] || im->pad[1] || im->pad[2] || im->pad[3]))
        return 0;
    out = op_store(p, node, 4, shape, err);
    l = out == GRAPH_ABSENT ? NULL : op_layer(p, node, LAYER_PAD, im->store, im->store, out, err);
    if (!l)
        return -1;
    l->alpha = value;
    for (int i = 0; i < 2; i++) {
        l->pre[1 + i] = im->pad[i];
        l->post[1 + i] = im->pad[i + 2];
        im->in[i] = shape[1 + i];
    }
    memset(im->pad, 0, sizeof im->pad);
    im->store = out;
    return 0;
}

static int pool(struct plan *p, const struct graph_node *node, struct image *im, enum layer_op op, struct err *err)
{
    struct layer *l;

    if (im->kernel[0] == 1 && im->kernel[1] == 1) { /* and so stride 1, no padding */
        op_alias(p, node, &im->value, &im->value.layout);
        return 0;
    }
    l = image_layer(p, node, op, im, im->c, err);
    if (!l)
        return -1;
    if (op_macs(p, node, l, (uint64_t)im->kernel[0] * im->kernel[1], im->n * im->out[0] * im->out[1], im->c, err) != 0)
        return -1;
    p->macs -= l->macs; /* bounded, but no multiplications */
    l->macs = 0;
    return 0;
}

int op_max_pool(struct plan *p, const struct graph_node *node, struct err *err)
{
    struct image im;
    bool dilated;

    if (pool_open(p, node, &im, err) != 0)
        return -1;
    if (node->n_out > 1 && node->out[1] != GRAPH_ABSENT && p->graph->values[node->out[1]].uses > 0)
        return node_err(node, err, "its second output (indices) is not supported");
    /* XNNPACK reads the nearest pixel in place of padding, and a dilated window may not contain that one. */
    dilated = im.dilation[0] > 1 || im.dilation[1] > 1;
    if (dilated && pad_image(p, node, &im, -INFINITY, err) != 0)
        return -1;
    return pool(p, node, &im, LAYER_MAX_POOL, err);
}

int op_average_pool(struct plan *p, const struct graph_node *node, struct err *err)
{
    int64_t include = 0;
    struct image im;

    if (pool_open(p, node, &im, err) != 0 || node_int(node, "count_include_pad", &include, err) != 0)
        return -1;
    if (im.dilation[0] > 1 || im.dilation[1] > 1)
        return node_err(node, err, "dilations are not supported");
    if (include && (im.extra[0] || im.extra[1]))
        return node_err(node, err, "ceil_mode with count_include_pad is not supported where it adds a partial window");
    if (include && pad_image(p, node, &im, 0, err) != 0)
        return -1;
    return pool(p, node, &im, LAYER_AVERAGE_POOL, err);
}

int op_global_average(struct plan *p, const struct graph_node *node, struct err *err)
{
    struct image im;

    if (image_open(p, node, &im, err) != 0)
        return -1;
    im.out[0] = im.out[1] = 1;
    return image_layer(p, node, LAYER_GLOBAL_AVERAGE, &im, im.c, err) ? 0 : -1;
}
