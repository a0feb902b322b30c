/* Who we are to the broker: password, certificates. Read anew at each connection, so that a file that was wrong or missing is found
 * once it is put right. Secrets go to libmosquitto and nowhere else. */
#ifndef EARSHOT_MQTT_LOGIN_H
#define EARSHOT_MQTT_LOGIN_H

#include "base/config.h"
#include "base/err.h"
#include <mosquitto.h>

/* The password from mqtt.password_file, else the systemd credential mqtt-password, else $EARSHOT_MQTT_PASSWORD; one line end at its
 * end is taken off. Sets user name and password. err->text is "" or what could not be read (user name alone is used then). Fails
 * only for want of memory. */
int mqtt_login_password(struct mosquitto *m, const struct config *config, struct err *err);

/* TLS as [mqtt] says: authorities from ca_file or the system's own, name of the host checked, client certificate. */
int mqtt_login_tls(struct mosquitto *m, const struct config *config, struct err *err);

#endif
