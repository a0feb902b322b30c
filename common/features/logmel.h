/* Log-mel spectrogram: also the first part of mfcc. See logmel.c for the formula. */
#ifndef EARSHOT_LOGMEL_H
#define EARSHOT_LOGMEL_H

#include "features/params.h"

struct logmel;

/* Reads sample_rate and the rows of SPECTRUM_PARAMS, MELBANK_PARAMS and LOGMEL_PARAMS. */
struct logmel *logmel_new(const struct param_set *set, struct err *err);
void logmel_free(struct logmel *l);
size_t logmel_bands(const struct logmel *l);
size_t logmel_frames(const struct logmel *l, size_t n);
size_t logmel_samples(const struct logmel *l, size_t frames);

/* As struct feature_type's run: out is frames x bands; x is overwritten where there is a pre-emphasis. */
void logmel_do(struct logmel *l, float *x, size_t n, size_t frames, float *out);

#define LOGMEL_PARAMS(log_, offset, amin, top)                                                                         \
    {"pre_emphasis", "0", "number 0..1", "c in y[n] = x[n+1] - c x[n], one sample fewer; 0: none"},                    \
        {"log", log_, "ln|db|none", "db: 10 log10 of a power, 20 log10 of a magnitude"},                               \
        {"log_offset", offset, "number 0..1000", "added before the log"},                                              \
        {"log_amin", amin, "number 0..1000", "a band is raised to this before the log"},                               \
        {"top_db", top, "number 0..1000", "log db: nothing is further below the matrix's maximum; 0: no floor"},       \
        {"scale", "1", "number -1000..1000", "after the log, times this ..."},                                         \
    {                                                                                                                  \
        "shift", "0", "number -1000000..1000000", "... plus this"                                                      \
    }

#endif
