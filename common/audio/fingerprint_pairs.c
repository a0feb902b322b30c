/* The index of words, and who shares them. */
#include "audio/fingerprint.h"

#include <stdlib.h>
#include <string.h>

enum {
    WEAK = 4,
    PROBES = 1 << WEAK,
    CROWD = 64,     /* a word that more places have says nothing */
    SHIFT_STEP = 1, /* beside the shift that words agree on: a cut may lie between two words */
    WORDS_LEAST = 24,
    WORDS_FULL = 62
};

double fingerprint_distance(const struct fingerprint_print *a, const struct fingerprint_print *b, long shift,
                            size_t *words)
{
    size_t from = shift < 0 ? (size_t)-shift : 0, errors = 0, n = 0;

    for (size_t i = from; i < a->n && (long)i + shift < (long)b->n; i++) {
        const struct fingerprint_word *x = &a->word[i], *y = &b->word[(long)i + shift];
        if (!x->audible || !y->audible)
            continue;
        errors += (size_t)__builtin_popcount(x->bits ^ y->bits);
        n++;
    }
    *words = n;
    return n ? (double)errors / (32.0 * (double)n) : 1;
}

bool fingerprint_same(double distance, size_t words)
{
    if (words < WORDS_LEAST)
        return false;
    double full = words >= WORDS_FULL ? 1 : (double)(words - WORDS_LEAST) / (WORDS_FULL - WORDS_LEAST);
    return distance <= 0.18 + 0.10 * full;
}

struct place {
    uint32_t bits, print, at;
};

struct hit {
    uint32_t print;
    int32_t shift;
};

struct search {
    const struct fingerprint_print *prints;
    size_t n;
    struct place *places; /* sorted by bits */
    size_t n_places;
    uint32_t *start; /* [65537]: where places with these upper 16 bits begin */
    struct hit *hits;
    size_t n_hits, hits_room;
    struct fingerprint_match *found;
    size_t n_found, found_room;
};

static int by_bits(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    if (x->bits != y->bits)
        return x->bits < y->bits ? -1 : 1;
    return x->print != y->print ? (x->print < y->print ? -1 : 1) : (x->at > y->at) - (x->at < y->at);
}

static int make_index(struct search *s)
{
    size_t total = 0, k = 0;

    for (size_t i = 0; i < s->n; i++)
        for (size_t t = 0; t < s->prints[i].n; t++)
            total += s->prints[i].word[t].audible;
    s->places = malloc((total ? total : 1) * sizeof *s->places);
    s->start = malloc(65537 * sizeof *s->start);
    if (!s->places || !s->start)
        return -1;
    for (size_t i = 0; i < s->n; i++)
        for (size_t t = 0; t < s->prints[i].n; t++)
            if (s->prints[i].word[t].audible)
                s->places[k++] = (struct place){s->prints[i].word[t].bits, (uint32_t)i, (uint32_t)t};
    s->n_places = total;
    qsort(s->places, total, sizeof *s->places, by_bits);
    for (uint32_t top = 0, at = 0; top <= 65536; top++) {
        while (at < total && s->places[at].bits >> 16 < top)
            at++;
        s->start[top] = at;
    }
    return 0;
}

static int add_hit(struct search *s, uint32_t print, int32_t shift)
{
    if (s->n_hits == s->hits_room) {
        size_t room = s->hits_room ? 2 * s->hits_room : 4096;
        struct hit *more = realloc(s->hits, room * sizeof *more);
        if (!more)
            return -1;
        s->hits = more;
        s->hits_room = room;
    }
    s->hits[s->n_hits++] = (struct hit){print, shift};
    return 0;
}

/* All other places with this word. */
static int look_up(struct search *s, uint32_t bits, uint32_t print, uint32_t at)
{
    size_t low = s->start[bits >> 16], high = s->start[(bits >> 16) + 1];

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->places[middle].bits < bits)
            low = middle + 1;
        else
            high = middle;
    }
    size_t end = low;
    while (end < s->n_places && s->places[end].bits == bits && end - low <= CROWD)
        end++;
    if (end - low > CROWD)
        return 0;
    for (; low < end; low++)
        if (s->places[low].print != print &&
            add_hit(s, s->places[low].print, (int32_t)s->places[low].at - (int32_t)at) < 0)
            return -1;
    return 0;
}

