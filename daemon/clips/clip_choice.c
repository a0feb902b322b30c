#include "daemon/clips/clip_choice.h"

#include "base/log.h"
#include "base/text.h"
#include "model/vocabulary.h"

#include <stdio.h>
#include <string.h>

struct choice {
    const char *const *labels;
    size_t n_labels;
    bool *wanted;
    struct vocabulary *vocabulary; /* NULL: there is no labels.csv, and why; then alarm is the only group */
    struct err absent;
};

static int group_of(const char *word)
{
    for (int g = 0; g < GROUP_COUNT; g++)
        if (strcmp(sound_group_name((enum sound_group)g), word) == 0)
            return g;
    return -1;
}

static size_t take_group(struct choice *c, int group)
{
    size_t n = 0;

    for (size_t i = 0; i < c->n_labels; i++) {
        const struct sound *s = c->vocabulary ? vocabulary_label(c->vocabulary, c->labels[i]) : NULL;
        if ((s && s->group == (enum sound_group)group) || (group == GROUP_ALARM && label_is_alarm(c->labels[i]))) {
            c->wanted[i] = true;
            n++;
        }
    }
    return n;
}

static int refuse(const struct choice *c, const char *word, struct err *err)
{
    struct text_nearest near = {.word = word};
    char groups[128] = "";

    for (size_t i = 0; i < c->n_labels; i++)
        text_nearest_try(&near, c->labels[i]);
    for (int g = 0; g < GROUP_COUNT; g++) {
        text_nearest_try(&near, sound_group_name((enum sound_group)g));
        size_t used = strlen(groups);
        snprintf(groups + used, sizeof groups - used, "%s%s", g ? ", " : "", sound_group_name((enum sound_group)g));
    }
    return err_set(
        err,
        "[clips] classes: \"%s\" is neither a class of the model nor a group%s%s%s; allowed: what `earshot model "
        "show` lists, and the groups %s",
        word, near.best ? " (did you mean " : "", near.best ? near.best : "", near.best ? "?)" : "", groups);
}

static int take_word(struct choice *c, const char *word, struct err *err)
{
    for (size_t i = 0; i < c->n_labels; i++)
        if (strcmp(c->labels[i], word) == 0) {
            c->wanted[i] = true;
            return 0;
        }
    int group = group_of(word);
    if (group >= 0 && take_group(c, group) > 0)
        return 0;
    if (group >= 0 && !c->vocabulary)
        return err_set(err, "[clips] classes: nobody can tell what \"%s\" comprises: %s", word, c->absent.text);
    if (group < 0 && !(c->vocabulary && vocabulary_slug(c->vocabulary, word)))
        return refuse(c, word, err);
    log_warn("[clips] classes: the model hears nothing of \"%s\"", word);
    return 0;
}

int clip_choice(const struct config *config, const char *const *labels, size_t n_labels, bool *wanted, struct err *err)
{
    struct choice c = {.labels = labels, .n_labels = n_labels, .wanted = wanted};
    const char *const between = ", \t";
    char path[4096], word[LABEL_SIZE];
    int rc = 0;
    size_t n;

    if (vocabulary_find(path, sizeof path, &c.absent) == 0)
        c.vocabulary = vocabulary_load(path, &c.absent);
    for (const char *p = config->clips.classes + strspn(config->clips.classes, between); *p && rc == 0;
         p += n + strspn(p + n, between)) {
        n = strcspn(p, between);
        snprintf(word, sizeof word, "%.*s", (int)n, p);
        rc = take_word(&c, word, err);
    }
    vocabulary_free(c.vocabulary);
    return rc;
}

bool clip_choice_names(const struct config *config, const char *label)
{
    static const char between[] = ", \t";
    size_t n, length = strlen(label);

    for (const char *p = config->clips.classes + strspn(config->clips.classes, between); *p;
         p += n + strspn(p + n, between)) {
        n = strcspn(p, between);
        if (n == length && memcmp(p, label, n) == 0)
            return true;
    }
    return false;
}
