#include "daemon/clips/clip_quota.h"

#include <stdlib.h>
#include <string.h>

struct holding {
    const char *label;
    uint64_t bytes, files; /* with what is coming */
    size_t stored;         /* files that can go */
};

struct account {
    struct clip_entry *e;
    size_t n, n_classes;
    struct holding *classes;
    uint64_t bytes, files;
    long gone;
};

static struct holding *find(struct account *a, const char *label)
{
    for (size_t i = 0; i < a->n_classes; i++)
        if (strcmp(a->classes[i].label, label) == 0)
            return &a->classes[i];
    struct holding *h = &a->classes[a->n_classes++];
    *h = (struct holding){.label = label};
    return h;
}

static void count(struct account *a, const struct clip_entry *e, bool stored)
{
    struct holding *h = find(a, e->label);

    h->bytes += e->bytes;
    h->files++;
    h->stored += stored;
    a->bytes += e->bytes;
    a->files++;
}

static void drop(struct account *a, struct clip_entry *e)
{
    struct holding *h = find(a, e->label);

    e->gone = true;
    h->bytes -= e->bytes;
    h->files--;
    h->stored--;
    a->bytes -= e->bytes;
    a->files--;
    a->gone++;
}

static void drop_oldest(struct account *a, const char *label)
{
    for (size_t i = 0; i < a->n; i++)
        if (!a->e[i].gone && strcmp(a->e[i].label, label) == 0) {
            drop(a, &a->e[i]);
            return;
        }
}

static void keep_shares(struct account *a, const struct clip_quota *q)
{
    for (size_t i = 0; i < a->n_classes; i++) {
        struct holding *h = &a->classes[i];
        double most_files = (double)q->files * q->class_share;
        if (strcmp(h->label, CLIP_ALL) == 0)
            continue;
        while (h->stored > 0 && ((double)h->bytes > (double)q->bytes * q->class_share ||
                                 ((double)h->files > most_files && h->files > 1)))
            drop_oldest(a, h->label);
    }
}

/* The class that holds the most of what there is too much of; of two alike the one with the older clip. */
static const struct holding *largest(const struct account *a, bool by_files)
{
    const struct holding *best = NULL;

    for (size_t i = 0; i < a->n_classes; i++) {
        const struct holding *h = &a->classes[i];
        uint64_t own = by_files ? h->files : h->bytes;
        if (h->stored > 0 && (!best || own > (by_files ? best->files : best->bytes)))
            best = h;
    }
    return best;
}

long clip_quota_apply(const struct clip_quota *q, struct clip_entry *e, size_t n, const struct clip_entry *coming,
                      int64_t now_ms)
{
    struct account a = {.e = e, .n = n, .classes = calloc(n + 1, sizeof *a.classes)};

    if (!a.classes)
        return -1;
    for (size_t i = 0; i < n; i++) {
        e[i].gone = false;
        count(&a, &e[i], true);
    }
    if (coming)
        count(&a, coming, false);
    for (size_t i = 0; i < n && q->age_ms > 0; i++)
        if (e[i].utc_ms < now_ms - q->age_ms)
            drop(&a, &e[i]);
    keep_shares(&a, q);
    const struct holding *h;
    while ((a.files > q->files || a.bytes > q->bytes) && (h = largest(&a, a.bytes <= q->bytes)))
        drop_oldest(&a, h->label);
    free(a.classes);
    return a.gone;
}
