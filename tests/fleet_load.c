/* fleet_load: as many boxes as a fleet has, each a client of its own, publish events at QoS 1 to one broker, and one subscriber counts
 * what arrives: losses, repeats, order, and how long each event took.
 *
 *   fleet_load --port P [--host H] [--boxes 500] [--rate 10] [--seconds 10] [--user U --password P] [--json]
 *
 * The payload is an event of earshot's as it is published, some 550 bytes. Latency is from the call that publishes to the subscriber's
 * callback, by one clock, in one process: it includes this program's own queueing. All clients are served by one thread. Exit code: 0
 * if nothing was lost and each box's events came in order. */
#include "base/clock.h"
#include "event/event.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <mosquitto.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DRAIN_S 30.0 /* that the last messages may take */
#define SLOT    40   /* of the payload's beginning: {"n":0000000000,"at":0000000000000000000, */

struct load {
    const char *host, *user, *password;
    int port;
    unsigned boxes;
    double rate, seconds;
    bool json;
    struct box *box;
    struct mosquitto *reader;
    bool reading;
    int epoll;
    unsigned connected;
    uint64_t published, acknowledged, received, repeats, disorder, errors;
    float *latency; /* ms, of the first time that each arrived */
    size_t n_latency, room;
};

struct box {
    struct load *load;
    struct mosquitto *m;
    unsigned number;
    uint64_t sent, next; /* events published; number of the one that the subscriber is to see next */
    unsigned char *seen; /* a bit an event */
    double due;
};

static void on_connect(struct mosquitto *m, void *ctx, int rc)
{
    struct box *b = ctx;
    (void)m;
    if (rc == 0)
        b->load->connected++;
    else
        b->load->errors++;
}

static void on_publish(struct mosquitto *m, void *ctx, int mid)
{
    (void)m;
    (void)mid;
    ((struct box *)ctx)->load->acknowledged++;
}

static void on_subscribe(struct mosquitto *m, void *ctx, int mid, int n, const int *qos)
{
    (void)m;
    (void)mid;
    ((struct load *)ctx)->reading = n == 1 && qos[0] == 1;
}

static void on_message(struct mosquitto *m, void *ctx, const struct mosquitto_message *message)
{
    struct load *l = ctx;
    unsigned number;
    uint64_t n;
    int64_t at, now = clock_ns(CLOCK_MONOTONIC);
    (void)m;

    if (sscanf(message->topic, "earshot/load-%u/event", &number) != 1 || number >= l->boxes ||
        sscanf(message->payload, "{\"n\":%" SCNu64 ",\"at\":%" SCNd64, &n, &at) != 2 || n >= l->box[number].sent) {
        l->errors++;
        return;
    }
    struct box *b = &l->box[number];
    l->received++;
    if (b->seen[n / 8] & 1u << n % 8) {
        l->repeats++;
        return;
    }
    b->seen[n / 8] |= (unsigned char)(1u << n % 8);
    l->disorder += n != b->next;
    b->next = n + 1;
    if (l->n_latency < l->room)
        l->latency[l->n_latency++] = (float)((double)(now - at) * 1e-6);
}

static struct mosquitto *client(struct load *l, const char *id, void *ctx)
{
    struct mosquitto *m = mosquitto_new(id, true, ctx);

    if (!m)
        return NULL;
    mosquitto_max_inflight_messages_set(m, 20);
    mosquitto_int_option(m, MOSQ_OPT_TCP_NODELAY, 1);
    if (l->user)
        mosquitto_username_pw_set(m, l->user, l->password);
    if (ctx == l) {
        mosquitto_subscribe_callback_set(m, on_subscribe);
        mosquitto_message_callback_set(m, on_message);
    } else {
        mosquitto_connect_callback_set(m, on_connect);
        mosquitto_publish_callback_set(m, on_publish);
    }
    int rc = mosquitto_connect(m, l->host, l->port, 60);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = m};
    if (rc || epoll_ctl(l->epoll, EPOLL_CTL_ADD, mosquitto_socket(m), &e) < 0) {
        fprintf(stderr, "fleet_load: %s: %s\n", id, rc ? mosquitto_strerror(rc) : strerror(errno));
        mosquitto_destroy(m);
        return NULL;
    }
    return m;
}

