#include "train/group.h"

#include <stdlib.h>
#include <string.h>

/* Digits, or one letter; their length. */
static size_t digits(const char *p)
{
    return strspn(p, "0123456789");
}

const char *group_freesound(const char *path, size_t *length)
{
    const char *slash = strrchr(path, '/'), *field[4], *p = slash ? slash + 1 : path;
    size_t n[4];

    for (int i = 0; i < 4; i++) {
        field[i] = p;
        n[i] = digits(p);
        if (i == 2 && n[i] == 0 && p[0] >= 'A' && p[0] <= 'Z')
            n[i] = 1;
        if (n[i] == 0 || n[i] > 12 || (i < 3 && p[n[i]] != '-'))
            return NULL;
        p += n[i] + 1;
    }
    char behind = field[3][n[3]];
    if (behind != '.' && behind != '\0')
        return NULL;
    int which = digits(field[2]) ? 0 : 1;
    *length = n[which];
    return field[which];
}

/* Union-find. */
static size_t root(size_t *parent, size_t i)
{
    while (parent[i] != i) {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    return i;
}

static void join(size_t *parent, size_t a, size_t b)
{
    a = root(parent, a);
    b = root(parent, b);
    parent[a > b ? a : b] = a > b ? b : a;
}

struct tag {
    const char *key;
    uint64_t content;
    size_t clip;
};

static int by_key(const void *a, const void *b)
{
    const struct tag *x = a, *y = b;

    return strcmp(x->key, y->key);
}

static int by_content(const void *a, const void *b)
{
    const struct tag *x = a, *y = b;

    return (x->content > y->content) - (x->content < y->content);
}

long group_clips(const char *const *key, const uint64_t *content, size_t n, size_t *group)
{
    struct tag *tags = calloc(n + 1, sizeof *tags);
    size_t *parent = calloc(n + 1, sizeof *parent), used = 0;
    long groups = -1;

    if (!tags || !parent)
        goto done;
    for (size_t i = 0; i < n; i++)
        parent[i] = i;
    for (size_t i = 0; i < n; i++)
        if (key[i])
            tags[used++] = (struct tag){.key = key[i], .clip = i};
    if (used)
        qsort(tags, used, sizeof *tags, by_key);
    for (size_t i = 1; i < used; i++)
        if (strcmp(tags[i - 1].key, tags[i].key) == 0)
            join(parent, tags[i - 1].clip, tags[i].clip);
    used = 0;
    for (size_t i = 0; i < n; i++)
        if (content[i])
            tags[used++] = (struct tag){.content = content[i], .clip = i};
    if (used)
        qsort(tags, used, sizeof *tags, by_content);
    for (size_t i = 1; i < used; i++)
        if (tags[i - 1].content == tags[i].content)
            join(parent, tags[i - 1].clip, tags[i].clip);
    groups = 0;
    for (size_t i = 0; i < n; i++) /* a root comes before all others of its group */
        group[i] = root(parent, i) == i ? (size_t)groups++ : group[root(parent, i)];

done:
    free(tags);
    free(parent);
    return groups;
}
