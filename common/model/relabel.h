/* A model's scores under other names: those of labels.csv. */
#ifndef EARSHOT_RELABEL_H
#define EARSHOT_RELABEL_H

#include "base/err.h"
#include "model/vocabulary.h"
#include <stddef.h>

#define RELABEL_DROPPED SIZE_MAX

struct relabel {
    size_t n_from, n;
    size_t *to;         /* [n_from], the new label that an old one answers to, or RELABEL_DROPPED */
    const char **label; /* [n], in the vocabulary's order; those that no old label answers to are left out */
    float *threshold;   /* [n], the lowest of those that answer to it: what made an event still makes one */
};

/* labels, thresholds: [n]. All of the vocabulary that is needed is copied. -1 with err where no label leads anywhere. */
int relabel_init(struct relabel *r, const char *const *labels, const float *thresholds, size_t n,
                 const struct vocabulary *v, struct err *err);
void relabel_free(struct relabel *r);

/* to[i]: the highest of the scores that answer to it. from: [n_from], to: [n], both 0..1. */
void relabel_do(const struct relabel *r, const float *from, float *to);

#endif
