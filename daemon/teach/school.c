#include "daemon/teach/school.h"

#include "base/clock.h"
#include "base/half.h"
#include "base/json.h"
#include "daemon/store/store_read.h"
#include "daemon/teach/kept.h"
#include "daemon/teach/school_private.h"
#include "daemon/teach/taught.h"
#include "model/labels.h"
#include "model/vocabulary.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const words[] = {"list",  "show",  "forget",  "export",     "import", "relearn",
                                    "right", "wrong", "unknown", "background", "all"};

/* Letters of Latin-1, U+00C0 on, as people write them where there are none: two characters each. */
static const char latin[] = "a a a a aeaaaec e e e e i i i i d n o o o o oe- o u u u uey thss"
                            "a a a a aeaaaec e e e e i i i i d n o o o o oe- o u u u uey thy ";

int school_label(const char *name, char label[SCHOOL_LABEL], struct err *err)
{
    char out[2 * 64] = "";
    size_t n = 0;

    for (const unsigned char *p = (const unsigned char *)name; *p && n + 3 < sizeof out; p++) {
        if (isalnum(*p) && *p < 0x80) {
            out[n++] = (char)tolower(*p);
        } else if (*p == 0xc3 && p[1] >= 0x80 && p[1] <= 0xbf) { /* UTF-8 of U+00C0..U+00FF */
            const char *two = latin + (size_t)2 * (p[1] - 0x80U);
            for (int i = 0; i < 2; i++)
                if (isalpha((unsigned char)two[i]))
                    out[n++] = two[i];
            p++;
        } else if (n > 0 && out[n - 1] != '_' && *p < 0x80) {
            out[n++] = '_';
        }
    }
    while (n > 0 && out[n - 1] == '_')
        n--;
    out[n] = '\0';
    if (n == 0 || n >= SCHOOL_LABEL)
        return err_set(err, "\"%.80s\" makes no label: 1 to %d of a-z, 0-9 and _ have to be left of it", name,
                       SCHOOL_LABEL - 1);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(out, words[i]) == 0)
            return err_set(err, "%s is a word of the program's own; allowed is any other name", out);
    for (enum sound_group g = 0; g < GROUP_COUNT; g++)
        if (strcmp(out, sound_group_name(g)) == 0)
            return err_set(err, "%s is a group of sounds, and may stand for all of them; allowed is any other name",
                           out);
    memcpy(label, out, n + 1);
    return 0;
}

/* As people are shown it: on one line, whatever was in it, and never cut within a character. */
static void take_name(char *out, size_t size, const char *name)
{
    size_t n = 0;

    while (n < size - 1 && name[n]) {
        bool control = (unsigned char)name[n] < ' ' || name[n] == 0x7f;
        out[n] = control ? ' ' : name[n];
        n++;
    }
    if (name[n])
        while (n > 0 && ((unsigned char)name[n] & 0xc0) == 0x80)
            n--;
    out[n] = '\0';
}

static int take_old(struct school *s, const struct taught_class *old, bool replace, struct err *err)
{
    if (!old || replace)
        return 0;
    if (old->hash != s->teacher.hash)
        return err_set(
            err,
            "%s was taught to another model (%s) than this %s: its examples cannot be used with it. Learn it anew from "
            "the sounds that are kept (earshot teach relearn), or teach it from others, with --replace",
            old->label, old->model, s->teacher.model_name);
    s->class.examples = calloc(old->n_examples, sizeof *s->class.examples);
    s->notes = calloc(old->n_examples, sizeof *s->notes);
    if (!s->class.examples || !s->notes)
        return err_set(err, "no memory");
    for (size_t i = 0; i < old->n_examples; i++) {
        struct taught_example *e = &s->class.examples[s->class.n_examples];
        *e = old->examples[i];
        size_t bytes = (size_t)e->n * old->dims * sizeof *e->windows;
        if (!(e->windows = malloc(bytes ? bytes : 1)))
            return err_set(err, "no memory");
        memcpy(e->windows, old->examples[i].windows, bytes);
        s->notes[s->class.n_examples++].known = NOT_NOTED;
    }
    return 0;
}

