#include "daemon/outputs/mqtt_link.h"

#include "base/log.h"
#include "daemon/outputs/mqtt_login.h"
#include <errno.h>
#include <mqtt_protocol.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEEPALIVE_MIN 5 /* s; libmosquitto takes no less */

struct mqtt_link {
    struct mosquitto *m;
    struct mqtt_link_handler handler;
    enum mqtt_link_state state;
    int version;
    bool tls;
    bool too_new;
    bool answered; /* there was a CONNACK, or a DISCONNECT with a reason: `reason` is set */
    struct {
        int mid;
        const char *loss;
    } asked[8]; /* subscriptions */
    unsigned n_asked;
    char reason[200];
    char said[120]; /* libmosquitto's last error line: what was wrong with TLS stands there alone */
};

static void on_connect(struct mosquitto *m, void *ctx, int rc, int flags, const mosquitto_property *properties)
{
    struct mqtt_link *l = ctx;

    (void)m, (void)flags, (void)properties;
    if (rc == 0) {
        l->state = LINK_UP;
        return;
    }
    /* 3.1.1's own codes are 1 to 5, MQTT 5's begin at 128 */
    l->answered = true;
    l->too_new = l->version == 5 && (rc == MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION || rc == 1);
    snprintf(l->reason, sizeof l->reason, "the broker refused: %s",
             rc < 128 ? mosquitto_connack_string(rc) : mosquitto_reason_string(rc));
    size_t n = strlen(l->reason);
    if (n && l->reason[n - 1] == '.')
        l->reason[n - 1] = '\0';
}

static void on_disconnect(struct mosquitto *m, void *ctx, int rc, const mosquitto_property *properties)
{
    struct mqtt_link *l = ctx;

    (void)m, (void)properties;
    if (rc < 128 || l->answered)
        return;
    l->answered = true;
    snprintf(l->reason, sizeof l->reason, "the broker hung up: %s", mosquitto_reason_string(rc));
}

static void on_publish(struct mosquitto *m, void *ctx, int mid, int reason, const mosquitto_property *properties)
{
    struct mqtt_link *l = ctx;

    (void)m, (void)properties;
    l->handler.acked(l->handler.ctx, mid, reason);
}

static void on_message(struct mosquitto *m, void *ctx, const struct mosquitto_message *message,
                       const mosquitto_property *properties)
{
    struct mqtt_link *l = ctx;

    (void)m, (void)properties;
    l->handler.message(l->handler.ctx, message);
}

static void on_subscribe(struct mosquitto *m, void *ctx, int mid, int n, const int *granted,
                         const mosquitto_property *properties)
{
    struct mqtt_link *l = ctx;

    (void)m, (void)properties;
    for (unsigned i = 0; n > 0 && granted[0] >= 128 && i < l->n_asked; i++)
        if (l->asked[i].mid == mid)
            l->handler.not_subscribed(l->handler.ctx, l->asked[i].loss, granted[0]);
}

/* Keeps the first error of an attempt: the next ones follow from it. "OpenSSL Error[0]: error:0A000086:SSL routines::certificate
 * verify failed" is cut to what a person can use. */
static void on_log(struct mosquitto *m, void *ctx, int level, const char *text)
{
    struct mqtt_link *l = ctx;
    const char *detail = strncmp(text, "OpenSSL Error", 13) == 0 ? strstr(text, "::") : NULL;

    (void)m;
    if (level != MOSQ_LOG_ERR || l->said[0])
        return;
    if (detail)
        text = detail + 2;
    else if (strncmp(text, "Error: ", 7) == 0)
        text += 7;
    snprintf(l->said, sizeof l->said, "%s", text);
}

/* What a return code of libmosquitto means to the user. */
static void explain(struct mqtt_link *l, int rc, int error)
{
    if (l->answered)
        return;
    if (l->said[0] && (rc == MOSQ_ERR_TLS || rc == MOSQ_ERR_TLS_HANDSHAKE || rc == MOSQ_ERR_CONN_LOST))
        snprintf(l->reason, sizeof l->reason, "TLS: %s", l->said);
    else if (l->tls && l->state == LINK_HANDSHAKE && rc != MOSQ_ERR_EAI &&
             (rc != MOSQ_ERR_ERRNO || error == ECONNRESET))
        snprintf(l->reason, sizeof l->reason,
                 "the broker hung up in the TLS handshake (no TLS on that port, or it does not "
                 "accept our certificate)");
    else if (rc == MOSQ_ERR_ERRNO)
        snprintf(l->reason, sizeof l->reason, "%s", strerror(error));
    else if (rc == MOSQ_ERR_EAI || rc == MOSQ_ERR_LOOKUP)
        snprintf(l->reason, sizeof l->reason, "no address is known for that host name");
    else if (rc == MOSQ_ERR_CONN_LOST)
        snprintf(l->reason, sizeof l->reason, "the broker closed the connection");
    else if (rc == MOSQ_ERR_KEEPALIVE)
        snprintf(l->reason, sizeof l->reason, "the broker does not answer");
    else
        snprintf(l->reason, sizeof l->reason, "%s", mosquitto_strerror(rc));
}

static int set_up(struct mqtt_link *l, const struct config *config, const struct mqtt_names *names, struct err *warning,
                  struct err *err)
{
    char status[MQTT_TOPIC];

