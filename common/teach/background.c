#include "teach/background.h"

#include "base/fnv.h"
#include "teach/wire.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define MAGIC      "earshot background 1\n"
#define FILE_MOST  (64u << 20)
#define MODEL_MOST (512u << 20)

int background_path(const char *model_path, char *out, size_t size, struct err *err)
{
    size_t n = strlen(model_path);

    if (n > 5 && strcmp(model_path + n - 5, ".onnx") == 0)
        n -= 5;
    int k = snprintf(out, size, "%.*s.background", (int)n, model_path);
    return k < 0 || (size_t)k >= size ? err_set(err, "%s: the path is too long", model_path) : 0;
}

void background_free(struct background *b)
{
    free(b->label);
    free(b->rows);
    *b = (struct background){0};
}

static int read_rows(struct background *b, struct wire_in *w, struct err *err)
{
    float *scale = malloc(b->dims * sizeof *scale);

    b->label = malloc(b->n * sizeof *b->label);
    b->rows = malloc(b->n * b->dims * sizeof *b->rows);
    if (!scale || !b->label || !b->rows) {
        free(scale);
        return err_set(err, "no memory for %zu embeddings", b->n);
    }
    bool finite = true;
    for (size_t i = 0; i < b->dims; i++) {
        scale[i] = wire_float(w);
        finite = finite && isfinite(scale[i]) && fabsf(scale[i]) < 1e6f;
    }
    for (size_t i = 0; i < b->n; i++)
        b->label[i] = (int16_t)wire_number(w, 2);
    for (size_t i = 0; i < b->n; i++) {
        const signed char *v = (const signed char *)wire_take(w, b->dims);
        for (size_t k = 0; v && k < b->dims; k++)
            b->rows[i * b->dims + k] = scale[k] * v[k];
    }
    free(scale);
    return finite ? 0 : err_set(err, "a scale is no number");
}

int background_parse(struct background *b, const void *bytes, size_t size, struct err *err)
{
    struct wire_in w = {bytes, (const unsigned char *)bytes + size, false};
    const unsigned char *magic = wire_take(&w, sizeof MAGIC - 1);

    *b = (struct background){0};
    if (!magic || memcmp(magic, MAGIC, sizeof MAGIC - 1) != 0)
        return err_set(err, "it does not begin with \"earshot background 1\"");
    b->model = wire_number(&w, 8);
    b->n = (size_t)wire_number(&w, 4);
    b->dims = (size_t)wire_number(&w, 4);
    if (w.bad || b->n < 1 || b->n > BACKGROUND_ROWS || b->dims < 1 || b->dims > TEACH_DIMS)
        return err_set(err, "%zu embeddings of %zu values; allowed are 1 to %d of 1 to %d", b->n, b->dims,
                       BACKGROUND_ROWS, TEACH_DIMS);
    if ((size_t)(w.end - w.at) != 4 * b->dims + b->n * (2 + b->dims) + 8)
        return err_set(err, "%zu bytes, which is no file of %zu embeddings of %zu values", size, b->n, b->dims);
    struct wire_in tail = {w.end - 8, w.end, false};
    if (wire_number(&tail, 8) != fnv_add(FNV_START, bytes, size - 8))
        return err_set(err, "it is damaged: its check sum is another one");
    if (read_rows(b, &w, err) < 0) {
        background_free(b);
        return -1;
    }
    return 0;
}

int background_read(struct background *b, const char *path, struct err *err)
{
    size_t size = 0;
    void *bytes = wire_read_file(path, FILE_MOST, &size);

    *b = (struct background){0};
    if (!bytes)
        return err_set(err, "%s: %s", path, strerror(errno));
    int rc = background_parse(b, bytes, size, err);
    free(bytes);
    return rc < 0 ? err_prefix(err, "%s: ", path) : 0;
}

int teach_model_hash(const char *model_path, uint64_t *out, struct err *err)
{
    size_t size = 0;
    void *bytes = wire_read_file(model_path, MODEL_MOST, &size);

    if (!bytes)
        return err_set(err, "%s: %s", model_path, strerror(errno));
    *out = fnv_add(FNV_START, bytes, size);
    free(bytes);
    return 0;
}