static int begin(struct school *s, const char *model, const char *name, double hop_s, bool replace, struct err *err)
{
    struct taught_class *c = &s->class;

    if (school_label(name, c->label, err) < 0 || teacher_open(&s->teacher, model, hop_s, err) < 0 ||
        !(s->lesson = lesson_new(s->teacher.model_path, hop_s, err)))
        return -1;
    const struct model_info *m = lesson_model(s->lesson);
    for (size_t i = 0; i < m->n_labels; i++)
        if (strcmp(m->labels[i], c->label) == 0)
            return err_set(
                err,
                "the model %s has a %s of its own; teach yours under another name, such as my_%s: both are heard, "
                "and [class %s] mode = ignore keeps the model's to itself",
                m->name, c->label, c->label, c->label);
    take_name(c->name, sizeof c->name, name);
    snprintf(c->model, sizeof c->model, "%s", s->teacher.model_name);
    c->hash = s->teacher.hash;
    c->dims = m->embedding_size;
    c->taught_ms = clock_ms(CLOCK_REALTIME);
    s->lock = taught_lock(s->dir, err);
    if (s->lock < 0 || taught_path(s->dir, s->path, sizeof s->path, err) < 0 ||
        taughtfile_read(&s->file, s->path, false, err) < 0 ||
        verdict_tie(s->dir, s->teacher.model_name, s->teacher.hash, err) < 0 ||
        verdicts_load(&s->verdicts, s->dir, err) < 0)
        return -1;
    return take_old(s, taughtfile_find(&s->file, c->label), replace, err);
}

struct school *school_new(const struct school_params *p, struct err *err)
{
    struct school *s = calloc(1, sizeof *s);

    if (!s) {
        err_set(err, "no memory");
        return NULL;
    }
    s->lock = -1;
    snprintf(s->dir, sizeof s->dir, "%s", p->dir);
    snprintf(s->clips, sizeof s->clips, "%s", p->clips);
    s->keep = p->keep;
    s->begun = begin(s, p->model, p->name, p->hop_s, p->replace, err) == 0;
    if (s->begun)
        return s;
    school_free(s);
    return NULL;
}

void school_free(struct school *s)
{
    if (!s)
        return;
    if (s->begun && *s->class.label) /* nothing came of it */
        kept_sweep(s->dir, s->class.label, &s->file);
    taught_class_free(&s->class);
    taughtfile_free(&s->file);
    verdicts_free(&s->verdicts);
    taught_unlock(s->lock);
    lesson_free(s->lesson);
    teacher_close(&s->teacher);
    free(s->notes);
    free(s);
}

