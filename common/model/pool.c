#include "model/pool.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SILENCE_DBFS (-70.0)
#define LOUD_DB      15

/* Bin 0 holds the silent windows; the others a decibel each where the level decides, else there is one. */
enum { LEVELS = 71, ALL_BINS = 1 + LEVELS };

struct pool {
    enum pooling pooling;
    size_t n, n_bins, highest; /* highest: bin with a window, 0 also where there is none */
    uint64_t *windows;         /* [n_bins] */
    double *sum;               /* [n_bins * n] of scores or logits */
};

float score_logit(float score)
{
    if (!(score > 0))
        return -LOGIT_MAX;
    if (score >= 1)
        return LOGIT_MAX;
    return fminf(fmaxf(logf(score) - log1pf(-score), -LOGIT_MAX), LOGIT_MAX);
}

float logit_score(float logit)
{
    return 1 / (1 + expf(-logit));
}

double pool_level(const float *x, size_t n)
{
    double energy = 0;

    for (size_t i = 0; i < n; i++)
        energy += (double)x[i] * x[i];
    return n && energy > 0 ? fmax(10 * log10(energy / (double)n), -120) : -120;
}

struct pool *pool_new(enum pooling pooling, size_t n_labels, struct err *err)
{
    struct pool *p = calloc(1, sizeof *p);

    if (!p)
        goto no_memory;
    p->pooling = pooling;
    p->n = n_labels;
    p->n_bins = pooling == POOLING_LOUD_LOGIT ? ALL_BINS : 2;
    p->windows = calloc(p->n_bins, sizeof *p->windows);
    p->sum = calloc(p->n_bins * n_labels, sizeof *p->sum);
    if (!p->windows || !p->sum)
        goto no_memory;
    return p;

no_memory:
    err_set(err, "no memory for the scores of %zu labels", n_labels);
    pool_free(p);
    return NULL;
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    free(p->windows);
    free(p->sum);
    free(p);
}

void pool_reset(struct pool *p)
{
    p->highest = 0;
    memset(p->windows, 0, p->n_bins * sizeof *p->windows);
    memset(p->sum, 0, p->n_bins * p->n * sizeof *p->sum);
}

static size_t bin_of(const struct pool *p, double level_dbfs)
{
    if (!(level_dbfs >= SILENCE_DBFS))
        return 0;
    return p->n_bins == 2 ? 1 : 1 + (size_t)fmin(level_dbfs - SILENCE_DBFS, LEVELS - 1);
}

/* The lowest bin that counts. */
static size_t lowest(const struct pool *p)
{
    if (p->highest == 0)
        return 0;
    return p->highest > LOUD_DB + 1 ? p->highest - LOUD_DB : 1;
}

bool pool_wants(const struct pool *p, double level_dbfs)
{
    return bin_of(p, level_dbfs) >= lowest(p);
}

void pool_add(struct pool *p, double level_dbfs, const float *scores)
{
    size_t bin = bin_of(p, level_dbfs);
    double *sum = p->sum + bin * p->n;

    for (size_t i = 0; i < p->n; i++)
        sum[i] += p->pooling == POOLING_MEAN_SCORE ? (double)scores[i] : (double)score_logit(scores[i]);
    p->windows[bin]++;
    p->highest = bin > p->highest ? bin : p->highest;
}

uint64_t pool_scores(const struct pool *p, float *out)
{
    uint64_t windows = 0;

    for (size_t b = lowest(p); b <= p->highest; b++)
        windows += p->windows[b];
    for (size_t i = 0; i < p->n; i++) {
        double sum = 0;
        for (size_t b = lowest(p); b <= p->highest; b++)
            sum += p->sum[b * p->n + i];
        sum = windows ? sum / (double)windows : 0;
        out[i] = p->pooling == POOLING_MEAN_SCORE || !windows ? (float)sum : logit_score((float)sum);
    }
    return windows;
}
