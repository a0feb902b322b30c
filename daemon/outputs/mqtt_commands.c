/* Commands in, what became of them, and the settings in force. */
#include "base/log.h"
#include "daemon/outputs/mqtt_session.h"
#include <stdlib.h>
#include <string.h>

#define RATE  5  /* commands a second that are looked at and answered ... */
#define BURST 40 /* ... after so many at once: who floods us must not make us flood the others, the log or the disk */

void mqtt_setting(struct output *o, const char *name, const char *value)
{
    struct mqtt *m = (struct mqtt *)o;
    char *copy = strdup(value);
    size_t i = 0;

    if (!copy)
        return;
    pthread_mutex_lock(&m->lock);
    while (i < m->n_settings && strcmp(m->settings[i].name, name) != 0)
        i++;
    if (i < MQTT_SETTINGS) {
        struct mqtt_setting *s = &m->settings[i];
        m->n_settings += i == m->n_settings;
        snprintf(s->name, sizeof s->name, "%s", name);
        char *old = s->value;
        s->value = copy;
        s->due = true;
        copy = old;
    }
    pthread_mutex_unlock(&m->lock);
    free(copy);
    mqtt_wake(m);
}

/* Queues it: nothing is published from within libmosquitto's callbacks, whose locks it holds. */
static void answer(struct mqtt *m, const struct command_result *result)
{
    char *text = command_result_json(result);

    pthread_mutex_lock(&m->lock);
    if (text && m->n_answers < MQTT_ANSWERS) {
        struct mqtt_answer *a = &m->answers[m->n_answers++];
        snprintf(a->name, sizeof a->name, "%s", result->name);
        a->text = text;
        text = NULL;
    }
    pthread_mutex_unlock(&m->lock);
    free(text);
}

static void count_rejected(struct mqtt *m)
{
    pthread_mutex_lock(&m->lock);
    m->own.commands_rejected++;
    pthread_mutex_unlock(&m->lock);
}

void mqtt_result(struct output *o, const struct command_result *result)
{
    struct mqtt *m = (struct mqtt *)o;

    if (result->origin != COMMAND_MQTT)
        return;
    answer(m, result);
    mqtt_wake(m);
    if (result->ok)
        return;
    count_rejected(m);
    log_warn("mqtt: command ignored: set/%s: %s", result->name, result->error);
}

void mqtt_commands_free(struct mqtt *m)
{
    for (size_t i = 0; i < m->n_settings; i++)
        free(m->settings[i].value);
    for (size_t i = 0; i < m->n_answers; i++)
        free(m->answers[i].text);
}

void mqtt_commands_begin(struct mqtt *m)
{
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->n_settings; i++)
        m->settings[i].due = true;
    for (size_t i = 0; i < m->n_answers; i++) /* who asked on the connection before waits no longer */
        free(m->answers[i].text);
    m->n_answers = 0;
    pthread_mutex_unlock(&m->lock);
}

static bool too_many(struct mqtt *m)
{
    double now = mqtt_now();

    m->tokens += (now - m->tokens_time) * RATE;
    if (m->tokens > BURST || !(m->tokens_time > 0))
        m->tokens = BURST;
    m->tokens_time = now;
    if (m->tokens < 1)
        return true;
    m->tokens -= 1;
    return false;
}

/* Counted, answered where it has a name, and logged once a second. */
static void reject(struct mqtt *m, const char *name, const char *why)
{
    struct command_result result = {.origin = COMMAND_MQTT};
    double now = mqtt_now();

    count_rejected(m);
    if (name) {
        snprintf(result.name, sizeof result.name, "%s", name);
        snprintf(result.error, sizeof result.error, "%s", why);
        answer(m, &result);
    }
    if (now - m->warned < 1 && m->warned > 0)
        return;
    m->warned = now;
    log_warn("mqtt: command ignored: %s", why);
}

void mqtt_on_command(struct mqtt *m, const struct mosquitto_message *message)
{
    char name[MQTT_NAME];
    struct err err;

    if (!mqtt_command(&m->names, message->topic, name)) {
        reject(m, NULL, "no such command");
        return;
    }
    if (too_many(m)) {
        reject(m, NULL, "too many at once: neither looked at nor answered");
        return;
    }
    if (message->retain) {
        err_set(&err, "set/%s is a retained message; commands must not be retained", name);
        reject(m, name, err.text);
        return;
    }
    pthread_mutex_lock(&m->control_lock);
    int rc = m->control ? m->control->set(m->control->ctx, name, message->payload, (size_t)message->payloadlen, &err)
                        : err_set(&err, "nothing can be set");
    pthread_mutex_unlock(&m->control_lock);
    if (rc)
        reject(m, name, err.text);
}

bool mqtt_send_setting(struct mqtt *m)
{
    char name[MQTT_NAME];
    char *value = NULL;

    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->n_settings && !value; i++)
        if (m->settings[i].due && (value = strdup(m->settings[i].value))) {
            memcpy(name, m->settings[i].name, sizeof name);
            m->settings[i].due = false;
        }
    pthread_mutex_unlock(&m->lock);
    if (!value)
        return false;
    mqtt_session_publish(m, "setting", name, value, true);
    free(value);
    return true;
}

bool mqtt_send_answer(struct mqtt *m)
{
    struct mqtt_answer answer = {.text = NULL};
    char topic[MQTT_NAME + 8];

    pthread_mutex_lock(&m->lock);
    if (m->n_answers) {
        answer = m->answers[0];
        memmove(&m->answers[0], &m->answers[1], --m->n_answers * sizeof m->answers[0]);
    }
    pthread_mutex_unlock(&m->lock);
    if (!answer.text)
        return false;
    snprintf(topic, sizeof topic, "%s/result", answer.name);
    mqtt_session_publish(m, "set", topic, answer.text, false);
    free(answer.text);
    return true;
}
