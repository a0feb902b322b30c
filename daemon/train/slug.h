/* What people call a sound -> a label of a-z, 0-9 and _. */
#ifndef EARSHOT_TRAIN_SLUG_H
#define EARSHOT_TRAIN_SLUG_H

#include "event/event.h"

/* "Türklingel 2" -> "tuerklingel_2": Latin letters lose their marks, the rest is as vocabulary_slugify has it. Cut to fit; "" where nothing
 * of it can be written so. */
void train_slug(const char *name, char out[LABEL_SIZE]);

#endif
