#include "evaluate/labelmap.h"

#include "base/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 128 };

/* Where no vocabulary is at hand. */
static const struct {
    const char *name, *label;
} aliases[] = {{"dog", "dog_bark"}, {"engine", "engine_idling"}};

static int find_label(const struct labelmap *m, const char *label)
{
    for (size_t i = 0; i < m->n_labels; i++)
        if (strcmp(m->labels[i], label) == 0)
            return (int)i;
    return -1;
}

/* In lower case, blanks and hyphens as underscores. */
static void make_slug(const char *name, char slug[NAME_MAX_BYTES])
{
    size_t n = 0;

    for (; *name && n + 1 < NAME_MAX_BYTES; name++)
        slug[n++] = (char)(*name == ' ' || *name == '-' ? '_' : tolower((unsigned char)*name));
    slug[n] = 0;
}

const char *labelmap_nearest(const struct labelmap *m, const char *name)
{
    char slug[NAME_MAX_BYTES];
    struct text_nearest near = {.word = slug};

    make_slug(name, slug);
    for (size_t i = 0; i < m->n_labels; i++)
        text_nearest_try(&near, m->labels[i]);
    return near.best;
}

/* Does some data set call the sound by that slug? */
static bool is_called(const struct sound *s, const char *slug)
{
    char other[NAME_MAX_BYTES];

    for (size_t k = 0; k < s->n_datasets; k++) {
        const char *colon = strchr(s->datasets[k], ':');
        make_slug(colon ? colon + 1 : s->datasets[k], other);
        if (strcmp(other, slug) == 0)
            return true;
    }
    return false;
}

size_t labelmap_meanings(const struct labelmap *m, const char *name, const struct sound **out, size_t size)
{
    char slug[NAME_MAX_BYTES];
    size_t n = 0;

    make_slug(name, slug);
    for (size_t i = 0; m->vocabulary && i < vocabulary_count(m->vocabulary); i++) {
        const struct sound *s = vocabulary_sound(m->vocabulary, i);
        if (!is_called(s, slug))
            continue;
        if (n < size)
            out[n] = s;
        n++;
    }
    return n;
}

int labelmap_find(const struct labelmap *m, const char *dataset, const char *name)
{
    char slug[NAME_MAX_BYTES];
    const struct sound *sound = NULL;
    int label = -1;

    for (size_t i = 0; i < m->n_names; i++)
        if (strcmp(m->names[i].name, name) == 0)
            return (int)m->names[i].label;
    if (m->vocabulary && dataset && *dataset)
        sound = vocabulary_dataset(m->vocabulary, dataset, name);
    if (sound)
        label = find_label(m, sound->slug);
    const struct sound *meant = NULL;
    size_t meanings = sound ? 0 : labelmap_meanings(m, name, &meant, 1); /* what other sets mean does not matter then */
    if (label < 0)
        label = find_label(m, name);
    make_slug(name, slug);
    if (label < 0)
        label = find_label(m, slug);
    if (label < 0 && meanings == 1)
        label = find_label(m, meant->slug);
    for (size_t i = 0; label < 0 && meanings < 2 && i < sizeof aliases / sizeof aliases[0]; i++)
        if (strcmp(aliases[i].name, slug) == 0)
            label = find_label(m, aliases[i].label);
    return label;
}

static int add_name(struct labelmap *m, size_t *room, const char *path, struct err *err)
{
    struct csv *c = &m->csv;

    if (c->n != 2 || !*c->field[0])
        return err_set(err, "%s:%u: name,label is needed", path, c->line);
    int label = find_label(m, c->field[1]);
    if (label < 0) {
        const char *nearest = labelmap_nearest(m, c->field[1]);
        return err_set(err, "%s:%u: the model has no label %.64s%s%s%s", path, c->line, c->field[1],
                       nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
    }
    for (size_t i = 0; i < m->n_names; i++)
        if (strcmp(m->names[i].name, c->field[0]) == 0)
            return err_set(err, "%s:%u: the name %.64s is there twice", path, c->line, c->field[0]);
    if (m->n_names == *room) {
        *room = *room ? 2 * *room : 64;
        struct labelmap_name *more = realloc(m->names, *room * sizeof *more);
        if (!more)
            return err_set(err, "%s: no memory", path);
        m->names = more;
    }
    m->names[m->n_names++] = (struct labelmap_name){c->field[0], (unsigned)label};
    return 0;
}

static int read_names(struct labelmap *m, const char *path, struct err *err)
{
    size_t room = 0;
    int rc = csv_next(&m->csv, err);

    if (rc < 0)
        return -1;
    if (rc == 0 || m->csv.n != 2 || strcmp(m->csv.field[0], "name") != 0 || strcmp(m->csv.field[1], "label") != 0)
        return err_set(err, "%s:%u: the first line must be name,label", path, rc ? m->csv.line : 1);
    while ((rc = csv_next(&m->csv, err)) == 1)
        if (add_name(m, &room, path, err) < 0)
            return -1;
    return rc;
}

int labelmap_init(struct labelmap *m, const char *const *labels, size_t n_labels, const struct vocabulary *vocabulary,
                  const char *path, struct err *err)
{
    *m = (struct labelmap){.labels = labels, .n_labels = n_labels, .vocabulary = vocabulary};
    if (!path)
        return 0;
    if (csv_open(&m->csv, path, err) < 0)
        return -1;
    if (read_names(m, path, err) == 0)
        return 0;
    labelmap_free(m);
    return -1;
}

void labelmap_free(struct labelmap *m)
{
    free(m->names);
    csv_close(&m->csv);
    *m = (struct labelmap){0};
}
