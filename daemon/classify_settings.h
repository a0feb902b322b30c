/* All that the results of `earshot classify` depend on, as text: what a journal holds against being taken up under other settings. */
#ifndef EARSHOT_CLASSIFY_SETTINGS_H
#define EARSHOT_CLASSIFY_SETTINGS_H

#include "base/config.h"
#include "base/err.h"
#include "daemon/classify.h"

/* How the configuration wants recordings to be heard. Borrows its rules. */
void classify_take_config(struct classify_params *out, const struct config *c);

/* "KEY = VALUE\n" lines: version, what was asked for on the command line (`more`, lines of the same kind), each model by name,
 * size and contents, options of the sections gate, model, decision and class that results depend on. model_paths: as model_find
 * gives them. Free. NULL with err: a model cannot be read. */
char *classify_settings(const struct config *c, const char *const *model_paths, size_t n_models, const char *more,
                        struct err *err);

#endif
