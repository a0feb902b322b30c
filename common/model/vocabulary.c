#include "model/vocabulary.h"

#include "base/csv.h"
#include "base/text.h"
#include "model/labels.h"
#include "model/model.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { SOUNDS_MAX = 10000, ITEM_MAX = 100, KEY_SIZE = 96 }; /* of a key: "set:slug" */
enum column { SLUG, NAME, GROUP, AUDIOSET, DATASETS, HEARD, COLUMNS };

_Static_assert(KEY_SIZE >= 2 * LABEL_SIZE, "a key holds a data set and a label");

static const char *const column_names[COLUMNS] = {"slug", "name", "group", "audioset", "datasets", "heard"};
static const char *const group_names[GROUP_COUNT] = {"alarm",  "animal", "human", "household", "vehicle",
                                                     "nature", "tool",   "music", "background"};
static const char *const heard_names[HEARD_COUNT] = {"recordings", "synthesised", "no"};

/* A name that leads to a sound. */
struct key {
    char text[KEY_SIZE]; /* a slug, or "set:slug" */
    size_t sound;
    unsigned line;
};

struct keys {
    struct key *key; /* sorted once all are there */
    size_t n, room;
};

struct vocabulary {
    struct csv csv; /* holds all texts */
    struct sound *sounds;
    size_t n;
    struct keys slugs, audioset, datasets;
};

const char *sound_group_name(enum sound_group group)
{
    return group_names[group];
}

const char *sound_heard_name(enum sound_heard heard)
{
    return heard_names[heard];
}

void vocabulary_slugify(const char *name, char out[LABEL_SIZE])
{
    size_t n = 0;

    for (; *name && n < LABEL_SIZE - 1; name++) {
        char c = *name >= 'A' && *name <= 'Z' ? (char)(*name - 'A' + 'a') : *name;
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            out[n++] = c;
        else if (n > 0 && out[n - 1] != '_')
            out[n++] = '_';
    }
    while (n > 0 && out[n - 1] == '_')
        n--;
    out[n] = '\0';
}

/* "esc50:Dog bark" -> "esc50:dog_bark"; "" where a part is empty. */
static void dataset_key(const char *dataset, size_t length, const char *label, char out[KEY_SIZE])
{
    char set[LABEL_SIZE], whole[LABEL_SIZE];

    snprintf(set, sizeof set, "%.*s", (int)length, dataset);
    vocabulary_slugify(set, whole);
    vocabulary_slugify(label, set);
    snprintf(out, KEY_SIZE, "%s:%s", whole, set);
    if (!*whole || !*set)
        *out = '\0';
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct key *)a)->text, ((const struct key *)b)->text);
}

/* For the row at hand. */
static int add_key(struct keys *k, const char *text, const struct vocabulary *v, struct err *err)
{
    if (k->n == k->room) {
        size_t room = k->room * 2 + 64;
        struct key *bigger = realloc(k->key, room * sizeof *bigger);
        if (!bigger)
            return err_set(err, "out of memory");
        k->key = bigger;
        k->room = room;
    }
    snprintf(k->key[k->n].text, sizeof k->key[k->n].text, "%s", text);
    k->key[k->n].line = v->csv.line;
    k->key[k->n++].sound = v->n - 1;
    return 0;
}

/* While the keys are not sorted yet; there are few hundred. */
static const struct key *find_unsorted(const struct keys *k, const char *text)
{
    for (size_t i = 0; i < k->n; i++)
        if (strcmp(k->key[i].text, text) == 0)
            return &k->key[i];
    return NULL;
}

static const struct sound *find(const struct vocabulary *v, const struct keys *k, const char *text)
{
    struct key wanted = {.text = ""};
    const struct key *got;

    if (k->n == 0 || strlen(text) >= sizeof wanted.text)
        return NULL;
    snprintf(wanted.text, sizeof wanted.text, "%s", text);
    got = bsearch(&wanted, k->key, k->n, sizeof *k->key, compare);
    return got ? &v->sounds[got->sound] : NULL;
}

/* A key that must be new. `what` and `shown`: as the file has it. */
static int add_unique(struct vocabulary *v, struct keys *k, const char *text, const char *what, const char *shown,
                      struct err *err)
{
    const struct key *other = find_unsorted(k, text);

    if (other)
        return err_set(err, "%s '%.60s' stands in line %u already", what, shown, other->line);
    return add_key(k, text, v, err);
}

static int read_word(const char *text, const char *const *words, int n, const char *column, struct err *err)
{
    char list[120] = "";
    size_t used = 0;

    for (int i = 0; i < n; i++) {
        if (strcmp(text, words[i]) == 0)
            return i;
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", words[i]);
    }
    err_set(err, "%s '%.40s': allowed are %s", column, text, list);
    return -1;
}

