/* The MQTT output's own parts: mqtt.c is the output, mqtt_owner.c the thread that connects, mqtt_session.c what is said on a
 * connection. */
#ifndef EARSHOT_MQTT_SESSION_H
#define EARSHOT_MQTT_SESSION_H

#include "daemon/command.h"
#include "daemon/outputs/acks.h"
#include "daemon/outputs/discovery.h"
#include "daemon/outputs/mqtt_link.h"
#include "daemon/outputs/mqtt_queue.h"
#include "daemon/outputs/mqtt_topics.h"
#include "daemon/outputs/output_thread.h"
#include "daemon/store/store.h"
#include <pthread.h>

#define MQTT_SOUNDS     4  /* level messages that wait at a time */
#define MQTT_CLEAR_MOST 64 /* at a time: the broker's word is not trusted further */

#define MQTT_SETTINGS 12
#define MQTT_ANSWERS  48 /* that wait to be sent */

struct mqtt_setting {
    char name[MQTT_NAME];
    char *value; /* owned */
    bool due;    /* to be published */
};

struct mqtt_answer {
    char name[MQTT_NAME]; /* of the command */
    char *text;           /* owned */
};

#define MQTT_MOVED 4  /* topics that Home Assistant was told of us before */
#define MQTT_POSTS 12 /* messages to Home Assistant that wait */

struct mqtt_post {
    char *topic, *payload; /* owned */
    bool retain;
};

struct mqtt_pending {
    int mid;
    const char *kind; /* of the topic, "state"; static */
    bool event;       /* of the queue: slot, id and test count */
    size_t slot;
    bool test;
    char id[UUID_SIZE];
};

/* What one connection has told the broker so far. The owner thread's alone. */
struct mqtt_session {
    struct mqtt_link *link;
    bool begun;
    double began, heard; /* s, CLOCK_MONOTONIC; heard: last acknowledgement, or when there was nothing to acknowledge */
    struct mqtt_pending pending[MQTT_INFLIGHT];
    size_t n_pending;
    int goodbye;                           /* id of the message that says offline, 0: acknowledged */
    char old[MQTT_CLEAR_MOST][LABEL_SIZE]; /* labels whose retained states are to be cleared */
    unsigned n_old, cleared;
    bool clearing; /* subscribed to our own states */

    /* Home Assistant */
    bool looking;            /* for what was announced before */
    double announce_at;      /* s, CLOCK_MONOTONIC; 0: nothing is to be announced */
    json_t *announced;       /* what is retained under our topic; owned */
    char *moved[MQTT_MOVED]; /* other topics that announce this box; owned */
    size_t n_moved;
    struct mqtt_post posts[MQTT_POSTS];
    size_t n_posts;
};

struct mqtt {
    struct output output; /* first: what the daemon holds */
    struct config config; /* rules left out */
    struct mqtt_names names;
    char id[DISCOVERY_ID];
    char broker[CONFIG_TEXT + 8]; /* "host:port" */
    struct mqtt_queue *queue;
    struct acks *acks;
    int wake; /* eventfd: there is something to do */
    struct output_thread thread;
    bool locks; /* made */

    pthread_mutex_t control_lock; /* held while the daemon is asked something */
    const struct daemon_control *control;

    pthread_mutex_t lock; /* guards from here ... */
    struct health health;
    bool have_health, health_waiting;
    struct sound_report sound[MQTT_SOUNDS]; /* levels that are to be told */
    unsigned n_sound;
    uint64_t level_number;          /* health.sound.number as last published */
    double health_time, level_time; /* s, CLOCK_MONOTONIC: when they were last due */
    struct mqtt_health own;
    uint64_t drops_logged;
    char trouble[200]; /* why it is not connected, "" while it is */
    bool opening;      /* in the blocking part of a connection */
    double deadline;   /* s, CLOCK_MONOTONIC, of a stop; 0: not stopping */
    struct mqtt_setting settings[MQTT_SETTINGS];
    size_t n_settings;
    struct mqtt_answer answers[MQTT_ANSWERS];
    size_t n_answers;
    struct output_label *labels; /* owned; NULL: not told yet */
    size_t n_labels;
    bool announce; /* to Home Assistant, once more */
    /* ... to here */
    struct mqtt_session session;
    double warned;              /* s, CLOCK_MONOTONIC: last warning about a command; owner thread */
    double tokens, tokens_time; /* commands that may come in now, and when that was said; owner thread */
    const char *losses[8];      /* subscriptions that were refused, as said; owner thread */
    unsigned denied;            /* kinds of topics that the broker refuses, a bit each; owner thread */
    int refusal;                /* last reason for which the broker refused an event; owner thread */
    struct store *store;        /* events come by it; NULL: from the pipeline, and nothing is kept */
    double hold_until; /* s, CLOCK_MONOTONIC: the broker takes no events for now; 0: it does. Owner thread, as those: */
    unsigned refusals; /* in a row, of that kind */
};

