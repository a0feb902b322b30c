#include "features/bandlevels.h"

#include "features/melbank.h"
#include "features/spectrum.h"
#include <kiss_fftr.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define LOW_HZ 50.0
#define TOP_HZ 8000.0
enum { FRAME_MIN = 256, TEXT = 24 };

struct bandlevels {
    struct spectrum *spectrum;
    struct melbank *bank;
    size_t frame, hop;
    double top_hz;
    float scale; /* from |X|^2 of the windowed frame to a mean square */
};

static const struct param_spec SPEC[] = {
    {"sample_rate", "48000", "integer 1000..768000", "Hz"},
    SPECTRUM_PARAMS("1920", "start", "960", "1920", "false", "constant", "power"),
    MELBANK_PARAMS("64", "50", "8000", "htk", "hz", "none"),
};

static int make_stages(struct bandlevels *b, unsigned rate, struct err *err)
{
    char rate_text[TEXT], frame[TEXT], hop[TEXT], top[TEXT];
    const struct param given[] = {
        {"sample_rate", rate_text}, {"window", frame}, {"fft_size", frame}, {"hop", hop}, {"fmax", top}};
    struct param_set set;

    snprintf(rate_text, TEXT, "%u", rate);
    snprintf(frame, TEXT, "%zu", b->frame);
    snprintf(hop, TEXT, "%zu", b->hop);
    snprintf(top, TEXT, "%.1f", b->top_hz);
    if (params_read(&set, SPEC, sizeof SPEC / sizeof *SPEC, given, sizeof given / sizeof *given, err) < 0)
        return -1;
    b->spectrum = spectrum_new(&set, err);
    b->bank = b->spectrum ? melbank_new(&set, err) : NULL;
    return b->bank ? 0 : -1;
}

struct bandlevels *bandlevels_new(unsigned rate, struct err *err)
{
    struct bandlevels *b = calloc(1, sizeof *b);
    double energy = 0;

    if (!b) {
        err_set(err, "no memory");
        return NULL;
    }
    b->top_hz = rate / 2.0 < TOP_HZ ? rate / 2.0 : TOP_HZ;
    b->hop = rate / 50;
    size_t frame = 2 * b->hop > FRAME_MIN ? 2 * b->hop : FRAME_MIN;
    b->frame = (size_t)kiss_fftr_next_fast_size_real((int)frame);
    if (make_stages(b, rate, err) < 0) {
        bandlevels_free(b);
        return NULL;
    }
    for (size_t i = 0; i < b->frame; i++) {
        double w = 0.5 - 0.5 * cos(2 * M_PI * (double)i / (double)b->frame);
        energy += w * w;
    }
    b->scale = (float)(2 / (energy * (double)b->frame)); /* Parseval; 2: the bins above half the rate */
    return b;
}

void bandlevels_free(struct bandlevels *b)
{
    if (!b)
        return;
    melbank_free(b->bank);
    spectrum_free(b->spectrum);
    free(b);
}

size_t bandlevels_frame(const struct bandlevels *b)
{
    return b->frame;
}

size_t bandlevels_hop(const struct bandlevels *b)
{
    return b->hop;
}

double bandlevels_top_hz(const struct bandlevels *b)
{
    return b->top_hz;
}

void bandlevels_do(struct bandlevels *b, const float *x, float out[BANDLEVELS])
{
    melbank_do(b->bank, spectrum_do(b->spectrum, x, b->frame, 0), out);
    for (size_t i = 0; i < BANDLEVELS; i++)
        out[i] *= b->scale;
}

uint8_t bandlevels_byte(double power)
{
    double db = 10 * log10(power > 1e-30 ? power : 1e-30);
    double at = (db - BANDLEVELS_FLOOR_DBFS) / -BANDLEVELS_FLOOR_DBFS * 255;

    return at <= 0 ? 0 : at >= 255 ? 255 : (uint8_t)lround(at);
}

static double to_mel(double hz)
{
    return 2595 * log10(1 + hz / 700);
}

double bandlevels_hz(double b, double top_hz)
{
    double low = to_mel(LOW_HZ), step = (to_mel(top_hz) - low) / (BANDLEVELS + 1);

    return 700 * (pow(10, (low + (b + 1) * step) / 2595) - 1);
}
