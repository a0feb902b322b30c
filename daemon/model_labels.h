/* `earshot model labels`: the sounds of labels.csv, and which of them a model hears. */
#ifndef EARSHOT_MODEL_LABELS_H
#define EARSHOT_MODEL_LABELS_H

#include "model/model.h"
#include <stdbool.h>

/* path: as model_find gives it. Prints the list; returns an exit code, errors printed. */
int model_labels(const char *path, bool json);

/* For `model show`, where a model is to answer with labels.csv: how many sounds it then has, and which labels are dropped.
 * -1: labels.csv cannot be used, or the model knows none of its sounds. */
int model_labels_summary(const struct model *m, struct err *err);

#endif
