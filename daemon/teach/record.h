/* Takes from the microphone: of the running daemon, by its control socket ({"cmd":"record"}), else from one of our own. */
#ifndef EARSHOT_RECORD_H
#define EARSHOT_RECORD_H

#include "daemon/cmd.h"
#include "daemon/teach/school.h"

struct record_params {
    struct cmd_context *cx;
    const char *state_dir;
    const char *label; /* as the user called it */
    unsigned takes;
    double seconds; /* of each */
    bool wave, play;
};

/* Counts down, shows a meter, and adds each usable take to the school; one that is not is said and taken again, twice at most. -1: err:
 * there is no microphone. */
int record_takes(const struct record_params *p, struct school *s, struct err *err);

#endif