static int add_item(struct vocabulary *v, enum column column, const char *item, struct err *err)
{
    char key[KEY_SIZE];

    if (column == AUDIOSET) {
        vocabulary_slugify(item, key);
        if (!*key)
            return err_set(err, "audioset '%.60s' is no name of a class", item);
        return add_unique(v, &v->audioset, key, "AudioSet class", item, err);
    }
    const char *colon = strchr(item, ':');
    if (colon)
        dataset_key(item, (size_t)(colon - item), colon + 1, key);
    if (!colon || !*key)
        return err_set(err, "datasets '%.60s': set:label is needed", item);
    return add_unique(v, &v->datasets, key, "label", item, err);
}

/* "a; b" -> its parts, without the blanks around them. */
static int read_list(struct vocabulary *v, char *text, enum column column, const char *const **out, size_t *n,
                     struct err *err)
{
    size_t most = 1, used = 0;
    const char **items;

    for (const char *p = text; *p; p++)
        most += *p == ';';
    items = calloc(most, sizeof *items);
    *out = items;
    if (!items)
        return err_set(err, "out of memory");
    if (text[strspn(text, " ")] == '\0')
        return 0;
    for (char *p = text, *end = NULL; p; p = end) {
        if ((end = strchr(p, ';')))
            *end++ = '\0';
        p += strspn(p, " ");
        for (size_t length = strlen(p); length && p[length - 1] == ' '; length--)
            p[length - 1] = '\0';
        if (!*p)
            return err_set(err, "%s holds an empty entry", column_names[column]);
        if (strlen(p) > ITEM_MAX)
            return err_set(err, "%s '%.40s...' is longer than %d bytes", column_names[column], p, ITEM_MAX);
        if (add_item(v, column, p, err) < 0)
            return -1;
        items[used++] = p;
        *n = used;
    }
    return 0;
}

/* Messages quote what stands there. */
static int check_text(const char *text, enum column column, struct err *err)
{
    if (!text_is_utf8(text, strlen(text)))
        return err_set(err, "%s is no UTF-8", column_names[column]);
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return err_set(err, "%s holds a control character", column_names[column]);
    return 0;
}

static int check_row(char *const *field, const size_t at[COLUMNS], struct err *err)
{
    size_t name = strlen(field[at[NAME]]);

    for (int c = 0; c < COLUMNS; c++)
        if (check_text(field[at[c]], (enum column)c, err) < 0)
            return -1;
    if (!label_valid(field[at[SLUG]]))
        return err_set(err, "slug '%.60s': 1 to %d of a-z, 0-9 and _ are needed", field[at[SLUG]], LABEL_SIZE - 1);
    return name > 0 && name <= ITEM_MAX ? 0 : err_set(err, "name: 1 to %d bytes are needed", ITEM_MAX);
}

/* v->n counts the row from the start: what it allocates is freed with the others. */
static int read_row(struct vocabulary *v, const size_t at[COLUMNS], struct err *err)
{
    char **field = v->csv.field;
    struct sound *s = &v->sounds[v->n++];
    int group, heard;

    *s = (struct sound){.slug = field[at[SLUG]], .name = field[at[NAME]]};
    if (check_row(field, at, err) < 0 || add_unique(v, &v->slugs, s->slug, "slug", s->slug, err) < 0)
        return -1;
    group = read_word(field[at[GROUP]], group_names, GROUP_COUNT, "group", err);
    heard = group < 0 ? -1 : read_word(field[at[HEARD]], heard_names, HEARD_COUNT, "heard", err);
    if (heard < 0)
        return -1;
    s->group = (enum sound_group)group;
    s->heard = (enum sound_heard)heard;
    if (read_list(v, field[at[AUDIOSET]], AUDIOSET, &s->audioset, &s->n_audioset, err) < 0)
        return -1;
    return read_list(v, field[at[DATASETS]], DATASETS, &s->datasets, &s->n_datasets, err);
}

/* Where each column stands; others may be there too. */
static int read_head(const struct csv *csv, size_t at[COLUMNS], struct err *err)
{
    for (int c = 0; c < COLUMNS; c++) {
        size_t i = 0;

        while (i < csv->n && strcmp(csv->field[i], column_names[c]) != 0)
            i++;
        if (i == csv->n)
            return err_set(err, "%s:%u: no column '%s'; needed are slug, name, group, audioset, datasets, heard",
                           csv->path, csv->line, column_names[c]);
        at[c] = i;
    }
    return 0;
}

