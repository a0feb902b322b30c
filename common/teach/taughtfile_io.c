/* What was taught, to bytes and back. */
#include "base/fnv.h"
#include "base/half.h"
#include "model/labels.h"
#include "teach/background.h"
#include "teach/taughtfile.h"
#include "teach/wire.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MAGIC "earshot taught 1\n"

/* --- reading -------------------------------------------------------------------------------------------------------- */

/* Printable text without control characters, as long as `out`; anything else makes w bad. */
static void read_text(struct wire_in *w, char *out, size_t size)
{
    size_t n = (size_t)wire_number(w, 1);
    const unsigned char *p = wire_take(w, n);

    out[0] = '\0';
    if (!p || n >= size) {
        w->bad = true;
        return;
    }
    memcpy(out, p, n);
    out[n] = '\0';
    for (size_t i = 0; i < n; i++)
        w->bad |= p[i] < ' ' || p[i] == 0x7f;
}

static void read_label(struct wire_in *w, char out[LABEL_SIZE])
{
    read_text(w, out, LABEL_SIZE);
    w->bad |= !label_valid(out);
}

/* NaN passes where it may. */
static float read_within(struct wire_in *w, float min, float max, bool nan)
{
    float f = wire_float(w);
    w->bad |= isnan(f) ? !nan : f < min || f > max;
    return f;
}

static size_t read_dims(struct wire_in *w)
{
    size_t dims = (size_t)wire_number(w, 4);

    w->bad |= dims < 1 || dims > TEACH_DIMS;
    return w->bad ? 0 : dims;
}

static void read_window(struct wire_in *w, float *out, size_t dims)
{
    float scale = read_within(w, 0, 1e6f, false);
    const signed char *v = (const signed char *)wire_take(w, dims);

    for (size_t i = 0; out && v && i < dims; i++)
        out[i] = scale * v[i];
}

static void read_example(struct wire_in *w, struct taught_example *e, size_t dims, bool heads_only)
{
    read_text(w, e->source, sizeof e->source);
    e->kind = (enum taught_kind)wire_number(w, 1);
    w->bad |= e->kind > TAUGHT_FROM_HISTORY;
    e->rms_dbfs = read_within(w, -400, 100, true);
    e->duration_s = read_within(w, 0, 1e6f, true);
    e->score = read_within(w, 0, 1, true);
    e->n = (unsigned)wire_number(w, 2);
    e->n_clean = (unsigned)wire_number(w, 2);
    w->bad |= e->n < 1 || e->n > TAUGHT_WINDOWS || e->n_clean > e->n;
    w->bad |= !w->bad && (size_t)(w->end - w->at) < e->n * (dims + 4);
    if (!w->bad && !heads_only && !(e->windows = malloc(e->n * dims * sizeof *e->windows)))
        w->bad = true;
    for (unsigned i = 0; !w->bad && i < e->n; i++)
        read_window(w, e->windows ? e->windows + i * dims : NULL, dims);
    if (heads_only)
        e->n = e->n_clean = 0;
}

static void read_class(struct wire_in *w, struct taught_class *c, bool heads_only)
{
    read_label(w, c->label);
    read_text(w, c->name, sizeof c->name);
    read_text(w, c->model, sizeof c->model);
    c->hash = wire_number(w, 8);
    c->taught_ms = (int64_t)wire_number(w, 8);
    w->bad |= c->taught_ms < 0 || c->taught_ms > INT64_C(253402300799999); /* the year 9999 */
    c->dims = read_dims(w);
    w->bad |= !w->bad && (size_t)(w->end - w->at) < 4 * c->dims;
    if (w->bad || !(c->w = malloc(c->dims * sizeof *c->w))) {
        w->bad = true;
        return;
    }
    for (size_t i = 0; i < c->dims; i++)
        c->w[i] = read_within(w, -1e9f, 1e9f, false);
    c->bias = read_within(w, -1e9f, 1e9f, false);
    c->recall = read_within(w, 0, 1, true);
    c->false_alarms_h = read_within(w, 0, 1e9f, true);
    c->verdicts = wire_number(w, 8);
    size_t n = (size_t)wire_number(w, 4);
    w->bad |= n < 1 || n > TAUGHT_EXAMPLES;
    if (w->bad || !(c->examples = calloc(n, sizeof *c->examples))) {
        w->bad = true;
        return;
    }
    for (c->n_examples = 0; !w->bad && c->n_examples < n;)
        read_example(w, &c->examples[c->n_examples++], c->dims, heads_only);
}

