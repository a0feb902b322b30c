/* Names of clips: UTC time first, so that they sort, then the label and the end of the event's id,
 * 20261121T120003.120Z_smoke_alarm_3f9a1c2b.flac. While one is written it is called .NAME.part. */
#ifndef EARSHOT_CLIP_NAME_H
#define EARSHOT_CLIP_NAME_H

#include "event/event.h"

#define CLIP_ID_SIZE   9 /* eight hexadecimal digits and NUL */
#define CLIP_PART_SIZE (CLIP_SIZE + 6)

struct clip_name {
    int64_t utc_ms;
    char label[LABEL_SIZE];
    char id[CLIP_ID_SIZE];
    char extension[5]; /* "flac", "wav", "npy" */
};

/* Years 0 to 9999; others are cut to them. */
void clip_name_write(const struct clip_name *n, char out[CLIP_SIZE]);
void clip_name_part(const char *name, char out[CLIP_PART_SIZE]);

/* False: not a clip's name, so not a file of ours. `part`: is it one that was being written? May be NULL: such a name is none then.
 */
bool clip_name_read(const char *file, struct clip_name *out, bool *part);

/* The last eight digits of an event_id: its random part. */
void clip_name_id(const char event_id[UUID_SIZE], char out[CLIP_ID_SIZE]);

#endif
