/* What a model file says about itself beyond the graph: DESIGN, "Model file". */
#ifndef EARSHOT_METADATA_H
#define EARSHOT_METADATA_H

#include "model/graph.h"
#include "model/labels.h"
#include "model/model.h"

struct metadata {
    size_t n;
    struct graph_metadata *entries; /* all that the file holds, copied */
    const char *feature;
    struct param *params; /* of the feature, all of them; text owned by entries */
    size_t n_params;
    double window_s;
    enum activation activation;
    struct labels labels;
    float *thresholds;         /* [labels.n] */
    struct platt *calibration; /* [labels.n]; NULL: none */
    enum pooling pooling;
    double context_s;  /* -1: not given */
    size_t rows, cols; /* what the feature gives for a window */
};

/* Reads and checks all required keys. -1 with err naming the first one that is missing or wrong and what it should hold; free
 * with metadata_free in either case. */
int metadata_read(struct metadata *m, const struct graph *g, struct err *err);
void metadata_free(struct metadata *m);
const char *metadata_get(const struct metadata *m, const char *key);

#endif
