#include "features/melcolumn.h"

#include "features/bandlevels.h"
#include <stdlib.h>
#include <string.h>

_Static_assert(MELCOLUMN_BANDS == BANDLEVELS, "the same bands");

struct melcolumn {
    struct bandlevels *bands;
    size_t window, hop, frames; /* samples, samples, frames in a column */
    float *x;                   /* [window]: the newest samples, filled up to `used` */
    size_t used, done;          /* frames of the column so far */
    double sum[MELCOLUMN_BANDS];
    float power[MELCOLUMN_BANDS];
};

struct melcolumn *melcolumn_new(unsigned rate, size_t frames, struct err *err)
{
    struct melcolumn *m = calloc(1, sizeof *m);

    if (!m) {
        err_set(err, "no memory");
        return NULL;
    }
    m->frames = frames ? frames : 1;
    m->bands = bandlevels_new(rate, err);
    if (!m->bands) {
        melcolumn_free(m);
        return NULL;
    }
    m->hop = bandlevels_hop(m->bands);
    m->window = bandlevels_frame(m->bands);
    m->x = calloc(m->window, sizeof *m->x);
    if (!m->x) {
        err_set(err, "no memory");
        melcolumn_free(m);
        return NULL;
    }
    melcolumn_reset(m);
    return m;
}

void melcolumn_free(struct melcolumn *m)
{
    if (!m)
        return;
    bandlevels_free(m->bands);
    free(m->x);
    free(m);
}

size_t melcolumn_samples(const struct melcolumn *m)
{
    return m->frames * m->hop;
}

/* The first frame ends where the first hop does: silence stands before the beginning. */
void melcolumn_reset(struct melcolumn *m)
{
    m->used = m->window - m->hop;
    memset(m->x, 0, m->used * sizeof *m->x);
    memset(m->sum, 0, sizeof m->sum);
    m->done = 0;
}

static void add_frame(struct melcolumn *m)
{
    bandlevels_do(m->bands, m->x, m->power);
    for (size_t b = 0; b < MELCOLUMN_BANDS; b++)
        m->sum[b] += (double)m->power[b];
    m->done++;
    memmove(m->x, m->x + m->hop, (m->window - m->hop) * sizeof *m->x);
    m->used = m->window - m->hop;
}

static void finish(struct melcolumn *m, uint8_t out[MELCOLUMN_BANDS])
{
    for (size_t b = 0; b < MELCOLUMN_BANDS; b++)
        out[b] = bandlevels_byte(m->sum[b] / (double)m->done);
    memset(m->sum, 0, sizeof m->sum);
    m->done = 0;
}

size_t melcolumn_do(struct melcolumn *m, const float *x, size_t n, uint8_t out[MELCOLUMN_BANDS], bool *done)
{
    size_t taken = 0;

    *done = false;
    while (taken < n && !*done) {
        size_t part = m->window - m->used < n - taken ? m->window - m->used : n - taken;
        memcpy(m->x + m->used, x + taken, part * sizeof *x);
        m->used += part;
        taken += part;
        if (m->used < m->window)
            break;
        add_frame(m);
        *done = m->done == m->frames;
    }
    if (*done)
        finish(m, out);
    return taken;
}

bool melcolumn_flush(struct melcolumn *m, uint8_t out[MELCOLUMN_BANDS])
{
    if (m->used > m->window - m->hop) {
        memset(m->x + m->used, 0, (m->window - m->used) * sizeof *m->x);
        add_frame(m);
    }
    bool any = m->done > 0;
    if (any)
        finish(m, out);
    melcolumn_reset(m);
    return any;
}
