#include "features/sonogram.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct sonogram {
    struct bandlevels *bands;
    double rate;
    size_t frame, hop, have; /* samples in buffer */
    float *buffer;           /* [frame]: what the next look is taken of */
    uint64_t samples;        /* given so far */
    uint64_t looks;
    uint64_t per;                                  /* looks of a full column */
    uint64_t in;                                   /* looks in the column at hand */
    size_t columns;                                /* full ones */
    float power[SONOGRAM_COLUMNS + 1][BANDLEVELS]; /* means; the one at hand: a sum */
    uint8_t data[(SONOGRAM_COLUMNS + 1) * BANDLEVELS];
};

struct sonogram *sonogram_new(unsigned rate, struct err *err)
{
    struct sonogram *s = calloc(1, sizeof *s);

    if (!s) {
        err_set(err, "no memory");
        return NULL;
    }
    s->bands = bandlevels_new(rate, err);
    if (!s->bands)
        goto fail;
    s->rate = rate;
    s->per = 1;
    s->frame = bandlevels_frame(s->bands);
    s->hop = bandlevels_hop(s->bands);
    s->have = (s->frame - s->hop) / 2; /* zeros: each look has its hop in the middle */
    s->buffer = calloc(s->frame, sizeof *s->buffer);
    if (!s->buffer) {
        err_set(err, "no memory");
        goto fail;
    }
    return s;

fail:
    sonogram_free(s);
    return NULL;
}

void sonogram_free(struct sonogram *s)
{
    if (!s)
        return;
    bandlevels_free(s->bands);
    free(s->buffer);
    free(s);
}

static void halve(struct sonogram *s)
{
    for (size_t i = 0; i < s->columns / 2; i++)
        for (size_t b = 0; b < BANDLEVELS; b++)
            s->power[i][b] = (s->power[2 * i][b] + s->power[2 * i + 1][b]) / 2;
    s->columns /= 2;
    s->per *= 2;
}

static void end_column(struct sonogram *s)
{
    for (size_t b = 0; b < BANDLEVELS; b++)
        s->power[s->columns][b] /= (float)s->in;
    s->columns++;
    s->in = 0;
}

static void look(struct sonogram *s)
{
    float power[BANDLEVELS];

    if (s->columns == SONOGRAM_COLUMNS) /* even: pairs come out */
        halve(s);
    if (s->in == 0)
        memset(s->power[s->columns], 0, sizeof s->power[0]);
    bandlevels_do(s->bands, s->buffer, power);
    for (size_t b = 0; b < BANDLEVELS; b++)
        s->power[s->columns][b] += power[b];
    s->looks++;
    if (++s->in == s->per)
        end_column(s);
    memmove(s->buffer, s->buffer + s->hop, (s->frame - s->hop) * sizeof *s->buffer);
    s->have = s->frame - s->hop;
}

void sonogram_do(struct sonogram *s, const float *x, size_t n)
{
    s->samples += n;
    for (size_t i = 0; i < n; i++) {
        s->buffer[s->have++] = isfinite(x[i]) ? x[i] : 0.0f;
        if (s->have == s->frame)
            look(s);
    }
}

void sonogram_finish(struct sonogram *s, struct sonogram_picture *out)
{
    uint64_t wanted = (s->samples + s->hop - 1) / s->hop;

    while (s->looks < wanted) {
        memset(s->buffer + s->have, 0, (s->frame - s->have) * sizeof *s->buffer);
        look(s);
    }
    if (s->in)
        end_column(s);
    for (size_t i = 0; i < s->columns * BANDLEVELS; i++)
        s->data[i] = bandlevels_byte((double)s->power[i / BANDLEVELS][i % BANDLEVELS]);
    *out = (struct sonogram_picture){.step_s = (double)s->per * (double)s->hop / s->rate,
                                     .columns = s->columns,
                                     .data = s->data,
                                     .top_hz = bandlevels_top_hz(s->bands)};
}