    mqtt_topic(status, names, "status", NULL);
    mosquitto_int_option(l->m, MOSQ_OPT_PROTOCOL_VERSION, l->version == 5 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311);
    mosquitto_int_option(l->m, MOSQ_OPT_TCP_NODELAY, 1);
    mosquitto_connect_v5_callback_set(l->m, on_connect);
    mosquitto_disconnect_v5_callback_set(l->m, on_disconnect);
    mosquitto_publish_v5_callback_set(l->m, on_publish);
    mosquitto_message_v5_callback_set(l->m, on_message);
    mosquitto_subscribe_v5_callback_set(l->m, on_subscribe);
    mosquitto_log_callback_set(l->m, on_log);
    if (mosquitto_will_set(l->m, status, 7, "offline", 1, true) || mqtt_login_password(l->m, config, warning))
        return err_set(err, "no memory");
    return config->mqtt.tls ? mqtt_login_tls(l->m, config, err) : 0;
}

struct mqtt_link *mqtt_link_open(const struct config *config, const struct mqtt_names *names, int version,
                                 const struct mqtt_link_handler *handler, struct err *warning, struct err *err)
{
    struct mqtt_link *l = calloc(1, sizeof *l);

    warning->text[0] = '\0';
    if (!l || !(l->m = mosquitto_new(names->client_id, true, l))) {
        err_set(err, "no memory");
        goto fail;
    }
    l->handler = *handler;
    l->version = version;
    l->tls = config->mqtt.tls;
    if (set_up(l, config, names, warning, err))
        goto fail;

    int keepalive = config->mqtt.keepalive > KEEPALIVE_MIN ? config->mqtt.keepalive : KEEPALIVE_MIN;
    errno = 0;
    int rc = mosquitto_connect(l->m, config->mqtt.host, config->mqtt.port, keepalive);
    if (rc) {
        explain(l, rc, errno);
        err_set(err, "%s", l->reason);
        goto fail;
    }
    return l;
fail:
    mqtt_link_close(l);
    return NULL;
}

void mqtt_link_close(struct mqtt_link *l)
{
    if (!l)
        return;
    if (l->m) {
        mosquitto_log_callback_set(l->m, NULL);
        mosquitto_destroy(l->m);
    }
    free(l);
}

static enum mqtt_link_state down(struct mqtt_link *l, int rc, int error)
{
    /* brokers from before MQTT 5 may simply hang up on its CONNECT */
    if (l->state == LINK_HANDSHAKE && l->version == 5 && !l->answered &&
        (rc == MOSQ_ERR_CONN_LOST || (rc == MOSQ_ERR_ERRNO && error == ECONNRESET)))
        l->too_new = true;
    explain(l, rc, error);
    return l->state = LINK_DOWN;
}

enum mqtt_link_state mqtt_link_poll(struct mqtt_link *l, int wake_fd, int timeout_ms)
{
    if (l->state == LINK_DOWN)
        return LINK_DOWN;
    int fd = mosquitto_socket(l->m);
    if (fd < 0) /* a failed write closed it */
        return down(l, MOSQ_ERR_CONN_LOST, 0);

    struct pollfd p[2] = {{.fd = wake_fd, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    if (mosquitto_want_write(l->m))
        p[1].events |= POLLOUT;
    if (poll(p, 2, timeout_ms) < 0)
        return l->state;
    uint64_t count;
    if (p[0].revents && read(wake_fd, &count, sizeof count) < 0)
        count = 0;

    int rc = 0;
    errno = 0;
    if (p[1].revents & (POLLIN | POLLHUP | POLLERR))
        rc = mosquitto_loop_read(l->m, 1);
    if (!rc && p[1].revents & POLLOUT)
        rc = mosquitto_loop_write(l->m, 1);
    if (!rc)
        rc = mosquitto_loop_misc(l->m);
    return rc ? down(l, rc, errno) : l->state;
}

const char *mqtt_link_reason(const struct mqtt_link *l)
{
    return l->reason;
}

bool mqtt_link_too_new(const struct mqtt_link *l)
{
    return l->too_new;
}

bool mqtt_link_clear(struct mqtt_link *l)
{
    return l->state == LINK_UP && mosquitto_socket(l->m) >= 0 && !mosquitto_want_write(l->m);
}

int mqtt_link_publish(struct mqtt_link *l, const char *topic, const void *payload, size_t size, int qos, bool retain)
{
    int mid;
    return mosquitto_publish(l->m, &mid, topic, (int)size, payload, qos, retain) ? -1 : mid;
}

int mqtt_link_subscribe(struct mqtt_link *l, const char *topic, enum mqtt_link_filter filter, const char *loss)
{
    static const int options[] = {
        [LINK_NOT_OWN] = MQTT_SUB_OPT_NO_LOCAL, [LINK_AS_RETAINED] = MQTT_SUB_OPT_RETAIN_AS_PUBLISHED};
    int mid;

    if (mosquitto_subscribe_v5(l->m, &mid, topic, 1, l->version == 5 ? options[filter] : 0, NULL))
        return -1;
    if (l->n_asked < sizeof l->asked / sizeof *l->asked) {
        l->asked[l->n_asked].mid = mid;
        l->asked[l->n_asked++].loss = loss;
    }
    return 0;
}

void mqtt_link_unsubscribe(struct mqtt_link *l, const char *topic)
{
    mosquitto_unsubscribe(l->m, NULL, topic);
}

void mqtt_link_goodbye(struct mqtt_link *l)
{
    mosquitto_disconnect(l->m);
    for (int i = 0; i < 8 && mosquitto_want_write(l->m); i++) {
        struct pollfd p = {.fd = mosquitto_socket(l->m), .events = POLLOUT};
        if (p.fd < 0 || poll(&p, 1, 10) <= 0 || mosquitto_loop_write(l->m, 1))
            return;
    }
}
