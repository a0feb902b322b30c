#include "daemon/train/cache.h"

#include "base/fnv.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC UINT64_C(0x31766570657254e5) /* of each record: of this version, and of this byte order */

/* In front of path and values; `check` is over all behind it. */
struct record {
    uint64_t magic, check, size, mtime_ns, content;
    uint32_t path_length, windows, cols, unused;
    double seconds;
};

/* Where one lies. */
struct place {
    uint64_t key;
    int64_t at;
};

struct train_cache {
    int fd;
    size_t cols;
    int64_t end;
    struct place *place; /* [n], sorted by key, later ones behind */
    size_t n;
};

/* A recording as it is now. */
struct identity {
    char path[PATH_MAX];
    uint64_t size, mtime_ns;
};

static bool identify(const char *path, struct identity *id)
{
    struct stat st;

    if (!realpath(path, id->path) || stat(id->path, &st) < 0 || !S_ISREG(st.st_mode))
        return false;
    id->size = (uint64_t)st.st_size;
    id->mtime_ns = (uint64_t)st.st_mtim.tv_sec * 1000000000 + (uint64_t)st.st_mtim.tv_nsec;
    return true;
}

static uint64_t key_of(const char *path, size_t length, uint64_t size, uint64_t mtime_ns)
{
    uint64_t numbers[] = {size, mtime_ns};

    return fnv_add(fnv_add(FNV_START, path, length), numbers, sizeof numbers);
}

static int by_key(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

/* Bytes behind the head. 0: no such record can be. */
static size_t body_size(const struct train_cache *c, const struct record *r)
{
    if (r->magic != MAGIC || r->path_length == 0 || r->path_length >= PATH_MAX || r->cols != c->cols ||
        r->windows == 0 || r->windows > UINT32_MAX / 64)
        return 0;
    return r->path_length + (size_t)r->windows * r->cols * sizeof(float);
}

static uint64_t check_of(const struct record *r, const void *body, size_t n)
{
    uint64_t h = fnv_add(FNV_START, &r->size, sizeof *r - offsetof(struct record, size));

    return fnv_add(h, body, n);
}

/* Indexes what is there; what was torn off at the end is cut off. */
static int read_places(struct train_cache *c, struct err *err)
{
    struct record r;
    char path[PATH_MAX];
    struct stat st;
    size_t room = 0;

    if (fstat(c->fd, &st) < 0)
        return err_set(err, "%s", strerror(errno));
    while (pread(c->fd, &r, sizeof r, c->end) == (ssize_t)sizeof r) {
        size_t body = body_size(c, &r);
        int64_t next = c->end + (int64_t)(sizeof r + body);
        if (!body || next > st.st_size ||
            pread(c->fd, path, r.path_length, c->end + (int64_t)sizeof r) != (ssize_t)r.path_length)
            break;
        if (c->n == room) {
            room = room ? 2 * room : 1024;
            struct place *more = realloc(c->place, room * sizeof *more);
            if (!more)
                return err_set(err, "no memory");
            c->place = more;
        }
        c->place[c->n++] = (struct place){key_of(path, r.path_length, r.size, r.mtime_ns), c->end};
        c->end = next;
    }
    if (c->n)
        qsort(c->place, c->n, sizeof *c->place, by_key);
    return ftruncate(c->fd, c->end) < 0 ? err_set(err, "%s", strerror(errno)) : 0;
}

struct train_cache *train_cache_open(const char *folder, const char *settings, size_t cols, int *busy, struct err *err)
{
    struct train_cache *c = calloc(1, sizeof *c);
    char path[PATH_MAX];

    *busy = 0;
    if (!c) {
        err_set(err, "no memory");
        return NULL;
    }
    c->cols = cols;
    snprintf(path, sizeof path, "%s/%016llx.features", folder,
             (unsigned long long)fnv_add(FNV_START, settings, strlen(settings)));
    if (mkdir(folder, 0777) < 0 && errno != EEXIST) {
        err_set(err, "%s: %s", folder, strerror(errno));
        free(c);
        return NULL;
    }
    c->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (c->fd < 0) {
        err_set(err, "%s: %s", path, strerror(errno));
        free(c);
        return NULL;
    }
    if (flock(c->fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
        *busy = err_set(err, "%s: another process works with it", path) < 0;
    else if (read_places(c, err) == 0)
        return c;
    else
        err_prefix(err, "%s: ", path);
    train_cache_close(c);
    return NULL;
}

void train_cache_close(struct train_cache *c)
{
    if (!c)
        return;
    close(c->fd);
    free(c->place);
    free(c);
}

/* The record there, if it is of that recording and whole. */
static int read_record(const struct train_cache *c, int64_t at, const struct identity *id, struct train_sound *s)
{
    struct record r;
    int found = 0;

    if (pread(c->fd, &r, sizeof r, at) != (ssize_t)sizeof r)
        return 0;
    size_t n = body_size(c, &r);
    char *body = n ? malloc(n) : NULL;
    if (body && pread(c->fd, body, n, at + (int64_t)sizeof r) == (ssize_t)n && check_of(&r, body, n) == r.check &&
        r.size == id->size && r.mtime_ns == id->mtime_ns && strlen(id->path) == r.path_length &&
        memcmp(body, id->path, r.path_length) == 0) {
        size_t values = n - r.path_length;
        *s = (struct train_sound){r.windows, malloc(values), r.seconds, r.content};
        if (s->x) {
            memcpy(s->x, body + r.path_length, values);
            found = 1;
        }
    }
    free(body);
    return found;
}

int train_cache_get(struct train_cache *c, const char *path, struct train_sound *s)
{
    struct identity id;
    size_t low = 0, high = c->n;
    int found = 0;

    if (!identify(path, &id))
        return 0;
    uint64_t key = key_of(id.path, strlen(id.path), id.size, id.mtime_ns);
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (c->place[mid].key < key)
            low = mid + 1;
        else
            high = mid;
    }
    for (; !found && low < c->n && c->place[low].key == key; low++)
        found = read_record(c, c->place[low].at, &id, s);
    return found;
}

void train_cache_put(struct train_cache *c, const char *path, const struct train_sound *s)
{
    struct identity id;
    size_t values = s->n * c->cols * sizeof *s->x;

    if (!identify(path, &id) || s->n == 0 || s->n > UINT32_MAX / 64)
        return;
    struct record r = {.magic = MAGIC,
                       .size = id.size,
                       .mtime_ns = id.mtime_ns,
                       .content = s->content,
                       .path_length = (uint32_t)strlen(id.path),
                       .windows = (uint32_t)s->n,
                       .cols = (uint32_t)c->cols,
                       .seconds = s->seconds};
    size_t n = sizeof r + r.path_length + values;
    char *all = malloc(n);
    if (!all)
        return;
    memcpy(all + sizeof r, id.path, r.path_length);
    memcpy(all + sizeof r + r.path_length, s->x, values);
    r.check = check_of(&r, all + sizeof r, n - sizeof r);
    memcpy(all, &r, sizeof r);
    if (pwrite(c->fd, all, n, c->end) == (ssize_t)n)
        c->end += (int64_t)n;
    else if (ftruncate(c->fd, c->end) < 0) { /* the next reader cuts it off */
    }
    free(all);
}
