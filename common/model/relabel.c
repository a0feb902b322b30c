#include "model/relabel.h"

#include <stdlib.h>
#include <string.h>

/* Numbers the sounds that some label answers to, in the vocabulary's order. */
static int choose(struct relabel *r, const char *const *labels, const struct vocabulary *v, struct err *err)
{
    size_t *number = calloc(vocabulary_count(v), sizeof *number); /* 0: nobody answers */
    const struct sound *first = vocabulary_sound(v, 0);

    if (!number)
        return err_set(err, "out of memory");
    for (size_t i = 0; i < r->n_from; i++) {
        const struct sound *s = vocabulary_label(v, labels[i]);
        if (s)
            number[s - first] = 1;
    }
    for (size_t i = 0; i < vocabulary_count(v); i++)
        if (number[i]) {
            if (!(r->label[r->n] = strdup(vocabulary_sound(v, i)->slug))) {
                free(number);
                return err_set(err, "out of memory");
            }
            number[i] = ++r->n;
        }
    for (size_t i = 0; i < r->n_from; i++) {
        const struct sound *s = vocabulary_label(v, labels[i]);
        r->to[i] = s ? number[s - first] - 1 : RELABEL_DROPPED;
    }
    free(number);
    return 0;
}

int relabel_init(struct relabel *r, const char *const *labels, const float *thresholds, size_t n,
                 const struct vocabulary *v, struct err *err)
{
    *r = (struct relabel){.n_from = n, .to = calloc(n + 1, sizeof *r->to)};
    r->label = calloc(n + 1, sizeof *r->label);
    r->threshold = calloc(n + 1, sizeof *r->threshold);
    if (!r->to || !r->label || !r->threshold)
        return err_set(err, "out of memory");
    if (choose(r, labels, v, err) < 0)
        return -1;
    if (r->n == 0)
        return err_set(err, "none of its %zu labels is a sound of labels.csv or an AudioSet class named there", n);
    for (size_t i = 0; i < r->n; i++)
        r->threshold[i] = 1;
    for (size_t i = 0; i < n; i++)
        if (r->to[i] != RELABEL_DROPPED && thresholds[i] < r->threshold[r->to[i]])
            r->threshold[r->to[i]] = thresholds[i];
    return 0;
}

void relabel_free(struct relabel *r)
{
    for (size_t i = 0; r->label && i < r->n; i++)
        free((char *)r->label[i]);
    free(r->to);
    free(r->label);
    free(r->threshold);
    *r = (struct relabel){0};
}

void relabel_do(const struct relabel *r, const float *from, float *to)
{
    for (size_t i = 0; i < r->n; i++)
        to[i] = 0;
    for (size_t i = 0; i < r->n_from; i++)
        if (r->to[i] != RELABEL_DROPPED && from[i] > to[r->to[i]])
            to[r->to[i]] = from[i];
}
