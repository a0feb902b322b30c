/* The inside of clips: clips.c (threads and samples) and clips_worker.c (what the worker hands over). */
#ifndef EARSHOT_CLIPS_PRIVATE_H
#define EARSHOT_CLIPS_PRIVATE_H

#include "base/ring.h"
#include "daemon/clips/clip_recorder.h"
#include "daemon/clips/clips.h"
#include "daemon/outputs/output_thread.h"

#include <pthread.h>
#include <semaphore.h>

#define CLIPS_BLOCKS 256 /* 5 s at 48 kHz: what a memory card may stand still for */
#define CLIPS_NOTES  128
#define CLIPS_OPEN   8
#define CLIPS_FATES  32 /* more than clips can be open at a time */

/* A clip whose event has not ended. */
struct clips_open {
    uint64_t serial; /* 0: none */
    bool maybe;
    uint64_t until; /* device frame behind the longest file that it can have */
    char event_id[UUID_SIZE], name[CLIP_SIZE];
};

struct clips {
    struct config config; /* [clips]; rules are not kept */
    const char *const *labels;
    size_t n_labels;
    bool *wanted, *private; /* [n_labels] */
    struct ring *blocks, *notes;
    sem_t filled;
    struct output_thread thread;
    struct clip_recorder *recorder; /* the thread's */

    /* analysis thread's own */
    struct clip_block *place; /* being filled, not handed over yet */
    uint64_t skipped;         /* frames without room since the last block */
    struct clips_audio last;  /* what was handed last, up to its end; rate 0: nothing */

    /* worker thread's own */
    struct clips_open open[CLIPS_OPEN];
    uint64_t serial;
    uint32_t stream;

    /* Of the clip with serial s: at s modulo CLIPS_FATES stands s * 2 + fate once it will not be kept. Each stands for itself:
     * relaxed. */
    atomic_uint_fast64_t fates[CLIPS_FATES];
    atomic_uint_fast64_t lost, notes_lost; /* without room; figures, relaxed */
    atomic_bool stopping;                  /* followed by a sem_post, which orders it */

    pthread_mutex_t figures_lock; /* of those who are told; neither the analysis nor the worker takes it */
    struct clip_figures figures;
};

#endif
