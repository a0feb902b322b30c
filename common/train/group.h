/* Which clips are of one recording: what a column or a pattern says, Freesound's number in the file's name, or the very same sound. */
#ifndef EARSHOT_GROUP_H
#define EARSHOT_GROUP_H

#include <stddef.h>
#include <stdint.h>

/* Freesound's number in a file's name as ESC-50 and Kitchen20 (1-100032-A-0.wav: the second field) and UrbanSound8K
 * (100032-3-0-0.wav: the first) have it. path: folders before the name do not matter. Returns where it begins, *length its digits; NULL: no
 * such name. */
const char *group_freesound(const char *path, size_t *length);

/* Puts clips with equal keys, or equal content, into one group, and all that hang together so. key: [n], NULL: none; content: [n],
 * 0: not known. group: [n], numbered from 0 in the order of the clips. Returns how many groups, -1: no memory. */
long group_clips(const char *const *key, const uint64_t *content, size_t n, size_t *group);

#endif
