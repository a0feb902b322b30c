/* What is remembered of the last 10 ms blocks: enough to say level, peak and onset of any stretch of the stream that windows
 * are cut from. */
#ifndef EARSHOT_BLOCKLOG_H
#define EARSHOT_BLOCKLOG_H

#include <stddef.h>
#include <stdint.h>

struct blocklog_entry {
    uint64_t position; /* first sample */
    uint32_t frames;
    float power; /* mean square after the high-pass */
    float dbfs;  /* the same; for a block that was lost, the level before it */
    float peak;  /* linear */
};

struct blocklog {
    struct blocklog_entry *entries;
    size_t capacity;
    uint64_t n; /* ever added */
};

struct blocklog_figures {
    float rms_dbfs, peak_dbfs;
};

int blocklog_init(struct blocklog *b, size_t capacity); /* -1: no memory */
void blocklog_free(struct blocklog *b);
void blocklog_add(struct blocklog *b, const struct blocklog_entry *e);

/* Of samples [from, to): blocks that lie in it partly count for that part of their power, and for all of their peak. */
struct blocklog_figures blocklog_figures(const struct blocklog *b, uint64_t from, uint64_t to);

/* The block that begins in [from, to) and rises most above the mean level of the 80 ms before it, if by 6 dB or more; else
 * `from`. Levels under `floor_dbfs` count as that: what stirs below the noise is no onset. */
uint64_t blocklog_onset(const struct blocklog *b, uint64_t from, uint64_t to, float floor_dbfs);

#endif
