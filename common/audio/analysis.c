#include "audio/analysis.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "audio/analysis_check.h"
#include "audio/blocklog.h"
#include "audio/cutter.h"
#include "audio/floor.h"
#include "audio/gate.h"
#include "audio/history.h"
#include "audio/level.h"
#include "audio/positions.h"
#include "base/timebase.h"

#define BLOCKS_PER_S  100
#define FULL_SCALE    0.999f /* 16 bits reach 0.99997; a converter or a mix may sit a little below */
#define SAME_LEVEL_DB 0.01f

/* Three counts of samples, none of which wraps:
 *  - stream: what the stages see, at the device's rate; a long gap is shorter in it than it was
 *  - device: stream with all of every gap (positions.h); what window_info speaks of
 *  - model: sample m of the model's rate lies at stream sample m * device_rate / model_rate */
struct analysis {
    struct analysis_params p;
    const struct timebase *timebase;
    window_sink *sink;
    void *ctx;

    uint64_t at;                   /* stream samples so far */
    uint64_t block_from, block_to; /* the 10 ms block under way */
    uint64_t block_number;
    uint64_t fresh; /* stream sample that no pre-roll goes back beyond: the input stopped there */
    bool block_bad; /* had a NaN or an infinity */
    float *block;   /* samples on their way in, at most block_room */
    size_t block_room;
    struct positions positions;
    uint64_t lost_untold; /* lost frames that no window has told of */

    struct history history;
    struct level level;
    struct noise_floor floor;
    struct gate gate;
    struct blocklog log;
    bool busy;

    struct cutter cutter;
    struct window *window;

    float constant_dbfs;
    struct analysis_levels levels;
};

/* Windows begin earlier than the pre-roll by as much as the converter looks ahead. A window that ended with a block would want
 * the beginning of the next one, and a sound card that hands over 10 ms at a time would keep it waiting for all of that. */
static uint64_t preroll(const struct analysis *a, double preroll_s)
{
    return (uint64_t)llround(preroll_s * a->p.device_rate) + a->cutter.lead;
}

/* Stream samples that an opening may reach back: the block that opened it, the pre-roll, and what the cutter wants. */
static size_t reach_back(const struct analysis *a, double preroll_s)
{
    return a->block_room + preroll(a, preroll_s) + cutter_reach(&a->cutter);
}

static void set_gate(struct analysis *a, const struct gate_params *gate)
{
    a->p.gate = *gate;
    if (a->p.no_gate) {
        a->p.gate.threshold.kind = THRESHOLD_OFF;
        a->p.gate.min_duration_s = 0;
    }
    gate_set(&a->gate, &a->p.gate, a->p.device_rate);
    history_resize(&a->history, reach_back(a, a->p.gate.preroll_s));
}

static int make_buffers(struct analysis *a, struct err *err)
{
    const struct analysis_params *p = &a->p;
    size_t window = (size_t)llround(p->window_s * p->model_rate);
    size_t hop = (size_t)llround(p->hop_s * p->model_rate);
    /* a sound is held back, pre-roll and all, until it has lasted min_duration; that may show only as late as the end of
     * `hold`. What is not used of this is never touched. */
    double held_s = MAX_PREROLL_S + MAX_MIN_DURATION_S + MAX_HOLD_S;

    a->block_room = p->device_rate / BLOCKS_PER_S + 1;
    if (cutter_init(&a->cutter, p->device_rate, p->model_rate, window, hop > 0 ? hop : 1, a->block_room,
                    (size_t)(held_s * p->model_rate), err))
        return -1;
    a->block = malloc(a->block_room * sizeof *a->block);
    a->window = calloc(1, sizeof *a->window + window * sizeof *a->window->samples);
    if (!a->block || !a->window || blocklog_init(&a->log, (size_t)((p->window_s + held_s + 1) * BLOCKS_PER_S)) ||
        history_init(&a->history, reach_back(a, MAX_PREROLL_S)))
        return err_set(err, "no memory for the analysis");
    return 0;
}

struct analysis *analysis_new(const struct analysis_params *params, const struct timebase *timebase, window_sink *sink,
                              void *ctx, struct err *err)
{
    if (analysis_check(params, err))
        return NULL;
    struct analysis *a = calloc(1, sizeof *a);
    if (!a) {
        err_set(err, "no memory");
        return NULL;
    }
    a->p = *params;
    a->timebase = timebase;
    a->sink = sink;
    a->ctx = ctx;
    if (make_buffers(a, err)) {
        analysis_free(a);
        return NULL;
    }
    set_gate(a, &params->gate);
    level_init(&a->level, params->device_rate, params->gate.highpass_hz);
    floor_init(&a->floor, params->gate.floor_dbfs);
    a->block_number = 1;
    a->block_to = params->device_rate / BLOCKS_PER_S;
    a->levels.rms_dbfs = a->levels.peak_dbfs = LEVEL_MIN_DBFS;
    return a;
}

