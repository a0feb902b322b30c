/* One connection to a broker, from the look-up of its name to its end, over libmosquitto. A new object for each: what a connection
 * left behind in libmosquitto's own queues goes with it, and settings, certificates and passwords are read anew.
 *
 * One thread owns it: nothing here may be called by two, not even one after the other within a handshake. */
#ifndef EARSHOT_MQTT_LINK_H
#define EARSHOT_MQTT_LINK_H

#include "base/config.h"
#include "base/err.h"
#include "daemon/outputs/mqtt_topics.h"
#include <mosquitto.h>
#include <stdbool.h>

/* Called from within mqtt_link_poll. */
struct mqtt_link_handler {
    void *ctx;
    void (*acked)(void *ctx, int mid, int reason); /* PUBACK; reason: MQTT 5's code, 0 from an older broker */
    void (*message)(void *ctx, const struct mosquitto_message *message);
    void (*not_subscribed)(void *ctx, const char *loss, int reason); /* the broker's rules forbid it */
};

enum mqtt_link_state {
    LINK_HANDSHAKE, /* TLS, CONNECT sent, no CONNACK yet */
    LINK_UP,
    LINK_DOWN,
};

struct mqtt_link;

/* Looks the name up and connects, blocking: for minutes, where addresses answer nothing. version: 5 or 3 (3.1.1). NULL with err: why
 * not. `warning` gets a text about a password that could not be read ("" otherwise): the connection is tried all the same. */
struct mqtt_link *mqtt_link_open(const struct config *config, const struct mqtt_names *names, int version,
                                 const struct mqtt_link_handler *handler, struct err *warning, struct err *err);

/* Closes; the broker sends the last will unless mqtt_link_goodbye went out. */
void mqtt_link_close(struct mqtt_link *l);

/* Waits up to timeout_ms for the broker or for wake_fd (an eventfd, read empty here), and does what is to be done. */
enum mqtt_link_state mqtt_link_poll(struct mqtt_link *l, int wake_fd, int timeout_ms);

/* Why it is down: one line for the user. */
const char *mqtt_link_reason(const struct mqtt_link *l);

/* Down because the broker does not speak MQTT 5 (or hung up on its CONNECT, as some that do not speak it do)? */
bool mqtt_link_too_new(const struct mqtt_link *l);

/* Does it take more at once? false: the socket is full, only what must go should be added. */
bool mqtt_link_clear(struct mqtt_link *l);

/* Returns the message id, or -1: not sent. Never blocks. */
int mqtt_link_publish(struct mqtt_link *l, const char *topic, const void *payload, size_t size, int qos, bool retain);

/* loss: what does not work where the broker refuses; a static text. */
enum mqtt_link_filter { /* MQTT 5 only */
                        LINK_ALL,
                        LINK_NOT_OWN, /* not what we publish ourselves */
                        LINK_AS_RETAINED /* a message that is published to be retained comes with that mark, not only one that was there before */
};
int mqtt_link_subscribe(struct mqtt_link *l, const char *topic, enum mqtt_link_filter filter, const char *loss);
void mqtt_link_unsubscribe(struct mqtt_link *l, const char *topic);

/* Sends DISCONNECT: no will. */
void mqtt_link_goodbye(struct mqtt_link *l);

#endif
