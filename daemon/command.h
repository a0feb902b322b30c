/* A command to the running daemon and what became of it: the types that those who ask and those who answer share. */
#ifndef EARSHOT_COMMAND_H
#define EARSHOT_COMMAND_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>

#define COMMAND_NAME    32  /* with its NUL */
#define COMMAND_VALUE   192 /* with its NUL */
#define COMMAND_PAYLOAD 512 /* bytes: more is refused unread */

enum command_origin { COMMAND_MQTT, COMMAND_CONTROL, COMMAND_WEB };

/* What a payload says: the value as it stands there, or a JSON object {"value": ..., "persist": true}. */
struct command_payload {
    char value[COMMAND_VALUE]; /* numbers and true/false of JSON as text */
    bool persist;              /* keep it over a restart */
    bool reset;                /* "value": null: back to what the configuration says, and keep nothing */
};

/* Any bytes may come. -1 with err: too long, not UTF-8, control characters, empty, or JSON that is not as above. */
int command_payload_read(const void *payload, size_t size, struct command_payload *out, struct err *err);

struct command_result {
    char name[COMMAND_NAME];
    enum command_origin origin;
    unsigned ticket; /* as commands_put gave it */
    bool ok, persist;
    char value[COMMAND_VALUE]; /* in force now; "" where the name stands for no setting */
    char error[ERR_TEXT];      /* "" where ok */
};

/* {"ok", "value", "error", "persist"} as one line, malloc'ed; value and error are null where they are "". NULL: no memory. */
char *command_result_json(const struct command_result *r);

#endif
