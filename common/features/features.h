/* Feature extractors: mono samples in, a matrix out. Which one, and every parameter of it, is data: it comes from a
 * model's own metadata (keys earshot.feature and earshot.feature.PARAM) or from `earshot features --param`.
 *
 * Each extractor is one file that fills a struct feature_type; features.c holds the table of them. */
#ifndef EARSHOT_FEATURES_H
#define EARSHOT_FEATURES_H

#include "base/err.h"
#include <stddef.h>

struct param {
    const char *key, *value; /* e.g. "mel_bands", "64"; the key without the "earshot.feature." before it */
};

struct feature;

/* Makes an extractor for inputs of up to `max_samples` samples and allocates all that it will ever need.
 * An unknown name, key or value, or a combination that makes no sense, is an error that names it and what is allowed.
 * The params are copied. Free with feature_free. */
struct feature *feature_new(const char *name, const struct param *params, size_t n_params, size_t max_samples,
                            struct err *err);
void feature_free(struct feature *f);

unsigned feature_rate(const struct feature *f); /* Hz that the samples must have */

/* Shape of the result for an input of n samples: rows x cols, row-major, in the layout that the parameters ask for. Where
 * the parameters fix the frame count (or pool over frames) it does not depend on n; else there is always one frame at
 * least. rows * cols floats. */
void feature_shape(const struct feature *f, size_t n, size_t *rows, size_t *cols);

/* x: n samples in -1..1 (n <= max_samples). out: rows * cols floats. Allocates nothing. Input that is shorter than the
 * fixed frame count needs (or one frame) is padded with zeros; frames beyond it are left out. A sample that is NaN or
 * outside +-1e5 counts as zero: never gives NaN or infinity. */
void feature_do(struct feature *f, const float *x, size_t n, float *out);

/* For --help and the man page: the table of extractors and their parameters. */
struct param_spec {
    const char *name, *default_value, *allowed, *help;
};
struct feature_type;
size_t feature_type_count(void);
const char *feature_type_name(size_t i);
const char *feature_type_help(size_t i);
const struct param_spec *feature_type_params(size_t i, size_t *n);

#endif
