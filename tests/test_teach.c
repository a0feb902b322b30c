/* What is taught: its file, also a hostile one, the background, the head that is learned, heads beside a model. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#include "base/fnv.h"
#include "daemon/teach/taught.h"
#include "daemon/teach/verdict.h"
#include "daemon/teach/watch.h"
#include "model/recogniser.h"
#include "teach/background.h"
#include "teach/heads.h"
#include "teach/learn.h"
#include "teach/taughtfile.h"
#include "teach/wire.h"

#define MODEL "models/earshot-s.onnx"

static unsigned seed = 20261121;

static double uniform(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (double)(seed >> 8) / (1 << 24);
}

static double normal(void)
{
    double sum = 0;
    for (int i = 0; i < 12; i++)
        sum += uniform();
    return sum - 6;
}

static void make_class(struct taught_class *c, const char *label, uint64_t hash, size_t dims, size_t examples)
{
    *c = (struct taught_class){
        .hash = hash, .taught_ms = 1700000000000, .dims = dims, .bias = -1, .recall = 0.8f, .false_alarms_h = 1};
    snprintf(c->label, sizeof c->label, "%s", label);
    snprintf(c->name, sizeof c->name, "Name of %s", label);
    snprintf(c->model, sizeof c->model, "m");
    c->w = calloc(dims, sizeof *c->w);
    c->examples = calloc(examples, sizeof *c->examples);
    for (size_t k = 0; k < dims; k++)
        c->w[k] = (float)(normal() * 0.05);
    for (; c->n_examples < examples; c->n_examples++) {
        struct taught_example *e = &c->examples[c->n_examples];
        snprintf(e->source, sizeof e->source, "/somewhere/%zu.wav", c->n_examples);
        e->score = c->n_examples ? 0.7f : NAN;
        e->n = 3;
        e->n_clean = 1;
        e->windows = malloc(e->n * dims * sizeof *e->windows);
        for (size_t k = 0; k < e->n * dims; k++)
            e->windows[k] = (float)normal();
    }
}

/* Two classes and a correction. */
static void make_file(struct taughtfile *f, uint64_t hash, size_t dims, const char *corrected)
{
    struct taught_class c;

    *f = (struct taughtfile){0};
    make_class(&c, "front_gate", hash, dims, 2);
    assert_int_equal(taughtfile_put(f, &c, NULL), 0);
    make_class(&c, "back_gate", hash, dims, 1);
    assert_int_equal(taughtfile_put(f, &c, NULL), 0);
    f->corrections = calloc(1, sizeof *f->corrections);
    f->n_corrections = 1;
    f->corrections[0] =
        (struct taught_correction){.reach = 0.9f, .reduction = 0.3f, .direction = calloc(dims, sizeof(float))};
    snprintf(f->corrections[0].label, LABEL_SIZE, "%s", corrected);
    snprintf(f->corrections[0].event_id, UUID_SIZE, "0198aaaa-0000-7000-8000-000000000000");
    f->corrections[0].direction[0] = 1;
    f->standard = (struct taught_standard){hash, dims, calloc(dims, sizeof(float)), malloc(dims * sizeof(float))};
    for (size_t k = 0; k < dims; k++)
        f->standard.deviation[k] = 1;
}

static unsigned char *bytes_of(const struct taughtfile *f, size_t *size)
{
    char path[] = "/tmp/test_teach-XXXXXX";
    int fd = mkstemp(path);
    struct err err;

    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(taughtfile_write(f, path, &err), 0);
    unsigned char *bytes = wire_read_file(path, 1 << 20, size);
    unlink(path);
    assert_non_null(bytes);
    return bytes;
}

