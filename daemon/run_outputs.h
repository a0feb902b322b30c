/* The running daemon's outputs: which there are, opened and closed together, and the health that all of them are told. */
#ifndef EARSHOT_RUN_OUTPUTS_H
#define EARSHOT_RUN_OUTPUTS_H

#include "daemon/outputs/output.h"
#include "daemon/pipeline.h"
#include "daemon/service.h"

#define MAX_OUTPUTS HEALTH_OUTPUTS

struct run_outputs {
    struct output *list[MAX_OUTPUTS];
    size_t n;
    struct store *store;   /* NULL: there is no state directory, and no webhook, whose outbox is then in memory */
    char input_state[32];  /* as last told to the outputs */
    uint64_t sound_number; /* of the levels as last told */
    uint64_t losses;       /* as last logged */
    unsigned loss_tick;    /* before which no further one is */
};

/* Where the store is. */
struct run_state {
    const char *dir;                          /* NULL: there is no such directory, and no store but for webhooks */
    int (*ready)(void *ctx, struct err *err); /* see store_params */
    void *ctx;
};

/* Opens those that the configuration asks for, and the store. json: events as JSON on stdout,
 * whatever log.format is. `control` must live until run_outputs_close. -1: one cannot be; those opened before it are closed by
 * run_outputs_close. */
int run_outputs_open(struct run_outputs *o, const struct config *config, bool json, const struct run_state *state,
                     const struct daemon_control *control, struct err *err);

/* Flushes and closes them, the latest first. flush_s is for all of them together: two that hang must not add up. */
void run_outputs_close(struct run_outputs *o, double flush_s);

/* Twice a second, n counting: tells the outputs and the service about the daemon's health, each second or as soon as the input's
 * state changes. */
void run_outputs_tick(struct run_outputs *o, struct pipeline *p, struct service *s, unsigned n);

/* Warns of audio that was lost since the last time, at most once a minute; n: the tick, UINT_MAX: in any case. */
void run_outputs_tell_losses(struct run_outputs *o, const struct health *h, unsigned n);

#endif