/* The end of a long path says more than its beginning. */
static void shorten(char *out, size_t size, const char *source)
{
    size_t n = strlen(source);
    snprintf(out, size, "%s", n < size ? source : source + n - (size - 1));
    for (char *p = out; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '?';
}

/* Takes the example's windows over. */
static int put(struct school *s, struct taught_example *e, const struct lesson_notes *notes, struct err *err)
{
    struct taught_class *c = &s->class;
    size_t i = 0;

    while (i < c->n_examples && (strcmp(c->examples[i].source, e->source) != 0 || e->kind == TAUGHT_FROM_MICROPHONE))
        i++;
    if (i == TAUGHT_EXAMPLES) {
        taught_example_free(e);
        return err_set(err, "%d examples are as many as there can be", TAUGHT_EXAMPLES);
    }
    if (i == c->n_examples) {
        struct taught_example *more = realloc(c->examples, (i + 1) * sizeof *more);
        c->examples = more ? more : c->examples;
        struct lesson_notes *n = realloc(s->notes, (i + 1) * sizeof *n);
        s->notes = n ? n : s->notes;
        if (!more || !n) {
            taught_example_free(e);
            return err_set(err, "no memory");
        }
        c->n_examples++;
    } else {
        taught_example_free(&c->examples[i]);
    }
    c->examples[i] = *e;
    s->notes[i] = *notes;
    s->added++;
    return 0;
}

/* Without it nothing is lost but what another model could be taught from. */
static void keep(struct school *s, const struct taught_example *e, const struct take *t, double from_s, double to_s)
{
    struct err err;

    if (!s->keep || kept_put(s->dir, s->class.label, e, t, from_s, to_s, &err) == 0)
        return;
    s->unkept++;
    snprintf(s->why, sizeof s->why, "%.299s", err.text);
}

int school_add(struct school *s, const struct take *t, const char *source, enum taught_kind kind, struct err *err)
{
    struct taught_example e = {.kind = kind, .score = NAN};
    struct lesson_notes notes;

    shorten(e.source, sizeof e.source, source);
    if (lesson_example(s->lesson, t, &e, &notes, err) < 0) {
        taught_example_free(&e);
        return -1;
    }
    const struct taught_example which = e;
    if (put(s, &e, &notes, err) < 0)
        return -1;
    keep(s, &which, t, notes.from_s, notes.to_s);
    return 0;
}

/* --- events of the history ------------------------------------------------------------------------------------------- */

struct found {
    sqlite3_int64 row;
    char id[UUID_SIZE], model[64], clip[CLIP_SIZE];
};

static int find_event(sqlite3 *db, const char *id, struct found *out, struct err *err)
{
    static const char sql[] =
        "SELECT id, event_id, model, clip FROM events WHERE event_id >= ?1 AND event_id < ?1 || 'g' LIMIT 2";
    sqlite3_stmt *st = NULL;
    int rc = -1;

    if (strlen(id) < 8 || strspn(id, "0123456789abcdef-") != strlen(id))
        return err_set(err, "\"%.64s\" is no event's id: its first 8 characters or more, of 0-9, a-f and -", id);
    if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
        return err_set(err, "%s", sqlite3_errmsg(db));
    sqlite3_bind_text(st, 1, id, -1, SQLITE_STATIC);
    if (sqlite3_step(st) != SQLITE_ROW) {
        err_set(err, "there is no event %s in the history", id);
    } else {
        const char *clip = (const char *)sqlite3_column_text(st, 3);
        out->row = sqlite3_column_int64(st, 0);
        snprintf(out->id, sizeof out->id, "%s", (const char *)sqlite3_column_text(st, 1));
        snprintf(out->model, sizeof out->model, "%s", (const char *)sqlite3_column_text(st, 2));
        snprintf(out->clip, sizeof out->clip, "%s", clip ? clip : "");
        rc = sqlite3_step(st) == SQLITE_ROW ? err_set(err, "several events begin with %s: give more of the id", id) : 0;
    }
    sqlite3_finalize(st);
    return rc;
}

/* The clip may be gone by now. */
static void keep_clip(struct school *s, const struct taught_example *e, const char *clip)
{
    char path[PATH_MAX + CLIP_SIZE];
    struct take t;

    snprintf(path, sizeof path, "%s/%s", s->clips, clip);
    if (!s->keep || !*s->clips || !*clip || strchr(clip, '/') || take_read(&t, path, NULL) < 0)
        return;
    keep(s, e, &t, 0, (double)t.n / t.rate);
    take_free(&t);
}

int school_add_event(struct school *s, const char *event_id, struct err *err)
{
    struct taught_example e = {
        .kind = TAUGHT_FROM_HISTORY, .score = NAN, .rms_dbfs = NAN, .duration_s = NAN, .n = 1, .n_clean = 1};
    struct lesson_notes notes = {.known = lesson_model(s->lesson)->n_labels};
    struct found found = {0};
    uint16_t half[EVENT_EMBEDDING];
    struct store_reader *r = store_read_open(s->dir, err);

    if (!r)
        return -1;
    int rc = find_event(store_read_db(r), event_id, &found, err);
    unsigned n = rc == 0 ? store_read_embedding(r, found.row, half, EVENT_EMBEDDING) : 0;
    store_read_close(r);
    if (rc < 0)
        return -1;
    memcpy(e.source, found.id, sizeof found.id);
    if (strcmp(found.model, s->teacher.model_name) != 0)
        return err_set(err, "event %s was heard by the model %s, and cannot be used with %s", e.source, found.model,
                       s->teacher.model_name);
    if (n != s->class.dims)
        return err_set(err, "no embedding is kept of event %s", e.source);
    if (!(e.windows = malloc(n * sizeof *e.windows)))
        return err_set(err, "no memory");
    for (unsigned i = 0; i < n; i++)
        e.windows[i] = half_to_float(half[i]);
    const struct taught_example which = e;
    if (put(s, &e, &notes, err) < 0)
        return -1;
    keep_clip(s, &which, found.clip);
    return 0;
}

size_t school_usable(const struct school *s)
{
    return s->added;
}

int school_finish(struct school *s, struct err *err)
{
    if (teacher_fit(&s->teacher, &s->file, &s->verdicts, &s->class, err) < 0)
        return -1;
    snprintf(s->label, sizeof s->label, "%s", s->class.label);
    struct taught_class c = s->class;
    s->class = (struct taught_class){0};
    if (taughtfile_put(&s->file, &c, err) < 0) {
        s->class = c;
        return -1;
    }
    if (taughtfile_write(&s->file, s->path, err) < 0)
        return -1;
    kept_sweep(s->dir, s->label, &s->file);
    return 0;
}
