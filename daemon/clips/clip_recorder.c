#include "base/clock.h"
#include "base/log.h"
#include "daemon/clips/clip_name.h"
#include "daemon/clips/clip_recorder_private.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPARE_S      2.0     /* for a worker that is behind */
#define MARGIN_S     0.5     /* speech begins before the window that is sure of it, and ends after it */
#define GAP_S        1.0     /* lost samples up to this become zeros; after more, a file ends */
#define RETRY_S      10.0    /* from one try at a file of `all` to the next */
#define LOOK_EVERY   3600000 /* ms */
#define STEP_MS      3600000 /* a clock that was set by more says nothing about age for a day */
#define DAY_MS       86400000
#define MAX_RELEASE  10.0 /* s of quiet within a sound that are held back; later ones go into the file */
#define MAX_LOOKBACK 20.0

double clip_recorder_held_s(const struct config *config, double window_s)
{
    double decision = window_s + (config->decision.confirm - 1) * config->model.hop;
    double before = config->clips.preroll + fmin(decision, MAX_LOOKBACK);
    double after = fmin(config->decision.release, MAX_RELEASE) + window_s + config->clips.postroll;

    return fmax(before, after) + window_s + MARGIN_S + GAP_S + SPARE_S;
}

struct clip_recorder *clip_recorder_new(const struct config *config, const char *dir, double window_s,
                                        struct clip_judge *judge, clip_fate_fn *fate, void *ctx)
{
    struct clip_recorder *r = calloc(1, sizeof *r);

    if (!r)
        return NULL;
    r->config = *config;
    config_forget_lists(&r->config);
    clip_quota_from(config, &r->quota);
    r->ahead_ms = clock_ms(CLOCK_REALTIME) - clock_ms(CLOCK_BOOTTIME);
    snprintf(r->dir, sizeof r->dir, "%s", dir);
    r->window_s = window_s;
    r->judge = judge;
    r->fate = fate;
    r->ctx = ctx;
    return r;
}

void clip_recorder_free(struct clip_recorder *r)
{
    if (!r)
        return;
    clip_recorder_finish(r);
    clip_buffer_free(&r->buffer);
    clip_judge_free(r->judge);
    for (unsigned i = 0; i < RECENT; i++)
        free(r->recent[i].x);
    free(r);
}

const struct clip_figures *clip_recorder_figures(const struct clip_recorder *r)
{
    return &r->figures;
}

bool clip_recorder_active(const struct clip_recorder *r)
{
    for (unsigned i = 0; i < CLIPS_AT_ONCE; i++)
        if (r->clips[i].used && !r->clips[i].all)
            return true;
    return false;
}

/* Said once, until it works again. */
void recorder_complain(struct clip_recorder *r, const struct err *err)
{
    if (!r->complained)
        log_warn("clips cannot be kept: %s; it is tried again with the next one", err->text);
    r->complained = true;
    snprintf(r->figures.problem, sizeof r->figures.problem, "%.159s", err->text);
}

int64_t recorder_utc(const struct clip_recorder *r, uint64_t position)
{
    int64_t frames = (int64_t)(position - r->utc_position);

    return r->utc_ns + (int64_t)((double)frames * 1e9 / r->rate);
}

struct clip_quota recorder_quota(struct clip_recorder *r)
{
    struct clip_quota q = r->quota;
    int64_t now = clock_ms(CLOCK_BOOTTIME), ahead = clock_ms(CLOCK_REALTIME) - now;

    if (llabs(ahead - r->ahead_ms) > STEP_MS) {
        r->clock_bad_till = now + DAY_MS;
        if (q.age_ms > 0)
            log_warn("clips: the clock was set by more than an hour; none is deleted for its age within the next day");
    }
    r->ahead_ms = ahead;
    if (now < r->clock_bad_till)
        q.age_ms = 0;
    return q;
}

/* --- speech ------------------------------------------------------------------------------------------------------------ */

bool recorder_speech(const struct clip_recorder *r, uint64_t from, uint64_t to, struct span *first)
{
    bool found = false;

    for (unsigned i = 0; i < r->n_spans; i++) {
        const struct span *s = &r->spans[i];
        if (s->from >= to || s->to <= from)
            continue;
        if (first && (!found || s->from < first->from))
            *first = *s;
        found = true;
    }
    return found;
}

