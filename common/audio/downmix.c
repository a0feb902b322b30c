#include "audio/downmix.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CHANNEL 64

int downmix_parse(const char *text, int *channel, struct err *err)
{
    if (!*text || strcmp(text, "mix") == 0) {
        *channel = DOWNMIX_MIX;
        return 0;
    }
    char *end;
    errno = 0;
    long n = strtol(text, &end, 10);
    if (errno || *end || *text < '0' || *text > '9' || n < 1 || n > MAX_CHANNEL)
        return err_set(err, "channel \"%s\": must be mix or a number from 1 to %d", text, MAX_CHANNEL);
    *channel = (int)n - 1;
    return 0;
}

float downmix_gain(double gain_db)
{
    return (float)pow(10.0, gain_db / 20.0);
}

void downmix_do(const float *x, size_t frames, unsigned channels, int channel, float gain, float *out)
{
    if (channel >= (int)channels) {
        memset(out, 0, frames * sizeof *out);
        return;
    }
    if (channel >= 0 || channels == 1) {
        size_t c = channel > 0 ? (size_t)channel : 0;
        for (size_t i = 0; i < frames; i++)
            out[i] = x[i * channels + c] * gain;
        return;
    }
    float scale = gain / (float)channels;
    for (size_t i = 0; i < frames; i++) {
        float sum = 0;
        for (unsigned c = 0; c < channels; c++)
            sum += x[i * channels + c];
        out[i] = sum * scale;
    }
}
