/* The recorder's inside: clip_recorder.c (stream and judge), clip_notes.c (what was heard) and clip_one.c (a clip from its start to its end). */
#ifndef EARSHOT_CLIP_RECORDER_PRIVATE_H
#define EARSHOT_CLIP_RECORDER_PRIVATE_H

#include "daemon/clips/clip_buffer.h"
#include "daemon/clips/clip_file.h"
#include "daemon/clips/clip_folder.h"
#include "daemon/clips/clip_recorder.h"

#define CLIPS_AT_ONCE 12
#define SPANS         128
#define RECENT        64 /* embeddings */

struct clip {
    bool used;
    bool all;                                     /* of record = all: speech is silenced in it */
    bool maybe;                                   /* nobody has asked for it yet */
    bool ended;                                   /* `end` is final */
    bool speech;                                  /* somebody talked: nothing is written any more */
    bool failed;                                  /* could not be written */
    uint64_t serial, from, onset, end, cap, next; /* positions; next: of the first sample that is not in the file yet */
    int64_t start_ns;
    char label[LABEL_SIZE], event_id[UUID_SIZE], name[CLIP_SIZE];
    struct clip_file *file;
    float *embeddings; /* of its windows so far */
    size_t n_embeddings, room;
};

struct span {
    uint64_t from, to;
};

struct clip_recorder {
    struct config config; /* [clips] and input.rate; rules are not kept */
    struct clip_quota quota;
    char dir[4096];
    double window_s;
    struct clip_judge *judge;
    clip_fate_fn *fate;
    void *ctx;

    uint32_t stream, rate; /* 0: no block yet */
    struct clip_buffer buffer;
    uint64_t utc_position; /* that position was at that time */
    int64_t utc_ns;
    uint64_t retry; /* position before which `all` is not tried again */

    bool judging;
    uint64_t settled, margin; /* samples before settled - margin are known to be free of speech, or not to be */
    struct span spans[SPANS]; /* where somebody talked, the newest last */
    unsigned n_spans;
    struct recent {
        uint64_t from, to;
        float *x;
    } recent[RECENT]; /* the last windows' embeddings, a ring */
    unsigned n_recent;

    struct clip clips[CLIPS_AT_ONCE];
    struct clip_figures figures;
    bool recovered, complained;
    int64_t kept_ms;        /* when the folder was last looked through */
    int64_t ahead_ms;       /* UTC less CLOCK_BOOTTIME, as last seen */
    int64_t clock_bad_till; /* ms, CLOCK_BOOTTIME: until then the wall clock does not decide what is too old */
};

/* --- clip_one.c */

/* A clip begins; false: there are too many (said and counted). */
struct clip *clip_begin(struct clip_recorder *r, const struct clip_note *n);
/* Writes what may be written, and finishes the clip where it is complete: false, it is none any more. */
bool clip_advance(struct clip_recorder *r, struct clip *c);
/* No more samples of this stream: it ends with what there is. */
void clip_cut(struct clip_recorder *r, struct clip *c);
void clip_forget(struct clip *c); /* with its file */
void clip_embedding(struct clip *c, const float *x, size_t size);

/* --- clip_recorder.c */
void recorder_advance(struct clip_recorder *r); /* all clips */
void recorder_judge(struct clip_recorder *r);   /* from the oldest sample on, where it is not done yet */
void recorder_add_speech(struct clip_recorder *r, uint64_t from, uint64_t to);
bool recorder_speech(const struct clip_recorder *r, uint64_t from, uint64_t to, struct span *first);
struct clip_quota recorder_quota(struct clip_recorder *r); /* as it is now: without an age where the clock was set */
int64_t recorder_utc(const struct clip_recorder *r, uint64_t position);
void recorder_complain(struct clip_recorder *r, const struct err *err);

#endif
