/* Names and payloads of the MQTT contract (DESIGN, "MQTT"). Pure but for mqtt_names_init, which looks at the host's name and
 * machine id. */
#ifndef EARSHOT_MQTT_TOPICS_H
#define EARSHOT_MQTT_TOPICS_H

#include "base/err.h"
#include "daemon/outputs/mqtt_queue.h"
#include "daemon/outputs/output.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MQTT_NODE      64
#define MQTT_BASE      (CONFIG_TEXT + 1 + MQTT_NODE)
#define MQTT_TOPIC     (MQTT_BASE + 64)
#define MQTT_CLIENT_ID 24 /* 23 characters is what every broker must take (MQTT 3.1.1, 3.1.3.1) */
#define MQTT_NAME      32 /* of a command, with its NUL */

struct mqtt_names {
    char base[MQTT_BASE]; /* "earshot/<node>" */
    char client_id[MQTT_CLIENT_ID];
};

/* node "": the host's name. Fails where base is no topic to publish to. The client id comes from machine id, base and node: two boxes
 * of one name differ, and so do two daemons of different nodes on one box. */
int mqtt_names_init(struct mqtt_names *names, const char *base, const char *node, struct err *err);

/* Runs of other characters than [A-Za-z0-9_-] become one '-'; none at either end; "earshot" where nothing is left. */
void mqtt_node(char out[MQTT_NODE], const char *name);

/* "<base>/<kind>" or "<base>/<kind>/<name>" (name may be NULL). */
void mqtt_topic(char out[MQTT_TOPIC], const struct mqtt_names *names, const char *kind, const char *name);

/* The rest of a topic behind "<base>/<kind>/", NULL if it is another's or has more levels. */
const char *mqtt_topic_name(const struct mqtt_names *names, const char *kind, const char *topic);

/* The name of a command that came in on "<base>/set/<name>"; false where it can be none: not [a-z0-9_]+, or too long. */
bool mqtt_command(const struct mqtt_names *names, const char *topic, char name[MQTT_NAME]);

/* What the MQTT output itself adds to health. */
struct mqtt_health {
    struct mqtt_figures queue;
    uint64_t sent;              /* events that the broker acknowledged */
    uint64_t refused;           /* events that the broker refused */
    uint64_t replaced;          /* level and health messages that a newer one took the place of, unsent */
    uint64_t connects;          /* times that a connection was made */
    uint64_t commands_rejected; /* commands in that were ignored: retained, malformed, unknown, bad value */
};

/* JSON objects of one line; malloc'ed, the caller's; NULL: no memory. */
char *mqtt_level_json(const struct health *health, int64_t utc_ns);
char *mqtt_health_json(const struct health *health, const struct mqtt_health *own, int64_t utc_ns);

/* Was the event told more than late_after_s after what it tells of happened: a start after it began, an update or end after its
 * end (so that the end of a long sound, told in time, is not late)? */
bool mqtt_event_late(const struct event *event, int64_t utc_ns, double late_after_s);

#endif
