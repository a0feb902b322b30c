#include "audio/fingerprint.h"
#include "audio/resample.h"

#include <kiss_fftr.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { RATE = FINGERPRINT_RATE, FRAME = 2048, HOP = 128, BANDS = 33, BACK = 4, PIECE = 4096 };
_Static_assert(FINGERPRINT_MIDDLE(1) == HOP * (BACK + 1), "hops and the first word's frame");
#define LOW_HZ    200.0
#define HIGH_HZ   3000.0
#define SILENT_DB (-85.0f) /* mean square of a frame: dither and digital silence */
#define BELOW_DB  45.0f

struct fingerprint {
    struct resample *resample;
    unsigned rate;
    float *resampled;
    size_t room;
    float frame[FRAME], taper[FRAME], windowed[FRAME];
    size_t have; /* samples in frame */
    kiss_fftr_cfg fft;
    kiss_fft_cpx bins[FRAME / 2 + 1];
    size_t edge[BANDS + 1];        /* first bin of each band, and the one after the last */
    float level[BACK + 1][BANDS];  /* of the last frames, in a ring; dB */
    size_t frames;                 /* so far */
    struct fingerprint_word *word; /* [n] */
    float *power;                  /* [n], dB: of each word's frame */
    size_t n, words_room;
};

struct fingerprint *fingerprint_new(struct err *err)
{
    struct fingerprint *f = calloc(1, sizeof *f);

    if (f)
        f->fft = kiss_fftr_alloc(FRAME, 0, NULL, NULL);
    if (!f || !f->fft) {
        free(f);
        err_set(err, "no memory");
        return NULL;
    }
    for (size_t i = 0; i < FRAME; i++)
        f->taper[i] = (float)(0.5 - 0.5 * cos(2 * M_PI * (double)i / FRAME));
    for (int b = 0; b <= BANDS; b++)
        f->edge[b] = (size_t)lround(LOW_HZ * pow(HIGH_HZ / LOW_HZ, (double)b / BANDS) * FRAME / RATE);
    return f;
}

void fingerprint_free(struct fingerprint *f)
{
    if (!f)
        return;
    resample_free(f->resample);
    kiss_fftr_free(f->fft);
    free(f->resampled);
    free(f->word);
    free(f->power);
    free(f);
}

int fingerprint_begin(struct fingerprint *f, unsigned rate, struct err *err)
{
    if (rate != f->rate) {
        resample_free(f->resample);
        f->rate = 0;
        f->resample = resample_new(rate, RATE, RESAMPLE_FAST, err);
        if (!f->resample)
            return -1;
        size_t room = resample_room(f->resample, PIECE);
        float *more = realloc(f->resampled, room * sizeof *more);
        if (!more)
            return err_set(err, "no memory");
        f->resampled = more;
        f->room = room;
        f->rate = rate;
    }
    resample_reset(f->resample);
    memset(f->frame, 0, sizeof f->frame);
    f->have = FRAME / 2; /* zeros before the beginning: a word's middle is its time */
    f->frames = f->n = 0;
    return 0;
}

static int make_room(struct fingerprint *f)
{
    if (f->n < f->words_room)
        return 0;
    size_t room = f->words_room ? 2 * f->words_room : 1024;
    struct fingerprint_word *words = realloc(f->word, room * sizeof *words);
    if (words)
        f->word = words;
    float *power = realloc(f->power, room * sizeof *power);
    if (power)
        f->power = power;
    if (!words || !power)
        return -1;
    f->words_room = room;
    return 0;
}

/* The numbers of the four bits whose differences are nearest to none. */
static unsigned weakest(const float difference[BANDS - 1])
{
    unsigned weak = 0;
    uint32_t taken = 0;

    for (int k = 0; k < 4; k++) {
        int best = -1;
        for (int m = 0; m < BANDS - 1; m++)
            if (!(taken >> m & 1) && (best < 0 || fabsf(difference[m]) < fabsf(difference[best])))
                best = m;
        taken |= UINT32_C(1) << best;
        weak |= (unsigned)best << 5 * k;
    }
    return weak;
}

