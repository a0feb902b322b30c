#include "daemon/outputs/acks.h"
#include "daemon/outputs/mqtt_topics.h"
#include "daemon/outputs/output.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <systemd/sd-id128.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static struct event event(enum event_type type, const char *label)
{
    struct event e = {.type = type,
                      .score = 0.834f,
                      .start_ns = 1795255270000000000,
                      .end_ns = 1795255272100000000,
                      .peak_dbfs = -12,
                      .rms_dbfs = -21.4f,
                      .segments = 3,
                      .notify = true};
    snprintf(e.label, sizeof e.label, "%s", label);
    uuid7(e.id, e.start_ns);
    uuid7(e.event_id, e.start_ns);
    uuid7(e.sound_id, e.start_ns);
    return e;
}

/* What an output of that format writes to stdout for these events. */
static void written(const char *format, const struct event *events, size_t n, char *out, size_t size)
{
    char path[] = "/tmp/test_outputs.XXXXXX";
    int fd = mkstemp(path), saved = dup(STDOUT_FILENO);
    struct err err;
    uint64_t queued, dropped, sent;

    assert_true(fd >= 0 && saved >= 0);
    unlink(path);
    fflush(stdout);
    dup2(fd, STDOUT_FILENO);
    struct output *o = output_journal_new(format, &err);
    if (o) {
        for (size_t i = 0; i < n; i++)
            o->event(o, &events[i]);
        for (double end = now() + 2; o->counters(o, &queued, &dropped, &sent), queued && now() < end;)
            usleep(1000);
        o->stop(o, 1);
    }
    dup2(saved, STDOUT_FILENO);
    close(saved);
    ssize_t len = pread(fd, out, size - 1, 0);
    close(fd);
    assert_true(len >= 0);
    out[len] = '\0';
    assert_non_null(o);
}

static void test_text(void **state)
{
    (void)state;
    struct event e[5] = {event(EVENT_START, "dog_bark"), event(EVENT_UPDATE, "dog_bark"), event(EVENT_END, "dog_bark"),
                         event(EVENT_END, "unknown"), event(EVENT_START, "siren")};
    char out[4096];

    setenv("TZ", "UTC", 1);
    tzset();
    e[3].notify = false;
    e[3].lost_frames = 480;
    e[4].test = true;
    e[4].rms_dbfs = NAN;
    written("text", e, 5, out, sizeof out);
    assert_string_equal(out, "10:01:10  dog_bark 0.83 -21 dBFS\n"
                             "10:01:12  dog_bark ended after 2.1 s, 0.83 -21 dBFS\n"
                             "10:01:12  unknown ended after 2.1 s, 0.83 -21 dBFS  (audio was lost)  (not notified)\n"
                             "10:01:10  siren 0.83  (test)\n");
}

static void test_json(void **state)
{
    (void)state;
    struct event e[3] = {event(EVENT_START, "dog_bark"), event(EVENT_UPDATE, "dog_bark"), event(EVENT_END, "dog_bark")};
    char out[8192], *line = out;

    written("json", e, 3, out, sizeof out);
    for (int i = 0; i < 3; i++) {
        char *end = strchr(line, '\n');
        assert_non_null(end);
        *end = '\0';
        json_t *o = json_loads(line, 0, NULL);
        assert_non_null(o);
        assert_string_equal(json_string_value(json_object_get(o, "event_type")), event_type_name(e[i].type));
        assert_string_equal(json_string_value(json_object_get(o, "id")), e[i].id);
        json_decref(o);
        line = end + 1;
    }
    assert_string_equal(line, "");
}

static void test_bad_format(void **state)
{
    (void)state;
    struct err err;

    assert_null(output_journal_new("xml", &err));
    assert_non_null(strstr(err.text, "xml"));
    assert_non_null(strstr(err.text, "auto, text, json, journal"));
}

