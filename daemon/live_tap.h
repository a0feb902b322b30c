/* What the analysis thread hears, for those who watch it live: level, gate and a spectrum of every 100 ms.
 *
 * The analysis thread only copies its samples into a lock-free queue, and only while somebody watches: it neither allocates nor waits,
 * and with no watcher a block costs one load. Everything else is done by the thread that takes. */
#ifndef EARSHOT_LIVE_TAP_H
#define EARSHOT_LIVE_TAP_H

#include "audio/analysis.h"
#include "features/melcolumn.h"

struct live_tap;

/* NULL: no memory. */
struct live_tap *live_tap_new(void);
/* When neither the analysis thread nor anybody else uses it any more. */
void live_tap_free(struct live_tap *t);

/* One more, one less; any thread. The first makes the queue, which then stays. -1: no memory, nobody was counted. */
int live_tap_watch(struct live_tap *t, struct err *err);
void live_tap_unwatch(struct live_tap *t);
unsigned live_tap_watchers(const struct live_tap *t);

/* --- the analysis thread's */

struct live_block {
    const float *samples; /* mono */
    size_t frames;
    uint64_t position; /* of the first, in device frames since the stream began */
    int64_t utc_ns;    /* of the first */
    uint32_t stream, rate;
    double highpass_hz; /* before the gate */
};

bool live_tap_wanted(const struct live_tap *t);
/* After the analysis had them; levels: what it made of them. A full queue takes nothing more: the picture has a gap there. */
void live_tap_put(struct live_tap *t, const struct live_block *b, const struct analysis_levels *levels);

/* --- one thread's, that which tells the watchers; it allocates where a stream begins */

struct live_level {
    int64_t utc_ns;       /* end of the 100 ms */
    float rms_dbfs;       /* of their loudest 10 ms after the gate's high-pass: what the gate goes by */
    float peak_dbfs;      /* of a sample */
    float floor_dbfs;     /* at the end, as the next three */
    float threshold_dbfs; /* -inf: off */
    bool open;
    uint8_t bands[MELCOLUMN_BANDS];
};

/* The next 100 ms, false: they are not there yet. The first call after the first watcher came throws away what was left by others. */
bool live_tap_take(struct live_tap *t, struct live_level *out);

#endif
