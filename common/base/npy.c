#include "base/npy.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, ".npy files are written as the machine holds floats");

/* magic, version 1.0, length of the text as 16 bits; the text ends with a newline and fills 128 bytes, as NumPy's own do */
enum { PREFIX = 10, HEADER = 128, TEXT_MAX = 1024 };
static const char magic[8] = "\x93NUMPY\x01\x00";

struct npy_writer {
    FILE *file;
    char *path, *part;
    size_t item[NPY_DIMS], n_item, item_size;
    size_t count;
};

static int write_header(FILE *file, size_t count, const size_t *item, size_t n_item)
{
    char header[HEADER + 1] = "", shape[96];
    size_t used = (size_t)snprintf(shape, sizeof shape, "%zu,", count);
    for (size_t i = 0; i < n_item && used < sizeof shape; i++)
        used += (size_t)snprintf(shape + used, sizeof shape - used, " %zu%s", item[i], i + 1 < n_item ? "," : "");
    if (used >= sizeof shape)
        return -1;

    memcpy(header, magic, sizeof magic);
    header[8] = HEADER - PREFIX;
    int n = snprintf(header + PREFIX, sizeof header - PREFIX,
                     "{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }", shape);
    if (n < 0 || n >= HEADER - PREFIX)
        return -1;
    memset(header + PREFIX + n, ' ', (size_t)(HEADER - PREFIX - n - 1));
    header[HEADER - 1] = '\n';
    return fwrite(header, HEADER, 1, file) == 1 ? 0 : -1;
}

static void writer_free(struct npy_writer *w)
{
    if (w->file)
        fclose(w->file);
    free(w->path);
    free(w->part);
    free(w);
}

struct npy_writer *npy_create(const char *path, const size_t *item, size_t n_item, struct err *err)
{
    struct npy_writer *w = calloc(1, sizeof *w);
    if (!w || n_item >= NPY_DIMS)
        goto no_memory;
    w->item_size = 1;
    w->n_item = n_item;
    for (size_t i = 0; i < n_item; i++) {
        w->item[i] = item[i];
        w->item_size *= item[i];
    }
    w->path = strdup(path);
    if (!w->path || asprintf(&w->part, "%s.part", path) < 0) {
        w->part = NULL;
        goto no_memory;
    }
    w->file = fopen(w->part, "wb");
    if (!w->file || write_header(w->file, 0, w->item, n_item) < 0) {
        err_set(err, "%s: %s", w->part, strerror(errno));
        npy_abandon(w);
        return NULL;
    }
    return w;

no_memory:
    err_set(err, "%s: no memory, or more than %d dimensions", path, NPY_DIMS);
    if (w)
        writer_free(w);
    return NULL;
}

int npy_append(struct npy_writer *w, const float *items, size_t count, struct err *err)
{
    if (fwrite(items, sizeof *items * w->item_size, count, w->file) != count)
        return err_set(err, "%s: %s", w->part, strerror(errno));
    w->count += count;
    return 0;
}

int npy_finish(struct npy_writer *w, struct err *err)
{
    int bad = fseek(w->file, 0, SEEK_SET) != 0 || write_header(w->file, w->count, w->item, w->n_item) < 0;
    bad |= fclose(w->file) != 0;
    w->file = NULL;
    bad = bad || rename(w->part, w->path) != 0;
    if (bad) {
        err_set(err, "%s: %s", w->path, strerror(errno));
        npy_abandon(w);
        return -1;
    }
    writer_free(w);
    return 0;
}

void npy_abandon(struct npy_writer *w)
{
    if (!w)
        return;
    remove(w->part);
    writer_free(w);
}

int npy_write(const char *path, const float *data, const size_t *shape, size_t dims, struct err *err)
{
    if (dims == 0 || dims > NPY_DIMS)
        return err_set(err, "%s: 1 to %d dimensions, not %zu", path, NPY_DIMS, dims);
    struct npy_writer *w = npy_create(path, shape + 1, dims - 1, err);
    if (!w)
        return -1;
    if (npy_append(w, data, shape[0], err) < 0) {
        npy_abandon(w);
        return -1;
    }
    return npy_finish(w, err);
}

/* "(3, 4)", "(40,)" or "()" after 'shape': */
static bool read_shape(const char *text, size_t shape[NPY_DIMS], size_t *dims, size_t *total)
{
    const char *p = strstr(text, "'shape': (");
    if (!p)
        return false;
    *dims = 0;
    *total = 1;
    for (p += strlen("'shape': ("); *p != ')'; p += strspn(p, ", ")) {
        char *end;
        unsigned long long n = strtoull(p, &end, 10);
        if (end == p || *dims == NPY_DIMS || n > UINT32_MAX || __builtin_mul_overflow(*total, (size_t)n, total))
            return false;
        shape[(*dims)++] = (size_t)n;
        p = end;
    }
    return *total <= SIZE_MAX / sizeof(float);
}

static float *read_data(FILE *file, size_t total, const char *path, struct err *err)
{
    long from = ftell(file);
    if (from < 0 || fseek(file, 0, SEEK_END) != 0 || (size_t)(ftell(file) - from) != total * sizeof(float)) {
        err_set(err, "%s: does not hold the %zu floats that its header names", path, total);
        return NULL;
    }
    float *data = malloc(total ? total * sizeof *data : 1);
    if (!data || fseek(file, from, SEEK_SET) != 0 || fread(data, sizeof *data, total, file) != total) {
        err_set(err, "%s: cannot be read: %s", path, strerror(errno));
        free(data);
        return NULL;
    }
    return data;
}

float *npy_read(const char *path, size_t shape[NPY_DIMS], size_t *dims, struct err *err)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        err_set(err, "%s: %s", path, strerror(errno));
        return NULL;
    }
    unsigned char prefix[PREFIX];
    char text[TEXT_MAX + 1] = "";
    size_t length, total;
    float *data = NULL;
    if (fread(prefix, PREFIX, 1, file) != 1 || memcmp(prefix, magic, sizeof magic) != 0 ||
        (length = prefix[8] | (size_t)prefix[9] << 8) > TEXT_MAX || fread(text, 1, length, file) != length)
        err_set(err, "%s: not a version 1 .npy file", path);
    else if (!strstr(text, "'descr': '<f4'") || !strstr(text, "'fortran_order': False") ||
             !read_shape(text, shape, dims, &total))
        err_set(err, "%s: not a float32 array in C order of at most %d dimensions", path, NPY_DIMS);
    else
        data = read_data(file, total, path, err);
    fclose(file);
    return data;
}