static void test_file(void **state)
{
    struct taughtfile f, g;
    struct err err;
    size_t size;

    (void)state;
    make_file(&f, 42, 16, "siren");
    unsigned char *bytes = bytes_of(&f, &size);
    assert_int_equal(taughtfile_parse(&g, bytes, size, false, &err), 0);
    assert_int_equal(g.n_classes, 2);
    assert_int_equal(g.n_corrections, 1);
    assert_memory_equal(g.classes[0].w, f.classes[0].w, 16 * sizeof(float));
    assert_string_equal(g.classes[0].examples[1].source, "/somewhere/1.wav");
    assert_true(isnan(g.classes[0].examples[0].score));
    for (size_t k = 0; k < 48; k++) /* 8 bits of the largest value of a window */
        assert_true(fabsf(g.classes[0].examples[0].windows[k] - f.classes[0].examples[0].windows[k]) < 0.03f);
    assert_true(g.corrections[0].direction[0] == 1 && g.standard.hash == 42);
    taughtfile_free(&g);
    assert_int_equal(taughtfile_parse(&g, bytes, size, true, &err), 0);
    assert_null(g.classes[0].examples[0].windows);
    taughtfile_remove(&g, taughtfile_find(&g, "front_gate"));
    assert_null(taughtfile_find(&g, "front_gate"));
    assert_non_null(taughtfile_find(&g, "back_gate"));
    taughtfile_free(&g);
    assert_int_equal(taughtfile_read(&g, "/nowhere/taught", false, &err), 0);
    assert_int_equal(g.n_classes, 0);
    free(bytes);
    taughtfile_free(&f);
}

/* What could not be read again is not written, and what was there stays. */
static void test_unreadable(void **state)
{
    char path[] = "/tmp/test_teach-XXXXXX";
    int fd = mkstemp(path);
    struct taughtfile f, g;
    struct err err;

    (void)state;
    close(fd);
    make_file(&f, 42, 16, "siren");
    assert_int_equal(taughtfile_write(&f, path, &err), 0);
    snprintf(f.classes[1].name, sizeof f.classes[1].name, "Two\nlines");
    assert_int_equal(taughtfile_write(&f, path, &err), -1);
    assert_non_null(strstr(err.text, path));
    snprintf(f.classes[1].name, sizeof f.classes[1].name, "One line");
    f.classes[1].bias = NAN;
    assert_int_equal(taughtfile_write(&f, path, &err), -1);
    assert_int_equal(taughtfile_read(&g, path, false, &err), 0);
    assert_string_equal(g.classes[1].name, "Name of back_gate");
    unlink(path);
    taughtfile_free(&g);
    taughtfile_free(&f);
}

static void seal(unsigned char *bytes, size_t size)
{
    uint64_t sum = fnv_add(FNV_START, bytes, size - 8);
    for (int i = 0; i < 8; i++)
        bytes[size - 8 + (size_t)i] = (unsigned char)(sum >> (8 * i));
}

/* Any byte changed, with the check sum put right again, and any end cut off: refused with a line, or read as something that is within
 * its bounds (the sanitizers look on). */
static void test_hostile(void **state)
{
    struct taughtfile f, g;
    struct err err;
    size_t size, refused = 0;

    (void)state;
    make_file(&f, 42, 4, "siren");
    unsigned char *bytes = bytes_of(&f, &size), *bent = malloc(size);
    for (size_t i = 0; i < size; i++)
        for (int how = 0; how < 4; how++) {
            memcpy(bent, bytes, size);
            bent[i] = (unsigned char)(how == 0 ? 0 : how == 1 ? 255 : how == 2 ? bent[i] ^ 0x80 : bent[i] + 1);
            seal(bent, size);
            err.text[0] = '\0';
            if (taughtfile_parse(&g, bent, size, how & 1, &err) < 0) {
                refused++;
                assert_true(err.text[0]);
            } else {
                for (size_t k = 0; k < g.n_classes; k++)
                    assert_true(isfinite(g.classes[k].w[0]) && g.classes[k].n_examples <= TAUGHT_EXAMPLES);
                taughtfile_free(&g);
            }
        }
    assert_true(refused > size / 2);
    for (size_t n = 0; n < size; n++) {
        memcpy(bent, bytes, n);
        if (n >= 8)
            seal(bent, n);
        assert_int_equal(taughtfile_parse(&g, bent, n, false, &err), -1);
    }
    memcpy(bent, bytes, size);
    bent[40] ^= 1;
    assert_int_equal(taughtfile_parse(&g, bent, size, false, &err), -1);
    assert_non_null(strstr(err.text, "damaged"));
    free(bytes);
    free(bent);
    taughtfile_free(&f);
}

