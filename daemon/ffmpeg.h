/* Audio that libsndfile cannot read (m4a, webm, 3gp: what phones record), decoded by the ffmpeg program where it is installed. The
 * file may be anybody's: ffmpeg runs as a child that may open local files of known formats only, write none, and has
 * limits on CPU time, memory, silence on the pipe and the length of the sound. */
#ifndef EARSHOT_FFMPEG_H
#define EARSHOT_FFMPEG_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>

enum {
    FFMPEG_CPU_S = 600,        /* of the child */
    FFMPEG_STALL_S = 20,       /* without a byte from it */
    FFMPEG_MEMORY_MIB = 2048,  /* of its address space */
    FFMPEG_SOUND_S = 24 * 3600 /* of audio that one file may hold */
};

struct ffmpeg;

/* Starts the child and reads up to the first samples, so that what is no audio fails here. *absent: there is no ffmpeg to be
 * run (err says so). Error texts do not name the path. Any thread. */
struct ffmpeg *ffmpeg_open(const char *path, bool *absent, struct err *err);
/* Ends the child. NULL is fine. */
void ffmpeg_close(struct ffmpeg *f);
unsigned ffmpeg_rate(const struct ffmpeg *f); /* Hz, the file's own */

/* The mean of all channels. Returns the frames read, 0 at the end, -1 with err where it broke or hit a limit. */
long ffmpeg_read_mono(struct ffmpeg *f, float *out, size_t frames, struct err *err);

#endif
