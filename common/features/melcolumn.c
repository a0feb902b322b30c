#include "features/melcolumn.h"

#include "features/melbank.h"
#include "features/spectrum.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOW_DBFS  (-100.0)
#define WINDOW_MS 42 /* the window is the next power of two of samples */

struct melcolumn {
    struct spectrum *spectrum;
    struct melbank *bank;
    size_t window, hop, frames; /* samples, samples, frames in a column */
    float *x;                   /* [window]: the newest samples, filled up to `used` */
    size_t used, done;          /* frames of the column so far */
    double per_power;           /* |X|^2 to mean square */
    double sum[MELCOLUMN_BANDS];
    float mel[MELCOLUMN_BANDS];
};

static const struct param_spec spec[] = {
    {"sample_rate", "48000", "integer 4000..384000", "Hz"},
    SPECTRUM_PARAMS("2048", "start", "960", "2048", "false", "constant", "power"),
    MELBANK_PARAMS("64", "50", "8000", "htk", "hz", "none"),
};

static int make_parts(struct melcolumn *m, unsigned rate, struct err *err)
{
    char number[4][16];
    const struct param given[] = {{"sample_rate", number[0]}, {"window", number[1]}, {"fft_size", number[1]},
                                  {"hop", number[2]},         {"fmax", number[3]},   {"mel_bands", "64"}};
    struct param_set set;

    snprintf(number[0], sizeof number[0], "%u", rate);
    snprintf(number[1], sizeof number[1], "%zu", m->window);
    snprintf(number[2], sizeof number[2], "%zu", m->hop);
    snprintf(number[3], sizeof number[3], "%u", rate < 16000 ? rate / 2 : 8000);
    if (params_read(&set, spec, sizeof spec / sizeof *spec, given, sizeof given / sizeof *given, err) < 0)
        return -1;
    m->spectrum = spectrum_new(&set, err);
    m->bank = m->spectrum ? melbank_new(&set, err) : NULL;
    return m->bank ? 0 : -1;
}

struct melcolumn *melcolumn_new(unsigned rate, size_t frames, struct err *err)
{
    struct melcolumn *m = calloc(1, sizeof *m);

    if (!m) {
        err_set(err, "no memory");
        return NULL;
    }
    m->frames = frames ? frames : 1;
    m->hop = rate / MELCOLUMN_HZ;
    for (m->window = 64; m->window < (size_t)rate * WINDOW_MS / 1000;)
        m->window *= 2;
    /* one-sided; the mean square of a Hann window is 3/8 */
    m->per_power = 2.0 / ((double)m->window * (double)m->window * 3 / 8);
    m->x = calloc(m->window, sizeof *m->x);
    if (!m->x) {
        err_set(err, "no memory");
        melcolumn_free(m);
        return NULL;
    }
    if (make_parts(m, rate, err) < 0) {
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
    spectrum_free(m->spectrum);
    melbank_free(m->bank);
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
    melbank_do(m->bank, spectrum_do(m->spectrum, m->x, m->window, 0), m->mel);
    for (size_t b = 0; b < MELCOLUMN_BANDS; b++)
        m->sum[b] += (double)m->mel[b];
    m->done++;
    memmove(m->x, m->x + m->hop, (m->window - m->hop) * sizeof *m->x);
    m->used = m->window - m->hop;
}

static void finish(struct melcolumn *m, uint8_t out[MELCOLUMN_BANDS])
{
    for (size_t b = 0; b < MELCOLUMN_BANDS; b++) {
        double power = m->sum[b] * m->per_power / (double)m->done;
        double db = power > 1e-10 ? 10 * log10(power) : LOW_DBFS;
        double byte = 255 * (db - LOW_DBFS) / -LOW_DBFS;
        out[b] = byte >= 255 ? 255 : (uint8_t)lround(byte);
    }
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
