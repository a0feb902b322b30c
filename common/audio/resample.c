#include "audio/resample.h"

#include <math.h>
#include <samplerate.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct resample {
    SRC_STATE *src; /* NULL: equal rates */
    double ratio;
    uint64_t taken, given; /* since the last reset */
};

static int converter(enum resample_quality quality)
{
    switch (quality) {
    case RESAMPLE_BEST:
        return SRC_SINC_BEST_QUALITY;
    case RESAMPLE_MEDIUM:
        return SRC_SINC_MEDIUM_QUALITY;
    default:
        return SRC_SINC_FASTEST;
    }
}

struct resample *resample_new(unsigned from_rate, unsigned to_rate, enum resample_quality quality, struct err *err)
{
    double ratio = from_rate ? (double)to_rate / (double)from_rate : 0;
    if (!src_is_valid_ratio(ratio)) {
        err_set(err, "cannot convert from %u Hz to %u Hz: the ratio must be within 1/256 to 256", from_rate, to_rate);
        return NULL;
    }
    struct resample *r = calloc(1, sizeof *r);
    if (!r) {
        err_set(err, "no memory");
        return NULL;
    }
    r->ratio = ratio;
    int error = 0;
    if (from_rate != to_rate && !(r->src = src_new(converter(quality), 1, &error))) {
        err_set(err, "no sample-rate converter: %s", src_strerror(error));
        free(r);
        return NULL;
    }
    return r;
}

void resample_free(struct resample *r)
{
    if (!r)
        return;
    if (r->src)
        src_delete(r->src);
    free(r);
}

void resample_reset(struct resample *r)
{
    if (r->src)
        src_reset(r->src);
    r->taken = r->given = 0;
}

size_t resample_do(struct resample *r, const float *x, size_t n, float *out, size_t room, int end)
{
    if (!r->src) {
        n = n < room ? n : room;
        memcpy(out, x, n * sizeof *out);
        return n;
    }

    size_t given = 0;
    for (;;) {
        SRC_DATA d = {
            .data_in = x,
            .input_frames = (long)n,
            .data_out = out + given,
            .output_frames = (long)(room - given),
            .end_of_input = end,
            .src_ratio = r->ratio,
        };
        if (src_process(r->src, &d) != 0)
            break;
        x += d.input_frames_used;
        n -= (size_t)d.input_frames_used;
        given += (size_t)d.output_frames_gen;
        r->taken += (uint64_t)d.input_frames_used;
        if (d.input_frames_used == 0 && d.output_frames_gen == 0)
            break;
    }
    r->given += given;
    return given;
}

size_t resample_room(const struct resample *r, size_t n)
{
    if (!r->src)
        return n;
    /* what was taken in all and not yet given, one sample of rounding at either end */
    double due = ceil((double)(r->taken + n) * r->ratio) + 2 - (double)r->given;
    return due > 0 ? (size_t)due : 0;
}

int resample_all(const float *x, size_t n, unsigned from, unsigned to, enum resample_quality quality, float **out,
                 size_t *n_out, struct err *err)
{
    struct resample *r = resample_new(from, to, quality, err);
    if (!r)
        return -1;
    size_t room = resample_room(r, n);
    *out = malloc((room + 1) * sizeof **out);
    if (!*out) {
        resample_free(r);
        return err_set(err, "no memory for %zu samples", room);
    }
    *n_out = resample_do(r, x, n, *out, room, 1);
    resample_free(r);
    return 0;
}
