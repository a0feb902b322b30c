/* Figures for Prometheus (text exposition format 0.0.4). */
#ifndef EARSHOT_HTTP_METRICS_H
#define EARSHOT_HTTP_METRICS_H

#include "daemon/outputs/output.h"
#include <pthread.h>
#include <stdint.h>

#define METRICS_LABELS  300 /* classes that are counted by name; beyond: label="other" */
#define METRICS_STATUS  32
#define METRICS_BUCKETS 10

struct histogram {
    uint64_t counts[METRICS_BUCKETS + 1]; /* the last: above all bounds */
    double sum;
};

struct metrics {
    pthread_mutex_t lock;
    struct {
        char label[LABEL_SIZE];
        uint64_t n;
    } events[METRICS_LABELS];
    size_t n_labels;
    uint64_t other;
    struct histogram latency, requests; /* s */
    struct {
        unsigned status;
        uint64_t n;
    } answers[METRICS_STATUS];
};

void metrics_init(struct metrics *m);
void metrics_clear(struct metrics *m);

/* A start: counted; each event: its latency, from the end of the audio that decided it to now (UTC ns). Any thread. */
void metrics_event(struct metrics *m, const struct event *event, int64_t now_ns);
void metrics_answer(struct metrics *m, unsigned status, double seconds); /* below 0: a stream */

/* What the server itself has. */
struct metrics_server {
    unsigned connections, watchers;
    uint64_t cut;
};

/* All of it as text, malloc'ed. NULL: no memory. */
char *metrics_text(struct metrics *m, const struct health *health, const struct metrics_server *server);

#endif
