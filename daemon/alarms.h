/* The sounds that started lately, test events too, kept so that somebody can acknowledge them: "I have seen it". An output of its own,
 * told of every event like the others; it tells nobody. */
#ifndef EARSHOT_ALARMS_H
#define EARSHOT_ALARMS_H

#include "daemon/outputs/output.h"

/* The newest starts; alarms that nobody acknowledged outlive others. */
#define ALARMS_KEPT 64

/* NULL: no memory. Freed by its stop. */
struct output *output_alarms_new(void);

/* Acknowledges "all" that is kept, all of a label, or the one of that event_id. Returns what viewers are told, a malloc'ed JSON object
 * of one line, the caller's: {"time", "value", "events": [{"event_id", "label", "start"}, ...]}, the events that are acknowledged by
 * now, newest first. NULL with err: no such sound started lately. Any thread but the worker. */
char *alarms_acknowledge(struct output *alarms, const char *what, struct err *err);

struct alarm {
    char event_id[UUID_SIZE], label[LABEL_SIZE];
    int64_t start_ns;
    float score; /* highest so far */
    bool alarm;  /* of those that call for action, as output->labels told */
    bool ended, acknowledged, test;
};

/* All that is kept, newest first; out: ALARMS_KEPT of them. Returns how many. Any thread but the worker. */
size_t alarms_list(struct output *alarms, struct alarm out[ALARMS_KEPT]);

/* For alarms_file: one that was kept from before, as the newest; and a number that grows with each change of what is to be kept (an alarm
 * begins or is acknowledged), which is remembered once it is on the disk. */
void alarms_put(struct output *alarms, const struct alarm *one);
uint64_t alarms_changes(struct output *alarms);
void alarms_written(struct output *alarms, uint64_t changes);
bool alarms_is_written(struct output *alarms, uint64_t changes);

#endif
