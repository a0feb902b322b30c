/* What becomes of the level meter's finished periods in the running daemon: the short ones are published with health, the long ones
 * kept. Knows the calibration of the input that is open. The main thread. */
#ifndef EARSHOT_RUN_LEVELS_H
#define EARSHOT_RUN_LEVELS_H

#include "daemon/pipeline.h"
#include "daemon/store/store.h"

struct run_levels {
    const char *state_dir; /* borrowed; "": none */
    struct sound_report report;
    char device[CONFIG_TEXT]; /* that the calibration is of */
    struct calibration_seen seen;
    bool looked;
};

void run_levels_init(struct run_levels *l, const char *state_dir);

/* The configuration was read anew: [level] sensitivity may be another one. */
void run_levels_recheck(struct run_levels *l);

/* Twice a second, and until it gives false when the pipeline has stopped: takes what is finished, up to one period that is to be
 * published; health has that then. true: there was one. `config` may change between two calls (reload). store: where the long
 * ones are kept; NULL: nowhere. */
bool run_levels_tick(struct run_levels *l, struct pipeline *p, const struct config *config, struct store *store);

#endif
