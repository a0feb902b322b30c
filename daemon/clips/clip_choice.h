/* Which classes are kept: [clips] classes, a list of labels and groups, against the labels of the model. */
#ifndef EARSHOT_CLIP_CHOICE_H
#define EARSHOT_CLIP_CHOICE_H

#include "base/config.h"

/* wanted: [n_labels], set for those that are asked for. -1: a word is neither a label of the model or of labels.csv, nor a group.
 * What the model does not hear is warned of. */
int clip_choice(const struct config *config, const char *const *labels, size_t n_labels, bool *wanted, struct err *err);

/* Does [clips] classes name that very label? Allocates nothing. */
bool clip_choice_names(const struct config *config, const char *label);

#endif