/* A pipe that nobody reads: the worker never waits, what does not fit is counted, and a stop comes back in time. */
static void test_nobody_reads(void **state)
{
    (void)state;
    int p[2], saved = dup(STDOUT_FILENO);
    struct event e = event(EVENT_START, "dog_bark");
    struct err err;
    uint64_t queued, dropped, sent;
    char text[128];

    assert_int_equal(pipe(p), 0);
    fflush(stdout);
    dup2(p[1], STDOUT_FILENO);
    struct output *o = output_journal_new("json", &err);
    assert_non_null(o);
    double slowest = 0;
    for (int i = 0; i < 2000; i++) {
        double before = now();
        o->event(o, &e);
        slowest = now() - before > slowest ? now() - before : slowest;
    }
    usleep(20000);
    o->counters(o, &queued, &dropped, &sent);
    e.test = true;
    int known = o->acknowledged(o, e.id, text, sizeof text);
    double before = now();
    o->stop(o, 0.2);
    double took = now() - before;
    dup2(saved, STDOUT_FILENO);
    close(saved);
    assert_int_equal(known, 0);
    assert_true(dropped > 1000);
    assert_int_equal(queued + dropped + sent, 2000);
    assert_true(took > 0.19 && took < 10); /* 0.2 s on an idle machine; a blocked write would be for ever */
    assert_true(slowest < 5);
    /* the thread that was left behind ends by itself once somebody reads */
    char sink[4096];
    fcntl(p[0], F_SETFL, O_NONBLOCK);
    close(p[1]);
    for (double end = now() + 1; now() < end;)
        if (read(p[0], sink, sizeof sink) < 0)
            usleep(2000);
    close(p[0]);
}

static void test_acks(void **state)
{
    (void)state;
    struct acks *a = acks_new();
    char id[32], text[64] = "as it was";

    assert_int_equal(acks_find(a, "x", text, sizeof text), 0);
    assert_string_equal(text, "as it was");
    for (int i = 0; i < 40; i++) {
        snprintf(id, sizeof id, "%d", i);
        acks_put(a, id, i % 2 ? 1 : -1, id);
    }
    assert_int_equal(acks_find(a, "39", text, sizeof text), 1);
    assert_string_equal(text, "39");
    assert_int_equal(acks_find(a, "38", text, sizeof text), -1);
    assert_int_equal(acks_find(a, "3", text, sizeof text), 0); /* long forgotten */
    acks_free(a);
    acks_free(NULL);
}

static void test_node(void **state)
{
    (void)state;
    static const struct {
        const char *name, *node;
    } rows[] = {{"kitchen", "kitchen"}, {"Küche 1", "K-che-1"}, {"box.local", "box-local"},
                {"a/b+c#d", "a-b-c-d"}, {"", "earshot"},        {"///", "earshot"},
                {"_x-", "_x"},          {"ящик", "earshot"}};
    char out[MQTT_NODE], longest[200];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        mqtt_node(out, rows[i].name);
        assert_string_equal(out, rows[i].node);
    }
    memset(longest, 'a', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    mqtt_node(out, longest);
    assert_int_equal(strlen(out), MQTT_NODE - 1);
}

static void test_names(void **state)
{
    (void)state;
    struct mqtt_names a, b;
    struct err err;
    char topic[MQTT_TOPIC];

    assert_int_equal(mqtt_names_init(&a, "home/ears", "kitchen", &err), 0);
    assert_string_equal(a.base, "home/ears/kitchen");
    assert_int_equal(strlen(a.client_id), 23);
    assert_int_equal(mqtt_names_init(&b, "home/ears", "kitchen", &err), 0);
    sd_id128_t machine;
    if (sd_id128_get_machine(&machine) == 0) /* a container may have none: then the client id is a random one */
        assert_string_equal(a.client_id, b.client_id);
    assert_int_equal(mqtt_names_init(&b, "home/ears", "bath", &err), 0);
    assert_string_not_equal(a.client_id, b.client_id);
    assert_int_equal(mqtt_names_init(&b, "earshot", "", &err), 0);
    assert_true(strlen(b.base) > strlen("earshot/"));

    static const char *const bad[] = {"", "a+b", "#", "a/#", "/a", "a/", "$SYS", "a\xff"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(mqtt_names_init(&b, bad[i], "x", &err), -1);
        assert_non_null(strstr(err.text, "mqtt.base"));
    }
    mqtt_topic(topic, &a, "state", "dog_bark");
    assert_string_equal(topic, "home/ears/kitchen/state/dog_bark");
    assert_string_equal(mqtt_topic_name(&a, "state", topic), "dog_bark");
    assert_null(mqtt_topic_name(&a, "set", topic));
    assert_null(mqtt_topic_name(&a, "state", "home/ears/kitchen/state/a/b"));
    assert_null(mqtt_topic_name(&a, "state", "home/ears/kitchen/state/"));
    assert_null(mqtt_topic_name(&a, "state", "home/ears/kitchen"));
    assert_null(mqtt_topic_name(&a, "state", ""));
}

