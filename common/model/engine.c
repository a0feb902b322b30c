#include "model/engine.h"

#include "model/plan.h"
#include "model/xnn.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct view { /* of the input: one buffer in one order */
    float *buffer;
    uint32_t *gather; /* NULL: as it comes */
};

struct output {
    struct engine_tensor tensor;
    const float *buffer; /* one of engine.buffers */
    uint32_t *map;       /* element i lies at buffer[map[i]]; NULL: at i */
};

struct engine {
    struct xnn_runtime *runtime;
    struct engine_tensor input;
    struct engine_stats stats;
    struct view *views;
    struct output *outputs;
    float **buffers; /* inputs, outputs and constants, all owned */
    struct engine_layer *layers;
    size_t n_views, n_outputs, n_buffers;
};

static void tensor_shape(struct engine_tensor *t, const char *name, size_t rank, const size_t *dims)
{
    snprintf(t->name, sizeof t->name, "%s", name);
    t->rank = rank;
    t->n = 1;
    for (size_t i = 0; i < rank; i++)
        t->n *= t->dims[i] = dims[i];
}

/* Buffers for what goes in and out; constants change owner. e->buffers is indexed like the plan's stores. */
static int take_stores(struct engine *e, struct plan *p, struct err *err)
{
    for (size_t i = 0; i < p->n_stores; i++) {
        struct store *s = &p->stores[i];
        size_t n = 1;

        for (size_t k = 0; k < s->rank; k++)
            n *= s->dims[k];
        if (!s->used)
            continue;
        if (s->data) {
            e->stats.weight_bytes += n * sizeof(float);
            continue;
        }
        if (!s->input && !s->output)
            continue;
        e->buffers[i] = calloc(1, n * sizeof(float) + PLAN_SLACK);
        if (!e->buffers[i])
            return err_set(err, "out of memory");
        if (s->input) {
            e->views[e->n_views++] = (struct view){e->buffers[i], s->gather};
            s->gather = NULL;
        }
    }
    return 0;
}

static int take_outputs(struct engine *e, const struct plan *p, struct err *err)
{
    const struct graph *g = p->graph;

    for (size_t i = 0; i < g->n_outputs; i++) {
        const struct plan_value *v = &p->values[g->outputs[i]];
        struct output *o = &e->outputs[e->n_outputs++];
        bool plain = true;

        tensor_shape(&o->tensor, g->values[g->outputs[i]].name, v->layout.rank, v->layout.dims);
        o->buffer = e->buffers[v->store];
        for (size_t k = 0; k < v->layout.factors; k++)
            plain = plain && v->layout.place[k] == k;
        if (!plain && !(o->map = layout_map(&v->layout)))
            return err_set(err, "out of memory");
    }
    return 0;
}

static void take_layers(struct engine *e, const struct plan *p)
{
    for (size_t i = 0; i < p->n_layers; i++) {
        const struct layer *l = &p->layers[i];
        struct engine_layer *to = &e->layers[e->stats.n_layers++];

        snprintf(to->name, sizeof to->name, "%s", l->name);
        to->op = layer_name(l);
        to->rank = l->rank;
        memcpy(to->dims, l->dims, sizeof to->dims);
        to->parameters = l->parameters;
        to->macs = l->macs;
        if (l->w)
            e->stats.weight_bytes += l->parameters * sizeof(float);
        else if (l->qw)
            e->stats.weight_bytes += l->parameters;
    }
    e->stats.macs = p->macs;
    e->stats.parameters = p->graph->parameters;
}

static int build(struct engine *e, struct plan *p, struct err *err)
{
    const struct graph *g = p->graph;

    tensor_shape(&e->input, g->values[g->input].name, g->input_rank, g->input_dims);
    e->n_buffers = p->n_stores;
    e->buffers = calloc(p->n_stores, sizeof *e->buffers);
    e->views = calloc(p->n_stores, sizeof *e->views);
    e->outputs = calloc(g->n_outputs, sizeof *e->outputs);
    e->layers = calloc(p->n_layers + 1, sizeof *e->layers);
    if (!e->buffers || !e->views || !e->outputs || !e->layers)
        return err_set(err, "out of memory");
    if (take_stores(e, p, err) != 0 || take_outputs(e, p, err) != 0)
        return -1;
    take_layers(e, p);
    e->runtime = xnn_build(p, e->buffers, err);
    if (!e->runtime)
        return -1;
    for (size_t i = 0; i < p->n_stores; i++)
        if (p->stores[i].used && p->stores[i].data) {
            e->buffers[i] = p->stores[i].data;
            p->stores[i].data = NULL;
        }
    return 0;
}

struct engine *engine_new(const struct graph *g, struct err *err)
{
    struct plan *p = plan_new(g, err);
    struct engine *e = p ? calloc(1, sizeof *e) : NULL;

    if (p && !e)
        err_set(err, "out of memory");
    if (e && build(e, p, err) != 0) {
        engine_free(e);
        e = NULL;
    }
    plan_free(p);
    return e;
}

struct engine *engine_load(const char *path, struct err *err)
{
    struct graph *g = graph_load(path, err);
    struct engine *e;

    if (!g)
        return NULL;
    e = engine_new(g, err);
    if (!e)
        err_prefix(err, "%s: ", path);
    graph_free(g);
    malloc_trim(0); /* the parsed file and the re-ordered weights were several times what stays */
    return e;
}

void engine_free(struct engine *e)
{
    if (!e)
        return;
    xnn_free(e->runtime);
    for (size_t i = 0; i < e->n_buffers && e->buffers; i++)
        free(e->buffers[i]);
    for (size_t i = 0; i < e->n_views; i++)
        free(e->views[i].gather);
    for (size_t i = 0; i < e->n_outputs; i++)
        free(e->outputs[i].map);
    free(e->buffers);
    free(e->views);
    free(e->outputs);
    free(e->layers);
    free(e);
}

const struct engine_tensor *engine_input(const struct engine *e)
{
    return &e->input;
}

size_t engine_outputs(const struct engine *e)
{
    return e->n_outputs;
}

const struct engine_tensor *engine_output(const struct engine *e, size_t i)
{
    return &e->outputs[i].tensor;
}

int engine_find_output(const struct engine *e, const char *name)
{
    for (size_t i = 0; i < e->n_outputs; i++)
        if (strcmp(e->outputs[i].tensor.name, name) == 0)
            return (int)i;
    return -1;
}

const struct engine_stats *engine_stats(const struct engine *e)
{
    return &e->stats;
}

const struct engine_layer *engine_layer(const struct engine *e, size_t i)
{
    return &e->layers[i];
}

int engine_run(struct engine *e, const float *input, float *const *outputs)
{
    for (size_t v = 0; v < e->n_views; v++) {
        if (!e->views[v].gather)
            memcpy(e->views[v].buffer, input, e->input.n * sizeof *input);
        for (size_t i = 0; e->views[v].gather && i < e->input.n; i++)
            e->views[v].buffer[i] = input[e->views[v].gather[i]];
    }
    if (xnn_run(e->runtime) != 0)
        return -1;
    for (size_t o = 0; o < e->n_outputs; o++) {
        const struct output *from = &e->outputs[o];

        if (!outputs[o])
            continue;
        if (!from->map)
            memcpy(outputs[o], from->buffer, from->tensor.n * sizeof *from->buffer);
        for (size_t i = 0; from->map && i < from->tensor.n; i++)
            outputs[o][i] = from->buffer[from->map[i]];
    }
    return 0;
}
