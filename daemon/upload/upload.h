/* Sounds that somebody sent, looked through by a process that may fail alone: earshot itself with the sub-command classify-upload, which
 * gives up all its rights (daemon/upload/sandbox.h) before it looks at the first byte. The file is its standard input, the answer its
 * standard output, its exit status what became of it. */
#ifndef EARSHOT_UPLOAD_H
#define EARSHOT_UPLOAD_H

#include "base/config.h"
#include "base/err.h"
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum {
    UPLOAD_AT_ONCE = 2,     /* processes */
    UPLOAD_WAITING = 6,     /* more wait for one of them ... */
    UPLOAD_WAIT_S = 60,     /* ... for so long */
    UPLOAD_CPU_S = 240,     /* of processor time for one */
    UPLOAD_WALL_S = 420,    /* and on the clock */
    UPLOAD_MEMORY_MIB = 64, /* beyond program and model */
    UPLOAD_SOUND_S = 14400, /* of sound that one file may hold */
    UPLOAD_ANSWER_MIB = 8,  /* of JSON */
    UPLOAD_NAME = 256,      /* of a file's name with its NUL */
    UPLOAD_TEXT = 512
};
#define UPLOAD_BYTES (50u << 20) /* of a file */

/* What became of it; the first ones are exit statuses of the process. */
enum upload_result {
    UPLOAD_GOOD = 0,
    UPLOAD_FAILED = 1,    /* not the file's fault */
    UPLOAD_NOT_AUDIO = 3, /* nothing that can be read */
    UPLOAD_BROKEN,        /* sound that breaks off, or that the decoder broke on */
    UPLOAD_TOO_LONG,      /* more sound, or more work, than is allowed */
    UPLOAD_BUSY,          /* too many at once */
    UPLOAD_GONE,          /* nobody waits for the answer any more */
    UPLOAD_STOPPED        /* the daemon ends */
};

struct upload_answer {
    enum upload_result result;
    char *
        json; /* UPLOAD_GOOD: one line, json_size bytes and a NUL; whoever is told may take it (set it to NULL), else it is freed */
    size_t json_size;
    char text[UPLOAD_TEXT]; /* else: why, for people */
};

/* Called once for each job, on the thread of the uploads. */
typedef void upload_done(void *ctx, struct upload_answer *answer);

struct upload_job {
    int file;   /* open for reading, from its start; taken over */
    int client; /* a socket: when its other side closes it, the work is given up; -1: none. Borrowed until done */
    char name[UPLOAD_NAME]; /* what the answer calls it, any bytes; "": null */
    char model[PATH_MAX];   /* file, as model_find gives it; "": of the configuration */
    upload_done *done;
    void *ctx;
};

/* Of the models that lie in the folders, by name: a path from the network is none of our business. */
bool upload_find_model(const char *name, char path[PATH_MAX]);

struct uploads;

/* state_dir: "" where there is none. The thread starts with the first job. */
struct uploads *uploads_new(const struct config *config, const char *state_dir, struct err *err);

/* From now on things are heard by these settings: gate, model, decision and classes of them matter. -1: no memory. Any thread. */
int uploads_configure(struct uploads *u, const struct config *config, struct err *err);

/* Before the first job: how much sound one file may hold at most, in place of UPLOAD_SOUND_S. */
void uploads_limit(struct uploads *u, unsigned sound_s);

/* false: too many wait already; then the file was closed, and done is not called. Any thread. */
bool uploads_put(struct uploads *u, const struct upload_job *job);

/* Ends what runs and what waits (UPLOAD_STOPPED) and the thread. uploads_put gives false from now on. */
void uploads_stop(struct uploads *u);
void uploads_free(struct uploads *u);

#endif
