/* Clips of what the daemon hears: the analysis thread hands samples, the worker hands what it made of them, a thread of its own
 * writes files (clip_recorder.h). None of the calls below waits for it, but where the input can be held back. */
#ifndef EARSHOT_CLIPS_H
#define EARSHOT_CLIPS_H

#include "audio/window.h"
#include "base/config.h"
#include "daemon/clips/clip_figures.h"
#include "event/event.h"
#include <stdatomic.h>

struct clips;

/* For [clips] record other than off. state_dir: NULL where there is none. labels: of the model, borrowed until clips_stop. NULL: what
 * is asked for cannot be (a class that does not exist, a model that knows no speech). A folder that cannot be written is no
 * error: it is said, and tried again. */
struct clips *clips_new(const struct config *config, const char *state_dir, const char *const *labels, size_t n_labels,
                        struct err *err);
/* When the threads below have ended: writes what is under way for at most flush_s, and frees. NULL is fine. */
void clips_stop(struct clips *c, double flush_s);

/* --- analysis thread: allocates nothing and never waits, unless told to be patient */

struct clips_audio {
    const float *samples; /* mono, -1..1 */
    size_t frames;
    uint64_t position; /* of the first, in device frames since the stream began */
    uint64_t lost;     /* frames that were lost just before */
    int64_t utc_ns;    /* of the first */
    uint32_t stream, rate;
};

/* patient: an input that can be held back waits for the disk, until `stop`. */
void clips_audio(struct clips *c, const struct clips_audio *a, bool patient, const atomic_bool *stop);
/* Nobody listens to what follows, or nothing does. */
void clips_pause(struct clips *c);

/* --- worker thread: the same */

void clips_window(struct clips *c, const struct window_info *info); /* before it is recognised */
void clips_scores(struct clips *c, const struct window_info *info,
                  const float *scores); /* after; scores: may be NULL */
/* Fills e->clip where the event ends and has a file. */
void clips_event(struct clips *c, struct event *e);

/* --- any thread */
void clips_figures(struct clips *c, struct clip_figures *out);

#endif
