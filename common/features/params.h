/* A feature's parameters: a table of rows (struct param_spec) and the key=value pairs that a model or the command line gave.
 *
 * The `allowed` text of a row is what is checked, so that help, errors and checks cannot differ:
 *   "integer LO..HI"   decimal integer within the range
 *   "number LO..HI"    finite decimal number within the range
 *   "a|b|c"            one of these words
 *   "list LO..HI"      integers separated by commas, at most PARAM_LIST of them */
#ifndef EARSHOT_PARAMS_H
#define EARSHOT_PARAMS_H

#include "base/err.h"
#include "features/features.h"
#include <stdbool.h>
#include <stddef.h>

enum { PARAM_ROWS = 40, PARAM_LIST = 64 };

/* Filled by params_read; borrows the table and the value texts. */
struct param_set {
    const struct param_spec *spec;
    size_t n_spec;
    const char *value[PARAM_ROWS];
};

/* Each row gets the given value or its default, checked against `allowed`. Unknown and repeated keys are errors. */
int params_read(struct param_set *set, const struct param_spec *spec, size_t n_spec, const struct param *given,
                size_t n_given, struct err *err);

/* Values of rows that are in the table and of that kind: nothing can fail. */
long param_integer(const struct param_set *set, const char *key);
double param_number(const struct param_set *set, const char *key);
bool param_is(const struct param_set *set, const char *key, const char *word);
size_t param_list(const struct param_set *set, const char *key, long out[PARAM_LIST]);

#endif
