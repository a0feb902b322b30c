#include "daemon/live_tap.h"

#include "audio/level.h"
#include "base/log.h"
#include "base/ring.h"
#include "daemon/capture.h"
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS      64 /* 170 ms at the highest rate there is, half a second and more at usual ones */
#define COLUMN_HZ  10
#define LEVELS_HZ  100
#define LEVEL_NONE (-200.0f)

/* One element of the queue. */
struct slot {
    uint64_t position;
    int64_t utc_ns;
    uint32_t stream, rate, frames;
    float highpass_hz, floor_dbfs, threshold_dbfs;
    bool open;
    float samples[BLOCK_SAMPLES];
};

struct live_tap {
    /* Written by those who watch, read by the analysis thread. The queue is there before the first one counts: release and
     * acquire. */
    atomic_uint watchers;
    _Atomic(struct ring *) queue;
    atomic_bool stale; /* what is in the queue was put for somebody who has gone: the taker's to throw away */

    /* the taker's own */
    struct melcolumn *columns;
    struct level level;
    uint32_t stream, rate, level_samples, level_left; /* samples of 10 ms; until they are full */
    float highpass_hz;
    uint64_t next;          /* position that follows what was taken */
    size_t done;            /* of the samples in the oldest slot */
    float rms, peak;        /* of the column so far */
    float x[BLOCK_SAMPLES]; /* the oldest slot's samples, those that are no numbers taken for 0 */
};

struct live_tap *live_tap_new(void)
{
    return calloc(1, sizeof(struct live_tap));
}

void live_tap_free(struct live_tap *t)
{
    if (!t)
        return;
    ring_free(atomic_load(&t->queue));
    melcolumn_free(t->columns);
    free(t);
}

/* --- watchers ------------------------------------------------------------------------------------------------------- */

int live_tap_watch(struct live_tap *t, struct err *err)
{
    struct ring *none = NULL;

    if (!atomic_load(&t->queue)) {
        struct ring *fresh = ring_new(sizeof(struct slot), SLOTS);
        if (!fresh)
            return err_set(err, "no memory");
        if (!atomic_compare_exchange_strong(&t->queue, &none, fresh))
            ring_free(fresh); /* another was first */
    }
    if (atomic_fetch_add_explicit(&t->watchers, 1, memory_order_release) == 0)
        atomic_store(&t->stale, true);
    return 0;
}

void live_tap_unwatch(struct live_tap *t)
{
    atomic_fetch_sub_explicit(&t->watchers, 1, memory_order_relaxed);
}

unsigned live_tap_watchers(const struct live_tap *t)
{
    return atomic_load_explicit(&t->watchers, memory_order_relaxed);
}

/* --- the analysis thread -------------------------------------------------------------------------------------------- */

bool live_tap_wanted(const struct live_tap *t)
{
    /* acquire pairs with live_tap_watch's release: whoever sees a watcher sees the queue */
    return atomic_load_explicit(&t->watchers, memory_order_acquire) > 0;
}

void live_tap_put(struct live_tap *t, const struct live_block *b, const struct analysis_levels *levels)
{
    struct ring *queue = atomic_load_explicit(&t->queue, memory_order_relaxed);
    struct slot *s = queue && b->frames <= BLOCK_SAMPLES ? ring_reserve(queue) : NULL;

    if (!s)
        return;
    s->position = b->position;
    s->utc_ns = b->utc_ns;
    s->stream = b->stream;
    s->rate = b->rate;
    s->frames = (uint32_t)b->frames;
    s->highpass_hz = (float)b->highpass_hz;
    s->floor_dbfs = levels->floor_dbfs;
    s->threshold_dbfs = levels->threshold_dbfs;
    s->open = levels->open;
    memcpy(s->samples, b->samples, b->frames * sizeof *s->samples);
    ring_commit(queue);
}

/* --- the taker ------------------------------------------------------------------------------------------------------ */

static void begin_column(struct live_tap *t)
{
    t->rms = t->peak = LEVEL_NONE;
}

static void begin_stream(struct live_tap *t, const struct slot *s)
{
    struct err err;

    if (!t->columns || s->rate != t->rate) {
        melcolumn_free(t->columns);
        t->columns = melcolumn_new(s->rate, MELCOLUMN_HZ / COLUMN_HZ, &err);
        if (!t->columns)
            log_warn("no live spectrum: %s", err.text);
    } else {
        melcolumn_reset(t->columns);
    }
    t->rate = s->rate;
    t->level_samples = t->level_left = s->rate / LEVELS_HZ;
    t->highpass_hz = s->highpass_hz;
    level_init(&t->level, s->rate,
               s->highpass_hz > 0 && s->highpass_hz < (float)s->rate / 2 ? (double)s->highpass_hz : 0);
    begin_column(t);
}

static void measure(struct live_tap *t, const float *x, size_t n)
{
    while (n) {
        size_t part = n < t->level_left ? n : t->level_left;
        level_do(&t->level, x, part);
        x += part;
        n -= part;
        t->level_left -= (uint32_t)part;
        if (t->level_left)
            return;
        struct level_block block = level_end(&t->level);
        t->level_left = t->level_samples;
        t->rms = fmaxf(t->rms, block.rms_dbfs);
        t->peak = fmaxf(t->peak, level_dbfs((double)block.peak * (double)block.peak));
    }
}

/* As the analysis takes them. */
static void clean(struct live_tap *t, const struct slot *s)
{
    for (size_t i = 0; i < s->frames; i++)
        t->x[i] = isfinite(s->samples[i]) ? fminf(fmaxf(s->samples[i], -1), 1) : 0;
}

/* Up to the end of a column. */
static bool take_slot(struct live_tap *t, const struct slot *s, struct live_level *out)
{
    bool done;

    if (t->done == 0)
        clean(t, s);
    size_t n = melcolumn_do(t->columns, t->x + t->done, s->frames - t->done, out->bands, &done);
    measure(t, t->x + t->done, n);
    t->done += n;
    if (!done)
        return false;
    out->utc_ns = s->utc_ns + (int64_t)t->done * 1000000000 / s->rate;
    out->rms_dbfs = fmaxf(t->rms, LEVEL_MIN_DBFS);
    out->peak_dbfs = fmaxf(t->peak, LEVEL_MIN_DBFS);
    out->floor_dbfs = s->floor_dbfs;
    out->threshold_dbfs = s->threshold_dbfs;
    out->open = s->open;
    begin_column(t);
    return true;
}

static void drain(struct live_tap *t, struct ring *queue)
{
    while (ring_peek(queue))
        ring_release(queue);
    t->done = 0;
    t->stream = 0; /* the analysis's first is 1 */
}

bool live_tap_take(struct live_tap *t, struct live_level *out)
{
    struct ring *queue = atomic_load(&t->queue);
    const struct slot *s;
    bool ready = false;

    if (!queue)
        return false;
    if (atomic_exchange(&t->stale, false))
        drain(t, queue);
    while (!ready && (s = ring_peek(queue))) {
        if (t->done == 0 && (s->stream != t->stream || s->position != t->next || s->highpass_hz != t->highpass_hz))
            begin_stream(t, s);
        t->stream = s->stream;
        t->next = s->position + s->frames;
        if (t->columns)
            ready = take_slot(t, s, out);
        if (t->columns && t->done < s->frames)
            continue;
        t->done = 0;
        ring_release(queue);
    }
    return ready;
}
