/* An output: takes events and tells somebody. One small vtable, one thread each; the worker that calls `event` must never wait
 * for it, so every output copies the event into its own bounded queue and returns. */
#ifndef EARSHOT_OUTPUT_H
#define EARSHOT_OUTPUT_H

#include "audio/analysis.h"
#include "base/config.h"
#include "daemon/clips/clip_figures.h"
#include "daemon/sound_report.h"
#include "daemon/store/store.h"
#include "event/event.h"

#include <stdatomic.h>

/* An output's own figures. */
struct output_counters {
    const char *name;
    uint64_t queued;  /* wait now */
    uint64_t dropped; /* lost for this output since the start: queue full, refused, not writable */
    uint64_t sent;    /* written, or acknowledged by the other side */
    bool links, connected;
    char problem[160]; /* where it is not connected: why */
};
#define HEALTH_OUTPUTS 8

/* Health of the whole daemon, gathered by the pipeline. */
struct health {
    const char *version;
    char model[64];
    char threshold[32];      /* gate threshold in force, as it is written in the configuration */
    char input[CONFIG_TEXT]; /* device as opened */
    char input_state[32];    /* "ok", "absent", "lost", "stalled", "opening", "ended" */
    char input_problem[160]; /* "", "only zeros", "level never moves", "clipping in 2.3 % of blocks", ... */
    unsigned rate, channels;
    double uptime_s;
    uint64_t overruns; /* times that the device or the ring overflowed */
    uint64_t lost_frames;
    uint64_t windows, events;
    uint64_t windows_dropped; /* worker queue was full */
    unsigned ring_fill_percent, queue_depth;
    uint64_t recoveries; /* times that the input came back */
    bool listening;
    struct analysis_levels levels;
    bool keeps_clips;
    struct clip_figures clips; /* where keeps_clips */
    struct sound_report sound; /* the level meter's */
    bool has_store;
    struct store_figures store; /* where has_store */
    unsigned n_outputs;         /* of the other outputs; one that publishes health adds its own */
    struct output_counters outputs[HEALTH_OUTPUTS];
};

struct command_result;
struct pipeline;
struct commands;

/* A sound that the model in use knows. */
struct output_label {
    char label[LABEL_SIZE];
    char name[64];  /* for people: "Smoke alarm"; of what was taught, as its teacher wrote it */
    char group[16]; /* of labels.csv: "alarm"; "taught"; "": none */
    bool alarm;     /* of the group that calls for action */
    bool enabled;   /* makes events: not ignored by the configuration */
    bool taught;    /* to this box, not the model's own */
};

struct output {
    const char *name;
    bool internal; /* keeps something for the daemon's own use and tells nobody: `earshot test` asks it for no word */
    /* Queue one event. The worker's thread, or (test events) any other; neither blocks nor allocates. */
    void (*event)(struct output *o, const struct event *event);
    /* Health and levels, about once a second from a thread that may wait a little (never the worker's). May be NULL. */
    void (*health)(struct output *o, const struct health *health);
    /* A setting's value in force, at the start and whenever it changes; the main thread. May be NULL. */
    void (*setting)(struct output *o, const char *name, const char *value);
    /* The sounds that there are, at the start and when they change; copied; the main thread. May be NULL. */
    void (*labels)(struct output *o, const struct output_label *labels, size_t n);
    /* What became of a command; the main thread. May be NULL. */
    void (*result)(struct output *o, const struct command_result *result);
    /* Adds the output's own figures to the health object: called by whoever publishes health. May be NULL. */
    void (*counters)(struct output *o, uint64_t *queued, uint64_t *dropped, uint64_t *sent);
    /* Is it connected? Else problem says why not. Any thread. NULL: it needs no connection. */
    bool (*connected)(struct output *o, char *problem, size_t size);
    /* Has the event with this message id been acknowledged? 1 yes, 0 not yet, -1 refused, with a text. For `earshot test`. */
    int (*acknowledged)(struct output *o, const char *id, char *text, size_t size);
    /* Stop: flush what is queued for at most `flush_s` seconds, say goodbye, join the thread, free. */
    void (*stop)(struct output *o, double flush_s);
};

/* What an output may ask of the daemon (commands in). `set` is called on the output's thread and returns at once: 0, and the answer
 * comes by output->result, or -1 with err for what is no command. */
struct daemon_control {
    void *ctx;
    int (*set)(void *ctx, const char *name, const void *payload, size_t size, struct err *err);
    const char *const *labels; /* of the running model */
    size_t n_labels;
    const char *state_dir;     /* "" without one; tells two daemons on one box apart */
    struct pipeline *pipeline; /* for the web; these may be NULL */
    struct commands *commands;
};

/* format: "text" (readable lines on stdout: starts and ends), "json" (event_json lines on stdout: every event), "journal"
 * (structured fields to journald: starts and ends) or "auto" (journal where stderr is journald's, else text). */
struct output *output_journal_new(const char *format, struct err *err);

/* Copies what it needs of config; `control` (may be NULL: no commands in, no state topics) must live until stop returned. An
 * absent broker is no error; a base topic or certificate setting that cannot be is. */
/* store: where events come from once they are on the disk, and where what is unsent is kept; it must live until stop returned. NULL:
 * they come by `event`, and are kept in memory alone. */
struct output *output_mqtt_new(const struct config *config, const struct daemon_control *control, struct store *store,
                               struct err *err);

/* Puts events into the store, which must live until stop returned. Its stop has all of them stored, and handed on to the output that
 * publishes them: that one is stopped after it. */
struct output *output_history_new(struct store *store, struct err *err);

/* The configured actions (at least one). control as above, for the labels. An error: a program that is absent or cannot be
 * executed, a group that cannot be looked up. */
struct output *output_actions_new(const struct config *config, const struct daemon_control *control, struct err *err);

/* The configured webhooks (at least one). store: their outbox, which must live until stop returned. An error: an address or secret that
 * is absent or wrong, the helper program is not there. */
struct output *output_webhooks_new(const struct config *config, const struct daemon_control *control,
                                   struct store *store, struct err *err);

/* The web server (daemon/http/). control and store (either may be NULL) must live until stop returned. A port that is taken is no
 * error; an address beyond this machine without a token is, and certificates that cannot be read. */
struct output *output_web_new(const struct config *config, const struct daemon_control *control, struct store *store,
                              struct err *err);

/* What became of a test event at one output. */
struct output_report {
    const char *name; /* the output's */
    bool ok;
    double ms;      /* from handing it over to the acknowledgement */
    char text[256]; /* "acknowledged by broker localhost:1883", "not connected: Connection refused", ... */
};

/* Sends a start and an end marked test, of a sound of one second, through the outputs and waits up to timeout_s for each one's
 * word. Behind the n outputs stand `internal` more that are told as well, and not asked. reports: n of them. Returns how many failed. Takes about a second: never on an output's or the worker's thread. Where
 * `cancel` (may be NULL) turns true it sends the end at once and returns. */
size_t output_test(struct output *const *outputs, size_t n, size_t internal, const char *label, const char *model,
                   double timeout_s, const atomic_bool *cancel, struct output_report *reports);

#endif