static void add_word(struct fingerprint *f, const float *now, const float *before, float power)
{
    struct fingerprint_word *w = &f->word[f->n];
    float difference[BANDS - 1];

    w->bits = 0;
    for (int m = 0; m < BANDS - 1; m++) {
        difference[m] = (now[m] - now[m + 1]) - (before[m] - before[m + 1]);
        w->bits |= (uint32_t)(difference[m] > 0) << m;
    }
    w->weak = weakest(difference) & 0xfffff;
    w->audible = 0;
    f->power[f->n++] = power;
}

static int look(struct fingerprint *f)
{
    float *now = f->level[f->frames % (BACK + 1)], sum = 0;

    if (f->n == FINGERPRINT_WORDS_MAX)
        return 0;
    for (size_t i = 0; i < FRAME; i++) {
        f->windowed[i] = f->frame[i] * f->taper[i];
        sum += f->windowed[i] * f->windowed[i];
    }
    kiss_fftr(f->fft, f->windowed, f->bins);
    for (int b = 0; b < BANDS; b++) {
        float power = 1e-9f;
        for (size_t k = f->edge[b]; k < f->edge[b + 1]; k++)
            power += f->bins[k].r * f->bins[k].r + f->bins[k].i * f->bins[k].i;
        now[b] = 10 * log10f(power);
    }
    if (f->frames >= BACK) {
        if (make_room(f) < 0)
            return -1;
        add_word(f, now, f->level[(f->frames - BACK) % (BACK + 1)], 10 * log10f(sum / (FRAME * 0.375f) + 1e-12f));
    }
    f->frames++;
    return 0;
}

static int take(struct fingerprint *f, const float *x, size_t n)
{
    while (n > 0) {
        size_t part = FRAME - f->have < n ? FRAME - f->have : n;
        memcpy(f->frame + f->have, x, part * sizeof *x);
        f->have += part;
        x += part;
        n -= part;
        if (f->have < FRAME)
            continue;
        if (look(f) < 0)
            return -1;
        memmove(f->frame, f->frame + HOP, (FRAME - HOP) * sizeof *f->frame);
        f->have = FRAME - HOP;
    }
    return 0;
}

int fingerprint_do(struct fingerprint *f, const float *x, size_t n)
{
    float sane[PIECE];

    while (n > 0) {
        size_t part = n < PIECE ? n : PIECE;
        for (size_t i = 0; i < part; i++)
            sane[i] = isfinite(x[i]) && fabsf(x[i]) < 1e5f ? x[i] : 0;
        size_t got = resample_do(f->resample, sane, part, f->resampled, f->room, 0);
        if (take(f, f->resampled, got) < 0)
            return -1;
        x += part;
        n -= part;
    }
    return 0;
}

int fingerprint_finish(struct fingerprint *f, struct fingerprint_print *out)
{
    static const float zeros[FRAME / 2];
    float loudest = -200;
    size_t got;

    *out = (struct fingerprint_print){0};
    while ((got = resample_do(f->resample, zeros, 0, f->resampled, f->room, 1)) > 0)
        if (take(f, f->resampled, got) < 0)
            return -1;
    if (take(f, zeros, FRAME / 2) < 0)
        return -1;
    for (size_t i = 0; i < f->n; i++)
        loudest = fmaxf(loudest, f->power[i]);
    for (size_t i = 0; i < f->n; i++)
        f->word[i].audible = f->power[i] > SILENT_DB && f->power[i] >= loudest - BELOW_DB;
    out->word = malloc((f->n ? f->n : 1) * sizeof *out->word);
    if (!out->word)
        return -1;
    if (f->n)
        memcpy(out->word, f->word, f->n * sizeof *out->word);
    out->n = f->n;
    return 0;
}