void analysis_free(struct analysis *a)
{
    if (!a)
        return;
    cutter_free(&a->cutter);
    history_free(&a->history);
    blocklog_free(&a->log);
    free(a->window);
    free(a->block);
    free(a);
}

static int64_t utc(const struct analysis *a, uint64_t position)
{
    if (a->timebase)
        return timebase_utc(a->timebase, position);
    uint64_t rate = a->p.device_rate;
    return (int64_t)(position / rate * 1000000000u + position % rate * 1000000000u / rate);
}

/* Hands on what lies in a->window->samples, or the bare word that the sound is over (valid 0). `from`, `to`: stream. */
static void emit(struct analysis *a, uint32_t index, uint64_t from, uint64_t to, size_t valid, bool last)
{
    struct window_info *w = &a->window->info;
    uint64_t opened = a->gate.open_position;
    *w = (struct window_info){
        .sound = a->levels.sounds,
        .index = index,
        .last = last,
        .empty = valid == 0,
        .dropped = last && !gate_long_enough(&a->gate),
        .valid = (uint32_t)valid,
        .position = positions_device(&a->positions, from),
        .open_position = positions_device(&a->positions, opened),
        .end_position = positions_device(&a->positions, to),
        .device_rate = a->p.device_rate,
        .peak_dbfs = LEVEL_MIN_DBFS,
        .rms_dbfs = LEVEL_MIN_DBFS,
        .lost_frames = a->lost_untold < UINT32_MAX ? (uint32_t)a->lost_untold : UINT32_MAX,
    };
    uint64_t onset = from;
    if (valid > 0) {
        struct blocklog_figures f = blocklog_figures(&a->log, from, to);
        w->peak_dbfs = f.peak_dbfs;
        w->rms_dbfs = f.rms_dbfs;
        if (opened >= from && opened < to)
            onset = opened;
        else if (index > 0)
            onset = blocklog_onset(&a->log, from, to, (float)a->floor.dbfs);
    }
    w->start_ns = utc(a, w->position);
    w->onset_ns = utc(a, positions_device(&a->positions, onset));
    w->end_ns = utc(a, w->end_position);
    a->lost_untold = 0;
    a->sink(a->ctx, a->window);
}

static void cut_windows(struct analysis *a)
{
    if (!gate_long_enough(&a->gate))
        return;
    struct segment *s = &a->cutter.segment;
    for (;;) {
        uint32_t index = s->index;
        uint64_t first = s->first;
        if (!segment_next(s, a->window->samples))
            return;
        emit(a, index, cutter_stream(&a->cutter, first), cutter_stream(&a->cutter, first + s->window), s->window,
             false);
    }
}

static void convert(struct analysis *a, const float *x, size_t n)
{
    cutter_do(&a->cutter, x, n);
    cut_windows(a);
}

/* The gate opened with the block that just ended: takes in what there is from the pre-roll up to here. */
static void open_sound(struct analysis *a)
{
    const struct history *h = &a->history;
    uint64_t before = preroll(a, a->p.gate.preroll_s);
    uint64_t from = a->gate.open_position > before ? a->gate.open_position - before : 0;
    if (from < a->fresh)
        from = a->fresh;
    if (h->first > 0 && from < h->first + cutter_reach(&a->cutter)) /* preroll was raised a moment ago */
        from = h->first + cutter_reach(&a->cutter);

    a->levels.sounds++;
    const float *x;
    size_t n;
    for (uint64_t at = cutter_begin(&a->cutter, from); (n = history_read(h, at, &x)) > 0; at += n) {
        n = n < a->block_room ? n : a->block_room;
        convert(a, x, n);
    }
}

static void close_sound(struct analysis *a)
{
    struct segment *s = &a->cutter.segment;
    if (!gate_long_enough(&a->gate)) {
        uint64_t lost = a->lost_untold; /* a dropped sound is told to nobody: the next window says it again */
        a->levels.dropped_short++;
        uint64_t from = a->gate.open_position;
        emit(a, 0, from, from + a->gate.duration, 0, true);
        a->lost_untold = lost;
        return;
    }
    cut_windows(a);
    uint32_t index = s->index;
    uint64_t first = s->first;
    size_t valid = segment_tail(s, a->window->samples);
    uint64_t end = cutter_stream(&a->cutter, s->covered);
    emit(a, index, valid > 0 ? cutter_stream(&a->cutter, first) : end, end, valid, true);
}

static void count_block(struct analysis *a, const struct level_block *b)
{
    struct analysis_levels *l = &a->levels;
    l->blocks++;
    l->clipped_blocks += b->peak >= FULL_SCALE || a->block_bad;
    l->rms_dbfs = b->rms_dbfs;
    l->peak_dbfs = level_dbfs((double)b->peak * b->peak);
    l->zero_run = b->zero ? l->zero_run + 1 : 0;
    if (!b->zero && fabsf(b->raw_rms_dbfs - a->constant_dbfs) < SAME_LEVEL_DB) {
        l->constant_run++;
    } else {
        l->constant_run = !b->zero;
        a->constant_dbfs = b->raw_rms_dbfs;
    }
}

