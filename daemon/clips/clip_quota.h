/* What has to go so that a folder of clips keeps its bounds. Pure: decides, deletes nothing.
 *
 * First what is too old. Then, for each class that holds more than its share, its own oldest clips. Then, while all together are
 * too many or too large, the oldest clip of the class that holds the most: so no class can push out the rest, however often it
 * sounds. What is about to be stored counts, and is never what goes. */
#ifndef EARSHOT_CLIP_QUOTA_H
#define EARSHOT_CLIP_QUOTA_H

#include "event/event.h"

#define CLIP_ALL "all" /* label of files that hold everything: it has no share to keep to */

struct clip_quota {
    uint64_t bytes, files;
    int64_t age_ms;     /* 0: any */
    double class_share; /* of bytes and of files that one class may hold, above 0 to 1 */
};

struct clip_entry {
    char name[CLIP_SIZE];
    char label[LABEL_SIZE];
    int64_t utc_ms;
    uint64_t bytes;
    bool gone;
};

/* e: sorted by name, oldest first; sets `gone`. coming: the clip to make room for, or NULL. Returns how many go, or -1: no memory.
 */
long clip_quota_apply(const struct clip_quota *q, struct clip_entry *e, size_t n, const struct clip_entry *coming,
                      int64_t now_ms);

#endif
