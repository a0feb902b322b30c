/* Where sound comes from: a PortAudio device, a file, stdin. All three fill the same ring of blocks, which the analysis thread
 * empties. */
#ifndef EARSHOT_CAPTURE_H
#define EARSHOT_CAPTURE_H

#include "base/config.h"
#include "base/err.h"
#include "base/ring.h"
#include <stdint.h>

#define BLOCK_SAMPLES 1024

/* One ring element: interleaved samples with the place and time of the first frame. A gap in `frame` is audio that was lost. */
struct audio_block {
    uint64_t frame;  /* number of the first frame since this stream began (`epoch`), lost ones counted */
    int64_t mono_ns; /* CLOCK_MONOTONIC at which the first frame was captured */
    uint32_t epoch;  /* rises when the stream was opened anew: frames begin at 0 again, rate may differ */
    uint32_t rate;   /* Hz */
    uint16_t channels;
    uint16_t frames; /* frames * channels <= BLOCK_SAMPLES */
    uint32_t flags;  /* BLOCK_OVERFLOW: the device itself lost audio before this block; BLOCK_END: the input ended */
    float samples[BLOCK_SAMPLES];
};
enum { BLOCK_OVERFLOW = 1, BLOCK_END = 2 };

struct capture_state {
    char name[CONFIG_TEXT]; /* device or file as opened, "" before */
    char state[32];         /* as health's input_state */
    char reason[160];       /* why it is not "ok": "microphone unplugged: ..." */
    unsigned rate, channels;
    uint64_t overruns, lost_frames, recoveries;
    uint64_t progress; /* rises with every block captured and every step of a recovery: what the watchdog is fed by */
    bool live;         /* a device (not a file or stdin) */
};

struct capture;

/* Starts. A device that is absent is no error: it is tried again for ever (state says so). A file that cannot be read, stdin with a
 * bad rate: an error. `fast`: files are not paced. The ring is made by capture_new; capture_ring gives it. */
struct capture *capture_new(const struct config *config, bool fast, struct err *err);
struct ring *capture_ring(struct capture *c);
void capture_get_state(struct capture *c, struct capture_state *out); /* any thread */
/* Stops within 0.3 s even where PortAudio hangs (its thread is then left behind, detached). */
void capture_free(struct capture *c);

/* Is there any capture device at all? false also when PortAudio cannot tell within 3 s. */
bool capture_any_device(void);

#endif
