/* XNNPACK's subgraph interface as of 2022 (Debian 12). Debian 13 has a later one that still takes these calls but calls many of
 * them deprecated. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

#include "model/xnn.h"

#include <stdlib.h>
#include <xnnpack.h>

_Static_assert(PLAN_SLACK >= XNN_EXTRA_BYTES, "buffers need the slack that XNNPACK asks for");

#ifdef XNN_FLAG_KEEP_DIMS
#define MEAN_FLAGS                                                                                                     \
    XNN_FLAG_KEEP_DIMS /* newer versions drop the averaged dimensions without it; older ones have none to drop */
#else
#define MEAN_FLAGS 0
#endif

struct build {
    const struct plan *plan;
    xnn_subgraph_t graph;
    uint32_t *id; /* XNNPACK's number for each store */
};

/* Dense layers know one scale for all weights alone. */
static enum xnn_status int8_weights(const struct build *b, const struct layer *l, const size_t *dims, uint32_t *w,
                                    uint32_t *bias)
{
    size_t out = l->op == LAYER_DENSE ? l->group_out : l->groups * l->group_out;
    enum xnn_status s;

    if (l->op == LAYER_DENSE) {
        s = xnn_define_quantized_tensor_value(b->graph, xnn_datatype_qint8, 0, l->w_scale[0], 2, dims, l->qw,
                                              XNN_INVALID_VALUE_ID, 0, w);
        return s != xnn_status_success
                   ? s
                   : xnn_define_quantized_tensor_value(b->graph, xnn_datatype_qint32, 0, l->qb_scale[0], 1, &out, l->qb,
                                                       XNN_INVALID_VALUE_ID, 0, bias);
    }
    s = xnn_define_channelwise_quantized_tensor_value(b->graph, xnn_datatype_qcint8, l->w_scale, 4,
                                                      l->op == LAYER_DEPTHWISE ? 3 : 0, dims, l->qw,
                                                      XNN_INVALID_VALUE_ID, 0, w);
    return s != xnn_status_success
               ? s
               : xnn_define_channelwise_quantized_tensor_value(b->graph, xnn_datatype_qcint32, l->qb_scale, 1, 0, &out,
                                                               l->qb, XNN_INVALID_VALUE_ID, 0, bias);
}

static enum xnn_status weights(const struct build *b, const struct layer *l, uint32_t *w, uint32_t *bias)
{
    size_t out = l->groups * l->group_out;
    size_t conv[4] = {out, l->kernel[0], l->kernel[1], l->group_in};
    size_t depthwise[4] = {1, l->kernel[0], l->kernel[1], out};
    size_t dense[2] = {l->group_out, l->group_in};
    const size_t *dims = l->op == LAYER_DENSE ? dense : l->op == LAYER_CONV ? conv : depthwise;
    enum xnn_status s;

    if (l->int8)
        return int8_weights(b, l, dims, w, bias);
    s = xnn_define_tensor_value(b->graph, xnn_datatype_fp32, l->op == LAYER_DENSE ? 2 : 4, dims, l->w,
                                XNN_INVALID_VALUE_ID, 0, w);

    if (s != xnn_status_success)
        return s;
    return xnn_define_tensor_value(b->graph, xnn_datatype_fp32, 1, &out, l->b, XNN_INVALID_VALUE_ID, 0, bias);
}

static enum xnn_status weighted(const struct build *b, const struct layer *l, uint32_t in, uint32_t out)
{
    const uint32_t *pad = l->pad;
    uint32_t w, bias;
    enum xnn_status s = weights(b, l, &w, &bias);

    if (s != xnn_status_success)
        return s;
    if (l->op == LAYER_CONV)
        return xnn_define_convolution_2d(b->graph, pad[0], pad[3], pad[2], pad[1], l->kernel[0], l->kernel[1],
                                         l->stride[0], l->stride[1], l->dilation[0], l->dilation[1],
                                         (uint32_t)l->groups, l->group_in, l->group_out, l->min, l->max, in, w, bias,
                                         out, 0);
    if (l->op == LAYER_DEPTHWISE)
        return xnn_define_depthwise_convolution_2d(
            b->graph, pad[0], pad[3], pad[2], pad[1], l->kernel[0], l->kernel[1], l->stride[0], l->stride[1],
            l->dilation[0], l->dilation[1], (uint32_t)l->group_out, l->groups, l->min, l->max, in, w, bias, out, 0);
    return xnn_define_fully_connected(b->graph, l->min, l->max, in, w, bias, out, XNN_FLAG_TENSORFLOW_RESHAPE_2D);
}

static enum xnn_status window(const struct build *b, const struct layer *l, uint32_t in, uint32_t out)
{
    const uint32_t *pad = l->pad;

    if (l->op == LAYER_MAX_POOL)
        return xnn_define_max_pooling_2d(b->graph, pad[0], pad[3], pad[2], pad[1], l->kernel[0], l->kernel[1],
                                         l->stride[0], l->stride[1], l->dilation[0], l->dilation[1], l->min, l->max, in,
                                         out, 0);
    return xnn_define_average_pooling_2d(b->graph, pad[0], pad[3], pad[2], pad[1], l->kernel[0], l->kernel[1],
                                         l->stride[0], l->stride[1], l->min, l->max, in, out, 0);
}

static enum xnn_status define_layer(const struct build *b, const struct layer *l)
{
    const struct store *to = &b->plan->stores[l->out];
    uint32_t in = b->id[l->in[0]], in2 = b->id[l->in[1]], out = b->id[l->out];

