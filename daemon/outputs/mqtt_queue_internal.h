/* The queue's own parts: mqtt_queue.c has the queue, mqtt_queue_outbox.c what an outbox on disk asks of it. With the lock held, all. */
#ifndef EARSHOT_MQTT_QUEUE_INTERNAL_H
#define EARSHOT_MQTT_QUEUE_INTERNAL_H

#include "daemon/outputs/mqtt_queue.h"
#include <pthread.h>

#define NONE SIZE_MAX

/* Messages of the outbox that are held at a time: a burst's worth; and of a small queue so much that what is not on the disk finds
 * room beside them and what is with the broker. */
#define WINDOW         256
#define WINDOW_OF(all) ((all)*3 / 8 < WINDOW ? (all)*3 / 8 : WINDOW)

struct slot {
    struct event event;
    uint64_t number; /* of the put, rising */
    size_t label;    /* NONE: the model has no such label (`unknown`) */
    int state;       /* as in mqtt_item */
    bool message;
    int64_t seq;            /* in the outbox; 0: not there */
    int64_t put_ns, utc_ns; /* when it was put, by CLOCK_MONOTONIC and by the clock on the wall */
    size_t prev, next;      /* in order of age; `next` also links free slots */
};

struct label {
    char name[LABEL_SIZE];
    bool heard, tested;
    bool gone;          /* the model in use does not know it */
    bool due;           /* its present state is to be published */
    uint64_t published; /* number of the last put when the present state was published: older events say nothing new */
};

struct mqtt_queue {
    pthread_mutex_t lock;
    struct slot *slots;
    size_t capacity;
    size_t oldest, newest; /* of all */
    size_t waiting;        /* the oldest that is not with the broker; younger ones are not either */
    size_t free;
    bool online;
    size_t updates; /* waiting ones: saves a search where there is none */
    uint64_t number;
    struct label *labels; /* [MQTT_LABELS_MOST], of which the pages in use are there: names and places stay */
    size_t n_labels;
    struct mqtt_figures figures;
};

/* The label's state is to be published as it is. */
void mqtt_queue_set_due(struct mqtt_queue *q, size_t label);

/* A slot for the event, room made for it: to be inserted at once, before slot `next`, which waits (NONE: at the end). */
size_t mqtt_queue_fill(struct mqtt_queue *q, const struct event *event, bool message, int64_t seq);
void mqtt_queue_insert(struct mqtt_queue *q, size_t i, size_t next);
void mqtt_queue_remove(struct mqtt_queue *q, size_t i);

#endif
