/* bench_int8 MODEL | bench_int8 MODEL fp32|int8 N: would 8-bit arithmetic be faster? Builds a model's layers twice from the same
 * plan, in float32 as the engine does and in XNNPACK's quantised operators (activations and weights of 8 bits, weights and
 * biases of convolutions scaled per channel, ranges from one run over noise), and prints a table of both, layer by layer and as a
 * whole. With fp32 or int8 and N it only runs so many inferences, for tools that count instructions. Not a test: a figure is no verdict.
 * Run by `make bench-int8`. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations" /* as in model/xnn.c */

#include "model/plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xnnpack.h>

#define BATCHES 60
#define BATCH_S 0.004 /* shorter than a time slice, so that some batches meet nobody else on the core */
#define STORES  512
#define NONE    SIZE_MAX

struct range { /* real value = (number - zero) * scale */
    float min, max, scale;
    int32_t zero;
};

struct net {
    const struct plan *plan;
    xnn_subgraph_t graph;
    xnn_runtime_t runtime;
    size_t first, end, int8_from;
    uint32_t id[2][STORES]; /* of float32, of int8 */
    struct xnn_external_value external[STORES];
    void *buffers[STORES]; /* of what is external */
    uint32_t n_external;
    struct range *ranges; /* one for each store */
    void *kept[4 * STORES];
    size_t n_kept;
};

static void must(enum xnn_status s, const char *what)
{
    if (s == xnn_status_success)
        return;
    fprintf(stderr, "bench_int8: %s: XNNPACK status %d\n", what, (int)s);
    exit(1);
}

static void *take(size_t n, size_t size)
{
    void *p = calloc(1, n * size + PLAN_SLACK);

    if (!p) {
        fprintf(stderr, "bench_int8: out of memory\n");
        exit(1);
    }
    return p;
}

static void *keep(struct net *net, size_t n, size_t size)
{
    return net->kept[net->n_kept++] = take(n, size);
}

