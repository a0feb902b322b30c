/* Sections that stand once for each name. Each is a list in struct config; its rows begin with their name. */
#include "base/config_private.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define GROW 32 /* rows that a list grows by */

#define LIST(rows, count)                                                                                              \
    offsetof(struct config, rows), offsetof(struct config, count), sizeof(*((struct config *)0)->rows)

const struct config_list config_lists[] = {
    {"class", "a class name", LIST(rules, n_rules), CONFIG_MAX_RULES, 0},
    {"action", "a name", LIST(actions, n_actions), CONFIG_MAX_ACTIONS, CONFIG_MAX_RULES},
    {"webhook", "a name", LIST(webhooks, n_webhooks), CONFIG_MAX_WEBHOOKS, CONFIG_MAX_RULES + CONFIG_MAX_ACTIONS},
    {0},
};

/* config_read counts its lines by these: no two lists may share a place. */
_Static_assert(CONFIG_MAX_RULES + CONFIG_MAX_ACTIONS + CONFIG_MAX_WEBHOOKS == CONFIG_MAX_ROWS, "room for every row");

const struct config_list *config_list(const char *section)
{
    for (const struct config_list *l = config_lists; l->section; l++)
        if (strcmp(l->section, section) == 0)
            return l;
    return NULL;
}

size_t config_list_count(const struct config *c, const struct config_list *l)
{
    return *(const size_t *)((const char *)c + l->count);
}

static void **rows_of(const struct config *c, const struct config_list *l)
{
    return (void **)((char *)c + l->rows);
}

void *config_list_at(const struct config *c, const struct config_list *l, size_t i)
{
    return (char *)*rows_of(c, l) + i * l->size;
}

void *config_list_find(const struct config *c, const struct config_list *l, const char *name)
{
    for (size_t i = 0; i < config_list_count(c, l); i++)
        if (strcmp(config_list_at(c, l, i), name) == 0)
            return config_list_at(c, l, i);
    return NULL;
}

bool config_label_valid(const char *label, size_t n)
{
    if (n == 0 || n >= LABEL_SIZE)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!islower((unsigned char)label[i]) && !isdigit((unsigned char)label[i]) && label[i] != '_')
            return false;
    return true;
}

int config_refuse_label(const char *what, const char *label, size_t n, struct err *err)
{
    char slug[LABEL_SIZE];
    size_t m = 0;
    bool usable = n > 0 && n < sizeof slug;

    for (size_t i = 0; usable && i < n; i++) {
        unsigned char ch = (unsigned char)label[i];
        if (isalnum(ch))
            slug[m++] = (char)tolower(ch);
        else if (isblank(ch) || ch == '-' || ch == '_')
            slug[m++] = '_';
        else
            usable = false;
    }
    slug[m < sizeof slug ? m : 0] = '\0';
    err_set(err, "\"%.*s\" is not %s%s%s; allowed: 1 to %d of a-z, 0-9, _", (int)(n < 60 ? n : 60), label, what,
            usable ? ", did you mean " : "", usable ? slug : "", LABEL_SIZE - 1);
    return -1;
}

long config_row(struct config *c, const struct config_list *l, const char *name, size_t n, struct err *err)
{
    size_t *count = (size_t *)((char *)c + l->count);
    void **rows = rows_of(c, l);

    if (!config_label_valid(name, n))
        return config_refuse_label(l->what, name, n, err);
    for (size_t i = 0; i < *count; i++) {
        const char *there = config_list_at(c, l, i);
        if (strlen(there) == n && memcmp(there, name, n) == 0)
            return (long)i;
    }
    if (*count >= l->max)
        return err_set(err, "more than %zu sections [%s NAME]", l->max, l->section);
    if (*count % GROW == 0) {
        void *more = realloc(*rows, (*count + GROW) * l->size);
        if (!more)
            return err_set(err, "no memory");
        *rows = more;
    }
    char *row = config_list_at(c, l, *count);
    memset(row, 0, l->size);
    memcpy(row, name, n);
    for (const struct option *o = options; o->section; o++)
        if (strcmp(o->section, l->section) == 0 && option_parse(o, row, o->preset, err))
            return -1;
    return (long)(*count)++;
}

int config_copy(struct config *out, const struct config *c, struct err *err)
{
    *out = *c;
    config_forget_lists(out);
    for (const struct config_list *l = config_lists; l->section; l++) {
        size_t n = config_list_count(c, l);
        if (n == 0)
            continue;
        void *rows = calloc((n + GROW - 1) / GROW * GROW, l->size);
        if (!rows) {
            config_free(out);
            return err_set(err, "no memory");
        }
        memcpy(rows, *rows_of(c, l), n * l->size);
        *rows_of(out, l) = rows;
        *(size_t *)((char *)out + l->count) = n;
    }
    return 0;
}
