#include "daemon/classify_list.h"
#include "daemon/dataset/dataset.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DEPTH_MAX = 64 };

void dataset_say(struct dataset *d, enum dataset_severity severity, const char *kind, const char *fmt, ...)
{
    va_list ap;

    if (d->n_problems == d->problems_room) {
        size_t room = d->problems_room ? 2 * d->problems_room : 64;
        struct dataset_problem *more = realloc(d->problems, room * sizeof *more);
        d->no_memory |= !more;
        if (!more)
            return;
        d->problems = more;
        d->problems_room = room;
    }
    struct dataset_problem *p = &d->problems[d->n_problems];
    *p = (struct dataset_problem){.severity = severity, .kind = kind};
    va_start(ap, fmt);
    if (vasprintf(&p->text, fmt, ap) < 0)
        p->text = NULL;
    va_end(ap);
    d->no_memory |= !p->text;
    d->n_problems += p->text != NULL;
    d->errors += p->text && severity == DATASET_ERROR;
}

void dataset_free(struct dataset *d)
{
    for (size_t i = 0; i < d->n; i++) {
        free(d->clips[i].path);
        free(d->clips[i].error);
        free(d->clips[i].print.word);
    }
    for (size_t i = 0; i < d->n_labels; i++)
        free(d->labels[i]);
    for (size_t i = 0; i < d->n_problems; i++)
        free(d->problems[i].text);
    free(d->clips);
    free(d->labels);
    free(d->problems);
    free(d->classes);
    free(d->pairs);
    manifest_free(&d->manifest);
    *d = (struct dataset){0};
}

/* Takes the path over, also where it fails. */
static int add_clip(struct dataset *d, char *path, size_t name_at, size_t label, const char *fold)
{
    if (path && d->n == d->room) {
        size_t room = d->room ? 2 * d->room : 256;
        struct dataset_clip *more = realloc(d->clips, room * sizeof *more);
        if (!more) {
            free(path);
            return -1;
        }
        d->clips = more;
        d->room = room;
    }
    if (!path)
        return -1;
    d->clips[d->n++] = (struct dataset_clip){.path = path, .name = path + name_at, .label = label, .fold = fold};
    return 0;
}

/* -1: no memory. */
static long label_of(struct dataset *d, const char *name)
{
    for (size_t i = d->n_labels; i-- > 0;)
        if (strcmp(d->labels[i], name) == 0)
            return (long)i;
    char **more = realloc(d->labels, (d->n_labels + 1) * sizeof *more);
    if (!more)
        return -1;
    d->labels = more;
    d->labels[d->n_labels] = strdup(name);
    return d->labels[d->n_labels] ? (long)d->n_labels++ : -1;
}

/* --- folders --------------------------------------------------------------------------------------------------------------------- */

struct walk {
    struct dataset *d;
    size_t name_at; /* where names for people begin */
    size_t loose;   /* recordings that lie in no class's folder */
};

static int wanted(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int walk_folder(struct walk *w, const char *path, long label, int depth);

static int take_entry(struct walk *w, char *path, const char *name, long label, int depth)
{
    struct stat st;
    bool link = lstat(path, &st) == 0 && S_ISLNK(st.st_mode);

    if (!link && S_ISDIR(st.st_mode)) {
        long below = depth == 0 ? label_of(w->d, name) : label;
        int rc = below < 0 ? -1 : walk_folder(w, path, below, depth + 1);
        free(path);
        return rc;
    }
    bool there = stat(path, &st) == 0;
    if (!classify_list_is_sound(name) || (there && S_ISDIR(st.st_mode))) {
        w->d->not_sound += there && S_ISREG(st.st_mode);
    } else if (there && !S_ISREG(st.st_mode)) {
        dataset_say(w->d, DATASET_ERROR, "unreadable", "%s: is no file (a pipe, a device or a socket)",
                    path + w->name_at);
    } else if (depth == 0) {
        w->loose++;
    } else {
        return add_clip(w->d, path, w->name_at, (size_t)label, NULL);
    }
    free(path);
    return 0;
}

static int walk_folder(struct walk *w, const char *path, long label, int depth)
{
    struct dirent **entries;
    size_t length = strlen(path);
    int rc = 0, n = depth > DEPTH_MAX ? -1 : scandir(path, &entries, wanted, by_bytes);

    if (n < 0) {
        dataset_say(w->d, DATASET_ERROR, "unreadable", "%s: %s", length > w->name_at ? path + w->name_at : path,
                    depth > DEPTH_MAX ? "folders too deep in each other" : strerror(errno));
        return 0;
    }
    for (int i = 0; i < n; i++) {
        char *whole = NULL;
        const char *slash = length && path[length - 1] == '/' ? "" : "/";
        if (rc == 0 && asprintf(&whole, "%s%s%s", path, slash, entries[i]->d_name) < 0)
            rc = -1;
        else if (rc == 0)
            rc = take_entry(w, whole, entries[i]->d_name, label, depth);
        free(entries[i]);
    }
    free(entries);
    return rc;
}

int dataset_list_folder(struct dataset *d, const char *folder, struct err *err)
{
    size_t length = strlen(folder);
    struct walk w = {.d = d, .name_at = length + !(length && folder[length - 1] == '/')};
    struct stat st;

    d->source = folder;
    if (stat(folder, &st) < 0)
        return err_set(err, "%s: %s", folder, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return err_set(err, "%s: is no folder; a list of recordings is given with --csv", folder);
    if (walk_folder(&w, folder, -1, 0) < 0)
        return err_set(err, "no memory");
    if (w.loose && !d->n)
        return err_set(err,
                       "%s: %zu recordings, but in no folders: a folder for each class is needed, such as %s/dog_bark",
                       folder, w.loose, folder);
    if (!d->n)
        return err_set(err, "%s: no recording in any folder in it%s%s", folder, d->n_problems ? "; " : "",
                       d->n_problems ? d->problems[0].text : "");
    if (w.loose)
        dataset_say(d, DATASET_HINT, "loose", "%zu recording%s in no class's folder: left out", w.loose,
                    w.loose == 1 ? "" : "s");
    if (d->not_sound)
        dataset_say(d, DATASET_HINT, "not_sound", "%zu file%s: no recordings, by their names; left out", d->not_sound,
                    d->not_sound == 1 ? "" : "s");
    return 0;
}

/* --- lists ----------------------------------------------------------------------------------------------------------------------- */

static void take_problem(void *ctx, const char *text)
{
    dataset_say(ctx, DATASET_ERROR, "list", "%s", text);
}

int dataset_list_csv(struct dataset *d, const char *path, struct err *err)
{
    d->source = path;
    if (manifest_read(&d->manifest, path, take_problem, d, err) < 0)
        return -1;
    for (size_t i = 0; i < d->manifest.n; i++) {
        const struct clip *c = &d->manifest.clips[i];
        long label = label_of(d, c->label);
        if (label < 0 || add_clip(d, strdup(c->path), 0, (size_t)label, c->fold && *c->fold ? c->fold : NULL) < 0)
            return err_set(err, "no memory");
        d->clips[d->n - 1].name = c->name;
    }
    return d->n ? 0
                : err_set(err, "%s: no line that can be used%s%s", path, d->n_problems ? ": " : "",
                          d->n_problems ? d->problems[0].text : "");
}
