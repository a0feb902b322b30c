/* The live side of the page: the streams of events and levels, and what commands that came from the web have led to. Shared by the files
 * live_*.c and api_*.c that belong to it. */
#ifndef EARSHOT_HTTP_LIVE_H
#define EARSHOT_HTTP_LIVE_H

#include "daemon/http/live_ring.h"
#include "daemon/http/web.h"
#include "daemon/outputs/mqtt_topics.h"
#include "daemon/run_labels.h"
#include "daemon/store/store_read.h"
#include "model/vocabulary.h"
#include <pthread.h>

#define LIVE_WATCHERS 128 /* clients of each stream */

struct live_batch;

struct live {
    struct web *web;
    struct live_ring *ring;
    struct sse_hub *events, *levels;
    struct vocabulary *vocabulary; /* NULL: names are made of labels */
    struct live_levels *meter;
    char node[MQTT_NODE];

    pthread_mutex_t lock; /* guards what follows; held for copies and comparisons */
    struct live_state {
        bool told, listening, connected;
        char input_state[32], model[64];
    } state;                     /* as last told to the watchers */
    struct output_label *labels; /* [n_labels]: what the model in use and this box's teacher call sounds */
    size_t n_labels;
    struct live_batch *batches; /* commands whose results are waited for */
    bool over;
    struct {
        pthread_t thread;
        bool made;
        struct request *request;
    } tester;
    int64_t counted_ms; /* CLOCK_MONOTONIC; when `events_kept` was counted, 0: never */
    int64_t events_kept;
};

struct live *live_of(struct web *w);

/* To the stream of events; any thread. */
void live_tell(struct live *l, const char *kind, json_t *steals);

/* What people call a sound. Any thread. */
void live_describe(struct live *l, const char *label, struct output_label *out);
/* Adds "name", "group", "alarm". */
void live_add_names(struct live *l, json_t *o, const char *label);

/* {"listening", "input_state", "broker_connected", "model"} as last told; the caller's. */
json_t *live_state_json(struct live *l);

/* A reader of the history for one request. NULL: there is none (yet); with reply a problem was answered (404 where there is none). */
struct store_reader *live_history(struct web *w, struct request *r);

/* --- live_resume.c: what a client of the events' stream missed */
void live_resume(struct live *l, struct request *r);

/* --- live_levels.c */
struct live_levels *live_levels_new(struct web *w, struct sse_hub *hub);
void live_levels_stop(struct live_levels *m); /* the thread ends; NULL is fine */
void live_levels_free(struct live_levels *m);
/* Somebody has begun to watch. -1: no thread can be made. */
int live_levels_wake(struct live_levels *m, struct err *err);

/* --- live_batch.c: a request that is answered when its commands have been carried out */
#define LIVE_COMMANDS 16

struct live_command {
    char key[64]; /* the option's, or the command's name */
    bool done;
    unsigned ticket;
    struct command_result result; /* once done; what could not even be asked has its error here as well */
};

struct live_batch {
    struct live_batch *next;
    struct request *request;
    int64_t since_ms;
    size_t n;
    struct live_command commands[LIVE_COMMANDS];
    /* Makes the reply; true: not yet, it will be resumed by another. Called once, any thread. */
    bool (*reply)(struct live *l, struct live_batch *b);
};

/* NULL: no memory, a problem was replied. Its handler fills in the commands (live_batch_add) and lets it go. */
struct live_batch *live_batch_new(struct request *r, bool (*reply)(struct live *l, struct live_batch *b));
/* payload: as in MQTT's set/NAME. Beyond LIVE_COMMANDS: nothing is added. */
void live_batch_add(struct live *l, struct live_batch *b, const char *key, const char *name, const char *payload);
/* What cannot be asked: its error. */
void live_batch_refuse(struct live_batch *b, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void live_batch_go(struct live *l, struct live_batch *b);

void live_batches_result(struct live *l, const struct command_result *result); /* the teller */
void live_batches_tick(struct live *l);                                        /* about once a second */
void live_batches_end(struct live *l);

/* --- api_control.c */
void live_test_end(struct live *l);

#endif
