#include "daemon/train/list.h"

#include "daemon/classify_list.h"
#include "daemon/classify_print.h"
#include "daemon/train/slug.h"
#include "train/group.h"

#include <dirent.h>
#include <errno.h>
#include <regex.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LINE = 8192 };

void train_say(const char *fmt, ...)
{
    char text[LINE];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    fputs("earshot train: ", stderr);
    print_name(stderr, text);
    fputc('\n', stderr);
}

/* --- labels --- */

/* The slug of a name; one that has no letter in it gets a number. */
static void slug_of(const struct train_list *l, const char *name, char slug[LABEL_SIZE])
{
    train_slug(name, slug);
    if (!*slug)
        snprintf(slug, LABEL_SIZE, "unnamed_%zu", l->n_labels + 1);
}

static int add_label(struct train_list *l, const char *slug, const char *name)
{
    char **labels = realloc(l->label, (l->n_labels + 1) * sizeof *labels);
    if (!labels)
        return -1;
    l->label = labels;
    char **called = realloc(l->called, (l->n_labels + 1) * sizeof *called);
    if (!called)
        return -1;
    l->called = called;
    labels[l->n_labels] = strdup(slug);
    called[l->n_labels] = strdup(name);
    if (!labels[l->n_labels] || !called[l->n_labels]) {
        free(labels[l->n_labels]);
        free(called[l->n_labels]);
        return -1;
    }
    l->n_labels++;
    return 0;
}

/* The label for what somebody calls it, *k; says so where it is called otherwise here. Two names of one label are an error: are they
 * one sound? */
static int label_for(struct train_list *l, const char *name, size_t *k, struct err *err)
{
    char slug[LABEL_SIZE];

    for (*k = 0; *k < l->n_labels; ++*k)
        if (strcmp(l->called[*k], name) == 0)
            return 0;
    slug_of(l, name, slug);
    for (size_t i = 0; i < l->n_labels; i++)
        if (strcmp(l->label[i], slug) == 0)
            return err_set(
                err, "'%.200s' and '%.200s' would both be the label %s, which has a-z, 0-9 and _ alone: rename one",
                l->called[i], name, slug);
    if (strcmp(slug, name) != 0)
        train_say("%s: is called %s: a label has a-z, 0-9 and _", name, slug);
    return add_label(l, slug, name) < 0 ? err_set(err, "no memory") : 0;
}

struct order {
    char *label, *called;
    size_t was;
};

static int by_label(const void *a, const void *b)
{
    return strcmp(((const struct order *)a)->label, ((const struct order *)b)->label);
}

/* Labels in the order of their bytes, whatever the folder's. */
static int sort_labels(struct train_list *l, struct err *err)
{
    struct order *o = calloc(l->n_labels + 1, sizeof *o);
    size_t *now = calloc(l->n_labels + 1, sizeof *now);

    if (o && now) {
        for (size_t k = 0; k < l->n_labels; k++)
            o[k] = (struct order){l->label[k], l->called[k], k};
        if (l->n_labels)
            qsort(o, l->n_labels, sizeof *o, by_label);
        for (size_t k = 0; k < l->n_labels; k++) {
            l->label[k] = o[k].label;
            l->called[k] = o[k].called;
            now[o[k].was] = k;
        }
        for (size_t i = 0; i < l->n; i++)
            l->clip[i].label = now[l->clip[i].label];
    }
    int rc = o && now ? 0 : err_set(err, "no memory");
    free(o);
    free(now);
    return rc;
}

/* --- clips --- */

/* Takes path over. */
static int add_clip(struct train_list *l, char *path, size_t name_at, const char *name, size_t label, const char *fold)
{
    if (path && l->n == l->room) {
        size_t room = l->room ? 2 * l->room : 256;
        struct train_clip *more = realloc(l->clip, room * sizeof *more);
        if (!more) {
            free(path);
            path = NULL;
        } else {
            l->clip = more;
            l->room = room;
        }
    }
    if (!path)
        return -1;
    l->clip[l->n++] = (struct train_clip){path, name ? name : path + name_at, label, fold, NULL};
    return 0;
}

