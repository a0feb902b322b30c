/* What an extractor is to features.c: a row of its table. A new extractor is one file that fills this, and one more row.
 *
 * features.c does what all have in common: it looks up and checks the parameters, cleans, scales and zero-pads the samples,
 * counts frames, and pools or turns the result. An extractor only makes frames x bands, row-major, from clean samples. */
#ifndef EARSHOT_FEATURE_TYPE_H
#define EARSHOT_FEATURE_TYPE_H

#include "features/params.h"

/* A sample outside +-FEATURE_LIMIT (full scale is 1) is as broken as NaN. With the parameters' own ranges it keeps every
 * sum within float. */
#define FEATURE_LIMIT 1e5f

struct feature_type {
    const char *name, *help;
    const struct param_spec *params; /* begins with the rows of FEATURE_COMMON */
    size_t n_params;

    /* run is never given more than max_samples, or samples(frames) where `frames` is fixed. Allocates all that run needs. */
    void *(*make)(const struct param_set *set, size_t max_samples, struct err *err);
    void (*unmake)(void *state); /* NULL is fine */
    size_t (*bands)(const void *state);
    size_t (*frames)(const void *state, size_t n);       /* whole frames in n samples */
    size_t (*samples)(const void *state, size_t frames); /* the fewest samples that hold so many */
    /* x: n clean samples, n >= samples(frames); may be overwritten. out: frames x bands. Allocates nothing. */
    void (*run)(void *state, float *x, size_t n, size_t frames, float *out);
};

extern const struct feature_type feature_logmel, feature_mfcc, feature_nrdt;

/* Rows that every extractor's table begins with; features.c reads them. */
#define FEATURE_COMMON(rate, frames_, layout_)                                                                         \
    {"sample_rate", rate, "integer 1000..384000", "Hz that the samples have"},                                         \
        {"sample_scale", "1", "1|32768", "full scale of the samples that the extractor sees"},                         \
        {"frames", frames_, "integer 0..65536", "frames to give: zeros are added or the rest is left out; 0: all"},    \
        {"pooling", "none", "none|mean", "mean: one row, the mean over the frames"},                                   \
    {                                                                                                                  \
        "layout", layout_, "frames_bands|bands_frames", "rows x columns of the result"                                 \
    }

#endif