static void test_background(void **state)
{
    struct wire_out w = {0};
    struct background b;
    struct err err;

    (void)state;
    wire_add(&w, "earshot background 1\n", 21);
    wire_add_number(&w, 7, 8);
    wire_add_number(&w, 3, 4);
    wire_add_number(&w, 2, 4);
    wire_add_float(&w, 0.5f);
    wire_add_float(&w, 2);
    for (int i = 0; i < 3; i++)
        wire_add_number(&w, (uint64_t)(i - 1) & 0xffff, 2);
    for (int i = 0; i < 6; i++)
        wire_add_number(&w, (uint64_t)(i - 3) & 0xff, 1);
    wire_add_number(&w, fnv_add(FNV_START, w.bytes, w.n), 8);
    assert_int_equal(background_parse(&b, w.bytes, w.n, &err), 0);
    assert_true(b.model == 7 && b.n == 3 && b.dims == 2 && b.label[0] == -1 && b.label[2] == 1);
    assert_true(b.rows[0] == -1.5f && b.rows[5] == 4);
    background_free(&b);
    for (size_t n = 0; n < w.n; n++)
        assert_int_equal(background_parse(&b, w.bytes, n, &err), -1);
    for (size_t i = 0; i < w.n; i++) {
        w.bytes[i] ^= 0xff;
        assert_int_equal(background_parse(&b, w.bytes, w.n, &err), -1);
        if (i < w.n - 8) { /* with its check sum put right it may be another one; the sanitizers look on */
            seal(w.bytes, w.n);
            if (background_parse(&b, w.bytes, w.n, &err) == 0)
                background_free(&b);
        }
        w.bytes[i] ^= 0xff;
        seal(w.bytes, w.n);
    }
    assert_int_equal(background_read(&b, "/nowhere/x.background", &err), -1);
    assert_non_null(strstr(err.text, "/nowhere/x.background"));
    free(w.bytes);
}

enum { DIMS = 20, NEGATIVES = 3000, EXAMPLES = 5, PER = 6 };

/* Negatives around 0, examples around a point some deviations away. */
static void test_learn(void **state)
{
    static float negatives[NEGATIVES * DIMS], positives[EXAMPLES * PER * DIMS], fresh[DIMS];
    static unsigned example[EXAMPLES * PER];
    static bool clean[EXAMPLES * PER];
    struct learn_params p;
    struct learned l;
    struct err err;
    size_t alarms = 0, heard = 0;

    (void)state;
    for (size_t i = 0; i < NEGATIVES * DIMS; i++)
        negatives[i] = (float)(normal() * 3 + 10);
    for (size_t i = 0; i < EXAMPLES * PER; i++) {
        example[i] = (unsigned)(i / PER);
        clean[i] = i % PER < 2;
        for (size_t k = 0; k < DIMS; k++)
            positives[i * DIMS + k] = (float)(normal() * 3 + 10 + (k < 6 ? 9 : 0));
    }
    struct learn_set set = {.dims = DIMS,
                            .n_negatives = NEGATIVES,
                            .n_positives = EXAMPLES * PER,
                            .n_examples = EXAMPLES,
                            .negatives = negatives,
                            .positives = positives,
                            .example = example,
                            .clean = clean,
                            .hard_weight = 1};
    learn_defaults(&p, 0.5);
    assert_int_equal(learn_head(&set, &p, &l, &err), 0);
    assert_true(l.recall == 1);
    for (int i = 0; i < 40000; i++) { /* 11 hours of windows that it never saw */
        float z = l.bias;
        for (size_t k = 0; k < DIMS; k++)
            z += l.w[k] * (float)(normal() * 3 + 10);
        alarms += z >= 0;
    }
    assert_true(alarms <= 20); /* about one an hour was asked for: 11, and chance */
    for (int i = 0; i < 200; i++) {
        float z = l.bias;
        for (size_t k = 0; k < DIMS; k++)
            fresh[k] = (float)(normal() * 3 + 10 + (k < 6 ? 9 : 0));
        for (size_t k = 0; k < DIMS; k++)
            z += l.w[k] * fresh[k];
        heard += z >= 0;
    }
    assert_true(heard > 180);
    learned_free(&l);
    set.n_examples = set.n_positives = 0;
    assert_int_equal(learn_head(&set, &p, &l, &err), -1);
}

