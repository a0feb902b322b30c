/* What Home Assistant is told so that it finds the box and its sounds by itself: MQTT device discovery, one retained message at
 * <prefix>/device/<node>/config (https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload).
 *
 * Nothing that is late or a test rings there: the event entity and the sensors leave such messages out by their templates, and the
 * binary sensors follow state/<label>, which tells the present and says TEST, not ON, for a test. */
#ifndef EARSHOT_DISCOVERY_H
#define EARSHOT_DISCOVERY_H

#include "daemon/outputs/mqtt_topics.h"
#include <jansson.h>

#define DISCOVERY_ID 17 /* 16 hexadecimal digits and NUL */
#define DISCOVERY_MOST                                                                                                 \
    (256 << 10) /* bytes of the message; a model with more sounds than fit has its alarms announced alone */

struct discovery_facts {
    const struct mqtt_names *names;
    const char *id; /* of the box: the entities' unique ids begin with it */
    const char *version;
    const char *model; /* in force: as setting/model has it */
    const struct output_label *labels;
    size_t n_labels;
    bool levels;     /* the level meter is on */
    bool calibrated; /* its figures are dB re 20 uPa, not dBFS */
};

/* From the machine id, and from where the state directory is, so that two daemons on one box differ: it stays when host or node are
 * renamed. */
void discovery_id(char out[DISCOVERY_ID], const char *state_dir);

/* The whole message, an object; NULL: no memory. Small enough always. */
json_t *discovery_config(const struct discovery_facts *f);

/* A message that takes components of an earlier one away: fresh, and with nothing but its platform each component that old has and
 * fresh has not. NULL: there is none. old: any JSON. */
json_t *discovery_removal(const json_t *old, const json_t *fresh);

#endif
