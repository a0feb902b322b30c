/* The thread that owns the connection: connects for ever, serves, and ends at a stop. */
#include "base/clock.h"
#include "base/log.h"
#include "daemon/outputs/mqtt_session.h"
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define DELAY_MIN     1.0 /* s between two attempts to connect, doubled up to ... */
#define DELAY_MAX     60.0
#define STEADY        5.0  /* s that a connection must have lasted for the delay to begin anew */
#define CONNACK_LIMIT 10.0 /* s for TLS and the broker's answer to CONNECT */
#define SILENCE_LIMIT 15.0 /* s without an acknowledgement that is due: the connection is dead, or the broker frozen */
#define GOODBYE       0.1  /* s of a stop that are kept for saying offline */

double mqtt_now(void)
{
    return clock_s(CLOCK_MONOTONIC);
}

static double stop_deadline(struct mqtt *m)
{
    pthread_mutex_lock(&m->lock);
    double deadline = m->deadline;
    pthread_mutex_unlock(&m->lock);
    return deadline;
}

/* Why there is no connection: logged when it is another reason than before. */
static void trouble(struct mqtt *m, const char *what, const char *reason)
{
    char text[sizeof m->trouble];

    snprintf(text, sizeof text, "%s", reason);
    pthread_mutex_lock(&m->lock);
    bool known = strcmp(text, m->trouble) == 0;
    memcpy(m->trouble, text, sizeof text);
    pthread_mutex_unlock(&m->lock);
    if (!known)
        log_warn("mqtt: %s %s: %s (trying again)", what, m->broker, text);
}

/* Is there nothing (more) to do before the stop that was asked for? */
static bool stop_now(struct mqtt *m)
{
    double deadline = stop_deadline(m);

    if (!deadline)
        return false;
    if (mqtt_now() > deadline - GOODBYE)
        return true;
    return m->session.begun ? mqtt_session_idle(m) : mqtt_queued(m) == 0;
}

/* How long to wait for something to happen: a second (keepalive, limits); a stop and whatever is queued wake it. */
static int patience_ms(struct mqtt *m)
{
    double deadline = stop_deadline(m), left = deadline - GOODBYE - mqtt_now();
    return !deadline || left > 1 ? 1000 : left > 0 ? (int)(left * 1000) + 1 : 0;
}

/* One connection, from the handshake to its end. */
static void serve(struct mqtt *m, int version)
{
    struct mqtt_session *s = &m->session;
    const char *reason = NULL;
    double opened = mqtt_now();

    while (!reason && !stop_now(m)) {
        enum mqtt_link_state state = mqtt_link_poll(s->link, m->wake, patience_ms(m));
        if (state == LINK_UP && !s->begun) {
            log_info("mqtt: connected to %s with MQTT %s as %s", m->broker, version == 5 ? "5" : "3.1.1",
                     m->names.base);
            mqtt_session_begin(m);
        }
        if (state == LINK_DOWN)
            reason = mqtt_link_reason(s->link);
        else if (state == LINK_UP)
            mqtt_session_send(m);
        else if (mqtt_now() - opened > CONNACK_LIMIT)
            reason = "no answer from the broker within 10 s";
        if (mqtt_session_silence(m) > SILENCE_LIMIT)
            reason = "the broker does not answer any more";
    }
    if (!reason && s->begun)
        mqtt_session_goodbye(m, stop_deadline(m) - GOODBYE / 4);
    else if (reason && !mqtt_link_too_new(s->link))
        trouble(m, s->begun ? "lost the connection to" : "cannot connect to", reason);
}

static void warn_login(const struct err *warning, struct err *last)
{
    if (warning->text[0] && strcmp(warning->text, last->text) != 0)
        log_warn("mqtt: %s (looked for again at each connection)", warning->text);
    *last = *warning;
}

/* One attempt and the connection that it may lead to. Returns the s for which a connection stood, -1: try once more at once, with
 * 3.1.1. */
static double attempt(struct mqtt *m, int version, struct err *last_warning)
{
    struct mqtt_link_handler handler = mqtt_session_handler;
    struct err warning, err;

    handler.ctx = m;
    pthread_mutex_lock(&m->lock);
    m->opening = true;
    pthread_mutex_unlock(&m->lock);
    struct mqtt_link *link = mqtt_link_open(&m->config, &m->names, version, &handler, &warning, &err);
    pthread_mutex_lock(&m->lock);
    m->opening = false;
    pthread_mutex_unlock(&m->lock);
    if (output_thread_abandoned(&m->thread)) {
        mqtt_link_close(link);
        return 0;
    }
    warn_login(&warning, last_warning);
    if (!link) {
        trouble(m, "cannot connect to", err.text);
        return 0;
    }
    m->session.link = link;
    serve(m, version);
    bool again = mqtt_link_too_new(link) && m->config.mqtt.version == 0;
    if (mqtt_link_too_new(link) && !again)
        trouble(m, "cannot connect to", mqtt_link_reason(link));
    double stood = m->session.begun ? mqtt_now() - m->session.began : 0;
    mqtt_session_end(m);
    return again ? -1 : stood;
}

/* Half of it, and a random part of the other half: boxes that lost one broker together do not come back together. */
static double jitter(double delay)
{
    uint16_t r = 0;
    if (getrandom(&r, sizeof r, GRND_NONBLOCK) < 0)
        r = 0;
    return delay * (0.5 + 0.5 * r / 65536);
}

static void sleep_until(struct mqtt *m, double time)
{
    struct pollfd p = {.fd = m->wake, .events = POLLIN};
    uint64_t n;

    for (double left; !stop_deadline(m) && (left = time - mqtt_now()) > 0;)
        if (poll(&p, 1, (int)(left * 1000) + 1) > 0 && read(m->wake, &n, sizeof n) < 0)
            return;
}

void *mqtt_owner(void *arg)
{
    struct mqtt *m = arg;
    struct err warning = {""};
    double delay = DELAY_MIN;
    bool v3 = m->config.mqtt.version == 3;

    while (!stop_deadline(m)) {
        double began = mqtt_now(), stood = attempt(m, v3 ? 3 : 5, &warning);
        v3 = m->config.mqtt.version == 3 || stood < 0;
        if (stood < 0)
            continue;
        if (stood > STEADY)
            delay = DELAY_MIN;
        /* an attempt that hung has waited already */
        double again = began + stood + jitter(delay), soon = mqtt_now() + jitter(DELAY_MIN);
        delay = delay * 2 < DELAY_MAX ? delay * 2 : DELAY_MAX;
        sleep_until(m, again > soon ? again : soon);
    }

    if (output_thread_end(&m->thread)) {
        output_thread_clear(&m->thread);
        mqtt_free(m);
    }
    return NULL;
}