/* One that was said to be wrong goes below the threshold, and what is far from it stays. */
static void test_hard(void **state)
{
    static float negatives[NEGATIVES * DIMS], positives[EXAMPLES * DIMS], hard[DIMS];
    static unsigned example[EXAMPLES];
    static bool clean[EXAMPLES];
    struct learn_params p;
    struct learned before, after;
    struct err err;
    float a, b;

    (void)state;
    for (size_t i = 0; i < NEGATIVES * DIMS; i++)
        negatives[i] = (float)normal();
    for (size_t i = 0; i < EXAMPLES; i++) {
        example[i] = (unsigned)i;
        clean[i] = true;
        for (size_t k = 0; k < DIMS; k++)
            positives[i * DIMS + k] = (float)(normal() + (k < 8 ? 4 : 0));
    }
    for (size_t k = 0; k < DIMS; k++)
        hard[k] = (float)(normal() + (k < 8 ? 3 : 0) + (k >= 12 ? 4 : 0)); /* like it, but for something more */
    struct learn_set set = {.dims = DIMS,
                            .n_negatives = NEGATIVES,
                            .n_positives = EXAMPLES,
                            .n_examples = EXAMPLES,
                            .negatives = negatives,
                            .positives = positives,
                            .example = example,
                            .clean = clean,
                            .hard = hard,
                            .hard_weight = 20};
    learn_defaults(&p, 0.5);
    assert_int_equal(learn_head(&set, &p, &before, &err), 0);
    set.n_hard = 1;
    assert_int_equal(learn_head(&set, &p, &after, &err), 0);
    a = before.bias;
    b = after.bias;
    for (size_t k = 0; k < DIMS; k++) {
        a += before.w[k] * hard[k];
        b += after.w[k] * hard[k];
    }
    assert_true(a > 0 && b < 0);
    assert_true(after.recall >= 0.8f);
    learned_free(&before);
    learned_free(&after);
}

static const struct decision_params usual = {
    .confirm = 1, .release_s = 3, .close_ratio = 0.6, .hop_s = 0.5, .context_s = -1};

/* 50 taught classes beside the default model: its own scores are the same bits; corrections lower one label where they hold alone. */
static void test_beside(void **state)
{
    char path[] = "/tmp/test_teach-XXXXXX";
    struct taughtfile f = {0};
    struct err err;
    uint64_t hash;
    float x[16000];
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    struct recogniser *plain = recogniser_new(MODEL, VOCABULARY_OWN, &usual, &err);
    assert_non_null(plain);
    const struct model_info *m = recogniser_model(plain);
    assert_int_equal(teach_model_hash(MODEL, &hash, &err), 0);
    for (int i = 0; i < 50; i++) {
        struct taught_class c;
        char label[LABEL_SIZE];
        snprintf(label, sizeof label, "taught_%d", i);
        make_class(&c, label, i == 49 ? hash + 1 : hash, m->embedding_size, 1);
        assert_int_equal(taughtfile_put(&f, &c, &err), 0);
    }
    assert_int_equal(taughtfile_write(&f, path, &err), 0);
    struct recogniser *taught = recogniser_new_taught(MODEL, VOCABULARY_OWN, path, &usual, &err);
    assert_non_null(taught);
    assert_int_equal(recogniser_model(taught)->n_labels, m->n_labels + 49);
    assert_int_equal(recogniser_model(taught)->n_taught, 49);
    assert_string_equal(recogniser_model(taught)->labels[m->n_labels + 3], "taught_3");
    assert_non_null(strstr(recogniser_note(taught), "1 of 50 taught sounds are not heard"));
    for (int round = 0; round < 5; round++) {
        for (size_t i = 0; i < 16000; i++)
            x[i] = (float)(0.2 * sin((0.01 + 0.05 * round) * (double)i) + 0.1 * normal());
        const float *a = recogniser_scores(plain, x, 16000), *b = recogniser_scores(taught, x, 16000);
        assert_memory_equal(a, b, m->n_labels * sizeof *a);
        for (size_t i = 0; i < 49; i++) {
            float z = f.classes[i].bias;
            for (size_t k = 0; k < m->embedding_size; k++)
                z += f.classes[i].w[k] * recogniser_embedding(taught)[k];
            assert_true(fabsf(b[m->n_labels + i] - 1 / (1 + expf(-z))) < 1e-4f);
        }
    }
    recogniser_free(plain);
    recogniser_free(taught);
    taughtfile_free(&f);
    unlink(path);
}