void recorder_add_speech(struct clip_recorder *r, uint64_t from, uint64_t to)
{
    struct span *last = r->n_spans ? &r->spans[r->n_spans - 1] : NULL;

    from = from > r->margin ? from - r->margin : 0;
    to += r->margin;
    if (last && from <= last->to && to >= last->from) {
        last->from = from < last->from ? from : last->from;
        last->to = to > last->to ? to : last->to;
        return;
    }
    if (r->n_spans == SPANS) { /* the oldest lies before all that is still to be written */
        memmove(r->spans, r->spans + 1, (SPANS - 1) * sizeof *r->spans);
        r->n_spans--;
    }
    r->spans[r->n_spans++] = (struct span){from, to};
}

static void share_embedding(struct clip_recorder *r, uint64_t from, uint64_t to, const float *x)
{
    size_t size = clip_judge_embedding_size(r->judge);
    struct recent *e = &r->recent[r->n_recent++ % RECENT];

    for (unsigned i = 0; i < CLIPS_AT_ONCE; i++) {
        struct clip *c = &r->clips[i];
        uint64_t end = c->ended && c->end < c->cap ? c->end : c->cap;
        if (c->used && to > c->from && from < end)
            clip_embedding(c, x, size);
    }
    if (!e->x)
        e->x = malloc(size * sizeof *e->x);
    e->from = from;
    e->to = e->x ? to : from;
    if (e->x)
        memcpy(e->x, x, size * sizeof *x);
}

static void on_judged(void *ctx, uint64_t from, uint64_t to, uint64_t settled, bool speech, const float *embedding)
{
    struct clip_recorder *r = ctx;

    if (speech)
        recorder_add_speech(r, from, to);
    if (embedding)
        share_embedding(r, from, to, embedding);
    r->settled = settled;
}

/* From the oldest sample on: whatever begins later reaches no further back. */
void recorder_judge(struct clip_recorder *r)
{
    struct err err;
    const int16_t *x;
    size_t n;

    if (!r->judge || r->judging)
        return;
    r->settled = r->buffer.first;
    r->n_recent = 0;
    for (unsigned i = 0; i < RECENT; i++)
        r->recent[i].to = r->recent[i].from;
    if (clip_judge_begin(r->judge, r->rate, r->buffer.first, &err) < 0) {
        recorder_complain(r, &err); /* settled stays: nothing is written */
        return;
    }
    r->judging = true;
    for (uint64_t at = r->buffer.first; (n = clip_buffer_read(&r->buffer, at, &x)) > 0; at += n)
        clip_judge_do(r->judge, x, n, on_judged, r);
}

/* --- samples ----------------------------------------------------------------------------------------------------------- */

static void begin_all(struct clip_recorder *r, uint64_t from)
{
    struct clip_note n = {.type = NOTE_START, .from = from, .start_ns = recorder_utc(r, from), .label = CLIP_ALL};
    struct clip_name name = {.utc_ms = n.start_ns / 1000000, .label = CLIP_ALL};
    char id[UUID_SIZE];

    uuid7(id, n.start_ns);
    clip_name_id(id, name.id);
    snprintf(name.extension, sizeof name.extension, "%s", clip_format_extension(r->config.clips.format));
    clip_name_write(&name, n.name);
    clip_begin(r, &n);
}

/* `all` has one file under way at any time; where one is complete the next begins with the sample behind it. */
static void advance_all(struct clip_recorder *r)
{
    struct clip *c = &r->clips[0];

    while (c->used) {
        uint64_t cap = c->cap;
        clip_advance(r, c);
        if (c->failed) {
            clip_forget(c);
            r->retry = r->buffer.end + (uint64_t)(RETRY_S * r->rate);
        }
        if (c->used || r->retry > r->buffer.end)
            return;
        begin_all(r, cap);
    }
}

void recorder_advance(struct clip_recorder *r)
{
    if (r->config.clips.record == CLIPS_ALL) {
        advance_all(r);
        return;
    }
    for (unsigned i = 0; i < CLIPS_AT_ONCE; i++)
        if (r->clips[i].used)
            clip_advance(r, &r->clips[i]);
    if (r->judging && !clip_recorder_active(r))
        r->judging = false;
}

