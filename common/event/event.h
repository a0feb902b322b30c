/* A sound event: what was heard, once, told to every output. It knows nothing of JSON, MQTT or SQL.
 *
 * Fixed size and without pointers, so that queues copy it without allocating. */
#ifndef EARSHOT_EVENT_H
#define EARSHOT_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LABEL_SIZE      48 /* a slug, [a-z0-9_]+, and its NUL */
#define UUID_SIZE       37 /* 36 characters and NUL */
#define EVENT_TOP       5
#define EVENT_EMBEDDING 256
#define CLIP_SIZE       96 /* a clip's file name and its NUL */

enum event_type { EVENT_START, EVENT_UPDATE, EVENT_END };

struct label_score {
    char label[LABEL_SIZE];
    float score; /* 0..1 */
};

struct event {
    enum event_type type;
    char id[UUID_SIZE];       /* UUIDv7, this message's own; repeats of one message carry the same */
    char event_id[UUID_SIZE]; /* the same in start, update and end of one class in one sound */
    char sound_id[UUID_SIZE]; /* the same in all events of one gate opening */
    char label[LABEL_SIZE];
    float score;                       /* highest (start, update: so far) of the class in this event, 0..1 */
    struct label_score top[EVENT_TOP]; /* best first, scores of the deciding window */
    unsigned n_top;
    char source[64]; /* input: device name, file name, "stdin" */
    char model[64];
    int64_t start_ns;                      /* UTC ns: onset */
    int64_t end_ns;                        /* UTC ns: end (end), else up to where it was heard so far */
    uint64_t start_position, end_position; /* the same, in device frames since the stream began */
    uint32_t device_rate;                  /* Hz, of the positions */
    float peak_dbfs, rms_dbfs;             /* over the windows in which the class was on */
    uint32_t segments;                     /* windows in which the class was on */
    uint64_t lost_frames;                  /* device frames lost within the event */
    bool notify; /* false: held back by cooldown, active hours or as `unknown`: history and log only */
    bool late;   /* told more than late_after after it began; set by the output at sending */
    bool test;   /* made by `earshot test`, not heard */
    /* What the model's last layer but one said of the deciding window: IEEE 754 half precision. For history alone, so that the model
     * can be taught from it without the sound itself. 0: the model has no such output, or it is larger than that. */
    unsigned n_embedding;
    uint16_t embedding[EVENT_EMBEDDING];
    /* name of the sound's own file in the folder of clips; "": none. Known at the end: a start and an update have none */
    char clip[CLIP_SIZE];
};

const char *event_type_name(enum event_type type); /* "start", "update", "end" */

/* Fresh UUIDv7 (RFC 9562), time from `utc_ns`, random part from getrandom; within one process later calls of the same
 * millisecond sort later. Any thread. */
void uuid7(char out[UUID_SIZE], int64_t utc_ns);

/* RFC 3339 UTC with milliseconds, "2026-11-21T09:25:00.123Z" */
#define RFC3339_SIZE 32
void rfc3339_utc(char out[RFC3339_SIZE], int64_t utc_ns);

/* The event payload of the MQTT contract (schema 1): one JSON object on one line. Writes at most `size` bytes with NUL and
 * returns its length, or -1 if it did not fit. 2048 bytes are always enough. Allocates through Jansson: for output threads.
 *
 * `end` and `duration_s` are null in a start, up to where the sound was heard so far in an update, final in an end. A level that is
 * not finite is null; bytes of a name that are not UTF-8 become U+FFFD. */
int event_json(const struct event *event, char *out, size_t size);

/* The event of a payload that event_json wrote (`size` bytes, no NUL needed): event_json writes the same again. What a payload does not
 * hold (positions, embedding, the fourth and fifth of top) is 0; notify is true. -1: it is none. Allocates. */
int event_parse(const char *payload, size_t size, struct event *out);

#endif
