/* For the tests of features: parameters as one text. */
#ifndef EARSHOT_TEST_FEATURE_HELP_H
#define EARSHOT_TEST_FEATURE_HELP_H

#include "features/features.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { PARAMS = 24 };

/* "key=value key=value ..." */
struct params {
    struct param p[PARAMS];
    size_t n;
    char text[1024];
};

static inline void read_params(struct params *out, const char *text)
{
    char *save = NULL;
    out->n = 0;
    assert_true(strlen(text) < sizeof out->text);
    strcpy(out->text, text);
    for (char *word = strtok_r(out->text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        char *equals = strchr(word, '=');
        assert_non_null(equals);
        assert_true(out->n < PARAMS);
        *equals = '\0';
        out->p[out->n++] = (struct param){word, equals + 1};
    }
}

static inline struct feature *make(const char *name, const char *params, size_t max_samples, struct err *err)
{
    struct params p;
    read_params(&p, params);
    return feature_new(name, p.p, p.n, max_samples, err);
}

/* EfficientAT's front end, but for sample_rate, mel_bands, fmin and fmax. */
#define MN04                                                                                                           \
    "pre_emphasis=0.97 window=800 window_symmetry=symmetric window_place=centre hop=320 fft_size=1024 centre=true "    \
    "pad_mode=reflect spectrum=power log_offset=1e-5 scale=0.2 shift=0.9 layout=bands_frames "

#endif
