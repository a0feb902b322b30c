/* The analysis thread, and the hand-over between the threads:
 *
 *   capture --ring of audio_block--> analysis --ring of window--> worker --output->event--> outputs
 *
 * Both rings are lock-free; the analysis thread polls its ring (the capture callback must make no system call to wake it), the
 * worker sleeps on an eventfd. Requests from other threads (threshold, listening, reload) wait in `request` under a mutex that the two
 * threads only ever try: who holds it delays nobody. */
#include "base/log.h"
#include "daemon/pipeline_internal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define POLL_DUE_NS     2000000LL  /* a window may be complete any moment: latency counts */
#define POLL_NS         40000000LL /* nobody waits: CPU counts, and waking up is most of what quiet costs */
#define WALL_CHECK_NS   1000000000LL
#define PATIENCE_NS     1000000000LL
#define SILENT_INPUT_NS 1000000000LL /* an input that gives nothing for so long is gone, or is made anew */

static bool queue_window(struct pipeline *p, const struct window_info *info, const float *samples)
{
    struct window *w = ring_reserve(p->windows);
    /* A file that is not paced waits for room; a microphone cannot. */
    while (!w && p->fast && !atomic_load_explicit(&p->stop, memory_order_relaxed)) {
        nanosleep(&(struct timespec){0, 1000000}, NULL);
        w = ring_reserve(p->windows);
    }
    if (!w)
        return false;
    w->info = *info;
    w->info.stream = p->epoch;
    if (!info->dropped) { /* nobody is told of that one */
        uint64_t lost = info->lost_frames + p->unheard;
        w->info.lost_frames = lost < UINT32_MAX ? (uint32_t)lost : UINT32_MAX;
        p->unheard = 0;
    }
    if (samples)
        memcpy(w->samples, samples, analysis_window_samples(p->analysis) * sizeof(float));
    ring_commit(p->windows);
    p->queued++;
    eventfd_wake(p->wake_worker);
    return true;
}

/* An input that can be held back is: nothing of it is dropped, and what the worker finds acts on the gate at the same sample in
 * every run, as it does where sound comes no faster than time. Not for ever: a worker that hangs is the watchdog's business. */
static void await_worker(struct pipeline *p)
{
    int64_t until = clock_ns(CLOCK_MONOTONIC) + PATIENCE_NS;
    uint64_t done;

    /* acquire pairs with the worker's release: `busy` is at least as new as the count */
    while ((done = atomic_load_explicit(&p->windows_done, memory_order_acquire)) != p->queued) {
        if (done == p->hung_at || atomic_load_explicit(&p->stop, memory_order_relaxed))
            return;
        if (clock_ns(CLOCK_MONOTONIC) > until)
            p->hung_at = done;
        nanosleep(&(struct timespec){0, 50000}, NULL);
    }
    analysis_set_busy(p->analysis, atomic_load_explicit(&p->busy, memory_order_relaxed));
}

static void pay_owed_end(struct pipeline *p)
{
    if (p->owes_end && queue_window(p, &p->owed, NULL))
        p->owes_end = false;
}

static void on_window(void *ctx, const struct window *w)
{
    struct pipeline *p = ctx;

    pay_owed_end(p);
    if (!p->owes_end && queue_window(p, &w->info, w->info.empty ? NULL : w->samples)) {
        if (p->patient)
            await_worker(p);
        return;
    }
    atomic_fetch_add_explicit(&p->windows_dropped, 1, memory_order_relaxed);
    if (!w->info.dropped)
        p->unheard += w->info.lost_frames;
    if (!w->info.empty)
        p->unheard += (uint64_t)llround(p->config.model.hop * p->rate);
    /* The sound's end must reach the decision stage even where its last window does not: nothing would ever end it. */
    if (w->info.last) {
        p->owed = w->info;
        p->owed.empty = true;
        p->owed.lost_frames = 0; /* among the unheard ones */
        p->owes_end = true;
    }
}

static void add_past(struct pipeline *p, struct analysis_levels *l)
{
    l->blocks += p->past.blocks;
    l->clipped_blocks += p->past.clipped_blocks;
    l->sounds += p->past.sounds;
    l->dropped_short += p->past.dropped_short;
    l->lost_frames += p->past.lost_frames;
    l->position += p->past.position;
}

/* Sounds of the analysis end here; its figures are kept, those of the position where another stream begins. */
static void end_analysis(struct pipeline *p, bool stream_ends)
{
    struct analysis_levels l;

    if (!p->analysis)
        return;
    analysis_flush(p->analysis);
    analysis_get_levels(p->analysis, &l);
    p->config.gate.floor_dbfs = l.floor_dbfs;
    uint64_t own = stream_ends ? 0 : l.position;
    add_past(p, &l);
    l.position -= own;
    p->past = l;
    analysis_free(p->analysis);
    p->analysis = NULL;
}