static size_t elements(const struct store *s)
{
    size_t n = 1;

    for (size_t i = 0; i < s->rank; i++)
        n *= s->dims[i];
    return n;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int8_t to_int8(double x)
{
    return (int8_t)fmax(-128, fmin(127, nearbyint(x)));
}

/* --- weights ---------------------------------------------------------------------------------------------------------- */

/* Symmetric: one scale for each output channel, or the widest for all where the operator knows no other. Bias in units of input
 * times weight. Element i of the weights belongs to channel i / each, or i % out for depthwise ones. */
static void int8_weights(struct net *net, const struct layer *l, const size_t *dims, uint32_t *w, uint32_t *bias)
{
    bool per_channel = l->op != LAYER_DENSE, depthwise = l->op == LAYER_DEPTHWISE;
    size_t out = l->op == LAYER_DENSE ? l->group_out : l->groups * l->group_out, n = 1, rank = per_channel ? 4 : 2;
    float *scale = keep(net, out, sizeof *scale), *bias_scale = keep(net, out, sizeof *scale), widest = 1e-6f;
    float in = net->ranges[l->in[0]].scale;
    int32_t *b = keep(net, out, sizeof *b);
    int8_t *q;

    for (size_t i = 0; i < rank; i++)
        n *= dims[i];
    q = keep(net, n, sizeof *q);
    for (size_t i = 0; i < n; i++) {
        float *s = &scale[depthwise ? i % out : i / (n / out)];

        *s = fmaxf(*s, fabsf(l->w[i]) / 127);
        widest = fmaxf(widest, *s);
    }
    for (size_t o = 0; o < out; o++) {
        scale[o] = per_channel ? fmaxf(scale[o], widest * 1e-3f) : widest;
        bias_scale[o] = scale[o] * in;
        b[o] = (int32_t)lrintf(l->b[o] / bias_scale[o]);
    }
    for (size_t i = 0; i < n; i++)
        q[i] = to_int8((double)(l->w[i] / scale[depthwise ? i % out : i / (n / out)]));
    if (per_channel) {
        must(xnn_define_channelwise_quantized_tensor_value(net->graph, xnn_datatype_qcint8, scale, rank,
                                                           depthwise ? 3 : 0, dims, q, XNN_INVALID_VALUE_ID, 0, w),
             "weights");
        must(xnn_define_channelwise_quantized_tensor_value(net->graph, xnn_datatype_qcint32, bias_scale, 1, 0, &out, b,
                                                           XNN_INVALID_VALUE_ID, 0, bias),
             "bias");
    } else {
        must(xnn_define_quantized_tensor_value(net->graph, xnn_datatype_qint8, 0, widest, rank, dims, q,
                                               XNN_INVALID_VALUE_ID, 0, w),
             "weights");
        must(xnn_define_quantized_tensor_value(net->graph, xnn_datatype_qint32, 0, widest * in, 1, &out, b,
                                               XNN_INVALID_VALUE_ID, 0, bias),
             "bias");
    }
}

static void define_weights(struct net *net, const struct layer *l, bool int8, uint32_t *w, uint32_t *bias)
{
    size_t out = l->op == LAYER_DENSE ? l->group_out : l->groups * l->group_out;
    size_t conv[4] = {out, l->kernel[0], l->kernel[1], l->group_in};
    size_t depthwise[4] = {1, l->kernel[0], l->kernel[1], out}, dense[2] = {l->group_out, l->group_in};
    const size_t *dims = l->op == LAYER_DENSE ? dense : l->op == LAYER_CONV ? conv : depthwise;

    if (int8) {
        int8_weights(net, l, dims, w, bias);
        return;
    }
    must(xnn_define_tensor_value(net->graph, xnn_datatype_fp32, l->op == LAYER_DENSE ? 2 : 4, dims, l->w,
                                 XNN_INVALID_VALUE_ID, 0, w),
         "weights");
    must(xnn_define_tensor_value(net->graph, xnn_datatype_fp32, 1, &out, l->b, XNN_INVALID_VALUE_ID, 0, bias), "bias");
}

/* --- layers ----------------------------------------------------------------------------------------------------------- */

static void define_layer(struct net *net, const struct layer *l, bool int8)
{
    uint32_t in = net->id[int8][l->in[0]], out = net->id[int8][l->out], w, b;
    const struct store *to = &net->plan->stores[l->out];
    const uint32_t *pad = l->pad, *k = l->kernel, *stride = l->stride, *dilation = l->dilation;
    xnn_subgraph_t g = net->graph;
    enum xnn_status s = xnn_status_unsupported_parameter;

    if (l->op == LAYER_CONV || l->op == LAYER_DEPTHWISE || l->op == LAYER_DENSE)
        define_weights(net, l, int8, &w, &b);
    if (l->op == LAYER_CONV)
        s = xnn_define_convolution_2d(g, pad[0], pad[3], pad[2], pad[1], k[0], k[1], stride[0], stride[1], dilation[0],
                                      dilation[1], (uint32_t)l->groups, l->group_in, l->group_out, l->min, l->max, in,
                                      w, b, out, 0);
    else if (l->op == LAYER_DEPTHWISE)
        s = xnn_define_depthwise_convolution_2d(g, pad[0], pad[3], pad[2], pad[1], k[0], k[1], stride[0], stride[1],
                                                dilation[0], dilation[1], (uint32_t)l->group_out, l->groups, l->min,
                                                l->max, in, w, b, out, 0);
    else if (l->op == LAYER_DENSE)
        s = xnn_define_fully_connected(g, l->min, l->max, in, w, b, out, XNN_FLAG_TENSORFLOW_RESHAPE_2D);
    else if (l->op == LAYER_ADD)
        s = xnn_define_add2(g, l->min, l->max, in, net->id[int8][l->in[1]], out, 0);
    else if (l->op == LAYER_CLAMP)
        s = xnn_define_clamp(g, l->min, l->max, in, out, 0);
    else if (l->op == LAYER_MAX_POOL)
        s = xnn_define_max_pooling_2d(g, pad[0], pad[3], pad[2], pad[1], k[0], k[1], stride[0], stride[1], dilation[0],
                                      dilation[1], l->min, l->max, in, out, 0);
    else if (l->op == LAYER_GLOBAL_AVERAGE)
#ifdef XNN_FLAG_KEEP_DIMS
        s = xnn_define_global_average_pooling_2d(g, l->min, l->max, in, out, XNN_FLAG_KEEP_DIMS);
#else
        s = xnn_define_global_average_pooling_2d(g, l->min, l->max, in, out, 0);
#endif
    else if (l->op == LAYER_RESHAPE)
        s = xnn_define_static_reshape(g, to->rank, to->dims, in, out, 0);
    must(s, layer_name(l));
}

static bool reads(const struct layer *l, size_t store)
{
    return l->in[0] == store || (l->op == LAYER_ADD && l->in[1] == store);
}

/* In the numbers of whatever makes or reads it, both where they differ. What goes in or out of a whole net is float32. */
static void define_store(struct net *net, size_t i, bool outputs)
{
    const struct plan *p = net->plan;
    const struct store *s = &p->stores[i];
    const struct range *r = &net->ranges[i];
    bool whole = net->end - net->first == p->n_layers, made[2] = {false, false}, use[2] = {false, false};

    for (size_t k = net->first; k < net->end; k++) {
        bool int8 = k >= net->int8_from;

        made[int8] = made[int8] || p->layers[k].out == i;
        use[int8] = use[int8] || reads(&p->layers[k], i);
    }
    if (!made[0] && !made[1] && !use[0] && !use[1])
        return;
    bool fed = !made[0] && !made[1], read = !fed && (outputs || !whole || s->output);
    bool outside8 = (fed || read) && !whole && (made[1] || use[1]), outside = (fed || read) && !outside8;
    uint32_t flags = (fed ? XNN_VALUE_FLAG_EXTERNAL_INPUT : 0) | (read ? XNN_VALUE_FLAG_EXTERNAL_OUTPUT : 0);

    if (fed || read) {
        net->buffers[i] = keep(net, elements(s), sizeof(float));
        net->external[net->n_external++] = (struct xnn_external_value){(uint32_t)i, net->buffers[i]};
    }
    if (outside || made[0] || use[0])
        must(xnn_define_tensor_value(net->graph, xnn_datatype_fp32, s->rank, s->dims, NULL,
                                     outside ? (uint32_t)i : XNN_INVALID_VALUE_ID, outside ? flags : 0, &net->id[0][i]),
             "tensor");
    if (made[1] || use[1])
        must(xnn_define_quantized_tensor_value(net->graph, xnn_datatype_qint8, r->zero, r->scale, s->rank, s->dims,
                                               NULL, outside8 ? (uint32_t)i : XNN_INVALID_VALUE_ID,
                                               outside8 ? flags : 0, &net->id[1][i]),
             "quantised tensor");
}

/* To or from float32, where a store is wanted in both. */
static void convert(struct net *net, size_t store, bool int8)
{
    uint32_t from = net->id[int8][store], to = net->id[!int8][store];

    if (from != XNN_INVALID_VALUE_ID && to != XNN_INVALID_VALUE_ID)
        must(xnn_define_convert(net->graph, from, to, 0), "conversion");
}

/* Layers first to end - 1 of the plan, with int8 from layer int8_from on. outputs: every store can be read afterwards. */
static struct net *net_new(const struct plan *p, struct range *ranges, size_t first, size_t end, size_t int8_from,
                           bool outputs)
{
    struct net *net = take(1, sizeof *net);

    *net = (struct net){.plan = p, .ranges = ranges, .first = first, .end = end, .int8_from = int8_from};
    must(xnn_create_subgraph((uint32_t)p->n_stores, 0, &net->graph), "subgraph");
    for (size_t i = 0; i < p->n_stores; i++) {
        net->id[0][i] = net->id[1][i] = XNN_INVALID_VALUE_ID;
        define_store(net, i, outputs);
        if (p->stores[i].input)
            convert(net, i, false);
    }
    for (size_t k = first; k < end; k++) {
        define_layer(net, &p->layers[k], k >= int8_from);
        convert(net, p->layers[k].out, k >= int8_from);
    }
    must(xnn_create_runtime_v2(net->graph, NULL, 0, &net->runtime), "runtime");
    must(xnn_setup_runtime(net->runtime, net->n_external, net->external), "set-up");
    return net;
}

static void net_free(struct net *net)
{
    xnn_delete_runtime(net->runtime);
    xnn_delete_subgraph(net->graph);
    while (net->n_kept > 0)
        free(net->kept[--net->n_kept]);
    free(net);
}

static void net_feed(struct net *net)
{
    unsigned state = 1;

    for (size_t i = 0; i < net->plan->n_stores; i++)
        for (size_t k = 0; net->buffers[i] && net->plan->stores[i].input && k < elements(&net->plan->stores[i]); k++) {
            state = state * 1664525 + 1013904223;
            ((float *)net->buffers[i])[k] = (float)(state >> 8) / (1 << 22) - 2;
        }
}

/* --- ranges ----------------------------------------------------------------------------------------------------------- */

static void calibrate(const struct plan *p, struct range *ranges)
{
    struct net *net = net_new(p, ranges, 0, p->n_layers, NONE, true);

    net_feed(net);
    must(xnn_invoke_runtime(net->runtime), "run");
    for (size_t i = 0; i < p->n_stores; i++)
        for (size_t k = 0; net->buffers[i] && k < elements(&p->stores[i]); k++) {
            ranges[i].min = fminf(ranges[i].min, ((float *)net->buffers[i])[k]);
            ranges[i].max = fmaxf(ranges[i].max, ((float *)net->buffers[i])[k]);
        }
    net_free(net);
    for (size_t k = p->n_layers; k-- > 0;) /* these want the same numbers on both sides */
        if (p->layers[k].op == LAYER_CLAMP || p->layers[k].op == LAYER_RESHAPE || p->layers[k].op == LAYER_MAX_POOL)
            ranges[p->layers[k].in[0]] = ranges[p->layers[k].out];
    for (size_t i = 0; i < p->n_stores; i++) {
        ranges[i].scale = fmaxf((ranges[i].max - ranges[i].min) / 255, 1e-6f);
        ranges[i].zero = (int32_t)fmax(-128, fmin(127, rint((double)(-128 - ranges[i].min / ranges[i].scale))));
    }
}

/* --- figures ---------------------------------------------------------------------------------------------------------- */

/* The least time of one inference in ms, of both in turns: what another process takes away hits no minimum. */
static void measure(struct net *const nets[2], double best[2])
{
    best[0] = best[1] = INFINITY;
    for (int batch = 0; batch < 2 * BATCHES; batch++) {
        struct net *net = nets[batch & 1];
        double start = now(), each, last = start;

        do {
            must(xnn_invoke_runtime(net->runtime), "run");
            each = now() - last;
            last += each;
            best[batch & 1] = fmin(best[batch & 1], each * 1e3);
        } while (last - start < BATCH_S);
    }
}

static double row(const struct plan *p, struct range *ranges, size_t layer)
{
    const struct layer *l = &p->layers[layer];
    struct net *const nets[2] = {net_new(p, ranges, layer, layer + 1, NONE, false),
                                 net_new(p, ranges, layer, layer + 1, 0, false)};
    char shape[64] = "";
    double ms[2];

    for (size_t i = 0, n = 0; i < l->rank; i++)
        n += (size_t)snprintf(shape + n, sizeof shape - n, "%s%zu", i ? "x" : "", l->dims[i]);
    net_feed(nets[0]);
    net_feed(nets[1]);
    measure(nets, ms);
    printf("%-16s %-13s %10llu %9.4f %9.4f %7.2f\n", layer_name(l), shape, (unsigned long long)l->macs, ms[0], ms[1],
           ms[0] / ms[1]);
    net_free(nets[0]);
    net_free(nets[1]);
    return ms[0] / ms[1];
}

/* The net in float32 against int8 from layer `from` on; and whether they compute the same. */
static void whole(const struct plan *p, struct range *ranges, size_t from, const char *what)
{
    struct net *const nets[2] = {net_new(p, ranges, 0, p->n_layers, NONE, false),
                                 net_new(p, ranges, 0, p->n_layers, from, false)};
    double ms[2];

    net_feed(nets[0]);
    net_feed(nets[1]);
    measure(nets, ms);
    printf("%-30s %10llu %9.4f %9.4f %7.2f  differs by", what, (unsigned long long)p->macs, ms[0], ms[1],
           ms[0] / ms[1]);
    for (size_t i = 0; i < p->n_stores; i++) {
        double noise = 0, signal = 1e-30;

        for (size_t k = 0; p->stores[i].output && k < elements(&p->stores[i]); k++) {
            double a = (double)((float *)nets[0]->buffers[i])[k], b = (double)((float *)nets[1]->buffers[i])[k];
            noise += (a - b) * (a - b);
            signal += a * a;
        }
        if (p->stores[i].output)
            printf(" %.1f %%", 100 * sqrt(noise / signal));
    }
    printf("\n");
    net_free(nets[0]);
    net_free(nets[1]);
}

static void table(const struct plan *p, struct range *ranges)
{
    size_t slower = 0;

    printf("%-16s %-13s %10s %9s %9s %7s\n", "layer", "result", "MACs", "fp32 ms", "int8 ms", "times");
    for (size_t k = 0; k < p->n_layers; k++)
        if (row(p, ranges, k) < 1 && slower == k)
            slower++;
    whole(p, ranges, 0, "all layers int8");
    if (slower > 0 && slower < p->n_layers)
        whole(p, ranges, slower, slower > 1 ? "the first slower ones not" : "the first one not");
}

static void run_only(const struct plan *p, struct range *ranges, bool int8, long n)
{
    struct net *net = net_new(p, ranges, 0, p->n_layers, int8 ? 0 : NONE, false);

    net_feed(net);
    for (long i = 0; i < n; i++)
        must(xnn_invoke_runtime(net->runtime), "run");
    net_free(net);
}

int main(int argc, char **argv)
{
    struct err err = {""};
    struct graph *g = argc == 2 || argc == 4 ? graph_load(argv[1], &err) : NULL;
    struct plan *p = g ? plan_new(g, &err) : NULL;
    struct range *ranges;

    if (!p || p->n_stores > STORES) {
        fprintf(stderr, "bench_int8: %s\n",
                *err.text ? err.text
                : p       ? "too many layers"
                          : "usage: bench_int8 MODEL [fp32|int8 RUNS]");
        return 2;
    }
    for (size_t i = 0; i < p->n_stores; i++)
        if (p->stores[i].int8) {
            fprintf(stderr, "bench_int8: %s: it is quantised already; give the float32 model\n", argv[1]);
            return 2;
        }
    ranges = take(p->n_stores, sizeof *ranges);
    must(xnn_initialize(NULL), "start");
    calibrate(p, ranges);
    if (argc == 4)
        run_only(p, ranges, strcmp(argv[2], "int8") == 0, atol(argv[3]));
    else
        table(p, ranges);
    free(ranges);
    plan_free(p);
    graph_free(g);
    return 0;
}
