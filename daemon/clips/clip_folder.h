/* The folder of clips: made, looked through, kept within its quota, and cleared of what a killed process left. Files whose names
 * are none of ours, folders and links are never touched, and do not count. */
#ifndef EARSHOT_CLIP_FOLDER_H
#define EARSHOT_CLIP_FOLDER_H

#include "base/config.h"
#include "daemon/clips/clip_quota.h"

/* [clips] dir, else state_dir/clips. -1: there is neither; err says so. */
int clip_folder_path(const struct config *config, const char *state_dir, char *out, size_t size, struct err *err);

/* Makes it where it is missing (for owner and group alone). -1: it is not there, no folder, or cannot be written. */
int clip_folder_make(const char *dir, struct err *err);

void clip_quota_from(const struct config *config, struct clip_quota *out);

/* All clips, sorted by name, the caller's to free. NULL with err where the folder cannot be read; *n may be 0. */
struct clip_entry *clip_folder_list(const char *dir, size_t *n, struct err *err);

/* Deletes what the quota does not let stay beside `coming` (may be NULL). Returns how many, -1 with err. */
long clip_folder_keep(const char *dir, const struct clip_quota *q, const struct clip_entry *coming, int64_t now_ms,
                      struct err *err);

/* Begun and never finished files, left by a killed process: those of `record = all` become files with what they hold, the others
 * are removed. One that another process is writing stays. Returns how many were repaired; *removed: how many removed. */
long clip_folder_recover(const char *dir, long *removed);

#endif
