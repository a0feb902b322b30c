#include "model/labels.h"

#include "event/event.h"

#include <stdlib.h>
#include <string.h>

#define LABELS_MAX 100000

bool label_valid(const char *label)
{
    size_t n = strspn(label, "abcdefghijklmnopqrstuvwxyz0123456789_");

    return n > 0 && n < LABEL_SIZE && label[n] == '\0';
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int check_unique(const struct labels *l, struct err *err)
{
    const char **sorted = malloc(l->n * sizeof *sorted);
    int rc = 0;

    if (!sorted)
        return err_set(err, "out of memory");
    memcpy(sorted, l->label, l->n * sizeof *sorted);
    qsort(sorted, l->n, sizeof *sorted, compare);
    for (size_t i = 1; i < l->n && rc == 0; i++)
        if (strcmp(sorted[i - 1], sorted[i]) == 0)
            rc = err_set(err, "label '%s' is there twice", sorted[i]);
    free(sorted);
    return rc;
}

int labels_read(struct labels *l, const char *text, struct err *err)
{
    size_t lines = 1;

    *l = (struct labels){.text = strdup(text)};
    for (const char *p = text; *p; p++)
        lines += *p == '\n';
    if (lines > LABELS_MAX)
        return err_set(err, "more than %d lines", LABELS_MAX);
    l->label = calloc(lines, sizeof *l->label);
    if (!l->text || !l->label)
        return err_set(err, "out of memory");
    for (char *p = l->text; *p;) {
        char *end = strchr(p, '\n');

        if (end)
            *end = '\0';
        if (!label_valid(p))
            return err_set(err, "line %zu, '%.60s': a label is 1 to %d of a-z, 0-9 and _", l->n + 1, p, LABEL_SIZE - 1);
        l->label[l->n++] = p;
        p = end ? end + 1 : p + strlen(p);
    }
    return l->n ? check_unique(l, err) : err_set(err, "it holds no label");
}

void labels_free(struct labels *l)
{
    free(l->label);
    free(l->text);
    *l = (struct labels){0};
}