static void test_correction(void **state)
{
    struct taughtfile f;
    struct err err;
    struct model *model = model_load(MODEL, &err);
    size_t dims, label = 5;

    (void)state;
    assert_non_null(model);
    const struct model_info *m = model_info(model);
    dims = m->embedding_size;
    make_file(&f, 1, dims, m->labels[label]);
    struct heads *h = heads_new(&f, m, 1, NULL, &err);
    float *embedding = calloc(dims, sizeof *embedding), *scores = calloc(m->n_labels + 2, sizeof *scores);
    assert_non_null(h);
    assert_int_equal(heads_n(h), 2);
    for (size_t i = 0; i < m->n_labels; i++)
        scores[i] = 0.8f;
    embedding[0] = 3; /* just that direction */
    heads_do(h, embedding, scores);
    for (size_t i = 0; i < m->n_labels; i++)
        assert_true(i == label ? fabsf(scores[i] - 0.24f) < 1e-6f : scores[i] == 0.8f);
    scores[label] = 0.8f;
    embedding[1] = 3; /* a cosine of 0.71, the reach is 0.9 */
    heads_do(h, embedding, scores);
    assert_true(scores[label] == 0.8f);
    heads_free(h);
    h = heads_new(&f, m, 2, NULL, &err); /* of another model: nothing */
    assert_true(heads_empty(h));
    heads_free(h);
    free(embedding);
    free(scores);
    taughtfile_free(&f);
    model_free(model);
}

static void put_file(const char *dir, const char *name, const char *text)
{
    char path[300];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static bool is_there(const char *dir, const char *name)
{
    char path[300];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

/* What is due stays due until it was learned. */
static void test_due(void **state)
{
    char dir[] = "/tmp/earshot_due_XXXXXX", note[400], path[300];
    static const char *const files[] = {TAUGHT_FILE, TAUGHT_FILE ".lock", VERDICT_DUE, VERDICT_TAKEN};
    struct err err;

    (void)state;
    assert_non_null(mkdtemp(dir));
    put_file(dir, VERDICT_DUE, "");
    put_file(dir, TAUGHT_FILE, "damaged");
    assert_int_equal(taught_relearn(dir, MODEL, 0.5, RENEW_VERSIONS, NULL, note, sizeof note, &err), -1);
    assert_true(is_there(dir, VERDICT_TAKEN));
    snprintf(path, sizeof path, "%s/" TAUGHT_FILE, dir);
    unlink(path);
    assert_int_equal(taught_relearn(dir, MODEL, 0.5, RENEW_VERSIONS, NULL, note, sizeof note, &err), 0);
    assert_false(is_there(dir, VERDICT_TAKEN));
    assert_false(is_there(dir, VERDICT_DUE));

    /* also where somebody else taught meanwhile, once that has ended */
    char events[4096];
    struct taught_watch *w = taught_watch_new(dir, &err);
    assert_non_null(w);
    put_file(dir, VERDICT_DUE, "");
    assert_true(read(taught_watch_fd(w), events, sizeof events) > 0); /* tried, and in vain */
    taught_unlock(taught_lock(dir, &err));
    taught_watch_take(w, MODEL, 0.5);
    for (int i = 0; i < 3000 && (is_there(dir, VERDICT_DUE) || is_there(dir, VERDICT_TAKEN)); i++)
        usleep(10000);
    assert_false(is_there(dir, VERDICT_DUE) || is_there(dir, VERDICT_TAKEN));
    taught_watch_free(w);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        unlink(path);
    }
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file),       cmocka_unit_test(test_hostile), cmocka_unit_test(test_background),
        cmocka_unit_test(test_learn),      cmocka_unit_test(test_hard),    cmocka_unit_test(test_beside),
        cmocka_unit_test(test_correction), cmocka_unit_test(test_due),     cmocka_unit_test(test_unreadable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
