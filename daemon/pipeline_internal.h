/* The pipeline's inside, shared by pipeline.c (made, asked and stopped by others) and pipeline_analysis.c and pipeline_worker.c (its two
 * threads). */
#ifndef EARSHOT_PIPELINE_INTERNAL_H
#define EARSHOT_PIPELINE_INTERNAL_H

#include "audio/downmix.h"
#include "audio/miccheck.h"
#include "audio/tonecheck.h"
#include "base/clock.h"
#include "base/ring.h"
#include "base/timebase.h"
#include "daemon/capture.h"
#include "daemon/pipeline.h"
#include "daemon/sound_meter.h"
#include "model/recogniser.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#define WINDOW_QUEUE 16 /* 8 s of windows at the default hop; each slot is touched in turn, and memory is counted */

struct request {
    pthread_mutex_t lock;
    bool gate_new, listening_new; /* for the analysis thread */
    struct gate_params gate;
    bool listening;
    struct recogniser *recogniser; /* for the worker: takes over between two windows */
    struct decision *rules;        /* for the worker, which takes its policies over */
    struct {                       /* windows of another shape: see pipeline_switch.c */
        struct ring *windows;      /* NULL: no switch is under way */
        struct recogniser *recogniser;
        unsigned rate;
        double window_s;
        bool analysed; /* the analysis thread fills the new ring */
    } swap;
};

/* Labels are handed out by pointer: all that there ever were are kept. */
struct label_set {
    struct label_set *older;
    size_t n, n_taught; /* the latter: at the end */
    float *thresholds;  /* the model's own */
    double window_s;
    char *labels[];
};

struct pipeline {
    struct config config; /* input, gate, model; rules are not kept */
    bool fast;
    bool patient; /* the input can be held back: an unpaced file, stdin */
    struct capture *capture;
    struct ring *blocks,
        *windows; /* blocks: the capture's own; windows: filled by the analysis, read by others under figures_lock */
    struct ring *hearing;          /* the worker's: `windows`, or the one before it until that is empty */
    struct recogniser *recogniser; /* worker thread only, once started */
    unsigned model_rate; /* Hz and seconds of the windows; the analysis thread changes them under request.lock */
    double window_s;
    struct output *const *outputs;
    size_t n_outputs;
    struct clips *clips; /* NULL: nothing is kept */
    struct live_tap *live;
    pthread_t analysis_thread, worker_thread;
    bool started;
    int wake_worker, end_fd;
    int64_t began_ns;
    struct request request;
    struct gate_params gate_wanted; /* what was last asked for; under request.lock */

    /* analysis thread's own */
    struct analysis *analysis;
    struct tonecheck tone; /* of a calibrator, while somebody watches */
    bool tone_on;
    struct sound_meter *meter; /* NULL: switched off. Rows are taken by another thread */
    struct timebase *timebase;
    int channel; /* of the device's: DOWNMIX_MIX, 0.. */
    float gain;
    uint32_t epoch, rate;
    uint64_t next_frame;
    int64_t wall_checked;
    int64_t captured_ns;     /* when what was last analysed had been captured, to its last frame */
    struct window_info owed; /* a sound's end that did not fit the full queue */
    bool owes_end;
    uint64_t queued;  /* windows handed to the worker */
    uint64_t hung_at; /* windows_done at which the worker was given up, until it goes on */
    uint64_t unheard; /* frames lost to the full queue or in the device, that the next window is to tell of */
    struct analysis_levels past; /* counters of the streams before this one */
    struct miccheck miccheck;
    bool mic_bad;
    uint64_t mic_blocks;
    bool open;   /* the gate, after the last block */
    bool paused; /* the clips were told that nothing follows for now */
    float mono[BLOCK_SAMPLES];

    /* shared, written by one thread each, relaxed: figures, not synchronisation (but for ended, and windows_done, which
     * carries busy: see their stores) */
    atomic_bool stop, listening, busy, ended;
    atomic_int_fast64_t tone_until; /* CLOCK_MONOTONIC, ns: that long pipeline_watch_tone lasts */
    atomic_uint_fast64_t consumed, lost, windows_done, windows_dropped, events;
    uint64_t seen_consumed, seen_capture, seen_windows; /* pipeline_progress's */

    pthread_mutex_t figures_lock; /* analysis tries it, readers wait for it: the reader never delays the writer */
    struct analysis_levels levels;
    struct tone_state tone_state;
    struct sound_report sound; /* now: the analysis thread's; the rest as pipeline_tell_sound had it */
    char threshold_text[32], mic_problem[128];
    char model_name[64];
    struct stat
        model_file; /* of the model last loaded, before it was read; pipeline_new's and pipeline_reload's caller */
    _Atomic(struct ring *) tape;        /* pipeline_tape.c; NULL: nobody ever recorded */
    atomic_int_fast64_t tape_until;     /* CLOCK_MONOTONIC, ns */
    _Atomic(struct label_set *) labels; /* of the newest model; release and acquire */
    void (*on_labels)(void *ctx, const char *const *labels, size_t n);
    void *on_labels_ctx;
};

void eventfd_wake(int fd);

/* pipeline_switch.c */
int pipeline_add_labels(struct pipeline *p, const struct model_info *m);
void pipeline_free_labels(struct label_set *newest);
struct ring *pipeline_make_windows(unsigned rate, double window_s);
/* Puts r in place of the running recogniser, whose windows have another shape, and waits until it has taken over. */
int pipeline_swap(struct pipeline *p, struct recogniser *r, struct err *err);

/* The analysis thread, of each block: the level meter measures what the gate sees, before any filter; a gap is none of it. mono NULL:
 * nobody listens. */
void pipeline_measure(struct pipeline *p, const struct audio_block *b, const float *mono, uint64_t gap);
/* ... and whoever records it. */
void pipeline_put_tape(struct pipeline *p, const struct audio_block *b);
/* ... and a calibrator's tone, while somebody watches. */
void pipeline_check_tone(struct pipeline *p, size_t frames, uint64_t gap);

/* ... and, after the analysis had it, whoever watches live is shown it. */
void pipeline_show(struct pipeline *p, const struct audio_block *b);

void *analysis_main(void *pipeline);
void *worker_main(void *pipeline);

/* Puts a recogniser in: before the threads run, or from the worker. */
void pipeline_set_recogniser(struct pipeline *p, struct recogniser *r);

/* The model of the configuration, with the rules of the decisions. file: the model's, as it was before it was read. */
struct recogniser *pipeline_load_model(const struct config *config, struct stat *file, struct err *err);
/* A recogniser for the configuration that can take over from the running one, which has set how far windows lie apart. */
struct recogniser *pipeline_successor(struct pipeline *p, const struct config *config, struct stat *file,
                                      struct err *err);
/* Has the model's file been replaced or written to since it was loaded? One that is gone goes on being used. */
bool pipeline_model_replaced(const struct pipeline *p, const struct config *config);

#endif
