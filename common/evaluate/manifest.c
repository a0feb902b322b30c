#include "evaluate/manifest.h"

#include "base/text.h"
#include "evaluate/realname.h"

#include <stdlib.h>
#include <string.h>

static int find_column(const struct manifest *m, const char *name)
{
    for (size_t i = 0; i < m->n_columns; i++)
        if (strcmp(m->columns[i], name) == 0)
            return (int)i;
    return -1;
}

/* "a, b, c" of the header, cut to fit. */
static void list_columns(const struct manifest *m, char *text, size_t size)
{
    size_t used = 0;

    *text = 0;
    for (size_t i = 0; i < m->n_columns && used < size; i++)
        if (*m->columns[i])
            used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "", m->columns[i]);
}

static int no_column(const struct manifest *m, const char *where, const char *name, const char *needed, struct err *err)
{
    struct text_nearest near = {.word = name};
    char list[400];

    list_columns(m, list, sizeof list);
    for (size_t i = 0; i < m->n_columns; i++)
        text_nearest_try(&near, m->columns[i]);
    return err_set(err, "%s: no column %.60s; there %s %s%s%s%s%s", where, name, m->n_columns == 1 ? "is" : "are", list,
                   near.best ? " (did you mean " : "", near.best ? near.best : "", near.best ? "?)" : "", needed);
}

/* Without empty ones behind the first `least`: spreadsheets leave such commas. */
static size_t used_fields(const struct csv *c, size_t least)
{
    size_t n = c->n;

    while (n > least && !*c->field[n - 1])
        n--;
    return n;
}

static char **copy_fields(const struct csv *c)
{
    char **copy = calloc(c->n + 1, sizeof *copy);

    if (copy)
        memcpy(copy, c->field, c->n * sizeof *copy);
    return copy;
}

/* path, label: where they are. */
static int read_header(struct manifest *m, int *path, int *label, struct err *err)
{
    static const char needed[] = "; the first line is to name the columns, path and label among them";
    char where[300];
    int rc = csv_next(&m->csv, err);

    if (rc < 0)
        return -1;
    if (rc == 0)
        return err_set(err, "%s: is empty%s", m->path, needed);
    m->columns = copy_fields(&m->csv);
    if (!m->columns)
        return err_set(err, "%s: no memory", m->path);
    m->n_columns = used_fields(&m->csv, 0);
    snprintf(where, sizeof where, "%.250s:%u", m->path, m->csv.line);
    for (size_t i = 0; i < m->n_columns; i++)
        if (*m->columns[i] && find_column(m, m->columns[i]) != (int)i)
            return err_set(err, "%s: the column %.60s is there twice", where, m->columns[i]);
    *path = find_column(m, "path");
    if (*path < 0)
        *path = find_column(m, "file");
    *label = find_column(m, "label");
    if (*path < 0 || *label < 0)
        return no_column(m, where, *path < 0 ? "path" : "label", needed, err);
    return 0;
}

/* The manifest's folder before a path that is not absolute. */
static char *join(const char *manifest, const char *name)
{
    const char *slash = strrchr(manifest, '/');
    char *path;

    if (name[0] == '/' || !slash)
        return strdup(name);
    return asprintf(&path, "%.*s/%s", (int)(slash - manifest), manifest, name) < 0 ? NULL : path;
}

static void tell(struct manifest *m, unsigned line, const char *what, manifest_problem *problem, void *ctx)
{
    struct err err;

    err_set(&err, "%s:%u: %s", m->path, line, what);
    m->n_bad++;
    problem(ctx, err.text);
}

