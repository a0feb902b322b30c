/* A recorded sound as a stream of mono samples, whoever can read it: libsndfile, else ffmpeg. */
#ifndef EARSHOT_SOUND_H
#define EARSHOT_SOUND_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>

struct sound;

/* Error texts begin with the path. Any thread. */
struct sound *sound_open(const char *path, struct err *err);
/* Of what libsndfile reads alone, from a file that is open: the sound's from now on, also where this fails. name: for error texts; it
 * must outlive the sound. *broken: as audiofile_open_fd says. */
struct sound *sound_open_fd(int fd, const char *name, bool *broken, struct err *err);
void sound_close(struct sound *s);
unsigned sound_rate(const struct sound *s); /* Hz */

/* The mean of all channels. Returns the frames read, 0 at the end, -1 with err on a broken file (frames before the break were
 * given). */
long sound_read(struct sound *s, float *out, size_t frames, struct err *err);

#endif
