/* The MQTT output. One thread owns the connection, because libmosquitto breaks when a second one publishes during a handshake, and
 * because looking a name up and connecting block, for minutes where nothing answers. Everyone else only fills the queue and
 * wakes it. A thread that hangs in a connection at the time of a stop is left behind with its memory. */
#include "base/log.h"
#include "daemon/outputs/mqtt_session.h"
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define DELAY_MIN     1.0 /* s between two attempts to connect, doubled up to ... */
#define DELAY_MAX     60.0
#define STEADY        5.0  /* s that a connection must have lasted for the delay to begin anew */
#define CONNACK_LIMIT 10.0 /* s for TLS and the broker's answer to CONNECT */
#define SILENCE_LIMIT 15.0 /* s without an acknowledgement that is due: the connection is dead, or the broker frozen */
#define GOODBYE       0.1  /* s of a stop that are kept for saying offline */

double mqtt_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void wake(struct mqtt *m)
{
    uint64_t one = 1;
    if (write(m->wake, &one, sizeof one) < 0) /* full counter: it is awake already */
        return;
}

static double stop_deadline(struct mqtt *m)
{
    pthread_mutex_lock(&m->lock);
    double deadline = m->deadline;
    pthread_mutex_unlock(&m->lock);
    return deadline;
}

static size_t queued(struct mqtt *m)
{
    struct mqtt_figures f;
    mqtt_queue_figures(m->queue, &f);
    return f.queued;
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
    return m->session.begun ? mqtt_session_idle(m) : queued(m) == 0;
}

