#include "evaluate/clipscore.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t chosen(struct clip_choice which, size_t i)
{
    return which.clip ? which.clip[i] : i;
}

static bool is_before(const struct clipset *s, const float *scores, size_t a, size_t b)
{
    if (scores[a] != scores[b])
        return scores[a] > scores[b];
    return strcmp(s->labels[a], s->labels[b]) < 0;
}

size_t clipscore_rank(const struct clipset *s, size_t clip, unsigned label, const bool *among)
{
    const float *scores = s->scores + clip * s->n_labels;
    size_t rank = 0;

    for (size_t i = 0; i < s->n_labels; i++)
        rank += i != label && (!among || among[i]) && is_before(s, scores, i, label);
    return rank;
}

unsigned clipscore_best(const struct clipset *s, size_t clip, const bool *among)
{
    const float *scores = s->scores + clip * s->n_labels;
    size_t best = s->n_labels;

    for (size_t i = 0; i < s->n_labels; i++)
        if ((!among || among[i]) && (best == s->n_labels || is_before(s, scores, i, best)))
            best = i;
    return (unsigned)best;
}

size_t clipscore_own_labels(const struct clipset *s, struct clip_choice which, bool *own)
{
    size_t n = 0;

    memset(own, 0, s->n_labels * sizeof *own);
    for (size_t i = 0; i < which.n; i++) {
        unsigned label = s->truth[chosen(which, i)];
        n += !own[label];
        own[label] = true;
    }
    return n;
}

void clipscore_figures(const struct clipset *s, struct clip_choice which, const bool *own, struct clip_figures *out)
{
    size_t top1 = 0, top3 = 0, top5 = 0, among_own = 0;

    for (size_t i = 0; i < which.n; i++) {
        size_t clip = chosen(which, i), rank = clipscore_rank(s, clip, s->truth[clip], NULL);
        top1 += rank < 1;
        top3 += rank < 3;
        top5 += rank < 5;
        among_own += clipscore_rank(s, clip, s->truth[clip], own) == 0;
    }
    *out = (struct clip_figures){.top1 = share_of(top1, which.n),
                                 .top3 = share_of(top3, which.n),
                                 .top5 = share_of(top5, which.n),
                                 .own = share_of(among_own, which.n)};
}

static int by_score(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;

    return (x->score < y->score) - (x->score > y->score);
}

double clipscore_average_precision(struct ranked *cases, size_t n)
{
    size_t positives = 0, hits = 0, before = 0;
    double sum = 0;

    if (n)
        qsort(cases, n, sizeof *cases, by_score);
    for (size_t i = 0; i < n; i++)
        positives += cases[i].positive;
    if (positives == 0)
        return NAN;
    for (size_t i = 0; i < n; i++) {
        hits += cases[i].positive;
        if (i + 1 < n && cases[i + 1].score == cases[i].score)
            continue;
        sum += (double)(hits - before) * (double)hits / (double)(i + 1);
        before = hits;
    }
    return sum / (double)positives;
}

static double ratio(size_t a, size_t b)
{
    return b ? (double)a / (double)b : NAN;
}

int clipscore_classes(const struct clipset *s, struct class_figures *out)
{
    struct ranked *cases = calloc(s->n + 1, sizeof *cases);

    if (!cases)
        return -1;
    memset(out, 0, s->n_labels * sizeof *out);
    for (size_t i = 0; i < s->n; i++) {
        unsigned best = clipscore_best(s, i, NULL);
        out[s->truth[i]].support++;
        out[best].predicted++;
        out[best].hits += best == s->truth[i];
    }
    for (size_t k = 0; k < s->n_labels; k++) {
        struct class_figures *f = &out[k];
        f->precision = ratio(f->hits, f->predicted);
        f->recall = ratio(f->hits, f->support);
        f->f1 = ratio(2 * f->hits, f->support + f->predicted);
        for (size_t i = 0; i < s->n; i++)
            cases[i] = (struct ranked){s->scores[i * s->n_labels + k], s->truth[i] == k};
        f->average_precision = f->support ? clipscore_average_precision(cases, s->n) : NAN;
    }
    free(cases);
    return 0;
}

void clipscore_macro(const struct class_figures *classes, size_t n_labels, struct macro_figures *out)
{
    *out = (struct macro_figures){0};
    for (size_t k = 0; k < n_labels; k++) {
        if (!classes[k].support)
            continue;
        out->n++;
        out->recall += classes[k].recall;
        out->f1 += classes[k].f1;
        out->average_precision += classes[k].average_precision;
    }
    out->recall = out->n ? out->recall / (double)out->n : NAN;
    out->f1 = out->n ? out->f1 / (double)out->n : NAN;
    out->average_precision = out->n ? out->average_precision / (double)out->n : NAN;
}
