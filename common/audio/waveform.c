#include "audio/waveform.h"

#include <math.h>

void waveform_init(struct waveform *w)
{
    w->per = 1;
    w->in = 0;
    w->n = 0;
}

/* All stretches are full: pairs become one. */
static void halve(struct waveform *w)
{
    for (size_t i = 0; i < WAVEFORM_POINTS / 2; i++) {
        w->min[i] = fminf(w->min[2 * i], w->min[2 * i + 1]);
        w->max[i] = fmaxf(w->max[2 * i], w->max[2 * i + 1]);
    }
    w->n = WAVEFORM_POINTS / 2;
    w->per *= 2;
    w->in = w->per;
}

static float sane(float x)
{
    return !isfinite(x) ? 0.0f : x < -1 ? -1.0f : x > 1 ? 1.0f : x;
}

void waveform_do(struct waveform *w, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float v = sane(x[i]);
        if (w->n == WAVEFORM_POINTS && w->in == w->per)
            halve(w);
        if (w->n == 0 || w->in == w->per) {
            w->min[w->n] = w->max[w->n] = v;
            w->n++;
            w->in = 1;
            continue;
        }
        size_t last = w->n - 1;
        w->min[last] = v < w->min[last] ? v : w->min[last];
        w->max[last] = v > w->max[last] ? v : w->max[last];
        w->in++;
    }
}
