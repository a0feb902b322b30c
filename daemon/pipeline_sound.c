/* The pipeline's level meter: fed by the analysis thread, asked by others. */
#include "daemon/pipeline_internal.h"

#define TONE_WATCH_NS 2000000000LL

void pipeline_measure(struct pipeline *p, const struct audio_block *b, const float *mono, uint64_t gap)
{
    if (!p->meter)
        return;
    sound_meter_clock(p->meter, timebase_utc(p->timebase, b->frame));
    if (gap > 0)
        sound_meter_lost(p->meter, gap);
    if (mono)
        sound_meter_do(p->meter, mono, b->frames);
    else
        sound_meter_skip(p->meter);
}

void pipeline_check_tone(struct pipeline *p, size_t frames, uint64_t gap)
{
    bool watched = clock_ns(CLOCK_MONOTONIC) < atomic_load_explicit(&p->tone_until, memory_order_relaxed);
    if (watched && !p->tone_on)
        tonecheck_init(&p->tone, p->rate, p->gain);
    else if (watched && gap > 0)
        tonecheck_lost(&p->tone);
    if (watched)
        tonecheck_do(&p->tone, p->mono, frames);
    p->tone_on = watched;
}

void pipeline_show(struct pipeline *p, const struct audio_block *b)
{
    struct analysis_levels levels;

    if (!live_tap_wanted(p->live))
        return;
    analysis_get_levels(p->analysis, &levels);
    live_tap_put(p->live,
                 &(struct live_block){.samples = p->mono,
                                      .frames = b->frames,
                                      .position = b->frame,
                                      .utc_ns = timebase_utc(p->timebase, b->frame),
                                      .stream = b->epoch,
                                      .rate = b->rate,
                                      .highpass_hz = p->config.gate.highpass_hz},
                 &levels);
}

bool pipeline_take_sound(struct pipeline *p, struct sound_row *out)
{
    return p->meter && sound_meter_take(p->meter, out);
}

void pipeline_tell_sound(struct pipeline *p, const struct sound_report *report)
{
    pthread_mutex_lock(&p->figures_lock);
    p->sound.number = report->number;
    p->sound.last = report->last;
    p->sound.calibration = report->calibration;
    pthread_mutex_unlock(&p->figures_lock);
}

const struct config *pipeline_input(const struct pipeline *p)
{
    return &p->config;
}

void pipeline_watch_tone(struct pipeline *p, struct tone_state *out)
{
    int64_t now = clock_ns(CLOCK_MONOTONIC);
    int64_t before = atomic_exchange_explicit(&p->tone_until, now + TONE_WATCH_NS, memory_order_relaxed);
    pthread_mutex_lock(&p->figures_lock);
    if (before < now)
        p->tone_state = (struct tone_state){.verdict = TONE_NONE};
    *out = p->tone_state;
    pthread_mutex_unlock(&p->figures_lock);
}
