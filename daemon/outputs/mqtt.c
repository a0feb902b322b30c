/* The MQTT output. One thread owns the connection (mqtt_owner.c), because libmosquitto breaks when a second one publishes during a
 * handshake, and because looking a name up and connecting block, for minutes where nothing answers. Everyone else only fills
 * the queue and wakes it. A thread that hangs in a connection at the time of a stop is left behind with its memory. */
#include "base/log.h"
#include "daemon/outputs/mqtt_session.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define HUNG_S 0.05 /* s that a connection that hangs is given at a stop with nothing to tell */

void mqtt_wake(struct mqtt *m)
{
    uint64_t one = 1;
    if (write(m->wake, &one, sizeof one) < 0) /* full counter: it is awake already */
        return;
}

size_t mqtt_queued(struct mqtt *m)
{
    struct mqtt_figures f;
    mqtt_queue_figures(m->queue, &f);
    return f.queued;
}

void mqtt_free(struct mqtt *m)
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
    mqtt_commands_free(m);
    free(m->labels);
    mqtt_queue_free(m->queue);
    free(m);
}

static void mqtt_event(struct output *o, const struct event *event)
{
    struct mqtt *m = (struct mqtt *)o;

    if (m->store) /* it comes from there once it is on the disk */
        return;
    mqtt_queue_put(m->queue, event, 0);
    mqtt_wake(m);
}

static bool changed(const struct health *a, const struct health *b)
{
    return strcmp(a->input, b->input) != 0 || strcmp(a->input_state, b->input_state) != 0 ||
           !a->input_problem[0] != !b->input_problem[0] || a->store.on_disk != b->store.on_disk ||
           strcmp(a->model, b->model) != 0 || a->listening != b->listening || strcmp(a->threshold, b->threshold) != 0;
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

/* A few of them, as an input that ends gives two at once; the oldest goes where the broker is away. */
static void keep_level(struct mqtt *m, const struct sound_report *sound)
{
    if (m->n_sound == MQTT_SOUNDS) {
        memmove(m->sound, m->sound + 1, sizeof m->sound - sizeof *m->sound);
        m->n_sound--;
        m->own.replaced++;
    }
    m->sound[m->n_sound++] = *sound;
}

static void mqtt_health(struct output *o, const struct health *health)
{
    struct mqtt *m = (struct mqtt *)o;
    double now = mqtt_now();

    log_drops(m);
    pthread_mutex_lock(&m->lock);
    bool news = !m->have_health || changed(&m->health, health);
    m->announce |= m->health.sound.calibration.calibrated != health->sound.calibration.calibrated;
    m->health = *health;
    m->have_health = true;
    if (due(&m->health_time, m->config.mqtt.health_interval, now) || news) {
        m->own.replaced += m->health_waiting;
        m->health_waiting = true;
    }
    /* with a level meter as each of its periods ends, else by the clock */
    bool level =
        health->sound.on ? health->sound.number != m->level_number : due(&m->level_time, m->config.level.interval, now);
    m->level_number = health->sound.number;
    if (health->listening && level)
        keep_level(m, &health->sound);
    bool waiting = m->health_waiting || m->n_sound > 0;
    pthread_mutex_unlock(&m->lock);
    if (waiting)
        mqtt_wake(m);
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

static bool mqtt_connected(struct output *o, char *problem, size_t size)
{
    struct mqtt *m = (struct mqtt *)o;

    pthread_mutex_lock(&m->lock);
    snprintf(problem, size, "%s", m->trouble);
    pthread_mutex_unlock(&m->lock);
    return !*problem;
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

/* What could not be delivered: lost, but for what lies in the outbox. */
static void say_left(struct mqtt *m, const char *why)
{
    struct mqtt_figures f;

    mqtt_queue_figures(m->queue, &f);
    if (f.queued > f.saved)
        log_warn("mqtt: %zu events were not delivered to %s: %s", f.queued - f.saved, m->broker, why);
    if (f.saved)
        log_info("mqtt: %zu or more events wait in the outbox for the next start: %s", f.saved, why);
}

static void mqtt_stop(struct output *o, double flush_s)
{
    struct mqtt *m = (struct mqtt *)o;

    if (m->store) /* this thread may be given up and free itself: from here on nothing new comes */
        store_set_taker(m->store, NULL);
    size_t left = mqtt_queued(m);
    pthread_mutex_lock(&m->lock);
    m->deadline = mqtt_now() + flush_s;
    /* nothing to tell: a connection that hangs is not worth the wait */
    if (m->opening && !left && flush_s > HUNG_S)
        flush_s = HUNG_S;
    pthread_mutex_unlock(&m->lock);
    pthread_mutex_lock(&m->control_lock);
    m->control = NULL; /* its owner may be gone when a thread that hangs comes back */
    pthread_mutex_unlock(&m->control_lock);
    mqtt_wake(m);

    if (!output_thread_join(&m->thread, flush_s)) {
        if (left)
            log_warn("mqtt: %zu events were not delivered: no connection yet", left);
        return;
    }
    say_left(m, m->trouble[0] ? m->trouble : "not acknowledged in time");
    mosquitto_lib_cleanup();
    output_thread_clear(&m->thread);
    mqtt_free(m);
}

struct output *output_mqtt_new(const struct config *config, const struct daemon_control *control, struct store *store,
                               struct err *err)
{
    struct mqtt *m = calloc(1, sizeof *m);
    if (!m) {
        err_set(err, "mqtt: no memory");
        return NULL;
    }
    m->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    m->locks = pthread_mutex_init(&m->lock, NULL) == 0 && pthread_mutex_init(&m->control_lock, NULL) == 0;
    m->config = *config;
    config_forget_lists(&m->config);
    m->control = control;
    m->store = store;
    m->output = (struct output){.name = "mqtt",
                                .event = mqtt_event,
                                .health = mqtt_health,
                                .setting = mqtt_setting,
                                .result = mqtt_result,
                                .labels = mqtt_labels,
                                .counters = mqtt_counters,
                                .connected = mqtt_connected,
                                .acknowledged = mqtt_acknowledged,
                                .stop = mqtt_stop};
    snprintf(m->trouble, sizeof m->trouble, "no connection yet");
    snprintf(m->broker, sizeof m->broker, "%s:%d", config->mqtt.host, config->mqtt.port);
    discovery_id(m->id, control && control->state_dir ? control->state_dir : "");
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
    if (output_thread_start(&m->thread, mqtt_owner, m)) {
        mosquitto_lib_cleanup();
        err_set(err, "mqtt: cannot start a thread");
        goto fail;
    }
    if (store) {
        struct store_taker taker = mqtt_taker;
        taker.ctx = m;
        store_set_taker(store, &taker);
    }
    return &m->output;
fail:
    mqtt_free(m);
    return NULL;
}
