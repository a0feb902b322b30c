/* Audio files through libsndfile: WAV, FLAC, Ogg Vorbis/Opus, MP3, AIFF ... Read in blocks as mono float, whatever the file's
 * rate and channels. What libsndfile cannot read is the caller's (classify hands it to ffmpeg). */
#ifndef EARSHOT_AUDIOFILE_H
#define EARSHOT_AUDIOFILE_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct audiofile;

/* Error texts name the path and what was found. A file with no frames is an error; NaN samples are not (analysis_do takes them). */
struct audiofile *audiofile_open(const char *path, struct err *err);
/* A file that is open already, and is audiofile's from now on, also where this fails. path: what it is called in error texts. *broken,
 * which may be NULL: where it fails, whether it is sound all the same, of which nothing can be read. */
struct audiofile *audiofile_open_fd(int fd, const char *path, bool *broken, struct err *err);
void audiofile_close(struct audiofile *f);
unsigned audiofile_rate(const struct audiofile *f); /* Hz */
unsigned audiofile_channels(const struct audiofile *f);
uint64_t
audiofile_frames(const struct audiofile *f); /* as the header says; 0 if unknown. Never trusted for allocation */

/* channel: -1 the mean of all, 0.. one of them. Returns the frames read, 0 at the end, -1 with err on a broken file (frames before
 * the break were given). */
long audiofile_read_mono(struct audiofile *f, int channel, float *out, size_t frames, struct err *err);
long audiofile_read(struct audiofile *f, float *interleaved, size_t frames, struct err *err);

#endif
