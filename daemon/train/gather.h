/* Recordings -> rows of numbers to train on: mean MFCCs, or a model's embedding, of each window. */
#ifndef EARSHOT_TRAIN_GATHER_H
#define EARSHOT_TRAIN_GATHER_H

#include "base/err.h"
#include "daemon/train/list.h"
#include "model/model.h"
#include <stdint.h>

struct gather_params {
    const char *feature; /* mean of these; NULL: the model's embedding */
    const struct param *params;
    size_t n_params;
    const char *model; /* path; NULL: none */
    double window_s, hop_s;
    size_t jobs;
    const char *cache; /* folder; NULL: none */
};

/* What is trained on. */
struct gathered {
    float *x; /* [n * cols], the clips' windows one after another */
    size_t n, cols;
    size_t *first;     /* [clips + 1]: where a clip's windows begin */
    uint64_t *content; /* [clips]: equal for equal sound; 0: silence */
    double seconds;    /* of sound */
    double elapsed_s;
    size_t cached; /* clips that were not computed */
};

/* Windows under -70 dBFS are left out where a clip has louder ones, as `earshot classify` does. Clips that cannot be read are told and
 * thrown out of the list; with progress on a terminal. -1: none is left, or no memory; err says so. */
int gather(struct train_list *list, const struct gather_params *p, struct gathered *g, struct err *err);
void gathered_free(struct gathered *g);

/* Longest recording, in seconds: what is longer is to be cut. */
enum { GATHER_SECONDS_MAX = 3600 };

#endif