static int read_rows(struct vocabulary *v, struct err *err)
{
    size_t at[COLUMNS] = {0}, columns, room = 0;
    int rc = csv_next(&v->csv, err);

    if (rc == 0)
        return err_set(err, "%s: is empty", v->csv.path);
    if (rc < 0 || read_head(&v->csv, at, err) < 0)
        return -1;
    columns = v->csv.n;
    while ((rc = csv_next(&v->csv, err)) > 0) {
        if (v->csv.n != columns)
            return err_set(err, "%s:%u: %zu fields, the header has %zu", v->csv.path, v->csv.line, v->csv.n, columns);
        if (v->n == SOUNDS_MAX)
            return err_set(err, "%s:%u: more than %d sounds", v->csv.path, v->csv.line, SOUNDS_MAX);
        if (v->n == room) {
            struct sound *bigger = realloc(v->sounds, (room += room + 64) * sizeof *bigger);
            if (!bigger)
                return err_set(err, "out of memory");
            v->sounds = bigger;
        }
        if (read_row(v, at, err) < 0)
            return err_prefix(err, "%s:%u: ", v->csv.path, v->csv.line);
    }
    return rc < 0 || v->n ? rc : err_set(err, "%s: it lists no sound", v->csv.path);
}

static void sort(struct keys *k)
{
    if (k->n)
        qsort(k->key, k->n, sizeof *k->key, compare);
}

/* A label may be an AudioSet class or a slug, and both must mean the same. */
static int check_classes(const struct vocabulary *v, struct err *err)
{
    for (size_t i = 0; i < v->audioset.n; i++) {
        const struct key *k = &v->audioset.key[i];
        const struct sound *other = find(v, &v->slugs, k->text);

        if (other && other != &v->sounds[k->sound])
            return err_set(err, "%s:%u: AudioSet class '%s' has the name of another sound", v->csv.path, k->line,
                           k->text);
    }
    return 0;
}

struct vocabulary *vocabulary_load(const char *path, struct err *err)
{
    struct vocabulary *v = calloc(1, sizeof *v);

    if (!v) {
        err_set(err, "out of memory");
        return NULL;
    }
    if (csv_open(&v->csv, path, err) < 0 || read_rows(v, err) < 0)
        goto fail;
    sort(&v->slugs);
    sort(&v->audioset);
    sort(&v->datasets);
    if (check_classes(v, err) < 0)
        goto fail;
    v->csv.path = NULL; /* the caller's */
    return v;
fail:
    vocabulary_free(v);
    return NULL;
}

void vocabulary_free(struct vocabulary *v)
{
    if (!v)
        return;
    for (size_t i = 0; i < v->n; i++) {
        free((void *)v->sounds[i].audioset);
        free((void *)v->sounds[i].datasets);
    }
    free(v->sounds);
    free(v->slugs.key);
    free(v->audioset.key);
    free(v->datasets.key);
    csv_close(&v->csv);
    free(v);
}

int vocabulary_find(char *path, size_t size, struct err *err)
{
    return model_find_file("labels.csv", path, size, err);
}

int vocabulary_apply(enum vocabulary_choice choice, struct model *m, struct err *err)
{
    char path[PATH_MAX];
    struct vocabulary *v = NULL;
    int rc = choice == VOCABULARY_OWN ? 0 : -1;

    if (rc < 0 && vocabulary_find(path, sizeof path, err) == 0 && (v = vocabulary_load(path, err)))
        rc = model_use_vocabulary(m, v, err);
    vocabulary_free(v);
    return rc;
}

size_t vocabulary_count(const struct vocabulary *v)
{
    return v->n;
}

const struct sound *vocabulary_sound(const struct vocabulary *v, size_t i)
{
    return &v->sounds[i];
}

const struct sound *vocabulary_slug(const struct vocabulary *v, const char *slug)
{
    return find(v, &v->slugs, slug);
}

const struct sound *vocabulary_label(const struct vocabulary *v, const char *label)
{
    const struct sound *s = find(v, &v->audioset, label);

    return s ? s : vocabulary_slug(v, label);
}

const struct sound *vocabulary_dataset(const struct vocabulary *v, const char *dataset, const char *label)
{
    char key[KEY_SIZE];
    size_t set;

    dataset_key(dataset, strlen(dataset), label, key);
    if (!*key)
        return NULL;
    const struct sound *s = find(v, &v->datasets, key);
    set = (size_t)(strchr(key, ':') - key) + 1;
    for (size_t i = 0; !s && i < v->datasets.n; i++)
        if (strncmp(v->datasets.key[i].text, key, set) == 0)
            return NULL;
    return s ? s : vocabulary_slug(v, key + set);
}
