/* The parts of `earshot doctor`: each looks at one thing that has to work, and says a line about it. */
#ifndef EARSHOT_DOCTOR_H
#define EARSHOT_DOCTOR_H

#include "daemon/cmd.h"

enum doctor_result { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL };

struct doctor {
    struct cmd_context *cx; /* its configuration: the one in force, or the defaults where that is broken */
    bool failed;            /* there was a DOCTOR_FAIL */
};

/* "ok   check: text", or "FAIL check: text; remedy". The remedy is NULL for what is good. */
void doctor_say(struct doctor *d, enum doctor_result result, const char *check, const char *remedy, const char *fmt,
                ...) __attribute__((format(printf, 5, 6)));

void doctor_sound(struct doctor *d);  /* device files and the rights to them, sound servers, the microphone */
void doctor_broker(struct doctor *d); /* connects as the daemon would, under another name; at most 5 s */
void doctor_model(struct doctor *d);
void doctor_state(struct doctor *d);
void doctor_clips(struct doctor *d);   /* where they are asked for: their folder */
void doctor_actions(struct doctor *d); /* programs and webhooks, where there are any: could they be run? */
void doctor_web(struct doctor *d);     /* the page: token, certificate, port */
void doctor_clock(struct doctor *d);

#endif