    switch (l->op) {
    case LAYER_CONV:
    case LAYER_DEPTHWISE:
    case LAYER_DENSE:
        return weighted(b, l, in, out);
    case LAYER_MAX_POOL:
    case LAYER_AVERAGE_POOL:
        return window(b, l, in, out);
    case LAYER_GLOBAL_AVERAGE:
        return xnn_define_global_average_pooling_2d(b->graph, l->min, l->max, in, out, MEAN_FLAGS);
    case LAYER_ADD:
        return xnn_define_add2(b->graph, l->min, l->max, in, in2, out, 0);
    case LAYER_SUB:
        return xnn_define_subtract(b->graph, l->min, l->max, in, in2, out, 0);
    case LAYER_MUL:
        return xnn_define_multiply2(b->graph, l->min, l->max, in, in2, out, 0);
    case LAYER_DIV:
        return xnn_define_divide(b->graph, l->min, l->max, in, in2, out, 0);
    case LAYER_CLAMP:
        return xnn_define_clamp(b->graph, l->min, l->max, in, out, 0);
    case LAYER_SIGMOID:
        return xnn_define_sigmoid(b->graph, in, out, 0);
    case LAYER_SOFTMAX:
        return xnn_define_softmax(b->graph, in, out, 0);
    case LAYER_ELU:
        return xnn_define_elu(b->graph, l->alpha, in, out, 0);
    case LAYER_LEAKY_RELU:
        return xnn_define_leaky_relu(b->graph, l->alpha, in, out, 0);
    case LAYER_HARDSWISH:
        return xnn_define_hardswish(b->graph, in, out, 0);
    case LAYER_PAD:
        return xnn_define_static_constant_pad(b->graph, l->pre, l->post, l->alpha, in, out, 0);
    case LAYER_RESHAPE:
        return xnn_define_static_reshape(b->graph, to->rank, to->dims, in, out, 0);
    case LAYER_QUANTIZE:
    case LAYER_DEQUANTIZE:
        return xnn_define_convert(b->graph, in, out, 0);
    case LAYER_OPS:
        break;
    }
    return xnn_status_invalid_parameter;
}

static const char *status_text(enum xnn_status s)
{
    switch (s) {
    case xnn_status_unsupported_parameter:
        return "not supported by XNNPACK";
    case xnn_status_unsupported_hardware:
        return "this processor is not supported by XNNPACK, or /proc/cpuinfo is hidden from it";
    case xnn_status_out_of_memory:
        return "out of memory";
    default:
        return "refused by XNNPACK";
    }
}

static enum xnn_status define_store(struct build *b, const struct store *s, uint32_t external, uint32_t flags,
                                    uint32_t *id)
{
    if (s->int8)
        return xnn_define_quantized_tensor_value(b->graph, xnn_datatype_qint8, s->zero, s->scale, s->rank, s->dims,
                                                 NULL, external, flags, id);
    return xnn_define_tensor_value(b->graph, xnn_datatype_fp32, s->rank, s->dims, s->data, external, flags, id);
}

static int define(struct build *b, struct xnn_external_value *external, float *const *buffers, struct err *err)
{
    const struct plan *p = b->plan;
    uint32_t n = 0;

    for (size_t i = 0; i < p->n_stores; i++) {
        const struct store *s = &p->stores[i];
        uint32_t flags =
            (s->input ? XNN_VALUE_FLAG_EXTERNAL_INPUT : 0) | (s->output ? XNN_VALUE_FLAG_EXTERNAL_OUTPUT : 0);

        if (!s->used)
            continue;
        if (flags)
            external[n] = (struct xnn_external_value){n, buffers[i]};
        if (define_store(b, s, flags ? n++ : XNN_INVALID_VALUE_ID, flags, &b->id[i]) != xnn_status_success)
            return err_set(err, "XNNPACK refuses a tensor");
    }
    for (size_t i = 0; i < p->n_layers; i++) {
        enum xnn_status s = define_layer(b, &p->layers[i]);

        if (s != xnn_status_success)
            return err_set(err, "node '%.80s': layer '%s': %s", p->layers[i].name, layer_name(&p->layers[i]),
                           status_text(s));
    }
    return 0;
}

struct xnn_runtime *xnn_build(const struct plan *p, float *const *buffers, struct err *err)
{
    struct build b = {.plan = p};
    struct xnn_external_value *external;
    xnn_runtime_t runtime = NULL;
    uint32_t n = 0;
    enum xnn_status s = xnn_initialize(NULL); /* once for the process, whoever calls it first */

    if (s != xnn_status_success) {
        err_set(err, "XNNPACK does not start: %s", status_text(s));
        return NULL;
    }
    for (size_t i = 0; i < p->n_stores; i++)
        n += p->stores[i].used && (p->stores[i].input || p->stores[i].output);
    b.id = calloc(p->n_stores, sizeof *b.id);
    external = calloc(n + 1, sizeof *external); /* never of nothing */
    if (!b.id || !external || xnn_create_subgraph(n, 0, &b.graph) != xnn_status_success)
        err_set(err, "out of memory");
    else if (define(&b, external, buffers, err) == 0) {
        s = xnn_create_runtime_v2(b.graph, NULL, 0, &runtime);
        if (s == xnn_status_success)
            s = xnn_setup_runtime(runtime, n, external);
        if (s != xnn_status_success) {
            err_set(err, "the graph cannot be built: %s", status_text(s));
            xnn_delete_runtime(runtime);
            runtime = NULL;
        }
    }
    xnn_delete_subgraph(b.graph);
    free(b.id);
    free(external);
    return runtime;
}

void xnn_free(struct xnn_runtime *r)
{
    if (r)
        xnn_delete_runtime(r);
}

int xnn_run(struct xnn_runtime *r)
{
    return xnn_invoke_runtime(r) == xnn_status_success ? 0 : -1;
}
