#include "daemon/classify_list.h"
#include "base/fnv.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { DEPTH_MAX = 64 };

bool classify_list_is_sound(const char *name)
{
    static const char *const endings[] = {"wav",  "wave", "bwf",  "w64", "rf64", "flac", "ogg", "oga",
                                          "opus", "mp3",  "mp2",  "aif", "aiff", "aifc", "caf", "au",
                                          "snd",  "m4a",  "m4b",  "mp4", "aac",  "ac3",  "amr", "3gp",
                                          "wma",  "mka",  "webm", "wv",  "weba", "ape",  NULL};
    const char *dot = strrchr(name, '.');

    for (size_t i = 0; dot && dot != name && endings[i]; i++)
        if (strcasecmp(dot + 1, endings[i]) == 0)
            return true;
    return false;
}

static void complain(struct classify_list *l, const char *path, const char *what)
{
    char text[4096 + 256];

    snprintf(text, sizeof text, "%s: %s", path, what);
    l->failed = true;
    l->complain(l->ctx, text);
}

/* Takes the path over, also where it fails. */
static int keep(struct classify_list *l, char *path)
{
    if (path && l->n == l->room) {
        size_t room = l->room ? 2 * l->room : 64;
        char **more = realloc(l->path, room * sizeof *more);
        if (more) {
            l->path = more;
            l->room = room;
        } else {
            free(path);
            path = NULL;
        }
    }
    if (!path)
        return -1;
    l->path[l->n++] = path;
    return 0;
}

static int wanted(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_folder(struct classify_list *l, const char *path, int depth);

static int add_entry(struct classify_list *l, const char *folder, const char *name, int depth)
{
    struct stat st;
    char *path;
    size_t n = strlen(folder);

    if (asprintf(&path, "%s%s%s", folder, n && folder[n - 1] == '/' ? "" : "/", name) < 0)
        return -1;
    if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        int rc = add_folder(l, path, depth + 1);
        free(path);
        return rc;
    }
    if (classify_list_is_sound(name) && !(stat(path, &st) == 0 && S_ISDIR(st.st_mode)))
        return keep(l, path);
    free(path);
    return 0;
}

static int add_folder(struct classify_list *l, const char *path, int depth)
{
    struct dirent **entries;
    int rc = 0, n = depth > DEPTH_MAX ? -1 : scandir(path, &entries, wanted, by_bytes);

    if (n < 0) {
        complain(l, path, depth > DEPTH_MAX ? "folders too deep in each other" : strerror(errno));
        return 0;
    }
    for (int i = 0; i < n; i++) {
        rc = rc < 0 ? rc : add_entry(l, path, entries[i]->d_name, depth);
        free(entries[i]);
    }
    free(entries);
    return rc;
}

int classify_list_add(struct classify_list *l, const char *argument)
{
    struct stat st;
    size_t before = l->n;
    bool failed = l->failed;

    if (stat(argument, &st) < 0 || !S_ISDIR(st.st_mode))
        return keep(l, strdup(argument));
    l->failed = false;
    int rc = add_folder(l, argument, 0);
    if (rc == 0 && l->n == before && !l->failed)
        complain(l, argument, "no recording in this folder");
    l->failed |= failed;
    return rc;
}

uint64_t classify_list_shard(struct classify_list *l, unsigned long i, unsigned long n)
{
    uint64_t print = FNV_START;
    size_t kept = 0;

    for (size_t k = 0; k < l->n; k++) {
        print = fnv_add(print, l->path[k], strlen(l->path[k]) + 1);
        if (k % n == i - 1)
            l->path[kept++] = l->path[k];
        else
            free(l->path[k]);
    }
    l->n = kept;
    return print;
}

void classify_list_free(struct classify_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->path[i]);
    free(l->path);
    l->path = NULL;
    l->n = l->room = 0;
}