/* One round of the network: what can be read, then what is waiting to be written. */
static void serve(struct load *l, int wait_ms)
{
    struct epoll_event events[128];
    int n = epoll_wait(l->epoll, events, 128, wait_ms);

    for (int i = 0; i < n; i++) {
        if (mosquitto_loop_read(events[i].data.ptr, 1) && ++l->errors < 5)
            fprintf(stderr, "fleet_load: a connection broke\n");
        /* as many arrive at the one reader as at all boxes together: it must not wait for its turn among them */
        for (int waiting = 1; ioctl(mosquitto_socket(l->reader), FIONREAD, &waiting) == 0 && waiting > 0;)
            if (mosquitto_loop_read(l->reader, 1)) {
                l->errors++;
                break;
            }
    }
}

static void keep(struct load *l)
{
    for (unsigned i = 0; i < l->boxes; i++) {
        mosquitto_loop_misc(l->box[i].m);
        if (mosquitto_want_write(l->box[i].m))
            mosquitto_loop_write(l->box[i].m, 1);
    }
    mosquitto_loop_misc(l->reader);
    if (mosquitto_want_write(l->reader))
        mosquitto_loop_write(l->reader, 1);
}

static void publish(struct box *b)
{
    struct event e = {.type = EVENT_START,
                      .score = 0.93f,
                      .n_top = 3,
                      .peak_dbfs = -12,
                      .rms_dbfs = -21,
                      .segments = 1,
                      .label = "dog_bark",
                      .source = "USB PnP Sound Device: Audio (hw:1,0)",
                      .model = "earshot-s"};
    char json[2048], payload[2048 + SLOT], topic[64];
    int64_t now = clock_ns(CLOCK_MONOTONIC);

    e.start_ns = clock_ns(CLOCK_REALTIME);
    uuid7(e.id, e.start_ns);
    uuid7(e.event_id, e.start_ns);
    uuid7(e.sound_id, e.start_ns);
    for (int i = 0; i < 3; i++)
        e.top[i] = (struct label_score){"dog_bark", 0.9f};
    if (event_json(&e, json, sizeof json) < 0)
        return;
    int n = snprintf(payload, sizeof payload, "{\"n\":%" PRIu64 ",\"at\":%" PRId64 ",%s", b->sent, now, json + 1);
    snprintf(topic, sizeof topic, "earshot/load-%u/event", b->number);
    b->sent++; /* before it can come back */
    if (mosquitto_publish(b->m, NULL, topic, n, payload, 1, false) != MOSQ_ERR_SUCCESS)
        b->load->errors++;
    b->load->published++;
}