/* 1: added; 0: told and left out; -1: no memory. */
static int add_clip(struct manifest *m, size_t *room, int path, int label, manifest_problem *problem, void *ctx)
{
    const struct csv *c = &m->csv;
    char text[128];

    if (used_fields(c, m->n_columns) != m->n_columns) {
        snprintf(text, sizeof text, "%zu field%s where the header has %zu", c->n, c->n == 1 ? "" : "s", m->n_columns);
        tell(m, c->line, text, problem, ctx);
        return 0;
    }
    if (!*c->field[path] || !*c->field[label]) {
        tell(m, c->line, *c->field[path] ? "the label is missing" : "the path is missing", problem, ctx);
        return 0;
    }
    if (m->n == *room) {
        *room = *room ? 2 * *room : 256;
        struct clip *more = realloc(m->clips, *room * sizeof *more);
        if (!more)
            return -1;
        m->clips = more;
    }
    int fold = find_column(m, "fold"), dataset = find_column(m, "dataset");
    struct clip clip = {.line = c->line, .field = copy_fields(c), .path = join(m->path, c->field[path])};
    if (!clip.field || !clip.path) {
        free(clip.field);
        free(clip.path);
        return -1;
    }
    clip.name = clip.field[path];
    clip.label = clip.field[label];
    clip.fold = fold < 0 ? NULL : clip.field[fold];
    clip.dataset = dataset < 0 ? NULL : clip.field[dataset];
    m->clips[m->n++] = clip;
    return 1;
}

static void free_clip(struct clip *c)
{
    free(c->path);
    free(c->field);
}

/* A clip by the one name that its file has. */
struct place {
    struct clip *clip;
    char *key;
};

static int by_key_and_line(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    int order = strcmp(x->key, y->key);

    return order ? order : (x->clip->line > y->clip->line) - (x->clip->line < y->clip->line);
}

/* Throws out the clips that are marked by a NULL name. */
static void compact(struct manifest *m)
{
    size_t kept = 0;

    for (size_t i = 0; i < m->n; i++)
        if (m->clips[i].name)
            m->clips[kept++] = m->clips[i];
        else
            free_clip(&m->clips[i]);
    m->n = kept;
}

void manifest_drop(struct manifest *m, const bool *drop)
{
    for (size_t i = 0; i < m->n; i++)
        if (drop[i])
            m->clips[i].name = NULL;
    compact(m);
}

/* -1: no memory. */
static int find_places(const struct manifest *m, struct place *places)
{
    struct realname names = {0};
    int rc = 0;

    for (size_t i = 0; i < m->n && rc == 0; i++) {
        places[i] = (struct place){&m->clips[i], realname_of(&names, m->clips[i].path)};
        rc = places[i].key ? 0 : -1;
    }
    realname_free(&names);
    return rc;
}

static int drop_repeats(struct manifest *m, manifest_problem *problem, void *ctx, struct err *err)
{
    struct place *places = calloc(m->n + 1, sizeof *places);
    char text[600];
    int rc = places ? find_places(m, places) : -1;

    if (rc < 0)
        err_set(err, "%s: no memory", m->path);
    else
        qsort(places, m->n, sizeof *places, by_key_and_line);
    for (size_t i = 1, first = 0; rc == 0 && i < m->n; i++) {
        if (strcmp(places[first].key, places[i].key) != 0) {
            first = i;
            continue;
        }
        snprintf(text, sizeof text, "%.400s stands in line %u already", places[i].clip->name, places[first].clip->line);
        tell(m, places[i].clip->line, text, problem, ctx);
        places[i].clip->name = NULL;
    }
    for (size_t i = 0; places && i < m->n; i++)
        free(places[i].key);
    free(places);
    if (rc == 0)
        compact(m);
    return rc;
}

int manifest_read(struct manifest *m, const char *path, manifest_problem *problem, void *ctx, struct err *err)
{
    size_t room = 0;
    int path_column = 0, label_column = 0, rc;

    *m = (struct manifest){.path = path};
    if (csv_open(&m->csv, path, err) < 0)
        return -1;
    if (read_header(m, &path_column, &label_column, err) < 0)
        goto fail;
    while ((rc = csv_next(&m->csv, err)) == 1)
        if (add_clip(m, &room, path_column, label_column, problem, ctx) < 0) {
            err_set(err, "%s: no memory", path);
            goto fail;
        }
    if (rc < 0 || drop_repeats(m, problem, ctx, err) < 0)
        goto fail;
    if (m->n == 0) {
        err_set(err, "%s: no clip is listed%s", path, m->n_bad ? " that can be used" : " under the header");
        goto fail;
    }
    return 0;

fail:
    manifest_free(m);
    return -1;
}

void manifest_free(struct manifest *m)
{
    for (size_t i = 0; i < m->n; i++)
        free_clip(&m->clips[i]);
    free(m->clips);
    free(m->columns);
    csv_close(&m->csv);
    *m = (struct manifest){0};
}