/* x NULL: zeros for samples that were lost. */
static void take(struct clip_recorder *r, const int16_t *x, uint64_t n)
{
    if (r->config.clips.record == CLIPS_ALL && !r->clips[0].used && r->buffer.end >= r->retry) {
        if (!r->judging)
            clip_buffer_reset(&r->buffer, r->buffer.end);
        begin_all(r, r->buffer.end);
        recorder_judge(r);
    }
    while (n > 0) {
        size_t piece = n < CLIP_BLOCK ? (size_t)n : CLIP_BLOCK;
        clip_buffer_push(&r->buffer, x, piece);
        if (r->judging)
            clip_judge_do(r->judge, x, piece, on_judged, r);
        recorder_advance(r);
        x = x ? x + piece : NULL;
        n -= piece;
    }
}

/* Nothing follows what is held: clips that are under way end here. */
static void end_stream(struct clip_recorder *r)
{
    if (r->judging)
        clip_judge_end(r->judge, on_judged, r);
    if (r->judging || !r->judge)
        r->settled = r->buffer.end + r->margin;
    recorder_advance(r); /* a file of `all` may become full, and the rest goes into another one */
    r->judging = false;
    for (unsigned i = 0; i < CLIPS_AT_ONCE; i++)
        if (r->clips[i].used)
            clip_cut(r, &r->clips[i]);
    r->n_spans = 0;
    r->retry = 0;
    clip_buffer_reset(&r->buffer, r->buffer.end);
}

static bool begin_stream(struct clip_recorder *r, const struct clip_block *b)
{
    if (b->rate != r->rate) {
        size_t size = (size_t)(clip_recorder_held_s(&r->config, r->window_s) * b->rate);
        clip_buffer_free(&r->buffer);
        if (b->rate == 0 || clip_buffer_init(&r->buffer, size) < 0) {
            log_error("clips: no memory for %zu samples at %u Hz", size, b->rate);
            r->rate = 0;
            return false;
        }
    }
    r->rate = b->rate;
    r->stream = b->stream;
    r->margin = r->judge ? (uint64_t)(MARGIN_S * b->rate) : 0;
    clip_buffer_reset(&r->buffer, b->position);
    return true;
}

void clip_recorder_block(struct clip_recorder *r, const struct clip_block *b)
{
    bool fresh = b->stream != r->stream || b->rate != r->rate || b->position < r->buffer.end;

    if (fresh) {
        if (r->rate)
            end_stream(r);
        if (!begin_stream(r, b))
            return;
    }
    uint64_t missing = b->position - r->buffer.end;
    if (missing > 0) {
        r->figures.lost_frames += b->lost;
        if (missing == b->lost && (double)missing <= GAP_S * r->rate) {
            take(r, NULL, missing);
        } else {
            end_stream(r);
            clip_buffer_reset(&r->buffer, b->position);
        }
    }
    r->utc_position = b->position;
    r->utc_ns = b->utc_ns;
    take(r, b->samples, b->frames);
    if (b->ends)
        end_stream(r);
}

void clip_recorder_finish(struct clip_recorder *r)
{
    if (r->rate)
        end_stream(r);
}

void clip_recorder_tick(struct clip_recorder *r, int64_t utc_ms)
{
    struct err err;

    if (!r->recovered) {
        if (clip_folder_make(r->dir, &err) < 0) {
            recorder_complain(r, &err);
        } else {
            long removed, repaired = clip_folder_recover(r->dir, &removed);
            if (repaired + removed > 0)
                log_info("clips: %ld unfinished files were completed, %ld removed", repaired, removed);
            r->recovered = true;
        }
    }
    if (r->recovered && (r->kept_ms == 0 || utc_ms - r->kept_ms >= LOOK_EVERY || utc_ms < r->kept_ms)) {
        r->kept_ms = utc_ms;
        struct clip_quota quota = recorder_quota(r);
        long gone = clip_folder_keep(r->dir, &quota, NULL, utc_ms, &err);
        if (gone < 0)
            recorder_complain(r, &err);
        else if (gone > 0)
            log_info("clips: %ld beyond the quota or too old were deleted", gone);
    }
}
