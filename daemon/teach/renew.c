#include "daemon/teach/renew.h"

#include "daemon/teach/kept.h"
#include "daemon/teach/lesson.h"
#include "daemon/teach/taught.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void list(char *out, size_t size, const char *label, size_t n, size_t of)
{
    size_t used = strlen(out);

    if (used + LABEL_SIZE + 24 > size) {
        if (used + 5 < size && strcmp(out + used - 3, "...") != 0)
            memcpy(out + used, ", ...", 6);
        return;
    }
    used += (size_t)snprintf(out + used, size - used, "%s%s", used ? ", " : "", label);
    if (n < of)
        snprintf(out + used, size - used, " (%zu of %zu)", n, of);
}

static bool knows(const struct model_info *m, const char *label)
{
    size_t i = 0;

    while (i < m->n_labels && strcmp(m->labels[i], label) != 0)
        i++;
    return i < m->n_labels;
}

/* The windows of one example; -1: there is no sound of it, or none that can be used. */
static int renew_example(const char *dir, struct lesson *l, const char *label, const struct taught_example *old,
                         struct taught_example *e)
{
    struct lesson_notes notes;
    struct take t;
    struct err none;

    *e = (struct taught_example){.kind = old->kind, .score = NAN};
    memcpy(e->source, old->source, sizeof e->source);
    if (kept_take(dir, label, old, &t, &none) < 0)
        return -1;
    int rc = lesson_example(l, &t, e, &notes, &none);
    take_free(&t);
    if (rc < 0)
        taught_example_free(e);
    return rc;
}

static int renew_class(const char *dir, const struct teacher *t, struct lesson *l, struct taught_class *c,
                       struct renewed *out, struct err *err)
{
    struct taught_example *more = calloc(c->n_examples, sizeof *more);
    size_t n = 0, had = c->n_examples;

    if (!more)
        return err_set(err, "no memory");
    if (knows(lesson_model(l), c->label)) {
        list(out->known, sizeof out->known, c->label, 0, 0);
        free(more);
        return 0;
    }
    for (size_t i = 0; i < had; i++)
        n += renew_example(dir, l, c->label, &c->examples[i], &more[n]) == 0;
    if (n == 0) {
        list(out->silent, sizeof out->silent, c->label, 0, 0);
        free(more);
        return 0;
    }
    for (size_t i = 0; i < had; i++)
        taught_example_free(&c->examples[i]);
    free(c->examples);
    c->examples = more;
    c->n_examples = n;
    free(c->w); /* to be fitted */
    c->w = NULL;
    c->hash = t->hash;
    c->dims = lesson_model(l)->embedding_size;
    snprintf(c->model, sizeof c->model, "%s", t->model_name);
    list(out->labels, sizeof out->labels, c->label, 0, 0);
    if (n < had)
        list(out->partly, sizeof out->partly, c->label, n, had);
    out->n++;
    return 0;
}

static bool is_meant(const struct taught_class *c, uint64_t hash, const char *model, enum renewing which)
{
    return c->hash != hash && (which == RENEW_ALL || strcmp(c->model, model) == 0);
}

int renew_examples(const char *dir, const struct teacher *t, double hop_s, enum renewing which, struct taughtfile *f,
                   struct renewed *out, struct err *err)
{
    struct lesson *l = NULL;
    int rc = 0;

    *out = (struct renewed){0};
    for (size_t i = 0; i < f->n_classes && rc == 0; i++) {
        if (!is_meant(&f->classes[i], t->hash, t->model_name, which))
            continue;
        if (!l && !(l = lesson_new(t->model_path, hop_s, err)))
            return -1;
        rc = renew_class(dir, t, l, &f->classes[i], out, err);
    }
    lesson_free(l);
    return rc;
}

bool renew_needed(const char *dir, const char *model)
{
    char path[PATH_MAX], name[64];
    struct taughtfile f;
    bool needed = false;
    uint64_t hash = 0;

    if (taught_path(dir, path, sizeof path, NULL) < 0 || taughtfile_read(&f, path, true, NULL) < 0)
        return false;
    if (f.n_classes > 0 && model_find(model, path, sizeof path, NULL) == 0 &&
        teach_model_hash(path, &hash, NULL) == 0) {
        teacher_model_name(path, name);
        for (size_t i = 0; i < f.n_classes && !needed; i++)
            needed = is_meant(&f.classes[i], hash, name, RENEW_VERSIONS) && kept_count(dir, &f.classes[i]) > 0;
    }
    taughtfile_free(&f);
    return needed;
}

void renew_text(const struct renewed *r, const char *model, char *out, size_t size)
{
    size_t used = 0;

    *out = '\0';
#define SAY(...) (used += (size_t)snprintf(out + used, size - used, __VA_ARGS__), used = used < size ? used : size - 1)
    if (*r->labels)
        SAY("%s: learned anew for this %.60s", r->labels, model);
    if (*r->partly)
        SAY("; from fewer examples, for no sound is kept of the others: %s", r->partly);
    if (*r->silent)
        SAY("%s%s: not heard, for no sound is kept of what it was taught from; teach it again", used ? "; " : "",
            r->silent);
    if (*r->known)
        SAY("%s%s: this %.60s has a sound of that name itself", used ? "; " : "", r->known, model);
#undef SAY
}
