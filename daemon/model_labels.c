#include "daemon/model_labels.h"

#include "base/json.h"
#include "daemon/cmd.h"
#include "model/relabel.h"
#include "model/vocabulary.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static struct vocabulary *load(struct err *err)
{
    char path[PATH_MAX];

    return vocabulary_find(path, sizeof path, err) < 0 ? NULL : vocabulary_load(path, err);
}

/* The model's labels that mean a sound, or, where s is NULL, none. */
struct walk {
    const struct vocabulary *v;
    const struct model_info *info;
    const struct sound *s;
    size_t i;
};

static const char *walk_next(struct walk *w)
{
    while (w->i < w->info->n_labels) {
        const char *label = w->info->labels[w->i++];
        if (vocabulary_label(w->v, label) == w->s)
            return label;
    }
    return NULL;
}

static void print_labels(struct walk w, const char *none)
{
    const char *between = "";

    for (const char *label; (label = walk_next(&w)); between = " ")
        printf("%s%s", between, label);
    printf("%s\n", *between ? "" : none);
}

static json_t *json_labels(struct walk w)
{
    json_t *a = json_array();

    for (const char *label; (label = walk_next(&w));)
        json_array_append_new(a, json_text(label));
    return a;
}

static void print_json(json_t *o)
{
    json_dumpf(o, stdout, JSON_LINE | JSON_PRESERVE_ORDER);
    putchar('\n');
    json_decref(o);
}

static void list_json(const struct vocabulary *v, const struct model_info *info)
{
    for (size_t i = 0; i < vocabulary_count(v); i++) {
        const struct sound *s = vocabulary_sound(v, i);
        struct walk w = {.v = v, .info = info, .s = s};
        json_t *audioset = json_array();

        for (size_t k = 0; k < s->n_audioset; k++)
            json_array_append_new(audioset, json_text(s->audioset[k]));
        print_json(json_pack("{s:s, s:o, s:s, s:o, s:o}", "slug", s->slug, "name", json_text(s->name), "group",
                             sound_group_name(s->group), "audioset", audioset, "labels", json_labels(w)));
    }
    struct walk rest = {.v = v, .info = info};
    print_json(json_pack("{s:o, s:o}", "model", json_text(info->name), "others", json_labels(rest)));
}

static void list_text(const struct vocabulary *v, const struct model_info *info)
{
    size_t heard = 0;

    printf("%-18s %-11s %-24s as %s\n", "sound", "group", "name", info->name);
    for (size_t i = 0; i < vocabulary_count(v); i++) {
        const struct sound *s = vocabulary_sound(v, i);
        struct walk w = {.v = v, .info = info, .s = s};

        printf("%-18s %-11s %-24s ", s->slug, sound_group_name(s->group), s->name);
        print_labels(w, "-");
        heard += walk_next(&w) != NULL;
    }
    struct walk rest = {.v = v, .info = info};
    printf("\n%zu of %zu sounds. Labels of the model that mean none of them: ", heard, vocabulary_count(v));
    print_labels(rest, "none");
}

int model_labels(const char *path, bool json)
{
    struct err err;
    struct vocabulary *v = load(&err);
    struct model *m = v ? model_load(path, &err) : NULL;
    int code = m ? EXIT_GOOD : cmd_fail(EXIT_FAILED, "model", "%s", err.text);

    if (m)
        (json ? list_json : list_text)(v, model_info(m));
    model_free(m);
    vocabulary_free(v);
    return code;
}

int model_labels_summary(const struct model *m, struct err *err)
{
    const struct model_info *info = model_info(m);
    struct vocabulary *v = load(err);
    struct relabel r = {0};
    int rc = v ? relabel_init(&r, info->labels, info->thresholds, info->n_labels, v, err) : -1;

    if (rc == 0) {
        struct walk rest = {.v = v, .info = info};
        printf("sounds   %zu of labels.csv; dropped: ", r.n);
        print_labels(rest, "none");
    }
    relabel_free(&r);
    vocabulary_free(v);
    return rc;
}
