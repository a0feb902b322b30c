#include "evaluate/segment_score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SLACK 1e-6 /* of a segment: 3.0 s ends with the third second though the number may lie a hair above it */
enum { SEGMENTS_MAX = 1 << 28 };
enum { ANNOTATED = 1, HEARD = 2 };

static void mark(uint8_t *active, size_t n, const struct timed *item, size_t n_items, double segment_s, uint8_t what)
{
    for (size_t i = 0; i < n_items; i++) {
        double from = floor(item[i].onset / segment_s + SLACK), to = ceil(item[i].offset / segment_s - SLACK);
        for (size_t k = from > 0 ? (size_t)from : 0; k < n && (double)k < to; k++)
            active[k] |= what;
    }
}

static double latest(const struct timed_list *list, double s)
{
    for (size_t i = 0; i < list->n; i++)
        s = fmax(s, list->item[i].offset);
    return s;
}

/* What the classes make of each segment together. */
struct mix {
    uint32_t misses, false_ones;
};

static void count_class(const uint8_t *active, size_t n, struct sed_count *c, struct sed_count *all, struct mix *mix)
{
    struct sed_count of = {0};

    for (size_t k = 0; k < n; k++) {
        bool ref = active[k] & ANNOTATED, det = active[k] & HEARD;
        of.ref += ref;
        of.det += det;
        of.hits += ref && det;
        mix[k].misses += ref && !det;
        mix[k].false_ones += det && !ref;
    }
    c->ref += of.ref;
    c->det += of.det;
    c->hits += of.hits;
    c->deletions += of.ref - of.hits;
    c->insertions += of.det - of.hits;
    all->ref += of.ref;
    all->det += of.det;
    all->hits += of.hits;
}

int segment_score_add(double segment_s, double duration_s, const struct timed_list *ref, const struct timed_list *det,
                      size_t n_labels, struct sed_count *classes, struct sed_count *all, struct err *err)
{
    double segments = ceil(latest(det, latest(ref, duration_s)) / segment_s - SLACK);

    if (!(segments <= SEGMENTS_MAX))
        return err_set(err, "a stream of %g s has too many segments of %g s", duration_s, segment_s);
    size_t n = segments > 0 ? (size_t)segments : 0;
    uint8_t *active = malloc(n + 1);
    struct mix *mix = calloc(n + 1, sizeof *mix);
    if (!active || !mix) {
        free(active);
        free(mix);
        return err_set(err, "no memory for %zu segments", n);
    }
    for (unsigned i = 0; i < n_labels; i++) {
        size_t n_ref, n_det;
        const struct timed *r = timed_of(ref, i, &n_ref), *d = timed_of(det, i, &n_det);
        if (n_ref + n_det == 0)
            continue;
        memset(active, 0, n);
        mark(active, n, r, n_ref, segment_s, ANNOTATED);
        mark(active, n, d, n_det, segment_s, HEARD);
        count_class(active, n, &classes[i], all, mix);
    }
    for (size_t k = 0; k < n; k++) {
        uint32_t both = mix[k].misses < mix[k].false_ones ? mix[k].misses : mix[k].false_ones;
        all->substitutions += both;
        all->deletions += mix[k].misses - both;
        all->insertions += mix[k].false_ones - both;
    }
    free(active);
    free(mix);
    return 0;
}