static int look_up_all(struct search *s, uint32_t print)
{
    const struct fingerprint_print *p = &s->prints[print];

    s->n_hits = 0;
    for (size_t t = 0; t < p->n; t++) {
        const struct fingerprint_word *w = &p->word[t];
        for (unsigned probe = 0; probe < PROBES && w->audible; probe++) {
            uint32_t bits = w->bits;
            for (unsigned k = 0; k < WEAK; k++)
                if (probe >> k & 1)
                    bits ^= UINT32_C(1) << (w->weak >> 5 * k & 31);
            if (look_up(s, bits, print, (uint32_t)t) < 0)
                return -1;
        }
    }
    return 0;
}

static int by_print(const void *a, const void *b)
{
    const struct hit *x = a, *y = b;

    if (x->print != y->print)
        return x->print < y->print ? -1 : 1;
    return (x->shift > y->shift) - (x->shift < y->shift);
}

static int add_match(struct search *s, const struct fingerprint_match *m)
{
    if (s->n_found == s->found_room) {
        size_t room = s->found_room ? 2 * s->found_room : 64;
        struct fingerprint_match *more = realloc(s->found, room * sizeof *more);
        if (!more)
            return -1;
        s->found = more;
        s->found_room = room;
    }
    s->found[s->n_found++] = *m;
    return 0;
}

/* The best of what the hits of one other print propose; the same shift is looked at once. */
static int judge(struct search *s, uint32_t print, const struct hit *hits, size_t n)
{
    struct fingerprint_match best = {.distance = 2};
    long last = hits[0].shift - 10L;

    for (size_t i = 0; i < n; i++)
        for (long shift = hits[i].shift - SHIFT_STEP; shift <= hits[i].shift + SHIFT_STEP; shift++) {
            struct fingerprint_match m = {.a = print, .b = hits[i].print, .shift = shift};
            if (shift <= last)
                continue;
            last = shift;
            m.distance = fingerprint_distance(&s->prints[m.a], &s->prints[m.b], shift, &m.words);
            if (fingerprint_same(m.distance, m.words) && m.distance < best.distance)
                best = m;
        }
    if (best.distance > 1)
        return 0;
    if (best.a > best.b) {
        best = (struct fingerprint_match){best.b, best.a, -best.shift, best.words, best.distance};
    }
    return add_match(s, &best);
}

static int judge_all(struct search *s, uint32_t print)
{
    if (s->n_hits)
        qsort(s->hits, s->n_hits, sizeof *s->hits, by_print);
    for (size_t i = 0, end; i < s->n_hits; i = end) {
        for (end = i; end < s->n_hits && s->hits[end].print == s->hits[i].print; end++)
            ;
        if (judge(s, print, s->hits + i, end - i) < 0)
            return -1;
    }
    return 0;
}

static int by_pair(const void *a, const void *b)
{
    const struct fingerprint_match *x = a, *y = b;

    if (x->a != y->a)
        return x->a < y->a ? -1 : 1;
    if (x->b != y->b)
        return x->b < y->b ? -1 : 1;
    return (x->distance > y->distance) - (x->distance < y->distance);
}

/* A pair is found from either side: the better one stays. */
static void unite(struct search *s)
{
    size_t kept = 0;

    if (s->n_found)
        qsort(s->found, s->n_found, sizeof *s->found, by_pair);
    for (size_t i = 0; i < s->n_found; i++)
        if (kept == 0 || s->found[kept - 1].a != s->found[i].a || s->found[kept - 1].b != s->found[i].b)
            s->found[kept++] = s->found[i];
    s->n_found = kept;
}

int fingerprint_pairs(const struct fingerprint_print *prints, size_t n, void (*progress)(void *ctx, size_t done),
                      void *ctx, struct fingerprint_match **out, size_t *n_out, struct err *err)
{
    struct search s = {.prints = prints, .n = n};
    int rc = n < UINT32_MAX ? make_index(&s) : -1;

    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = look_up_all(&s, (uint32_t)i);
        if (rc == 0)
            rc = judge_all(&s, (uint32_t)i);
        if (progress && i % 64 == 0)
            progress(ctx, i);
    }
    if (rc == 0)
        unite(&s);
    free(s.places);
    free(s.start);
    free(s.hits);
    if (rc < 0) {
        free(s.found);
        return err_set(err, "no memory");
    }
    *out = s.found;
    *n_out = s.n_found;
    return 0;
}
