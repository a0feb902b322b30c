/* One vocabulary for all models: labels.csv says for each sound its slug, its name for people, its group, which AudioSet classes it
 * answers to, and what data sets call it (models/README.md, "labels.csv"). */
#ifndef EARSHOT_VOCABULARY_H
#define EARSHOT_VOCABULARY_H

#include "base/err.h"
#include "event/event.h"
#include <stddef.h>

enum sound_group {
    GROUP_ALARM,
    GROUP_ANIMAL,
    GROUP_HUMAN,
    GROUP_HOUSEHOLD,
    GROUP_VEHICLE,
    GROUP_NATURE,
    GROUP_TOOL,
    GROUP_MUSIC,
    GROUP_BACKGROUND,
    GROUP_COUNT
};

/* How earshot's own model knows a sound. */
enum sound_heard { HEARD_RECORDINGS, HEARD_SYNTHESISED, HEARD_NO, HEARD_COUNT };

/* As the file has them: "alarm", "recordings". */
const char *sound_group_name(enum sound_group group);
const char *sound_heard_name(enum sound_heard heard);

struct sound {
    const char *slug, *name;
    enum sound_group group;
    enum sound_heard heard;
    size_t n_audioset, n_datasets;
    const char *const *audioset; /* [n_audioset], AudioSet's display names */
    const char *const *datasets; /* [n_datasets], "set:label" */
};

struct vocabulary;
struct model;

/* NULL with err: "PATH:LINE: what is wrong", and what is allowed. Every slug is a valid label; no slug, AudioSet class or data
 * set's label stands twice; no AudioSet class has the name of another sound. */
struct vocabulary *vocabulary_load(const char *path, struct err *err);
void vocabulary_free(struct vocabulary *v);

/* labels.csv, looked for where models are. */
int vocabulary_find(char *path, size_t size, struct err *err);

/* Whose names a model answers with. */
enum vocabulary_choice { VOCABULARY_OWN, VOCABULARY_EARSHOT /* labels.csv */ };

/* Lets the model answer as chosen: finds, loads and puts to use. -1: labels.csv is absent or wrong, or means nothing to it. */
int vocabulary_apply(enum vocabulary_choice choice, struct model *m, struct err *err);

size_t vocabulary_count(const struct vocabulary *v);
const struct sound *vocabulary_sound(const struct vocabulary *v, size_t i); /* in the file's order */

/* The sound of that slug, or NULL. */
const struct sound *vocabulary_slug(const struct vocabulary *v, const char *slug);

/* The sound that a model's label means: one named like an AudioSet class ("Baby cry, infant cry" as baby_cry_infant_cry), or a
 * slug of the list. NULL: neither. */
const struct sound *vocabulary_label(const struct vocabulary *v, const char *label);

/* The sound that a data set calls `label`; letters' case, blanks, hyphens and underscores are all one. A set of which the list
 * names no label at all calls sounds by their slugs. NULL: none. */
const struct sound *vocabulary_dataset(const struct vocabulary *v, const char *dataset, const char *label);

/* "Baby cry, infant cry" -> "baby_cry_infant_cry": letters and digits in lower case, one _ for whatever is between them. Cut to
 * fit. */
void vocabulary_slugify(const char *name, char out[LABEL_SIZE]);

#endif
