/* One process that looks through one file, from the daemon's side. The thread of the uploads alone. */
#ifndef EARSHOT_UPLOAD_PROCESS_H
#define EARSHOT_UPLOAD_PROCESS_H

#include "daemon/outputs/child.h"
#include "daemon/upload/upload.h"

struct upload_settings {
    char state_dir[PATH_MAX]; /* "": none */
    char *text;               /* a configuration file */
    unsigned sound_s;         /* the most that a file may hold */
};

struct upload_process {
    struct child child;  /* pid 0: not started */
    int out, complaints; /* pipes from it, -1: closed */
    char *json;
    size_t size, room;
    bool overflow;
    char line[UPLOAD_TEXT]; /* the last that it said on standard error */
    size_t line_used;
    bool line_ended;
};

void upload_process_init(struct upload_process *p);

/* -1 with err: it does not run. */
int upload_process_start(struct upload_process *p, const struct upload_job *job, const struct upload_settings *settings,
                         struct err *err);

/* What there is to read of its answer, of its complaints; what has ended is closed. */
void upload_process_read(struct upload_process *p);
void upload_process_hear(struct upload_process *p);

/* Once both are closed: reaps it, and says what became of it. */
void upload_process_answer(struct upload_process *p, struct upload_answer *out);

/* Kills what is left of it and frees. A process that was never started is fine. */
void upload_process_end(struct upload_process *p);

#endif