/* --- conditions --- */

/* The entry of a list such as "1, 3" that begins at *at, without blanks around it; *at: the next one's begin, NULL at the end. */
static const char *entry(const char **at, size_t *n)
{
    const char *text = *at + strspn(*at, " \t");
    size_t all = strcspn(text, ",");

    *at = text[all] ? text + all + 1 : NULL;
    while (all > 0 && (text[all - 1] == ' ' || text[all - 1] == '\t'))
        all--;
    *n = all;
    return text;
}

static bool is_entry(const char *text, size_t n, const char *value)
{
    return strlen(value) == n && strncmp(text, value, n) == 0;
}

/* Does `value` stand in the list? */
static bool in_list(const char *list, const char *value)
{
    for (const char *at = list; at;) {
        size_t n;
        const char *text = entry(&at, &n);
        if (is_entry(text, n, value))
            return true;
    }
    return false;
}

/* A fold that no clip is of, most likely a slip, would be missed in silence. */
static int folds_are_there(const struct manifest *m, const char *folds, struct err *err)
{
    for (const char *at = folds; at;) {
        size_t n, i = 0;
        const char *text = entry(&at, &n);
        while (i < m->n && !is_entry(text, n, m->clips[i].fold))
            i++;
        if (i == m->n)
            return err_set(err, "--folds: %s has no clip of fold '%.*s'", m->path, (int)(n < 60 ? n : 60), text);
    }
    return 0;
}

/* One "column=value" of a text; *rest: behind it, NULL at the end. Checks only where clip is NULL. 1, 0: it holds or not; -1 */
static int condition(const struct manifest *m, const char *text, const struct clip *clip, const char **rest,
                     struct err *err)
{
    size_t n = strcspn(text, ",");
    const char *equals = memchr(text, '=', n);
    char column[64];

    *rest = text[n] ? text + n + 1 : NULL;
    if (!equals || equals == text)
        return err_set(err, "--where %.200s: column=value is needed, more of them with a comma between", text);
    snprintf(column, sizeof column, "%.*s", (int)(equals - text), text);
    int i = find_column(m, column);
    if (i < 0) {
        char where[300];
        snprintf(where, sizeof where, "--where %.200s: %.60s", text, m->path);
        return no_column(m, where, column, "", err);
    }
    size_t length = (size_t)(text + n - equals) - 1;
    return clip && strlen(clip->field[i]) == length && strncmp(clip->field[i], equals + 1, length) == 0;
}

/* The conditions of one text. */
static int all_hold(const struct manifest *m, const char *text, const struct clip *clip, struct err *err)
{
    int holds = 1;

    for (const char *at = text; at;) {
        int rc = condition(m, at, clip, &at, err);
        if (rc < 0)
            return -1;
        holds &= rc;
    }
    return holds;
}

long manifest_filter(struct manifest *m, const char *const *where, size_t n_where, const char *folds, struct err *err)
{
    size_t before = m->n;

    for (size_t w = 0; w < n_where; w++)
        if (all_hold(m, where[w], NULL, err) < 0)
            return -1;
    if (folds && find_column(m, "fold") < 0)
        return no_column(m, "--folds", "fold", "", err);
    if (folds && folds_are_there(m, folds, err) < 0)
        return -1;
    for (size_t w = 0; w < n_where; w++) {
        size_t i = 0;
        while (i < m->n && all_hold(m, where[w], &m->clips[i], err) != 1)
            i++;
        if (i == m->n)
            return err_set(err, "--where %.200s: it holds for no clip of %s", where[w], m->path);
    }
    for (size_t i = 0; i < m->n; i++) {
        struct clip *c = &m->clips[i];
        bool holds = n_where == 0;
        for (size_t w = 0; w < n_where && !holds; w++)
            holds = all_hold(m, where[w], c, err) == 1;
        if (!holds || (folds && !in_list(folds, c->fold)))
            c->name = NULL;
    }
    compact(m);
    if (m->n == 0)
        return err_set(err, "%s: none of its %zu clips is left by --where and --folds", m->path, before);
    return (long)(before - m->n);
}
