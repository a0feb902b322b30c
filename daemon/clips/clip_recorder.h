/* Makes clips of a stream of samples and of the word of what was heard in it. One thread; it writes files, so none that must not wait.
 *
 * Of each event that is asked for there is one file of its own, from `preroll` before its start to `postroll` after its end: two
 * classes at once are two files, each with its own place in the quota. Samples are held back until it is sure that nobody talks
 * in them: what is on the disk, be it under a temporary name, was judged. */
#ifndef EARSHOT_CLIP_RECORDER_H
#define EARSHOT_CLIP_RECORDER_H

#include "base/config.h"
#include "daemon/clips/clip_figures.h"
#include "daemon/clips/clip_judge.h"
#include "event/event.h"

#define CLIP_BLOCK 1024 /* samples */

/* Samples of the device, mono, as they were analysed. Positions are those of events: frames since the stream began, lost ones
 * counted. */
struct clip_block {
    uint64_t position;
    int64_t utc_ns;  /* of the first sample */
    uint32_t stream; /* rises when the input is opened anew and positions begin again */
    uint32_t rate;   /* Hz */
    uint32_t lost;   /* frames lost just before this block */
    uint16_t frames; /* at most CLIP_BLOCK; 0 with ends alone */
    bool ends;       /* nobody listens to what follows: what is under way ends with this block */
    int16_t samples[CLIP_BLOCK];
};

enum clip_note_type {
    NOTE_START, /* an event that is asked for: serial, from, to, start_ns, label, event_id, name */
    NOTE_MAYBE, /* a sound in which no class is sure yet: serial, from, to, start_ns; nothing is kept of it without an end */
    NOTE_HEARD,  /* serial, to: it was heard up to there */
    NOTE_END,    /* serial, to, and for a maybe its label, event_id and name */
    NOTE_SPEECH, /* from, to: somebody talked there */
    NOTE_CLOSE   /* the sound is over, and all in it: what had no end has none to come */
};

struct clip_note {
    enum clip_note_type type;
    uint32_t stream;
    uint64_t serial, from, to;
    int64_t start_ns;
    char label[LABEL_SIZE], event_id[UUID_SIZE], name[CLIP_SIZE];
};

enum clip_fate { CLIP_FAILED, CLIP_SPEECH };
typedef void clip_fate_fn(void *ctx, uint64_t serial, enum clip_fate fate);

struct clip_recorder;

/* config: [clips], copied in part; dir: where to. judge: owned from here on, NULL where nothing is private. fate (may be NULL): is
 * told of each clip that will not be kept. NULL: no memory. */
struct clip_recorder *clip_recorder_new(const struct config *config, const char *dir, double window_s,
                                        struct clip_judge *judge, clip_fate_fn *fate, void *ctx);
/* Finishes what is under way. */
void clip_recorder_free(struct clip_recorder *r);

void clip_recorder_block(struct clip_recorder *r, const struct clip_block *b);
/* In order. A note may come before the samples that it speaks of, up to a second and the model's window after them. Returns
 * false, and takes nothing, where it belongs to a stream of which no block came yet. */
bool clip_recorder_note(struct clip_recorder *r, const struct clip_note *n);
/* Now and then: recovers leftovers, the first time; and deletes what has become too old. */
void clip_recorder_tick(struct clip_recorder *r, int64_t utc_ms);
/* The input has ended. */
void clip_recorder_finish(struct clip_recorder *r);

const struct clip_figures *clip_recorder_figures(const struct clip_recorder *r);
/* Is a clip under way, other than of `all`? */
bool clip_recorder_active(const struct clip_recorder *r);

/* Seconds of sound that are held: enough for pre-roll and everything that a decision may take. */
double clip_recorder_held_s(const struct config *config, double window_s);

#endif