static int by_size(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static double percentile(const struct load *l, double p)
{
    return l->n_latency ? (double)l->latency[(size_t)(p / 100 * (double)(l->n_latency - 1))] : NAN;
}

static int report(struct load *l, double took)
{
    uint64_t lost = l->published - l->n_latency;

    qsort(l->latency, l->n_latency, sizeof *l->latency, by_size);
    printf(l->json
               ? "{\"boxes\":%u,\"rate\":%.0f,\"published\":%" PRIu64 ",\"acknowledged\":%" PRIu64 ",\"arrived\":%zu,"
                 "\"lost\":%" PRIu64 ",\"repeats\":%" PRIu64 ",\"disorder\":%" PRIu64 ",\"errors\":%" PRIu64
                 ",\"p50_ms\":%.2f,\"p95_ms\":%.2f,\"p99_ms\":%.2f,\"p999_ms\":%.2f,\"max_ms\":%.2f}\n"
               : "%u boxes, %.0f events a second in all: %" PRIu64 " published, %" PRIu64
                 " acknowledged, %zu arrived, %" PRIu64 " lost, %" PRIu64 " repeats, %" PRIu64 " out of order, %" PRIu64
                 " errors\npublish to callback: p50 %.2f ms, p95 %.2f, p99 %.2f, p99.9 %.2f, longest %.2f\n",
           l->boxes, (double)l->published / took, l->published, l->acknowledged, l->n_latency, lost, l->repeats,
           l->disorder, l->errors, percentile(l, 50), percentile(l, 95), percentile(l, 99), percentile(l, 99.9),
           percentile(l, 100));
    return lost || l->disorder || l->errors || l->acknowledged != l->published;
}

static int connect_all(struct load *l)
{
    char id[32];

    l->reader = client(l, "fleet-load-reader", l);
    if (!l->reader || mosquitto_subscribe(l->reader, NULL, "earshot/+/event", 1))
        return -1;
    for (unsigned i = 0; i < l->boxes; i++) {
        struct box *b = &l->box[i];
        *b = (struct box){.load = l, .number = i, .seen = calloc(1, (size_t)(l->rate * l->seconds / 8) + 64)};
        snprintf(id, sizeof id, "fleet-load-%u", i);
        b->m = b->seen ? client(l, id, b) : NULL;
        if (!b->m)
            return -1;
        serve(l, 0);
    }
    for (double end = clock_s(CLOCK_MONOTONIC) + 20; clock_s(CLOCK_MONOTONIC) < end;) {
        if (l->connected == l->boxes && l->reading)
            return 0;
        serve(l, 10);
        keep(l);
    }
    fprintf(stderr, "fleet_load: %u of %u connected\n", l->connected, l->boxes);
    return -1;
}

static int run(struct load *l)
{
    uint64_t all = (uint64_t)(l->rate * l->seconds);

    if (connect_all(l) < 0)
        return 2;
    double began = clock_s(CLOCK_MONOTONIC), kept = began;
    for (unsigned i = 0; i < l->boxes; i++) /* not all at the same moment */
        l->box[i].due = began + i / (l->rate * l->boxes);
    for (bool more = true; more;) {
        double now = clock_s(CLOCK_MONOTONIC);
        more = false;
        for (unsigned i = 0; i < l->boxes; i++) {
            struct box *b = &l->box[i];
            more |= b->sent < all;
            if (b->sent < all && now >= b->due) {
                publish(b);
                b->due += 1 / l->rate;
            }
        }
        serve(l, 1);
        if (now - kept > 0.01) {
            keep(l);
            kept = now;
        }
    }
    double took = clock_s(CLOCK_MONOTONIC) - began;
    for (double end = clock_s(CLOCK_MONOTONIC) + DRAIN_S;
         clock_s(CLOCK_MONOTONIC) < end && (l->n_latency < l->published || l->acknowledged < l->published);) {
        serve(l, 5);
        keep(l);
    }
    return report(l, took);
}

int main(int argc, char **argv)
{
    static const struct option flags[] = {
        {"host", 1, NULL, 'h'},     {"port", 1, NULL, 'p'},    {"boxes", 1, NULL, 'b'},
        {"rate", 1, NULL, 'r'},     {"seconds", 1, NULL, 's'}, {"user", 1, NULL, 'u'},
        {"password", 1, NULL, 'P'}, {"json", 0, NULL, 'j'},    {0}};
    struct load l = {.host = "127.0.0.1", .port = 1883, .boxes = 500, .rate = 10, .seconds = 10};
    int code = 2;

    for (int f; (f = getopt_long(argc, argv, "", flags, NULL)) != -1;)
        switch (f) {
        case 'h':
            l.host = optarg;
            break;
        case 'p':
            l.port = atoi(optarg);
            break;
        case 'b':
            l.boxes = (unsigned)atoi(optarg);
            break;
        case 'r':
            l.rate = atof(optarg);
            break;
        case 's':
            l.seconds = atof(optarg);
            break;
        case 'u':
            l.user = optarg;
            break;
        case 'P':
            l.password = optarg;
            break;
        case 'j':
            l.json = true;
            break;
        default:
            return 2;
        }
    if (l.boxes < 1 || l.boxes > 10000 || l.rate <= 0 || l.seconds <= 0 || l.port < 1) {
        fprintf(stderr, "fleet_load: nothing to do\n");
        return 2;
    }
    mosquitto_lib_init();
    l.room = (size_t)(l.boxes * l.rate * l.seconds) + l.boxes;
    l.latency = malloc(l.room * sizeof *l.latency);
    l.box = calloc(l.boxes, sizeof *l.box);
    l.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (l.latency && l.box && l.epoll >= 0)
        code = run(&l);
    for (unsigned i = 0; l.box && i < l.boxes; i++) {
        mosquitto_destroy(l.box[i].m);
        free(l.box[i].seen);
    }
    mosquitto_destroy(l.reader);
    free(l.box);
    free(l.latency);
    close(l.epoll);
    mosquitto_lib_cleanup();
    return code;
}