static void complain(void *ctx, const char *text)
{
    struct train_list *l = ctx;

    l->left_out++;
    train_say("%s", text);
}

static int visible(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* Files of a folder that are taken for no recordings: says how many. */
static void tell_others(struct train_list *l, const char *folder, bool sounds_too, const char *why)
{
    struct dirent **entries;
    size_t others = 0;
    char first[300] = "", path[4096];
    int n = scandir(folder, &entries, visible, by_bytes);

    for (int i = 0; i < n; i++) {
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if ((sounds_too || !classify_list_is_sound(entries[i]->d_name)) &&
            !(stat(path, &st) == 0 && S_ISDIR(st.st_mode)) && others++ == 0)
            snprintf(first, sizeof first, "%.280s", entries[i]->d_name);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    if (others == 1)
        train_say("%s/%s: %s: left out", folder, first, why);
    else if (others)
        train_say("%s: %zu files, such as %s: %s: left out", folder, others, first, why);
    l->left_out += others;
}

static int add_folder(struct train_list *l, const char *path, const char *name, size_t name_at, struct err *err)
{
    struct classify_list files = {.complain = complain, .ctx = l};
    int rc = classify_list_add(&files, path);
    size_t label = 0;

    err_set(err, "no memory"); /* unless something else is said */

    tell_others(l, path, false, "no recording, by its ending");
    if (rc == 0 && files.n)
        rc = label_for(l, name, &label, err);
    for (size_t i = 0; i < files.n && rc == 0; i++) {
        rc = add_clip(l, files.path[i], name_at, NULL, label, NULL);
        files.path[i] = NULL;
    }
    classify_list_free(&files);
    return rc;
}

int train_list_folder(struct train_list *l, const char *folder, struct err *err)
{
    struct dirent **entries;
    size_t folders = 0, length = strlen(folder);
    int rc = 0, n;

    while (length > 1 && folder[length - 1] == '/')
        length--;
    n = scandir(folder, &entries, visible, by_bytes);
    if (n < 0)
        return err_set(err, "%s: %s", folder, strerror(errno));
    for (int i = 0; i < n; i++) {
        char *path;
        struct stat st;
        if (asprintf(&path, "%.*s/%s", (int)length, folder, entries[i]->d_name) < 0)
            path = NULL;
        if (!path) {
            rc = err_set(err, "no memory");
        } else if (rc == 0 && stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
            folders++;
            rc = add_folder(l, path, entries[i]->d_name, length + 1, err);
        }
        free(path);
        free(entries[i]);
    }
    free(entries);
    if (rc < 0)
        return -1;
    tell_others(l, folder, true, "lies in no label's folder");
    if (folders == 0)
        return err_set(err,
                       "%s: holds no folder; a folder for each label is needed, with its recordings: %s/dog, %s/bell",
                       folder, folder, folder);
    if (l->n == 0)
        return err_set(err, "%s: there is no recording in its %zu folder%s", folder, folders, folders == 1 ? "" : "s");
    return sort_labels(l, err);
}

int train_list_csv(struct train_list *l, const char *path, struct err *err)
{
    if (manifest_read(&l->manifest, path, complain, l, err) < 0)
        return -1;
    for (size_t i = 0; i < l->manifest.n; i++) {
        struct clip *c = &l->manifest.clips[i];
        size_t label;
        if (label_for(l, c->label, &label, err) < 0)
            return -1;
        if (add_clip(l, strdup(c->path), 0, c->name, label, c->fold) < 0)
            return err_set(err, "no memory");
    }
    return sort_labels(l, err);
}

/* --- keys --- */

static int column_of(const struct manifest *m, const char *name)
{
    for (size_t i = 0; i < m->n_columns; i++)
        if (strcmp(m->columns[i], name) == 0)
            return (int)i;
    return -1;
}

static int set_key(struct train_list *l, size_t i, const char *text, size_t n)
{
    if (!text || !n)
        return 0;
    l->clip[i].key = strndup(text, n);
    l->n_keys += l->clip[i].key != NULL;
    return l->clip[i].key ? 0 : -1;
}

/* The clips still stand as the manifest has them. */
static int keys_by_column(struct train_list *l, int column)
{
    int rc = 0;

    l->keys = "as the column says";
    for (size_t i = 0; i < l->n && rc == 0; i++) {
        const char *value = l->manifest.clips[i].field[column];
        rc = set_key(l, i, value, strlen(value));
    }
    return rc;
}

static int keys_by_pattern(struct train_list *l, const char *pattern, struct err *err)
{
    regex_t re;
    regmatch_t match[2];
    char why[200];
    int rc = regcomp(&re, pattern, REG_EXTENDED);

    if (rc != 0) {
        regerror(rc, &re, why, sizeof why);
        err_set(err, "--groups %.200s: %s%s", pattern, why, l->manifest.n ? "; nor is it a column of the list" : "");
        return TRAIN_USAGE;
    }
    l->keys = "by --groups";
    for (size_t i = 0; i < l->n && rc == 0; i++) {
        const char *name = l->clip[i].name;
        if (regexec(&re, name, 2, match, 0) != 0)
            continue;
        const regmatch_t *m = re.re_nsub && match[1].rm_so >= 0 ? &match[1] : &match[0];
        rc = set_key(l, i, name + m->rm_so, (size_t)(m->rm_eo - m->rm_so));
    }
    regfree(&re);
    if (rc == 0 && l->n_keys == 0) {
        err_set(err, "--groups %.200s: matches the name of no clip, such as %.300s", pattern, l->clip[0].name);
        return TRAIN_USAGE;
    }
    return rc < 0 ? err_set(err, "no memory") : 0;
}

int train_list_keys(struct train_list *l, const char *groups, struct err *err)
{
    int column = column_of(&l->manifest, groups ? groups : "group"), rc = 0;

    if (column >= 0)
        return keys_by_column(l, column) < 0 ? err_set(err, "no memory") : 0;
    if (groups)
        return keys_by_pattern(l, groups, err);
    l->keys = "by Freesound's numbers in the names";
    for (size_t i = 0; i < l->n && rc == 0; i++) {
        size_t n = 0;
        const char *id = group_freesound(l->clip[i].path, &n);
        rc = set_key(l, i, id, n);
    }
    return rc < 0 ? err_set(err, "no memory") : 0;
}

/* --- */

static void free_clip(struct train_clip *c)
{
    free(c->path);
    free(c->key);
}

static void drop_label(struct train_list *l, size_t k)
{
    train_say("%s: no recording of it is left: there will be no such label", l->label[k]);
    free(l->label[k]);
    free(l->called[k]);
    memmove(l->called + k, l->called + k + 1, (l->n_labels - k - 1) * sizeof *l->called);
    memmove(l->label + k, l->label + k + 1, (l->n_labels - k - 1) * sizeof *l->label);
    l->n_labels--;
    for (size_t i = 0; i < l->n; i++)
        l->clip[i].label -= l->clip[i].label > k;
}

void train_list_drop(struct train_list *l, const bool *drop)
{
    size_t kept = 0;

    for (size_t i = 0; i < l->n; i++)
        if (drop[i]) {
            l->n_keys -= l->clip[i].key != NULL;
            free_clip(&l->clip[i]);
        } else {
            l->clip[kept++] = l->clip[i];
        }
    l->n = kept;
    for (size_t k = l->n_labels; k-- > 0;) {
        bool used = false;
        for (size_t i = 0; i < l->n; i++)
            used |= l->clip[i].label == k;
        if (!used)
            drop_label(l, k);
    }
}

void train_list_free(struct train_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free_clip(&l->clip[i]);
    for (size_t k = 0; k < l->n_labels; k++) {
        free(l->label[k]);
        free(l->called[k]);
    }
    free(l->clip);
    free(l->label);
    free(l->called);
    manifest_free(&l->manifest);
    *l = (struct train_list){0};
}
