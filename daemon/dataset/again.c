/* A second look at two clips that may be the same sound, sample by sample. */
#include "audio/coherence.h"
#include "audio/resample.h"
#include "daemon/dataset/dataset.h"
#include "daemon/sound.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SLACK = 256, LONGEST = 4 * FINGERPRINT_RATE, SHORTEST = FINGERPRINT_RATE / 4, BLOCK = 4096 };

/* Samples from..from+n of the clip at FINGERPRINT_RATE into out; zeros where there are none. -1: it cannot be read. */
static int load(const struct dataset_clip *c, long from, long n, float *out)
{
    struct sound *s = sound_open(c->path, NULL);
    struct resample *r = s ? resample_new(sound_rate(s), FINGERPRINT_RATE, RESAMPLE_FAST, NULL) : NULL;
    size_t room = r ? resample_room(r, BLOCK) : 0;
    float x[BLOCK], *y = r ? malloc(room * sizeof *y) : NULL;
    long at = 0, got = y ? 1 : -1;

    memset(out, 0, (size_t)n * sizeof *out);
    while (got > 0 && at < from + n) {
        got = sound_read(s, x, BLOCK, NULL);
        for (long i = 0; i < got; i++)
            x[i] = isfinite(x[i]) ? x[i] : 0;
        size_t have = resample_do(r, x, got > 0 ? (size_t)got : 0, y, room, got <= 0);
        for (size_t i = 0; i < have; i++, at++)
            if (at >= from && at < from + n)
                out[at - from] = y[i];
    }
    free(y);
    resample_free(r);
    sound_close(s);
    return y ? 0 : -1;
}

/* The first word that is audible in both, and where the last one of these is. */
static long common(const struct dataset *d, const struct fingerprint_match *m, long *last)
{
    const struct fingerprint_print *a = &d->clips[m->a].print, *b = &d->clips[m->b].print;
    long first = -1;

    for (long i = m->shift < 0 ? -m->shift : 0; i < (long)a->n && i + m->shift < (long)b->n; i++)
        if (a->word[i].audible && b->word[i + m->shift].audible) {
            first = first < 0 ? i : first;
            *last = i;
        }
    return first;
}

double dataset_coherence(const struct dataset *d, const struct fingerprint_match *m)
{
    long last = 0, first = common(d, m, &last);
    long n = FINGERPRINT_MIDDLE(last) - FINGERPRINT_MIDDLE(first);
    double c = 0;

    if (first < 0 || n < SHORTEST)
        return 0;
    n = n < LONGEST ? n : LONGEST;
    float *a = malloc((size_t)n * sizeof *a), *b = malloc((size_t)(n + 2L * SLACK) * sizeof *b);
    if (a && b && load(&d->clips[m->a], FINGERPRINT_MIDDLE(first), n, a) == 0 &&
        load(&d->clips[m->b], FINGERPRINT_MIDDLE(first + m->shift) - SLACK, n + 2L * SLACK, b) == 0)
        c = coherence(a, b, (size_t)n, SLACK);
    free(a);
    free(b);
    return c;
}