/* One connection, from the handshake to its end. */
static void serve(struct mqtt *m, int version)
{
    struct mqtt_session *s = &m->session;
    const char *reason = NULL;
    double opened = mqtt_now();

    while (!reason && !stop_now(m)) {
        /* once a second: keepalive, limits; a stop and whatever is queued wake it */
        enum mqtt_link_state state = mqtt_link_poll(s->link, m->wake, 1000);
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
    bool abandoned = m->abandoned;
    pthread_mutex_unlock(&m->lock);
    if (abandoned) {
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

static void mqtt_free(struct mqtt *m)
{
    if (!m)
        return;
    if (m->locks) {
        pthread_mutex_destroy(&m->lock);
        pthread_mutex_destroy(&m->control_lock);
    }
    if (m->wake >= 0)
        close(m->wake);
    acks_free(m->acks);
    mqtt_queue_free(m->queue);
    free(m);
}

static void *run(void *arg)
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

    pthread_mutex_lock(&m->lock);
    m->finished = true;
    bool abandoned = m->abandoned;
    pthread_mutex_unlock(&m->lock);
    if (abandoned)
        mqtt_free(m);
    return NULL;
}

static void mqtt_event(struct output *o, const struct event *event)
{
    struct mqtt *m = (struct mqtt *)o;

    mqtt_queue_put(m->queue, event);
    wake(m);
}

static bool changed(const struct health *a, const struct health *b)
{
    return strcmp(a->input, b->input) != 0 || strcmp(a->input_state, b->input_state) != 0 ||
           !a->input_problem[0] != !b->input_problem[0] || strcmp(a->model, b->model) != 0 ||
           a->listening != b->listening || strcmp(a->threshold, b->threshold) != 0;
}

/* Is a message due that is sent every `interval`? Health comes about once a second: a little early is in time. */
static bool due(double *last, double interval, double now)
{
    if (interval <= 0 || now - *last < interval - 0.2)
        return false;
    *last = now;
    return true;
}

static void log_drops(struct mqtt *m)
{
    struct mqtt_figures f;

    mqtt_queue_figures(m->queue, &f);
    if (f.dropped_events == m->drops_logged)
        return;
    log_warn("mqtt: the queue of %d messages is full: %" PRIu64 " starts and ends and %" PRIu64
             " updates were lost so far, the oldest first",
             m->config.mqtt.queue, f.dropped_events, f.dropped_updates);
    m->drops_logged = f.dropped_events;
}

static void mqtt_health(struct output *o, const struct health *health)
{
    struct mqtt *m = (struct mqtt *)o;
    double now = mqtt_now();

    log_drops(m);
    pthread_mutex_lock(&m->lock);
    bool news = !m->have_health || changed(&m->health, health);
    m->health = *health;
    m->have_health = true;
    if (due(&m->health_time, m->config.mqtt.health_interval, now) || news) {
        m->own.replaced += m->health_waiting;
        m->health_waiting = true;
    }
    if (health->listening && due(&m->level_time, m->config.mqtt.level_interval, now)) {
        m->own.replaced += m->level_waiting;
        m->level_waiting = true;
    }
    bool waiting = m->health_waiting || m->level_waiting;
    pthread_mutex_unlock(&m->lock);
    if (waiting)
        wake(m);
}

static void mqtt_counters(struct output *o, uint64_t *n_queued, uint64_t *dropped, uint64_t *sent)
{
    struct mqtt *m = (struct mqtt *)o;
    struct mqtt_figures f;

    mqtt_queue_figures(m->queue, &f);
    pthread_mutex_lock(&m->lock);
    *n_queued = f.queued;
    *dropped = f.dropped_events + f.dropped_updates + m->own.refused;
    *sent = m->own.sent;
    pthread_mutex_unlock(&m->lock);
}

static int mqtt_acknowledged(struct output *o, const char *id, char *text, size_t size)
{
    struct mqtt *m = (struct mqtt *)o;
    int result = acks_find(m->acks, id, text, size);

    if (result)
        return result;
    pthread_mutex_lock(&m->lock);
    if (m->trouble[0])
        snprintf(text, size, "not connected to broker %s: %s", m->broker, m->trouble);
    else
        snprintf(text, size, "no answer from broker %s", m->broker);
    pthread_mutex_unlock(&m->lock);
    return 0;
}

/* Waits for the thread until `deadline`; false: it hangs. */
static bool join(struct mqtt *m, double deadline)
{
    struct timespec t = {.tv_sec = (time_t)deadline, .tv_nsec = (long)((deadline - (double)(time_t)deadline) * 1e9)};
    if (pthread_clockjoin_np(m->thread, NULL, CLOCK_MONOTONIC, &t) == 0)
        return true;

    pthread_mutex_lock(&m->control_lock);
    m->control = NULL;
    pthread_mutex_unlock(&m->control_lock);
    pthread_mutex_lock(&m->lock);
    bool finished = m->finished;
    m->abandoned = !finished;
    pthread_mutex_unlock(&m->lock);
    if (finished) {
        pthread_join(m->thread, NULL);
        return true;
    }
    log_debug("mqtt: the thread hangs in a connection and is left behind");
    return false;
}

static void mqtt_stop(struct output *o, double flush_s)
{
    struct mqtt *m = (struct mqtt *)o;
    double now = mqtt_now(), deadline = now + flush_s;
    size_t left = queued(m);

    pthread_mutex_lock(&m->lock);
    m->deadline = deadline;
    /* nothing to tell: a connection that hangs is not worth the wait */
    if (m->opening && !left)
        deadline = now + (flush_s < 0.05 ? flush_s : 0.05);
    pthread_mutex_unlock(&m->lock);
    wake(m);

    pthread_t thread = m->thread;
    bool joined = join(m, deadline);
    /* an abandoned thread may free m at any time from here on */
    if (!joined) {
        if (left)
            log_warn("mqtt: %zu events were not delivered: no connection yet", left);
        pthread_detach(thread);
        return;
    }
    if ((left = queued(m)) > 0)
        log_warn("mqtt: %zu events were not delivered to %s: %s", left, m->broker,
                 m->trouble[0] ? m->trouble : "not acknowledged in time");
    mosquitto_lib_cleanup();
    mqtt_free(m);
}

static int start(struct mqtt *m)
{
    sigset_t all, before;

    sigfillset(&all); /* signals are main's; SIGPIPE from OpenSSL's writes stays blocked */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&m->thread, NULL, run, m);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

struct output *output_mqtt_new(const struct config *config, const struct daemon_control *control, struct err *err)
{
    struct mqtt *m = calloc(1, sizeof *m);
    if (!m) {
        err_set(err, "mqtt: no memory");
        return NULL;
    }
    m->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    m->locks = pthread_mutex_init(&m->lock, NULL) == 0 && pthread_mutex_init(&m->control_lock, NULL) == 0;
    m->config = *config;
    m->config.rules = NULL;
    m->config.n_rules = 0;
    m->control = control;
    m->output = (struct output){.name = "mqtt",
                                .event = mqtt_event,
                                .health = mqtt_health,
                                .counters = mqtt_counters,
                                .acknowledged = mqtt_acknowledged,
                                .stop = mqtt_stop};
    snprintf(m->broker, sizeof m->broker, "%s:%d", config->mqtt.host, config->mqtt.port);
    if (mqtt_names_init(&m->names, config->mqtt.base, config->mqtt.node, err))
        goto fail;
    if (config->mqtt.tls && !config->mqtt.cert_file[0] != !config->mqtt.key_file[0]) {
        err_set(err, "mqtt.cert_file and mqtt.key_file: one without the other; give both or neither");
        goto fail;
    }
    m->acks = acks_new();
    m->queue = mqtt_queue_new(config->mqtt.queue > 0 ? (size_t)config->mqtt.queue : 0, control ? control->labels : NULL,
                              control ? control->n_labels : 0);
    if (m->wake < 0 || !m->acks || !m->queue) {
        err_set(err, "mqtt: no memory or no file descriptor left");
        goto fail;
    }
    mosquitto_lib_init();
    if (start(m)) {
        mosquitto_lib_cleanup();
        err_set(err, "mqtt: cannot start a thread");
        goto fail;
    }
    return &m->output;
fail:
    mqtt_free(m);
    return NULL;
}
