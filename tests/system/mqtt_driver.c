/* Drives the MQTT output without a daemon: mqtt_driver [SECTION.NAME=VALUE ...]; commands on stdin, a line each:
 *   start|update|end LABEL   an event that is heard now; "quiet-start" and "quiet-end": one with notify off
 *   age S                    events from here on happened S seconds ago
 *   burst N                  N starts and ends of label 0, as fast as it goes
 *   test LABEL               output_test, prints "test: ok|failed TEXT in MS"
 *   health STATE             health and levels; STATE is the input's
 *   counters                 prints "counters: queued Q dropped D sent S"
 *   sleep S
 *   stop S                   ends with a flush of S seconds; prints "stop: MS" and "slowest event(): US"
 * Commands in from the broker are printed as "set NAME VALUE"; the value "bad" is refused. Labels: $LABELS, blanks between. */
#include "base/config.h"
#include "daemon/command.h"
#include "daemon/outputs/output.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int on_set(void *ctx, const char *name, const void *payload, size_t size, struct err *err)
{
    struct command_payload p;

    (void)ctx;
    if (command_payload_read(payload, size, &p, err))
        return err_prefix(err, "set/%s: ", name);
    if (strcmp(p.value, "bad") == 0)
        return err_set(err, "set/%s: bad", name);
    printf("set %s %s\n", name, p.value);
    return 0;
}

static double slowest_us, age_s;

static void tell(struct output *o, enum event_type type, const char *label, bool notify)
{
    static char event_id[UUID_SIZE];
    int64_t utc = now_ns(CLOCK_REALTIME) - (int64_t)(age_s * 1e9);
    struct event e = {.type = type,
                      .score = 0.83f,
                      .start_ns = utc,
                      .end_ns = utc,
                      .peak_dbfs = -12,
                      .rms_dbfs = -21,
                      .segments = 1,
                      .notify = notify};

    uuid7(e.id, now_ns(CLOCK_REALTIME));
    if (type == EVENT_START)
        memcpy(event_id, e.id, sizeof event_id);
    memcpy(e.event_id, event_id, sizeof event_id);
    memcpy(e.sound_id, event_id, sizeof event_id);
    snprintf(e.label, sizeof e.label, "%s", label);
    int64_t before = now_ns(CLOCK_MONOTONIC);
    o->event(o, &e);
    double us = (double)(now_ns(CLOCK_MONOTONIC) - before) * 1e-3;
    slowest_us = us > slowest_us ? us : slowest_us;
}

static void health(struct output *o, const char *state)
{
    struct health h = {.version = "test",
                       .model = "m",
                       .threshold = "auto+12 dB",
                       .input = "mic",
                       .rate = 48000,
                       .channels = 1,
                       .listening = true};

    snprintf(h.input_state, sizeof h.input_state, "%s", state);
    h.levels.rms_dbfs = -50;
    h.levels.threshold_dbfs = -48;
    o->health(o, &h);
    o->setting(o, "threshold", h.threshold);
}

static void test(struct output *o, const char *label)
{
    struct output_report r;

    output_test(&o, 1, 0, label, "m", 3, NULL, &r);
    printf("test: %s %s in %.1f ms\n", r.ok ? "ok" : "failed", r.text, r.ms);
}

static void counters(struct output *o)
{
    uint64_t queued, dropped, sent;

    o->counters(o, &queued, &dropped, &sent);
    printf("counters: queued %llu dropped %llu sent %llu\n", (unsigned long long)queued, (unsigned long long)dropped,
           (unsigned long long)sent);
}

static bool command(struct output *o, const char *word, const char *arg, const char *label0)
{
    static const struct {
        const char *word;
        enum event_type type;
        bool notify;
    } events[] = {{"start", EVENT_START, true},
                  {"update", EVENT_UPDATE, true},
                  {"end", EVENT_END, true},
                  {"quiet-start", EVENT_START, false},
                  {"quiet-end", EVENT_END, false}};

    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        if (strcmp(word, events[i].word) == 0)
            tell(o, events[i].type, arg, events[i].notify);
    if (strcmp(word, "age") == 0)
        age_s = atof(arg);
    else if (strcmp(word, "burst") == 0)
        for (int i = 0; i < atoi(arg); i++)
            tell(o, i % 2 ? EVENT_END : EVENT_START, label0, true);
    else if (strcmp(word, "test") == 0)
        test(o, arg);
    else if (strcmp(word, "health") == 0)
        health(o, arg);
    else if (strcmp(word, "counters") == 0)
        counters(o);
    else if (strcmp(word, "sleep") == 0)
        usleep((useconds_t)(atof(arg) * 1e6));
    else if (strcmp(word, "stop") == 0) {
        int64_t before = now_ns(CLOCK_MONOTONIC);
        o->stop(o, atof(arg));
        printf("stop: %.0f ms\nslowest event(): %.0f us\n", (double)(now_ns(CLOCK_MONOTONIC) - before) * 1e-6,
               slowest_us);
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct config config;
    struct err err;
    char text[4096], *labels[600], line[256], word[32], arg[128];
    struct daemon_control control = {.set = on_set, .labels = (const char *const *)labels};

    setvbuf(stdout, NULL, _IOLBF, 0);
    snprintf(text, sizeof text, "%s", getenv("LABELS") ? getenv("LABELS") : "dog_bark siren");
    for (char *at = text, *one; (one = strtok_r(at, " ", &at)) && control.n_labels < 600;)
        labels[control.n_labels++] = one;
    if (config_init(&config, &err))
        return fprintf(stderr, "%s\n", err.text), 2;
    for (int i = 1; i < argc; i++)
        if (config_set(&config, argv[i], &err))
            return fprintf(stderr, "%s\n", err.text), 2;
    struct output *o = output_mqtt_new(&config, &control, NULL, &err);
    config_free(&config);
    if (!o)
        return fprintf(stderr, "%s\n", err.text), 2;
    while (fgets(line, sizeof line, stdin)) {
        arg[0] = '\0';
        if (sscanf(line, "%31s %127s", word, arg) >= 1 && !command(o, word, arg, labels[0]))
            return 0;
    }
    o->stop(o, 0.8);
    return 0;
}