static void test_commands(void **state)
{
    (void)state;
    static const struct {
        const char *topic, *name; /* name NULL: no command */
    } rows[] = {
        {"e/n/set/threshold", "threshold"},
        {"e/n/set/min_score", "min_score"},
        {"e/n/set/", NULL},
        {"e/n/set", NULL},
        {"e/n/set/a/b", NULL},
        {"e/n/set/Listening", NULL},
        {"e/n/set/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL},
        {"e/other/set/listening", NULL},
    };
    struct mqtt_names names = {.base = "e/n"};
    char name[MQTT_NAME];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(mqtt_command(&names, rows[i].topic, name), rows[i].name != NULL);
        if (rows[i].name)
            assert_string_equal(name, rows[i].name);
    }
}

static void test_late(void **state)
{
    (void)state;
    static const struct {
        enum event_type type;
        double start, end; /* s ago */
        bool late;
    } rows[] = {{EVENT_START, 31, 30.5, true},  {EVENT_START, 29, 29, false}, {EVENT_END, 3600, 3, false},
                {EVENT_UPDATE, 3600, 1, false}, {EVENT_END, 3600, 31, true},  {EVENT_START, -5, -5, false}};
    const int64_t at = 1795255270000000000;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct event e = {.type = rows[i].type,
                          .start_ns = at - (int64_t)(rows[i].start * 1e9),
                          .end_ns = at - (int64_t)(rows[i].end * 1e9)};
        assert_int_equal(mqtt_event_late(&e, at, 30), rows[i].late);
    }
}

static void test_health_json(void **state)
{
    (void)state;
    struct health h = {.version = "0.1.0",
                       .model = "m",
                       .threshold = "off",
                       .input = "mic \xff",
                       .input_state = "ok",
                       .rate = 48000,
                       .channels = 2,
                       .lost_frames = 7,
                       .listening = true,
                       .n_outputs = 1};
    struct mqtt_health own = {
        .queue = {.queued = 3, .dropped_updates = 2, .dropped_events = 1}, .sent = 9, .refused = 4};

    h.levels.threshold_dbfs = -INFINITY;
    h.outputs[0] = (struct output_counters){.name = "journal", .queued = 1, .dropped = 2, .sent = 3};
    char *text = mqtt_health_json(&h, &own, 0);
    json_t *o = json_loads(text, 0, NULL);
    json_int_t dropped, lost;
    int listening, rate;
    const char *input_state;

    assert_non_null(o);
    assert_int_equal(json_unpack(o, "{s:b,s:I,s:{s:s,s:i,s:n},s:{s:{s:I}},s:{s:n}}", "listening", &listening,
                                 "lost_frames", &lost, "input", "state", &input_state, "rate", &rate, "problem",
                                 "outputs", "mqtt", "dropped", &dropped, "level", "threshold_dbfs"),
                     0);
    assert_true(listening);
    assert_int_equal(lost, 7);
    assert_int_equal(rate, 48000);
    assert_string_equal(input_state, "ok");
    assert_int_equal(dropped, 7);
    assert_non_null(json_object_get(json_object_get(o, "outputs"), "journal"));
    assert_true(json_is_null(json_object_get(o, "clips"))); /* none are asked for */
    json_decref(o);
    free(text);

    h.keeps_clips = true;
    h.clips = (struct clip_figures){.stored = 1, .speech = 2, .failed = 3, .lost_frames = 4, .bytes = 5};
    snprintf(h.clips.problem, sizeof h.clips.problem, "/clips: No space left on device");
    text = mqtt_health_json(&h, &own, 0);
    o = json_loads(text, 0, NULL);
    int clips[5];
    const char *problem;
    assert_int_equal(json_unpack(o, "{s:{s:i,s:i,s:i,s:i,s:i,s:s}}", "clips", "stored", &clips[0], "dropped_speech",
                                 &clips[1], "failed", &clips[2], "lost_frames", &clips[3], "bytes", &clips[4],
                                 "problem", &problem),
                     0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(clips[i], i + 1);
    assert_string_equal(problem, h.clips.problem);
    json_decref(o);
    free(text);

    text = mqtt_level_json(&h, 0);
    o = json_loads(text, 0, NULL);
    assert_true(json_is_null(json_object_get(o, "threshold_dbfs")));
    json_decref(o);
    free(text);
}

/* A listener whose backlog completes the connection and that never answers a byte; *port 0 until then. */
static int mute_listener(int *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &size), 0);
    *port = ntohs(a.sin_port);
    return fd;
}