static void make_analysis(struct pipeline *p, unsigned rate)
{
    struct analysis_params params = {
        .device_rate = rate,
        .model_rate = p->model_rate,
        .window_s = p->window_s,
        .hop_s = p->config.model.hop,
        .gate = p->config.gate,
    };
    struct err err;

    p->analysis = analysis_new(&params, p->timebase, on_window, p, &err);
    if (p->analysis)
        return;
    log_error("input at %u Hz cannot be analysed: %s", rate, err.text);
    pthread_mutex_lock(&p->figures_lock);
    snprintf(p->mic_problem, sizeof p->mic_problem, "cannot be analysed at %u Hz", rate);
    pthread_mutex_unlock(&p->figures_lock);
}

/* A new stream: frames begin at 0 again and the rate may be another. Sounds of the old one end here. */
static void begin_stream(struct pipeline *p, const struct audio_block *b)
{
    struct err err;

    end_analysis(p, true);
    timebase_reset(p->timebase, b->rate);
    p->tone_on = false;
    if (p->meter && sound_meter_begin(p->meter, b->rate, p->gain, &err) < 0)
        log_warn("no sound levels: %s", err.text);
    make_analysis(p, b->rate);
    p->epoch = b->epoch;
    p->rate = b->rate;
    p->next_frame =
        0; /* a stream whose first frames were lost begins with that gap: positions must agree with the time base */
    p->wall_checked = 0;
}

/* The next model's windows have another shape: from the next sample on they are cut so. false: later, the old ring is full. */
static bool change_windows(struct pipeline *p)
{
    if (p->analysis)
        analysis_flush(p->analysis);
    pay_owed_end(p);
    if (p->owes_end)
        return false;
    pthread_mutex_lock(&p->figures_lock); /* once in a model's life: it may wait for a reader's few copies */
    p->windows = p->request.swap.windows;
    pthread_mutex_unlock(&p->figures_lock);
    p->model_rate = p->request.swap.rate;
    p->window_s = p->request.swap.window_s;
    if (p->analysis) {
        end_analysis(p, false);
        make_analysis(p, p->rate);
        if (p->analysis)
            analysis_skip(p->analysis, p->next_frame);
    }
    return p->request.swap.analysed = true;
}

static void follow_clock(struct pipeline *p, const struct audio_block *b, bool in_sound)
{
    timebase_update(p->timebase, b->frame, b->mono_ns);
    int64_t mono = clock_ns(CLOCK_MONOTONIC);
    if (p->wall_checked && mono - p->wall_checked < WALL_CHECK_NS)
        return;
    int64_t step = timebase_wall(p->timebase, clock_ns(CLOCK_REALTIME) - mono, in_sound && p->wall_checked);
    if (step && p->wall_checked)
        log_info("the clock was set by %+.3f s: event times follow it from here", (double)step / 1e9);
    p->wall_checked = mono;
}

static void check_microphone(struct pipeline *p, const struct analysis_levels *l)
{
    const char *problem = miccheck_do(&p->miccheck, l);

    if (!*problem != !p->mic_bad)
        log_warn("microphone: %s", *problem ? problem : "sounds all right again");
    p->mic_bad = *problem;
    p->mic_blocks = l->blocks;
}

static void share_figures(struct pipeline *p)
{
    struct analysis_levels l;

    analysis_get_levels(p->analysis, &l);
    p->open = l.open;
    if (l.blocks - p->mic_blocks >= 100 || l.blocks < p->mic_blocks) /* once a second of audio */
        check_microphone(p, &l);
    if (pthread_mutex_trylock(&p->figures_lock) != 0)
        return;
    add_past(p, &l);
    p->levels = l;
    if (p->meter)
        sound_meter_get_now(p->meter, &p->sound.now);
    if (p->tone_on)
        p->tone_state = p->tone.state;
    memcpy(p->mic_problem, p->miccheck.text, sizeof p->mic_problem);
    pthread_mutex_unlock(&p->figures_lock);
}

/* What others asked for, between two blocks. */
static void take_requests(struct pipeline *p)
{
    bool changed = false;

    if (pthread_mutex_trylock(&p->request.lock) != 0)
        return;
    if (p->request.gate_new) {
        float floor = (float)p->config.gate.floor_dbfs;
        p->config.gate = p->request.gate;
        p->config.gate.floor_dbfs = floor;
        if (p->analysis) {
            analysis_set_gate(p->analysis, &p->config.gate);
            share_figures(p); /* also where no audio comes */
        }
        p->request.gate_new = false;
    }
    if (p->request.listening_new) {
        if (!p->request.listening && p->analysis)
            analysis_flush(p->analysis);
        atomic_store_explicit(&p->listening, p->request.listening, memory_order_relaxed);
        p->request.listening_new = false;
    }
    if (p->request.swap.windows && !p->request.swap.analysed)
        changed = change_windows(p);
    pthread_mutex_unlock(&p->request.lock);
    if (changed)
        eventfd_wake(p->wake_worker);
}

static void pause_clips(struct pipeline *p)
{
    if (p->clips && !p->paused)
        clips_pause(p->clips);
    p->paused = true;
}

