/* One clip on its way to the disk: 16-bit mono through libsndfile under a temporary name, and whole or not at all under its own. */
#ifndef EARSHOT_CLIP_FILE_H
#define EARSHOT_CLIP_FILE_H

#include "base/err.h"
#include "event/event.h"

enum clip_format { CLIP_FLAC, CLIP_WAV };

const char *clip_format_extension(int format); /* "flac", "wav" */

struct clip_file;

/* Begins dir/.NAME.part, readable by owner and group alone, and locks it: while it is written, no other process takes it for a
 * leftover. title, comment: go into the file. Errors begin with the path and say what the system said. */
struct clip_file *clip_file_create(const char *dir, const char *name, int format, unsigned rate, const char *title,
                                   const char *comment, struct err *err);

/* After an error only abandon follows. */
int clip_file_write(struct clip_file *f, const int16_t *x, size_t n, struct err *err);

uint64_t clip_file_frames(const struct clip_file *f);
uint64_t clip_file_bytes(const struct clip_file *f); /* written so far */

/* Completes the header; then the size is final. Part of finish, which does it if nobody did before. */
int clip_file_complete(struct clip_file *f, struct err *err);

/* Both free the file. finish: gives it `name` once it is on the disk, fsync of file and folder; on failure nothing is left. */
int clip_file_finish(struct clip_file *f, const char *name, struct err *err);
void clip_file_abandon(struct clip_file *f); /* removes it; NULL is fine */

/* Makes the embeddings of a sound, [windows][size], a clip of their own: dir/NAME, the same way. */
int clip_file_embeddings(const char *dir, const char *name, const float *x, size_t windows, size_t size,
                         struct err *err);

#endif
