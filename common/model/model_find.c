/* Where models lie. */
#include "model/model.h"

#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOLDERS_MAX 8
#define SUFFIX      ".onnx"

struct folders {
    size_t n;
    char path[FOLDERS_MAX][PATH_MAX];
};

static void add(struct folders *f, const char *path, size_t length)
{
    if (f->n < FOLDERS_MAX && length > 0 && length < PATH_MAX) {
        memcpy(f->path[f->n], path, length);
        f->path[f->n++][length] = '\0';
    }
}

/* $EARSHOT_MODELS may name several, with colons between them. */
static struct folders *folders(void)
{
    struct folders *f = calloc(1, sizeof *f);
    const char *env = getenv("EARSHOT_MODELS");
    char exe[PATH_MAX], real[PATH_MAX];
    ssize_t n;

    if (!f)
        return NULL;
    for (const char *p = env; p && *p && f->n < FOLDERS_MAX - 2; p += strcspn(p, ":"), p += *p == ':')
        add(f, p, strcspn(p, ":"));
    n = readlink("/proc/self/exe", exe, sizeof exe - 16);
    if (n > 0) {
        exe[n] = '\0';
        *strrchr(exe, '/') = '\0';
        strcat(exe, "/../models");
        if (realpath(exe, real))
            add(f, real, strlen(real));
    }
    add(f, EARSHOT_PREFIX "/share/earshot/models", strlen(EARSHOT_PREFIX "/share/earshot/models"));
    return f;
}

void model_folders(char *text, size_t size)
{
    struct folders *f = folders();
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; f && i < f->n && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "", f->path[i]);
    free(f);
}

static int is_model(const struct dirent *d)
{
    size_t n = strlen(d->d_name);

    return n > strlen(SUFFIX) && d->d_name[0] != '.' && strcmp(d->d_name + n - strlen(SUFFIX), SUFFIX) == 0;
}

static bool hidden(const struct folders *f, size_t before, const char *file)
{
    char path[PATH_MAX + NAME_MAX + 2];

    for (size_t i = 0; i < before; i++) {
        snprintf(path, sizeof path, "%s/%s", f->path[i], file);
        if (access(path, F_OK) == 0)
            return true;
    }
    return false;
}

size_t model_each(void (*fn)(void *ctx, const char *name, const char *path), void *ctx)
{
    struct folders *f = folders();
    size_t count = 0;

    for (size_t i = 0; f && i < f->n; i++) {
        struct dirent **list = NULL;
        int n = scandir(f->path[i], &list, is_model, alphasort);

        for (int k = 0; k < n; k++) {
            char path[PATH_MAX + NAME_MAX + 2], name[NAME_MAX + 1];

            if (!hidden(f, i, list[k]->d_name)) {
                snprintf(path, sizeof path, "%s/%s", f->path[i], list[k]->d_name);
                snprintf(name, sizeof name, "%.*s", (int)(strlen(list[k]->d_name) - strlen(SUFFIX)), list[k]->d_name);
                fn(ctx, name, path);
                count++;
            }
            free(list[k]);
        }
        free(list);
    }
    free(f);
    return count;
}

struct names {
    char text[200];
    size_t used;
};

static void add_name(void *ctx, const char *name, const char *path)
{
    struct names *n = ctx;

    (void)path;
    if (n->used < sizeof n->text)
        n->used += (size_t)snprintf(n->text + n->used, sizeof n->text - n->used, "%s%s", n->used ? ", " : "", name);
}

int model_find_file(const char *file, char *path, size_t size, struct err *err)
{
    struct folders *f = folders();
    char where[200];

    for (size_t i = 0; f && i < f->n; i++) {
        int n = snprintf(path, size, "%s/%s", f->path[i], file);

        if (n > 0 && (size_t)n < size && access(path, F_OK) == 0) {
            free(f);
            return 0;
        }
    }
    free(f);
    model_folders(where, sizeof where);
    return err_set(err, "no file %.60s beside the models; looked in %s", file, where);
}

int model_find(const char *name_or_path, char *path, size_t size, struct err *err)
{
    size_t length = strlen(name_or_path);
    struct names names = {.text = ""};
    char where[200], file[NAME_MAX + 1];

    if (length == 0)
        return err_set(err, "the name of the model is empty");
    if (strchr(name_or_path, '/') ||
        (length > strlen(SUFFIX) && strcmp(name_or_path + length - strlen(SUFFIX), SUFFIX) == 0)) {
        if (length >= size)
            return err_set(err, "the path of the model is longer than %zu bytes", size - 1);
        memcpy(path, name_or_path, length + 1);
        return access(path, F_OK) == 0 ? 0 : err_set(err, "model file %.300s is not there", path);
    }
    if (snprintf(file, sizeof file, "%s" SUFFIX, name_or_path) < (int)sizeof file &&
        model_find_file(file, path, size, NULL) == 0)
        return 0;
    model_folders(where, sizeof where);
    model_each(add_name, &names);
    return err_set(err, "no model '%.60s'; looked in %s; %s%s", name_or_path, where,
                   names.used ? "there are: " : "there is none", names.text);
}