static void read_standard(struct wire_in *w, struct taught_standard *s)
{
    s->hash = wire_number(w, 8);
    s->dims = read_dims(w);
    w->bad |= !w->bad && (size_t)(w->end - w->at) < 8 * s->dims;
    if (w->bad)
        return;
    s->mean = malloc(s->dims * sizeof *s->mean);
    s->deviation = malloc(s->dims * sizeof *s->deviation);
    w->bad |= !s->mean || !s->deviation;
    for (size_t i = 0; !w->bad && i < s->dims; i++)
        s->mean[i] = read_within(w, -1e6f, 1e6f, false);
    for (size_t i = 0; !w->bad && i < s->dims; i++)
        s->deviation[i] = read_within(w, 1e-6f, 1e6f, false);
}

static void read_correction(struct wire_in *w, struct taught_correction *c, size_t dims)
{
    read_label(w, c->label);
    read_text(w, c->event_id, sizeof c->event_id);
    c->reach = read_within(w, 0, 1, false);
    c->reduction = read_within(w, 0, 1, false);
    w->bad |= !w->bad && (size_t)(w->end - w->at) < 2 * dims;
    if (w->bad || !(c->direction = malloc(dims * sizeof *c->direction))) {
        w->bad = true;
        return;
    }
    for (size_t i = 0; i < dims; i++) {
        c->direction[i] = half_to_float((uint16_t)wire_number(w, 2));
        w->bad |= !isfinite(c->direction[i]);
    }
}

static int read_all(struct taughtfile *f, struct wire_in *w, bool heads_only, struct err *err)
{
    size_t classes = (size_t)wire_number(w, 4), corrections = (size_t)wire_number(w, 4);

    if (w->bad || classes > TAUGHT_CLASSES || corrections > TAUGHT_CORRECTIONS)
        return err_set(err, "%zu sounds and %zu corrections; allowed are %d and %d at most", classes, corrections,
                       TAUGHT_CLASSES, TAUGHT_CORRECTIONS);
    f->classes = calloc(classes + 1, sizeof *f->classes);
    f->corrections = calloc(corrections + 1, sizeof *f->corrections);
    if (!f->classes || !f->corrections)
        return err_set(err, "no memory");
    if (corrections > 0)
        read_standard(w, &f->standard);
    if (w->bad)
        return err_set(err, "a value before its first sound is out of range");
    while (f->n_classes < classes) {
        struct taught_class c = {.label = ""};
        read_class(w, &c, heads_only);
        bool twice = !w->bad && taughtfile_find(f, c.label);
        f->classes[f->n_classes++] = c;
        if (w->bad || twice)
            return err_set(err, "the sound number %zu in it %s", f->n_classes,
                           twice ? "has the label of another one" : "cannot be: a value is out of range");
    }
    while (f->n_corrections < corrections) {
        read_correction(w, &f->corrections[f->n_corrections++], f->standard.dims);
        if (w->bad)
            return err_set(err, "the correction number %zu in it cannot be: a value is out of range", f->n_corrections);
    }
    return w->at == w->end ? 0 : err_set(err, "there is more in it than it says");
}

int taughtfile_parse(struct taughtfile *f, const void *bytes, size_t size, bool heads_only, struct err *err)
{
    const unsigned char *p = bytes;

    *f = (struct taughtfile){0};
    if (size < sizeof MAGIC - 1 + 16 || memcmp(p, MAGIC, sizeof MAGIC - 1) != 0)
        return err_set(err, "it is no file of what was taught: it does not begin with \"earshot taught 1\"");
    struct wire_in tail = {p + size - 8, p + size, false};
    if (wire_number(&tail, 8) != fnv_add(FNV_START, p, size - 8))
        return err_set(err, "it is damaged: its check sum is another one");
    struct wire_in w = {p + sizeof MAGIC - 1, p + size - 8, false};
    if (read_all(f, &w, heads_only, err) == 0)
        return 0;
    taughtfile_free(f);
    return -1;
}

int taughtfile_read(struct taughtfile *f, const char *path, bool heads_only, struct err *err)
{
    size_t size = 0;
    void *bytes = wire_read_file(path, TAUGHT_FILE_MOST, &size);

    *f = (struct taughtfile){0};
    if (!bytes && errno == ENOENT)
        return 0;
    if (!bytes)
        return err_set(err, "%s: %s", path, strerror(errno));
    int rc = taughtfile_parse(f, bytes, size, heads_only, err);
    free(bytes);
    return rc < 0 ? err_prefix(err, "%s: ", path) : 0;
}

/* --- writing -------------------------------------------------------------------------------------------------------- */

static void write_text(struct wire_out *w, const char *text)
{
    size_t n = strlen(text);
    wire_add_number(w, n, 1); /* all of ours are shorter than 256 */
    wire_add(w, text, n);
}

