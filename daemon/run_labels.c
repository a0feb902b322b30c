#include "daemon/run_labels.h"

#include "base/log.h"
#include "base/text.h"
#include "model/policy.h"
#include "model/vocabulary.h"
#include "teach/taughtfile.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* "door_wood_knock" -> "Door wood knock": where labels.csv has no better. */
static void plain_name(char out[64], const char *label)
{
    snprintf(out, 64, "%s", label);
    for (char *p = out; *p; p++)
        if (*p == '_')
            *p = ' ';
    out[0] = (char)toupper((unsigned char)out[0]);
}

static int mode_of(const struct config *c, const char *label)
{
    const struct class_rule *rule = config_find_rule(c, label);
    return rule ? rule->mode : CLASS_DEFAULT;
}

static struct vocabulary *load_vocabulary(void)
{
    char path[4096];
    struct err err;
    struct vocabulary *v = vocabulary_find(path, sizeof path, &err) == 0 ? vocabulary_load(path, &err) : NULL;

    if (!v)
        log_debug("names of sounds are made of their labels: %s", err.text);
    return v;
}

void run_labels_describe(const struct vocabulary *v, const char *label, struct output_label *out)
{
    const struct sound *sound = v ? vocabulary_label(v, label) : NULL;

    *out = (struct output_label){.enabled = false};
    snprintf(out->label, sizeof out->label, "%s", label);
    if (sound && strcmp(sound->slug, label) == 0)
        snprintf(out->name, sizeof out->name, "%s", sound->name);
    else /* several of a model's labels may mean one sound: each keeps its own name */
        plain_name(out->name, label);
    if (sound)
        snprintf(out->group, sizeof out->group, "%s", sound_group_name(sound->group));
    out->alarm = label_is_alarm(label) || (sound && sound->group == GROUP_ALARM);
}

/* As whoever taught it calls it. A name that is no text stays as it is made of the label. */
static void describe_taught(const struct taughtfile *f, struct output_label *out)
{
    const struct taught_class *c = taughtfile_find(f, out->label);

    out->taught = true;
    snprintf(out->group, sizeof out->group, "taught");
    if (c && *c->name && text_is_utf8(c->name, strlen(c->name)))
        snprintf(out->name, sizeof out->name, "%s", c->name);
}

void run_labels_tell(const struct run_outputs *outputs, const char *const *labels, size_t n,
                     const struct config *config, const struct pipeline *p)
{
    struct output_label *list = calloc(n ? n : 1, sizeof *list);
    struct vocabulary *v = load_vocabulary();
    struct taughtfile taught = {0};
    bool allow_list = false;
    size_t used = 0;

    if (*config->model.taught_file && taughtfile_read(&taught, config->model.taught_file, true, NULL) < 0)
        taught = (struct taughtfile){0}; /* the recogniser has said what is wrong with it */
    for (size_t i = 0; i < n; i++)
        allow_list |= mode_of(config, labels[i]) == CLASS_ALLOW;
    for (size_t i = 0; list && i < n; i++) {
        int mode = mode_of(config, labels[i]);
        if (label_is_silence(labels[i]))
            continue;
        run_labels_describe(v, labels[i], &list[used]);
        if (pipeline_is_taught(p, labels[i]))
            describe_taught(&taught, &list[used]);
        list[used].enabled = mode != CLASS_IGNORE && (!allow_list || mode == CLASS_ALLOW);
        used++;
    }
    for (size_t i = 0; list && i < outputs->n; i++)
        if (outputs->list[i]->labels)
            outputs->list[i]->labels(outputs->list[i], list, used);
    taughtfile_free(&taught);
    vocabulary_free(v);
    free(list);
}
