/* The daemon's sound level meter: audio/soundlevel.h on the analysis thread, cut into periods by the clock; what is finished waits in
 * a lock-free queue for the one other thread that takes it. The short period begins with the stream and lasts [level] interval;
 * the long one ends at whole multiples of [level] history of UTC, so that hours and days are made of whole ones. */
#ifndef EARSHOT_SOUND_METER_H
#define EARSHOT_SOUND_METER_H

#include "audio/soundlevel.h"
#include "base/config.h"
#include <stdatomic.h>

struct sound_meter;

struct sound_row {
    enum soundlevel_period period;
    struct soundlevel_figures figures; /* start_ns and end_ns filled in */
};

/* With `stop` a full queue is waited for until that turns true (a file that is not paced); NULL: the row is dropped. NULL: no
 * memory. */
struct sound_meter *sound_meter_new(const struct config *config, const atomic_bool *stop, struct err *err);
void sound_meter_free(struct sound_meter *m);

/* --- the analysis thread --- */

/* A new stream; what was measured of the one before ends here. gain: what was applied to its samples. -1: its rate cannot be
 * measured, err says why; then nothing is until the next stream. */
int sound_meter_begin(struct sound_meter *m, unsigned rate, double gain, struct err *err);
void sound_meter_do(struct sound_meter *m, const float *x, size_t n);
void sound_meter_lost(struct sound_meter *m, uint64_t frames);
void sound_meter_skip(struct sound_meter *m); /* nobody listens to what passes now */

/* It is utc_ns where what is given next begins: ends the periods that are over. Also where no sound comes. */
void sound_meter_clock(struct sound_meter *m, int64_t utc_ns);
void sound_meter_end(struct sound_meter *m); /* the input ended: gives what there is */
void sound_meter_get_now(const struct sound_meter *m, struct soundlevel_now *out);

/* --- one other thread --- */

/* The oldest finished period. false: none. */
bool sound_meter_take(struct sound_meter *m, struct sound_row *out);

#endif
