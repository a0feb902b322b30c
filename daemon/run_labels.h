/* Tells the outputs which sounds there are: those of the model in use, with the names and groups of labels.csv and what the configuration
 * makes of them. */
#ifndef EARSHOT_RUN_LABELS_H
#define EARSHOT_RUN_LABELS_H

#include "daemon/run_outputs.h"

/* Main thread; at the start, after a reload, and when the model was changed. */
void run_labels_tell(const struct run_outputs *outputs, const char *const *labels, size_t n,
                     const struct config *config, const struct pipeline *p);

/* All of it but `enabled`; v: NULL where there is no labels.csv. Any thread. */
struct vocabulary;
void run_labels_describe(const struct vocabulary *v, const char *label, struct output_label *out);

#endif
