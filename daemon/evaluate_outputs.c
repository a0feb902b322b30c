#include "daemon/evaluate_outputs.h"

#include "evaluate/realname.h"
#include "model/vocabulary.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int no_memory(void)
{
    return cmd_fail(EXIT_FAILED, EVALUATE, "no memory");
}

static int find_paths(struct evaluate_outputs *o, const struct evaluate *e)
{
    for (size_t i = 0; i < o->n; i++) {
        struct evaluate_output *p = &o->output[i];
        if (p->given)
            p->path = strdup(p->given);
        else if (!p->name || !e->out)
            continue;
        else if (asprintf(&p->path, "%s/%s", e->out, p->name) < 0)
            p->path = NULL;
        if (!p->path)
            return no_memory();
    }
    return EXIT_GOOD;
}

/* Two paths of one file that would be there whole. What is no file at all, such as /dev/null, takes any number of writers. */
static int refuse_equals(const struct evaluate_outputs *o)
{
    struct realname names = {0};
    const char *first = NULL, *second = NULL;

    for (size_t i = 0; i < o->n && !first; i++) {
        struct stat st;
        char *one = o->output[i].path ? realname_of(&names, o->output[i].path) : NULL;
        if (one && (stat(one, &st) < 0 || !S_ISCHR(st.st_mode)))
            for (size_t k = 0; k < i && !first; k++) {
                char *other = o->output[k].path ? realname_of(&names, o->output[k].path) : NULL;
                if (other && strcmp(one, other) == 0) {
                    first = o->output[k].path;
                    second = o->output[i].path;
                }
                free(other);
            }
        free(one);
    }
    realname_free(&names);
    if (!first)
        return EXIT_GOOD;
    return cmd_fail(EXIT_USAGE, EVALUATE, "%s is to be written twice%s%s; each output needs a file of its own", first,
                    strcmp(first, second) ? ", also as " : "", strcmp(first, second) ? second : "");
}

/* The files that are there already under the outputs' names, or under those that they have until they are whole. */
struct there {
    struct stat *st; /* [n] */
    const char **path;
    size_t n;
};

static int find_there(const struct evaluate_outputs *o, struct there *t)
{
    *t = (struct there){.st = calloc(2 * o->n + 1, sizeof *t->st), .path = calloc(2 * o->n + 1, sizeof *t->path)};
    if (!t->st || !t->path)
        return no_memory();
    for (size_t i = 0; i < o->n; i++) {
        const char *path = o->output[i].path;
        char *part;
        if (!path)
            continue;
        if (asprintf(&part, "%s.part", path) < 0)
            return no_memory();
        for (int k = 0; k < 2; k++)
            if (stat(k ? part : path, &t->st[t->n]) == 0 && S_ISREG(t->st[t->n].st_mode))
                t->path[t->n++] = path;
        free(part);
    }
    return EXIT_GOOD;
}

static int refuse_input(const struct there *t, const char *input)
{
    struct stat st;

    if (!input || t->n == 0 || stat(input, &st) < 0)
        return EXIT_GOOD;
    for (size_t i = 0; i < t->n; i++)
        if (t->st[i].st_dev == st.st_dev && t->st[i].st_ino == st.st_ino)
            return cmd_fail(EXIT_USAGE, EVALUATE, "%s is not written: %s is read, and would be lost", t->path[i],
                            input);
    return EXIT_GOOD;
}

static int refuse_inputs(const struct evaluate_outputs *o, const struct evaluate *e, evaluate_input *input,
                         const void *ctx)
{
    char labels[PATH_MAX];
    struct there t;
    struct err none;
    const char *path;
    int code = find_there(o, &t);

    if (code == EXIT_GOOD)
        code = refuse_input(&t, e->model);
    if (code == EXIT_GOOD)
        code = refuse_input(&t, e->cx->config_path);
    if (code == EXIT_GOOD && vocabulary_find(labels, sizeof labels, &none) == 0)
        code = refuse_input(&t, labels);
    for (size_t i = 0; code == EXIT_GOOD && (path = input(ctx, i)); i++)
        code = refuse_input(&t, path);
    free(t.st);
    free(t.path);
    return code;
}

static int make_folder(struct evaluate_outputs *o, const char *path)
{
    struct stat st;

    if (mkdir(path, 0777) == 0)
        return (o->made = strdup(path)) ? EXIT_GOOD : no_memory();
    if (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode) && access(path, W_OK) == 0)
        return EXIT_GOOD;
    return cmd_fail(EXIT_USAGE, EVALUATE, "--out %s: %s", path, strerror(errno == EEXIST ? ENOTDIR : errno));
}

int evaluate_outputs_open(struct evaluate_outputs *o, const struct evaluate *e, evaluate_input *input, const void *ctx)
{
    struct err err;
    int code = e->out ? make_folder(o, e->out) : EXIT_GOOD;

    if (code == EXIT_GOOD)
        code = find_paths(o, e);
    if (code == EXIT_GOOD)
        code = refuse_equals(o);
    if (code == EXIT_GOOD)
        code = refuse_inputs(o, e, input, ctx);
    for (size_t i = 0; i < o->n && code == EXIT_GOOD; i++)
        if (o->output[i].path && outfile_open(&o->output[i].file, o->output[i].path, &err) < 0)
            code = cmd_fail(EXIT_USAGE, EVALUATE, "%s", err.text);
    return code;
}

int evaluate_outputs_finish(struct evaluate_outputs *o)
{
    struct err err;
    int rc = 0;

    for (size_t i = 0; i < o->n; i++)
        if (outfile_finish(&o->output[i].file, &err) < 0)
            rc = cmd_fail(-1, EVALUATE, "%s", err.text);
    return rc;
}

void evaluate_outputs_abandon(struct evaluate_outputs *o)
{
    for (size_t i = 0; i < o->n; i++) {
        outfile_abandon(&o->output[i].file);
        free(o->output[i].path);
        o->output[i].path = NULL;
    }
    if (o->made)
        rmdir(o->made); /* stays where something is in it */
    free(o->made);
    o->made = NULL;
}
