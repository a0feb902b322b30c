/* The struct that goes from the analysis stages (level, gate, resample, segment) to recognition (features, model,
 * decision): one window of audio at the model's rate, or the word that a gate opening has ended. */
#ifndef EARSHOT_WINDOW_H
#define EARSHOT_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

/* Everything about a window but its samples. Positions count frames of the input device since the stream began and
 * include frames that were lost; times are UTC nanoseconds since 1970. */
struct window_info {
    uint32_t stream;        /* rises where the input was opened anew and positions begin again; 0 in a file */
    uint64_t sound;         /* number of the gate opening, 1, 2, ...; every opening ends with exactly one `last` */
    uint32_t index;         /* 0, 1, ... within the opening, one every hop */
    bool last;              /* the gate closed: nothing more of this sound follows */
    bool empty;             /* no samples, only the word `last` (the gate closed after the previous window was cut) */
    bool dropped;           /* with last: the opening was under min_duration; it had no window */
    uint32_t valid;         /* samples of this window that are sound; the rest are padding zeros */
    uint64_t position;      /* device frame of the window's first sample */
    uint64_t open_position; /* device frame at which the gate opened (start of the 10 ms block, pre-roll not counted) */
    uint64_t end_position;  /* device frame after the window's last valid sample */
    uint32_t device_rate;   /* Hz */
    int64_t start_ns;       /* UTC of position */
    int64_t onset_ns;       /* UTC of the onset inside this window: the opening in the first one; in later ones the
                            * 10 ms block with the clearest rise above what came before, else the window's start */
    int64_t end_ns;         /* UTC of end_position */
    float peak_dbfs;        /* highest sample in the window (padding not counted), dBFS, -inf floor is -120 */
    float rms_dbfs;         /* over the valid samples, after the gate's high-pass */
    uint32_t lost_frames;   /* device frames lost inside this window or since the previous one */
};

struct window {
    struct window_info info;
    float samples[]; /* `window_samples` of them at the model's rate, -1..1, mono */
};

#endif
