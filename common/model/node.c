#include "model/graph.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int node_err(const struct graph_node *node, struct err *err, const char *fmt, ...)
{
    char text[ERR_TEXT];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return err_set(err, "node '%.80s' (%.40s): %s", node->name, node->op, text);
}

const struct graph_attr *node_attr(const struct graph_node *node, const char *name)
{
    for (size_t i = 0; i < node->n_attrs; i++)
        if (strcmp(node->attrs[i].name, name) == 0)
            return &node->attrs[i];
    return NULL;
}

/* 0: absent, 1: there, -1: of another type */
static int find(const struct graph_node *node, const char *name, enum attr_type type, const char *text,
                const struct graph_attr **out, struct err *err)
{
    *out = node_attr(node, name);
    if (!*out)
        return 0;
    return (*out)->type == type ? 1 : node_err(node, err, "attribute '%s' must be %s", name, text);
}

int node_int(const struct graph_node *node, const char *name, int64_t *out, struct err *err)
{
    const struct graph_attr *a;
    int found = find(node, name, ATTR_INT, "an integer", &a, err);

    if (found == 1)
        *out = a->i;
    return found < 0 ? -1 : 0;
}

int node_float(const struct graph_node *node, const char *name, float *out, struct err *err)
{
    const struct graph_attr *a;
    int found = find(node, name, ATTR_FLOAT, "a float", &a, err);

    if (found == 1)
        *out = a->f;
    if (found == 1 && a->f != a->f)
        return node_err(node, err, "attribute '%s' is not a number", name);
    return found < 0 ? -1 : 0;
}

int node_string(const struct graph_node *node, const char *name, char out[NODE_STRING], struct err *err)
{
    const struct graph_attr *a;
    int found = find(node, name, ATTR_STRING, "a string", &a, err);

    if (found == 1) {
        size_t n = a->n < NODE_STRING - 1 ? a->n : NODE_STRING - 1;

        for (size_t i = 0; i < n; i++)
            out[i] = a->s[i] > ' ' && a->s[i] < 0x7f ? a->s[i] : '?';
        out[n] = '\0';
    }
    return found < 0 ? -1 : 0;
}

int node_ints(const struct graph_node *node, const char *name, const int64_t **out, size_t *n, struct err *err)
{
    const struct graph_attr *a;
    int found = find(node, name, ATTR_INTS, "a list of integers", &a, err);

    if (found == 1) {
        *out = a->ints;
        *n = a->n;
    }
    return found < 0 ? -1 : 0;
}