static double stop_takes(const struct config *config, const struct event *e, double flush_s)
{
    static const char *const labels[] = {"dog_bark"};
    const struct daemon_control control = {.labels = labels, .n_labels = 1};
    struct err err;
    struct output *o = output_mqtt_new(config, &control, NULL, &err);

    assert_non_null(o);
    if (e)
        o->event(o, e);
    usleep(150000);
    double before = now();
    o->stop(o, flush_s);
    return now() - before;
}

/* A refused connection is not waited for; one under way is, up to the limit, where there is something to tell. */
static void test_mqtt_stop_limits(void **state)
{
    (void)state;
    struct config c;
    struct event e = event(EVENT_START, "dog_bark");
    int port;

    assert_int_equal(config_init(&c, NULL), 0);
    snprintf(c.mqtt.host, sizeof c.mqtt.host, "127.0.0.1");
    int fd = mute_listener(&port);
    c.mqtt.port = port;
    double took = stop_takes(&c, &e, 3);
    assert_true(took > 2 && took < 20); /* 2.9 s on an idle machine: the thread ends just before it is left behind */
    took = stop_takes(&c, NULL, 5);
    assert_true(took < 4); /* at once, on an idle machine */
    close(fd);             /* refused from here on */
    took = stop_takes(&c, &e, 30);
    assert_true(took < 20); /* likewise */
    config_free(&c);
}

static void test_mqtt_bad_settings(void **state)
{
    (void)state;
    struct config c;
    struct err err;

    assert_int_equal(config_init(&c, NULL), 0);
    snprintf(c.mqtt.base, sizeof c.mqtt.base, "a/#");
    assert_null(output_mqtt_new(&c, NULL, NULL, &err));
    assert_non_null(strstr(err.text, "mqtt.base"));
    snprintf(c.mqtt.base, sizeof c.mqtt.base, "earshot");
    c.mqtt.tls = true;
    snprintf(c.mqtt.cert_file, sizeof c.mqtt.cert_file, "/x");
    assert_null(output_mqtt_new(&c, NULL, NULL, &err));
    assert_non_null(strstr(err.text, "key_file"));
    config_free(&c);
}

/* An output that answers late, one that refuses, one that never says anything; and one that is not asked. */
struct fake {
    struct output output;
    int looks, answer;
    unsigned starts, ends;
    char id[UUID_SIZE];
};

static void fake_event(struct output *o, const struct event *e)
{
    struct fake *f = (struct fake *)o;

    assert_true(e->test && e->notify);
    if (e->type == EVENT_START)
        memcpy(f->id, e->id, sizeof f->id);
    f->starts += e->type == EVENT_START;
    f->ends += e->type == EVENT_END && strcmp(e->id, f->id) != 0;
}

static int fake_acknowledged(struct output *o, const char *id, char *text, size_t size)
{
    struct fake *f = (struct fake *)o;

    assert_string_equal(id, f->id);
    snprintf(text, size, "%s", f->answer ? "said" : "not connected");
    return ++f->looks > 3 ? f->answer : 0;
}

static void test_test_event(void **state)
{
    (void)state;
    struct fake f[4];
    struct output *o[4];
    struct output_report r[3];

    for (int i = 0; i < 4; i++) {
        f[i] = (struct fake){.output = {.name = "fake", .event = fake_event, .acknowledged = fake_acknowledged},
                             .answer = 1 - i};
        o[i] = &f[i].output;
    }
    double before = now();
    assert_int_equal(output_test(o, 3, 1, "siren", "m", 1.2, NULL, r), 2);
    assert_true(now() - before > 1.1);
    assert_true(r[0].ok && r[0].ms >= 0 && r[0].ms < 500);
    assert_false(r[1].ok); /* never answers: its word of why not is kept */
    assert_string_equal(r[1].text, "not connected");
    assert_false(r[2].ok); /* refuses */
    assert_int_equal(f[3].looks, 0);
    for (int i = 0; i < 4; i++)
        assert_true(f[i].starts == 1 && f[i].ends == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_bad_format),
        cmocka_unit_test(test_nobody_reads),
        cmocka_unit_test(test_acks),
        cmocka_unit_test(test_node),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_late),
        cmocka_unit_test(test_health_json),
        cmocka_unit_test(test_mqtt_stop_limits),
        cmocka_unit_test(test_mqtt_bad_settings),
        cmocka_unit_test(test_test_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
