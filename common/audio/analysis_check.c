#include "audio/analysis_check.h"

#include <math.h>

#define MAX_WINDOW_S   30.0
#define MAX_HYSTERESIS 120.0
#define MIN_RATE       1000u
#define MAX_RATE       768000u

static bool between(double x, double low, double high)
{
    return x >= low && x <= high; /* false for NaN */
}

static double max_highpass(unsigned device_rate)
{
    return device_rate * 0.45;
}

int analysis_check(const struct analysis_params *p, struct err *err)
{
    const struct gate_params *g = &p->gate;
    if (!between(p->device_rate, MIN_RATE, MAX_RATE) || !between(p->model_rate, MIN_RATE, MAX_RATE))
        return err_set(err, "sample rates of %u Hz (input) and %u Hz (model): must be %u to %u Hz", p->device_rate,
                       p->model_rate, MIN_RATE, MAX_RATE);
    if (!between(p->window_s, 0.01, MAX_WINDOW_S))
        return err_set(err, "window of %g s: must be 0.01 to %g s", p->window_s, MAX_WINDOW_S);
    if (!between(p->hop_s, 0.001, p->window_s))
        return err_set(err, "hop of %g s: must be 0.001 s to the window's %g s", p->hop_s, p->window_s);
    if (!between(g->preroll_s, 0, MAX_PREROLL_S))
        return err_set(err, "gate preroll of %g s: must be 0 to %g s", g->preroll_s, MAX_PREROLL_S);
    if (!between(g->min_duration_s, 0, MAX_MIN_DURATION_S))
        return err_set(err, "gate min_duration of %g s: must be 0 to %g s", g->min_duration_s, MAX_MIN_DURATION_S);
    if (!between(g->hold_s, 0, MAX_HOLD_S) || !between(g->hysteresis_db, 0, MAX_HYSTERESIS))
        return err_set(err, "gate hold of %g s, hysteresis of %g dB: must be 0 to %g s, 0 to %g dB", g->hold_s,
                       g->hysteresis_db, MAX_HOLD_S, MAX_HYSTERESIS);
    if (!between(g->highpass_hz, 0, max_highpass(p->device_rate)))
        return err_set(err, "gate high-pass at %g Hz: must be 0 (off) to %g Hz at a sample rate of %u Hz",
                       g->highpass_hz, max_highpass(p->device_rate), p->device_rate);
    return 0;
}

static double clamp(double x, double max)
{
    return fmin(fmax(x, 0), max); /* fmax gives 0 for NaN */
}

struct gate_params analysis_clamp_gate(const struct gate_params *gate, unsigned device_rate)
{
    struct gate_params g = *gate;
    g.preroll_s = clamp(g.preroll_s, MAX_PREROLL_S);
    g.min_duration_s = clamp(g.min_duration_s, MAX_MIN_DURATION_S);
    g.hold_s = clamp(g.hold_s, MAX_HOLD_S);
    g.hysteresis_db = clamp(g.hysteresis_db, MAX_HYSTERESIS);
    g.highpass_hz = clamp(g.highpass_hz, max_highpass(device_rate));
    return g;
}