/* 8 bits are plenty: a network that is quantised as a whole tells the same. */
static void write_window(struct wire_out *w, const float *x, size_t dims)
{
    signed char v[TEACH_DIMS];
    float most = 0;

    for (size_t i = 0; i < dims; i++)
        most = fmaxf(most, fabsf(x[i]));
    float scale = most > 0 ? most / 127 : 1;
    for (size_t i = 0; i < dims; i++)
        v[i] = (signed char)lrintf(x[i] / scale);
    wire_add_float(w, scale);
    wire_add(w, v, dims);
}

static void write_class(struct wire_out *w, const struct taught_class *c)
{
    write_text(w, c->label);
    write_text(w, c->name);
    write_text(w, c->model);
    wire_add_number(w, c->hash, 8);
    wire_add_number(w, (uint64_t)c->taught_ms, 8);
    wire_add_number(w, c->dims, 4);
    for (size_t i = 0; i < c->dims; i++)
        wire_add_float(w, c->w[i]);
    wire_add_float(w, c->bias);
    wire_add_float(w, c->recall);
    wire_add_float(w, c->false_alarms_h);
    wire_add_number(w, c->verdicts, 8);
    wire_add_number(w, c->n_examples, 4);
    for (size_t i = 0; i < c->n_examples; i++) {
        const struct taught_example *e = &c->examples[i];
        write_text(w, e->source);
        wire_add_number(w, e->kind, 1);
        wire_add_float(w, e->rms_dbfs);
        wire_add_float(w, e->duration_s);
        wire_add_float(w, e->score);
        wire_add_number(w, e->n, 2);
        wire_add_number(w, e->n_clean, 2);
        for (unsigned k = 0; k < e->n; k++)
            write_window(w, e->windows + k * c->dims, c->dims);
    }
}

static void write_standard(struct wire_out *w, const struct taught_standard *s)
{
    wire_add_number(w, s->hash, 8);
    wire_add_number(w, s->dims, 4);
    for (size_t i = 0; i < s->dims; i++)
        wire_add_float(w, s->mean[i]);
    for (size_t i = 0; i < s->dims; i++)
        wire_add_float(w, s->deviation[i]);
}

static void write_correction(struct wire_out *w, const struct taught_correction *c, size_t dims)
{
    write_text(w, c->label);
    write_text(w, c->event_id);
    wire_add_float(w, c->reach);
    wire_add_float(w, c->reduction);
    for (size_t i = 0; i < dims; i++)
        wire_add_number(w, half_from_float(c->direction[i]), 2);
}

/* The new file is on the disk before it takes the old one's name. */
static int replace(const char *path, const struct wire_out *w, struct err *err)
{
    char part[4096];
    size_t done = 0;

    if ((size_t)snprintf(part, sizeof part, "%s.part", path) >= sizeof part)
        return err_set(err, "%s: the path is too long", path);
    unlink(part); /* left over from a power cut, or somebody's link */
    int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0660);
    if (fd < 0)
        return err_set(err, "%s: %s", part, strerror(errno));
    while (done < w->n) {
        ssize_t k = write(fd, w->bytes + done, w->n - done);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            break;
        done += (size_t)k;
    }
    int bad = done < w->n || fsync(fd) < 0 ? errno : 0;
    if (close(fd) < 0 && !bad)
        bad = errno;
    if (!bad && rename(part, path) < 0)
        bad = errno;
    if (bad)
        unlink(part);
    return bad ? err_set(err, "%s: %s", path, strerror(bad)) : 0;
}

/* What could not be read again must not take the place of what can. */
static int readable(const char *path, const struct wire_out *w, struct err *err)
{
    struct taughtfile f;
    int rc = taughtfile_parse(&f, w->bytes, w->n, true, err);

    if (rc < 0)
        return err_prefix(err, "%s stays as it is; what was to be written could not be read again: ", path);
    taughtfile_free(&f);
    return 0;
}

int taughtfile_write(const struct taughtfile *f, const char *path, struct err *err)
{
    struct wire_out w = {0};

    wire_add(&w, MAGIC, sizeof MAGIC - 1);
    wire_add_number(&w, f->n_classes, 4);
    wire_add_number(&w, f->n_corrections, 4);
    if (f->n_corrections)
        write_standard(&w, &f->standard);
    for (size_t i = 0; i < f->n_classes; i++)
        write_class(&w, &f->classes[i]);
    for (size_t i = 0; i < f->n_corrections; i++)
        write_correction(&w, &f->corrections[i], f->standard.dims);
    wire_add_number(&w, fnv_add(FNV_START, w.bytes, w.n), 8);
    int rc = w.bad ? err_set(err, "%s: no memory to write it", path) : readable(path, &w, err);
    if (rc == 0)
        rc = replace(path, &w, err);
    free(w.bytes);
    return rc;
}
