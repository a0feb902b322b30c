/* What a data set calls a sound -> the model's label for it. */
#ifndef EARSHOT_EVALUATE_LABELMAP_H
#define EARSHOT_EVALUATE_LABELMAP_H

#include "base/csv.h"
#include "base/err.h"
#include "model/vocabulary.h"
#include <stddef.h>

struct labelmap {
    const char *const *labels; /* [n_labels], the model's; borrowed */
    size_t n_labels;
    const struct vocabulary *vocabulary; /* borrowed; NULL: none */

    struct csv csv; /* of --map */
    struct labelmap_name {
        char *name;
        unsigned label;
    } * names;
    size_t n_names;
};

/* path: CSV with the columns name and label; NULL: none. -1: it cannot be read, or has a label that the model does not have, or a name
 * twice. */
int labelmap_init(struct labelmap *m, const char *const *labels, size_t n_labels, const struct vocabulary *vocabulary,
                  const char *path, struct err *err);
void labelmap_free(struct labelmap *m);

/* Index of the label for what a data set (NULL or "": not known) calls `name`, -1: the model does not have it. Tried in this
 * order: the names of the file; what the vocabulary says of that data set; the model's labels; the same in lower case with blanks and
 * hyphens as underscores; and, where the vocabulary says nothing of that data set, what it says of all of them, if they mean one sound
 * by it (`dog` is `dog_bark`). A name by which they mean several is nobody's, whichever of them the model has. */
int labelmap_find(const struct labelmap *m, const char *dataset, const char *name);

/* The sounds of the vocabulary that some data set calls `name`: the first `size` of them to out, in the vocabulary's order. Returns how
 * many there are. */
size_t labelmap_meanings(const struct labelmap *m, const char *name, const struct sound **out, size_t size);

/* The label that is spelt most like it, NULL: none is near. */
const char *labelmap_nearest(const struct labelmap *m, const char *name);

#endif