static void end_block(struct analysis *a)
{
    uint32_t frames = (uint32_t)(a->at - a->block_from);
    struct level_block b = level_end(&a->level);
    struct blocklog_entry e = {
        .position = a->block_from, .frames = frames, .power = (float)b.power, .dbfs = b.rms_dbfs, .peak = b.peak};
    enum gate_change change = GATE_SAME;
    if (b.n > 0) {
        count_block(a, &b);
        /* a microphone never gives exact zeros: a muted or gated one does, and the room has not fallen silent */
        if (!b.zero)
            floor_do(&a->floor, b.power, a->gate.open, a->busy);
        change = gate_do(&a->gate, b.rms_dbfs, a->floor.dbfs, a->busy, a->block_from, frames);
    } else {
        e.dbfs = a->levels.rms_dbfs; /* all of it was lost: nobody knows, so nothing changes */
    }
    blocklog_add(&a->log, &e);

    if (change == GATE_OPENED)
        open_sound(a);
    else if (change == GATE_CLOSED)
        close_sound(a);
    else if (a->gate.open)
        cut_windows(a); /* min_duration may have been reached */

    a->block_bad = false;
    a->block_from = a->at;
    /* blocks end at whole hundredths of a second of the stream, rounded down: 220 and 221 samples in turn at 22050 Hz */
    while (a->block_to <= a->at)
        a->block_to = ++a->block_number * a->p.device_rate / BLOCKS_PER_S;
}

/* Takes n samples into a->block that are finite and within full scale. */
static void sanitise(struct analysis *a, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float v = x[i];
        if (!isfinite(v)) {
            a->block_bad = true;
            v = 0;
        }
        a->block[i] = v > 1 ? 1 : v < -1 ? -1 : v;
    }
}

/* x NULL: zeros that stand for lost samples. Their level is not counted. */
static void take(struct analysis *a, const float *x, uint64_t n)
{
    while (n > 0) {
        size_t piece = (size_t)(a->block_to - a->at);
        piece = n < piece ? (size_t)n : piece;
        if (x) {
            sanitise(a, x, piece);
            level_do(&a->level, a->block, piece);
            x += piece;
        } else {
            memset(a->block, 0, piece * sizeof *a->block);
        }
        history_push(&a->history, a->block, piece);
        if (a->gate.open)
            convert(a, a->block, piece); /* at once: a window must not wait for the block's end */
        a->at += piece;
        n -= piece;
        if (a->at == a->block_to)
            end_block(a);
    }
}

void analysis_do(struct analysis *a, const float *x, size_t n)
{
    take(a, x, n);
}

static void pass_over(struct analysis *a, uint64_t frames)
{
    uint64_t most = (uint64_t)llround(a->p.window_s * a->p.device_rate);
    take(a, NULL, frames < most ? frames : most);
    if (frames > most)
        positions_gap(&a->positions, a->at, frames - most);
}

void analysis_lost(struct analysis *a, uint64_t frames)
{
    a->levels.lost_frames += frames;
    a->lost_untold += frames;
    pass_over(a, frames);
}

void analysis_skip(struct analysis *a, uint64_t frames)
{
    pass_over(a, frames);
    a->fresh = a->at; /* the next sound's pre-roll begins after it */
}

void analysis_flush(struct analysis *a)
{
    if (a->at > a->block_from)
        end_block(a);
    if (a->gate.open) {
        cutter_end(&a->cutter);
        a->gate.open = false;
        close_sound(a);
    }
    a->fresh = a->at;
}

uint64_t analysis_due(const struct analysis *a)
{
    if (!a->gate.open)
        return UINT64_MAX;
    uint64_t window = cutter_due(&a->cutter), end = gate_due(&a->gate, a->busy);
    return window < end ? window : end;
}

void analysis_set_gate(struct analysis *a, const struct gate_params *gate)
{
    double highpass_hz = a->p.gate.highpass_hz;
    struct gate_params g = analysis_clamp_gate(gate, a->p.device_rate);
    if (g.highpass_hz != highpass_hz)
        level_init(&a->level, a->p.device_rate, g.highpass_hz);
    set_gate(a, &g);
}

void analysis_set_busy(struct analysis *a, bool busy)
{
    a->busy = busy;
}

void analysis_get_levels(const struct analysis *a, struct analysis_levels *out)
{
    *out = a->levels;
    out->floor_dbfs = (float)a->floor.dbfs;
    out->threshold_dbfs = (float)gate_threshold_dbfs(&a->gate, a->floor.dbfs);
    out->open = a->gate.open;
    out->position = positions_device(&a->positions, a->at);
}

size_t analysis_window_samples(const struct analysis *a)
{
    return a->cutter.segment.window;
}