double mqtt_now(void); /* s, CLOCK_MONOTONIC */
void mqtt_wake(struct mqtt *m);

void *mqtt_owner(void *m); /* the thread; frees m at its end if it was abandoned */
void mqtt_free(struct mqtt *m);
size_t mqtt_queued(struct mqtt *m);

extern const struct mqtt_link_handler mqtt_session_handler; /* but for its ctx: a struct mqtt */

/* The connection stands: status, subscriptions; everything that is retained is to be published. */
void mqtt_session_begin(struct mqtt *m);
/* Publishes <base>/<kind>/<name> (name may be NULL) with QoS 1 and watches for the acknowledgement; a refusal is logged, once for each
 * kind. NULL: too many are unacknowledged, or the connection broke. kind: a static string. */
struct mqtt_pending *mqtt_session_publish(struct mqtt *m, const char *kind, const char *name, const char *payload,
                                          bool retain);
/* The same for any topic. */
struct mqtt_pending *mqtt_session_publish_topic(struct mqtt *m, const char *kind, const char *topic,
                                                const char *payload, bool retain);
/* Sends what waits, as far as the broker takes it. */
void mqtt_session_send(struct mqtt *m);
/* Nothing waits and nothing is unacknowledged. */
bool mqtt_session_idle(struct mqtt *m);
/* s since the broker should have acknowledged something. */
double mqtt_session_silence(const struct mqtt *m);
/* Status offline, DISCONNECT; waits for the acknowledgement until `deadline`. */
void mqtt_session_goodbye(struct mqtt *m, double deadline);
/* The connection is gone: what was unacknowledged waits again. */
void mqtt_session_end(struct mqtt *m);

/* mqtt_outbox.c: events between the store, the queue and the broker. */
extern const struct store_taker mqtt_taker; /* but for its ctx: a struct mqtt */
void mqtt_event_acked(struct mqtt *m, const struct mqtt_pending *p, int reason);
void mqtt_event_unfit(struct mqtt *m, const struct mqtt_item *item); /* no broker can be sent it */
bool mqtt_events_held(struct mqtt *m);                               /* is it too early to try once more? */
void mqtt_outbox_tend(struct mqtt *m);                               /* asks the store for more */

/* mqtt_commands.c: the output's two verbs, and what the session asks of it. */
void mqtt_setting(struct output *o, const char *name, const char *value);
void mqtt_result(struct output *o, const struct command_result *result);
void mqtt_on_command(struct mqtt *m, const struct mosquitto_message *message);
void mqtt_commands_begin(struct mqtt *m); /* a connection: every setting is to be published */
bool mqtt_send_setting(struct mqtt *m);   /* one; false: none is due */
bool mqtt_send_answer(struct mqtt *m);
void mqtt_commands_free(struct mqtt *m);

/* mqtt_homeassistant.c */
void mqtt_labels(struct output *o, const struct output_label *labels, size_t n);
void mqtt_homeassistant_begin(struct mqtt *m);
void mqtt_homeassistant_end(struct mqtt *m);
bool mqtt_homeassistant_message(struct mqtt *m,
                                const struct mosquitto_message *message); /* false: none of its topics */
bool mqtt_send_homeassistant(struct mqtt *m);                             /* one message; false: none waits */

#endif
