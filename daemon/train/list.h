/* The recordings that `earshot train` learns from, and what they are called. */
#ifndef EARSHOT_TRAIN_LIST_H
#define EARSHOT_TRAIN_LIST_H

#include "base/err.h"
#include "evaluate/manifest.h"
#include <stdbool.h>
#include <stddef.h>

/* In the place of -1: what was asked for cannot be; exit code 2. */
enum { TRAIN_USAGE = -2 };

struct train_clip {
    char *path;       /* owned */
    const char *name; /* for people: as the list has it, or behind the folder; in path or owned by the list */
    size_t label;     /* index into labels */
    const char *fold; /* NULL: none is known */
    char *key;        /* whose recording it is: owned; NULL: not known */
};

struct train_list {
    struct train_clip *clip; /* [n] */
    size_t n;
    char **label;  /* [n_labels], slugs, sorted */
    char **called; /* [n_labels], what the user calls them */
    size_t n_labels;
    size_t left_out;  /* files that a line was said about */
    size_t n_keys;    /* clips with a key */
    const char *keys; /* where the keys are from, for people */
    struct manifest manifest;
    size_t room;
};

/* A folder for each label, with recordings in it and in folders below; hidden entries are passed over. What is left out, and labels
 * that cannot stand as they are, are told on stderr, a line each. -1: nothing can be made of it, err says why. */
int train_list_folder(struct train_list *l, const char *folder, struct err *err);
/* CSV as `earshot evaluate --clips` takes it: path, label, and where there are such fold and group. */
int train_list_csv(struct train_list *l, const char *path, struct err *err);

/* Sets the keys. groups: a column of the CSV, or an extended regular expression: what its first parenthesis matches in a
 * clip's name, or all of the match. NULL: the column group, or else Freesound's numbers in the names (train/group.h). -1, or
 * TRAIN_USAGE where groups is neither: err. */
int train_list_keys(struct train_list *l, const char *groups, struct err *err);

/* Throws out the clips that are marked, then the labels without a clip, which are told. */
void train_list_drop(struct train_list *l, const bool *drop);

void train_list_free(struct train_list *l);

/* "earshot train: ..." on stderr, names made fit for a terminal. */
void train_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