/* Before the analysis has them: what it decides speaks of samples that were handed over. */
static void keep_samples(struct pipeline *p, const struct audio_block *b, uint64_t gap)
{
    struct clips_audio a = {.samples = p->mono,
                            .frames = b->frames,
                            .position = b->frame,
                            .lost = gap,
                            .utc_ns = timebase_utc(p->timebase, b->frame),
                            .stream = b->epoch,
                            .rate = b->rate};

    p->paused = false;
    if (p->clips)
        clips_audio(p->clips, &a, p->patient, &p->stop);
}

static void analyse_block(struct pipeline *p, const struct audio_block *b)
{
    uint64_t gap = 0;

    if (b->epoch != p->epoch) /* the first one is 1 */
        begin_stream(p, b);
    if (!p->analysis)
        return;
    if (b->frame > p->next_frame) {
        gap = b->frame - p->next_frame;
        atomic_fetch_add_explicit(&p->lost, gap, memory_order_relaxed);
        analysis_lost(p->analysis, gap);
    }
    if (b->flags & BLOCK_OVERFLOW)
        p->unheard++; /* how many frames, the device does not say */
    p->next_frame = b->frame + b->frames;
    p->captured_ns = b->mono_ns + b->frames * 1000000000LL / b->rate;

    follow_clock(p, b, atomic_load_explicit(&p->busy, memory_order_relaxed));
    analysis_set_busy(p->analysis, atomic_load_explicit(&p->busy, memory_order_relaxed));
    if (atomic_load_explicit(&p->listening, memory_order_relaxed)) {
        downmix_do(b->samples, b->frames, b->channels, p->channel, p->gain, p->mono);
        keep_samples(p, b, gap);
        analysis_do(p->analysis, p->mono, b->frames);
        pipeline_measure(p, b, p->mono, gap);
        pipeline_check_tone(p, b->frames, gap);
        pipeline_show(p, b);
        pipeline_put_tape(p, b);
    } else {
        pause_clips(p);
        analysis_skip(p->analysis, b->frames);
        pipeline_measure(p, b, NULL, 0);
    }
}

static void end_of_input(struct pipeline *p)
{
    if (p->analysis) {
        analysis_flush(p->analysis);
        if (p->meter)
            sound_meter_end(p->meter);
        share_figures(p);
    }
    pause_clips(p);
    while (p->owes_end && !atomic_load_explicit(&p->stop, memory_order_relaxed)) {
        pay_owed_end(p);
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    /* release: the worker that sees `ended` sees the last window as well */
    atomic_store_explicit(&p->ended, true, memory_order_release);
    eventfd_wake(p->wake_worker);
}

/* How long nothing that somebody waits for can happen. */
static int64_t rest_ns(const struct pipeline *p)
{
    if (p->fast)
        return POLL_DUE_NS;
    uint64_t due = p->analysis ? analysis_due(p->analysis) : UINT64_MAX;
    if (due > p->rate)
        return POLL_NS;
    /* no device can give a frame before it was there */
    int64_t left = p->captured_ns + (int64_t)(due * 1000000000 / p->rate) - clock_ns(CLOCK_MONOTONIC);
    return left < POLL_DUE_NS ? POLL_DUE_NS : left < POLL_NS ? left : POLL_NS;
}

void *analysis_main(void *arg)
{
    struct pipeline *p = arg;
    int64_t heard = clock_ns(CLOCK_MONOTONIC);
    bool end = false;

    prctl(PR_SET_NAME, "analysis");
    while (!end && !atomic_load_explicit(&p->stop, memory_order_relaxed)) {
        const struct audio_block *b;
        bool any = false;

        take_requests(p);
        while (!end && !atomic_load_explicit(&p->stop, memory_order_relaxed) && (b = ring_peek(p->blocks))) {
            take_requests(p); /* here too: with --fast the ring may not run empty before the file's end */
            end = b->flags & BLOCK_END;
            if (b->frames)
                analyse_block(p, b);
            ring_release(p->blocks);
            any = true;
            atomic_fetch_add_explicit(&p->consumed, 1, memory_order_relaxed);
        }
        if (!any && clock_ns(CLOCK_MONOTONIC) - heard > SILENT_INPUT_NS)
            pause_clips(p);
        if (any)
            heard = clock_ns(CLOCK_MONOTONIC);
        else if (p->open && clock_ns(CLOCK_MONOTONIC) - heard > SILENT_INPUT_NS) {
            analysis_flush(p->analysis); /* the input is gone: what it began has ended */
            any = true;
        }
        if (p->meter && !any && clock_ns(CLOCK_MONOTONIC) - heard > SILENT_INPUT_NS)
            sound_meter_clock(p->meter, clock_ns(CLOCK_REALTIME)); /* periods end without sound, too */
        if (p->analysis) {
            if (any)
                share_figures(p);
            pay_owed_end(p);
        }
        if (!end && !(any && p->fast))
            nanosleep(&(struct timespec){0, rest_ns(p)}, NULL);
    }
    end_of_input(p);
    return NULL;
}
