#include "daemon/upload/upload_summary.h"
#include "base/base64.h"
#include "base/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct heard {
    double start_s; /* NAN: nothing */
    struct {
        size_t label;
        float score;
    } top[SUMMARY_TOP];
    size_t n;
};

struct summary {
    const struct model_info *model;
    unsigned rate;
    struct waveform waveform;
    struct sonogram *sonogram;
    double slot_s; /* length of a stretch that has one window at most */
    struct heard heard[SUMMARY_WINDOWS];
};

static void take_samples(void *ctx, const float *x, size_t n)
{
    struct summary *s = ctx;

    waveform_do(&s->waveform, x, n);
    sonogram_do(s->sonogram, x, n);
}

/* Of two windows of one stretch the surer one. */
static void keep(struct heard *place, const struct heard *h)
{
    if (isnan(place->start_s) || (h->n && place->n && h->top[0].score > place->top[0].score))
        *place = *h;
}

static void halve(struct summary *s)
{
    for (size_t i = 0; i < SUMMARY_WINDOWS / 2; i++) {
        struct heard both = s->heard[2 * i];
        if (!isnan(s->heard[2 * i + 1].start_s))
            keep(&both, &s->heard[2 * i + 1]);
        s->heard[i] = both;
    }
    for (size_t i = SUMMARY_WINDOWS / 2; i < SUMMARY_WINDOWS; i++)
        s->heard[i].start_s = NAN;
    s->slot_s *= 2;
}

static void take_window(void *ctx, double start_s, const float *scores)
{
    struct summary *s = ctx;
    struct heard h = {.start_s = start_s};

    for (size_t i = 0; i < s->model->n_labels; i++) {
        size_t at = h.n < SUMMARY_TOP ? h.n++ : SUMMARY_TOP;
        if (at == SUMMARY_TOP && scores[i] <= h.top[SUMMARY_TOP - 1].score)
            continue;
        for (at -= at == SUMMARY_TOP; at > 0 && scores[i] > h.top[at - 1].score; at--)
            h.top[at] = h.top[at - 1];
        h.top[at].label = i;
        h.top[at].score = scores[i];
    }
    /* half a slot more: hops of a fraction of a sample must not fall before their slot */
    while (start_s / s->slot_s + 0.5 >= SUMMARY_WINDOWS)
        halve(s);
    keep(&s->heard[(size_t)(start_s / s->slot_s + 0.5)], &h);
}

struct summary *summary_new(struct classifier *c, unsigned rate, double hop_s, struct err *err)
{
    struct summary *s = calloc(1, sizeof *s);

    if (!s) {
        err_set(err, "no memory");
        return NULL;
    }
    s->sonogram = sonogram_new(rate, err);
    if (!s->sonogram) {
        free(s);
        return NULL;
    }
    s->model = classifier_model(c, 0);
    s->rate = rate;
    s->slot_s = hop_s;
    waveform_init(&s->waveform);
    for (size_t i = 0; i < SUMMARY_WINDOWS; i++)
        s->heard[i].start_s = NAN;
    classifier_set_tap(c, &(struct classify_tap){.ctx = s, .samples = take_samples, .window = take_window});
    return s;
}

void summary_free(struct summary *s)
{
    if (!s)
        return;
    sonogram_free(s->sonogram);
    free(s);
}

static json_t *waveform_json(const struct summary *s)
{
    const struct waveform *w = &s->waveform;
    json_t *min = json_array(), *max = json_array();

    for (size_t i = 0; i < w->n; i++) {
        json_array_append_new(min, json_decimal((double)w->min[i], 4));
        json_array_append_new(max, json_decimal((double)w->max[i], 4));
    }
    return json_pack("{s:f, s:o, s:o}", "step_s", (double)w->per / s->rate, "min", min, "max", max);
}

static json_t *spectrogram_json(struct summary *s)
{
    struct sonogram_picture p;

    sonogram_finish(s->sonogram, &p);
    char *text = malloc(BASE64_SIZE(p.columns * BANDLEVELS));
    if (!text)
        return NULL;
    base64_encode(p.data, p.columns * BANDLEVELS, text);
    json_t *o = json_pack("{s:f, s:i, s:i, s:f, s:s}", "step_s", p.step_s, "bands", BANDLEVELS, "columns",
                          (int)p.columns, "top_hz", p.top_hz, "data", text);
    free(text);
    return o;
}

static json_t *windows_json(const struct summary *s)
{
    json_t *all = json_array();

    for (size_t i = 0; i < SUMMARY_WINDOWS; i++) {
        const struct heard *h = &s->heard[i];
        if (isnan(h->start_s))
            continue;
        json_t *top = json_array();
        for (size_t t = 0; t < h->n; t++)
            json_array_append_new(top, json_pack("{s:o, s:o}", "label", json_text(s->model->labels[h->top[t].label]),
                                                 "score", json_decimal((double)h->top[t].score, 6)));
        json_array_append_new(all, json_pack("{s:o, s:o}", "start_s", json_decimal(h->start_s, 3), "top", top));
    }
    return all;
}

int summary_json(struct summary *s, json_t *o)
{
    int failed = json_object_set_new(o, "waveform", waveform_json(s));

    failed |= json_object_set_new(o, "spectrogram", spectrogram_json(s));
    failed |= json_object_set_new(o, "windows", windows_json(s));
    return failed ? -1 : 0;
}
