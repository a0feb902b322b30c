/* An output: takes events and tells somebody. One small vtable, one thread each; the worker that calls `event` must never wait
 * for it, so every output copies the event into its own bounded queue and returns. */
#ifndef EARSHOT_OUTPUT_H
#define EARSHOT_OUTPUT_H

#include "audio/analysis.h"
#include "base/config.h"
#include "event/event.h"

/* Health of the whole daemon, gathered by the pipeline. */
struct health {
    const char *version;
    char model[64];
    char threshold[32];           /* gate threshold in force, as it is written in the configuration */
    char input[CONFIG_TEXT];      /* device as opened */
    char input_state[32];         /* "ok", "absent", "lost", "stalled", "opening", "ended", "off" */
    char input_problem[128];      /* "", "only zeros", "level never moves", "clipping in 2.3 % of blocks", ... */
    unsigned rate, channels;
    double uptime_s;
    uint64_t overruns;            /* times that the device or the ring overflowed */
    uint64_t lost_frames;
    uint64_t windows, events;
    uint64_t windows_dropped;     /* worker queue was full */
    unsigned ring_fill_percent, queue_depth;
    uint64_t recoveries;          /* times that the input came back */
    bool listening;
    struct analysis_levels levels;
};

struct output {
    const char *name;
    /* Queue one event. Worker thread; neither blocks nor allocates. */
    void (*event)(struct output *o, const struct event *event);
    /* Health and levels, about once a second from a thread that may wait a little (never the worker's). May be NULL. */
    void (*health)(struct output *o, const struct health *health);
    /* Adds the output's own figures to the health object: called by whoever publishes health. May be NULL. */
    void (*counters)(struct output *o, uint64_t *queued, uint64_t *dropped, uint64_t *sent);
    /* Has the event with this message id been acknowledged? 1 yes, 0 not yet, -1 refused, with a text. For `earshot test`. */
    int (*acknowledged)(struct output *o, const char *id, char *text, size_t size);
    /* Stop: flush what is queued for at most `flush_s` seconds, say goodbye, join the thread, free. */
    void (*stop)(struct output *o, double flush_s);
};

/* What an output may ask of the daemon (commands in). Called on the output's thread; returns 0, or -1 with err for a bad value. */
struct daemon_control {
    void *ctx;
    int (*set)(void *ctx, const char *name, const char *value, struct err *err); /* "threshold", "listening", "test", "model" */
    const char *const *labels; /* of the running model */
    size_t n_labels;
};

/* format: "text", "json" or "journal" */
struct output *output_journal_new(const char *format, struct err *err);
struct output *output_mqtt_new(const struct config *config, const struct daemon_control *control, struct err *err);

#endif
